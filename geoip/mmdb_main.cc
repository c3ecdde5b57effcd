// SPDX-License-Identifier: Apache-2.0
// fairway-mmdb: makes a geo database from a table of networks (the format is in network_table.h). The same
// table and options make the same bytes. The database of the demonstration is made with these arguments:
//
//     --type Fairway-Demo --description "Documentation networks" --epoch 1767225600
//     conf/demo-networks.csv conf/demo.mmdb

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "geoip/network_table.h"

namespace {

using namespace fairway;
using namespace fairway::geoip;

constexpr const char* usage =
    "usage: fairway-mmdb [--schema nested|flat] [--ip-version 4|6] [--record-size 24|28|32] [--type TEXT]\n"
    "                    [--description TEXT] [--epoch SECONDS] TABLE FILE\n";

struct Job {
    MmdbSchema schema = MmdbSchema::nested;
    MmdbOptions options;
    std::string table;
    std::string file;
};

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

Result<Job> parse_arguments(const std::vector<std::string>& arguments) {
    Job job;
    std::vector<std::string> places;
    for (size_t i = 0; i < arguments.size(); ++i) {
        const std::string& name = arguments[i];
        if (!name.starts_with("--")) {
            places.push_back(name);
            continue;
        }
        if (i + 1 == arguments.size()) return fail(name + " needs a value");
        const std::string& value = arguments[++i];
        bool valid = true;
        if (name == "--schema") {
            valid = value == "nested" || value == "flat";
            job.schema = value == "flat" ? MmdbSchema::flat : MmdbSchema::nested;
        } else if (name == "--ip-version") {
            valid = parse_number(value, job.options.ip_version);
        } else if (name == "--record-size") {
            valid = parse_number(value, job.options.record_size);
        } else if (name == "--type") {
            job.options.type = value;
        } else if (name == "--description") {
            job.options.description = value;
        } else if (name == "--epoch") {
            valid = parse_number(value, job.options.build_epoch);
        } else {
            return fail("there is no option " + name);
        }
        if (!valid) return fail("\"" + value + "\" is not a value for " + name);
    }
    if (places.size() != 2) return fail("it takes a table and a file to write");
    job.table = places[0];
    job.file = places[1];
    return job;
}

Result<void> run(const Job& job) {
    std::ifstream in(job.table, std::ios::binary);
    if (!in) return fail("cannot open " + job.table);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto rows = parse_network_table(text);
    if (!rows) return fail(job.table + ": " + rows.error().message);
    const auto bytes = make_mmdb(*rows, job.schema, job.options);
    if (!bytes) return tl::unexpected(bytes.error());
    std::ofstream out(job.file, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    out.close();
    if (!out) return fail("cannot write " + job.file);
    std::printf("%s: %zu networks, %zu bytes\n", job.file.c_str(), rows->size(), bytes->size());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto job = parse_arguments({argv + 1, argv + argc});
    if (!job) {
        std::fprintf(stderr, "fairway-mmdb: %s\n%s", job.error().message.c_str(), usage);
        return 2;
    }
    if (const auto done = run(*job); !done) {
        std::fprintf(stderr, "fairway-mmdb: %s\n", done.error().message.c_str());
        return 1;
    }
    return 0;
}
