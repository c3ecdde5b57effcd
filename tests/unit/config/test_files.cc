// SPDX-License-Identifier: Apache-2.0
// Files: the main one, conf.d, secrets, and what can be wrong with them.

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/config.h"
#include "unit/config/example.h"

using namespace fairway;
using namespace fairway::config;

namespace {

/// A folder of its own, gone with the test.
class Folder {
  public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fairway-config-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    std::filesystem::path write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
        const std::filesystem::path file = path_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        return file;
    }
    /// What loading fairway.toml says, without the folder's own name.
    [[nodiscard]] std::string complaints() const {
        std::string text = lines(load(path_ / "fairway.toml").diagnostics);
        const std::string prefix = path_.string() + "/";
        for (size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) text.erase(at, prefix.size());
        return text;
    }

  private:
    std::filesystem::path path_;
};

std::string with_token(const std::string& source) {
    return std::string(minimal) + "[api]\ntoken = \"" + source + "\"\n";
}

}  // namespace

TEST_CASE("files of conf.d are joined to the main one in order of their names") {
    const Folder folder;
    folder.write("fairway.toml", minimal);
    folder.write("conf.d/20-more.toml",
                 "[gateway.b]\nregion = \"eu-central\"\nendpoints = [\"10.0.0.2\"]\nmonitors = [\"ike\"]\n"
                 "[server]\nnsid = \"x\"\n[[geoip.override]]\nprefixes = [\"10.2.0.0/16\"]\nlocation = { "
                 "country = \"DE\" }\n");
    folder.write(
        "conf.d/10-more.toml",
        "[gateway.a]\nregion = \"eu-central\"\nendpoints = [\"10.0.0.1\"]\nmonitors = [\"ike\"]\n"
        "[server]\nthreads = 3\n[service.more]\nname = \"more.gslb.example.com\"\ngateways = [\"*\"]\n"
        "[[geoip.override]]\nprefixes = [\"10.1.0.0/16\"]\nlocation = { country = \"FR\" }\n");
    folder.write("conf.d/.hidden.toml", "nonsense");
    folder.write("conf.d/30-more.toml.bak", "nonsense");
    std::filesystem::create_directories(folder.path() / "conf.d/folder.toml");
    const LoadResult result = load(folder.path() / "fairway.toml");
    REQUIRE(lines(result.diagnostics) == "");
    const Config& config = *result.config;
    CHECK(config.files == std::vector{folder.path() / "fairway.toml", folder.path() / "conf.d/10-more.toml",
                                      folder.path() / "conf.d/20-more.toml"});
    CHECK(config.server.nsid == "x");
    CHECK(config.server.threads == 3);
    std::vector<std::string> names;
    for (const Gateway& gateway : config.model->gateways) names.push_back(gateway.name);
    CHECK(names == std::vector<std::string>{"fra1", "a", "b"});
    CHECK(config.model->services.at(1).gateways == std::vector{GatewayId(0), GatewayId(1), GatewayId(2)});
    REQUIRE(config.geoip.overrides.size() == 2);
    CHECK(config.geoip.overrides[0].location.country == "FR");
    CHECK(config.geoip.overrides[1].location.country == "DE");
}

TEST_CASE("what two files give names both places") {
    const Folder folder;
    folder.write("fairway.toml", std::string(minimal) + "[server]\nnsid = \"a\"\n");
    folder.write("conf.d/a.toml",
                 "[server]\nnsid = \"b\"\nthreads = \"x\"\n[gateway.fra1]\nregion = \"eu-central\"\n");
    folder.write("conf.d/b.toml", "server = 1\n[gateway.fra1]\nq = 1\n");
    CHECK(folder.complaints() ==
          "conf.d/a.toml:2:1: error: \"nsid\" of [server] is given twice; first at fairway.toml:15:1\n"
          "conf.d/a.toml:3:11: error: threads: an integer is wanted, not a string\n"
          "conf.d/a.toml:4:10: error: gateway \"fra1\" is given twice; first at fairway.toml:7:10\n"
          "conf.d/b.toml:1:1: error: \"server\" is given twice; first at fairway.toml:14:2\n"
          "conf.d/b.toml:2:10: error: gateway \"fra1\" is given twice; first at fairway.toml:7:10\n");
}

TEST_CASE("every file that is not TOML is told of, and then nothing is guessed") {
    const Folder folder;
    folder.write("fairway.toml", "[gateway.a]\nregion = \n");
    folder.write("conf.d/a.toml", "[gateway.b]\nregion = \"nowhere\"\n");
    folder.write("conf.d/b.toml", "x = [\n");
    CHECK(folder.complaints() ==
          "fairway.toml:2:10: error: this is not TOML: in key-value pair: expected value, saw '\\n'\n"
          "conf.d/b.toml:1:7: error: this is not TOML: in array: encountered end-of-file\n");
}

TEST_CASE("a file that is empty, absent, a folder or too large is refused") {
    const Folder folder;
    CHECK(folder.complaints() == "fairway.toml: error: cannot be opened: No such file or directory\n");
    folder.write("fairway.toml", " \n\t\n");
    CHECK(folder.complaints() == "fairway.toml: error: the file is empty\n");
    folder.write("fairway.toml", "# nothing\n");
    CHECK(folder.complaints() == "fairway.toml: error: the file sets nothing\n");
    folder.write("fairway.toml", "[server]\n");
    CHECK(
        folder.complaints() ==
        "fairway.toml: error: no service is defined, so there is nothing to answer; add a [service.NAME]\n");
    folder.write("fairway.toml", "#" + std::string((16U << 20) + 1, 'x'));
    CHECK(folder.complaints() == "fairway.toml: error: the file is larger than 16 MiB\n");
    std::filesystem::remove(folder.path() / "fairway.toml");
    std::filesystem::create_directory(folder.path() / "fairway.toml");
    CHECK(folder.complaints() == "fairway.toml: error: cannot be read: Is a directory\n");
}

TEST_CASE("an empty file in conf.d changes nothing, a broken link there is an error") {
    const Folder folder;
    folder.write("fairway.toml", minimal);
    folder.write("conf.d/a.toml", "");
    CHECK(folder.complaints() == "");
    std::filesystem::create_symlink("/nowhere/at/all", folder.path() / "conf.d/b.toml");
    CHECK(folder.complaints() == "conf.d/b.toml: error: cannot be opened: No such file or directory\n");
}

TEST_CASE("relative paths start at the folder of the main file, also in conf.d") {
    const Folder folder;
    folder.write("fairway.toml", minimal);
    folder.write(
        "conf.d/a.toml",
        "[geoip]\ndatabases = [\"geo/a.mmdb\", \"../b.mmdb\", \"/c.mmdb\"]\n[server]\nstate = \".\"\n");
    const LoadResult result = load(folder.path() / "fairway.toml");
    REQUIRE(lines(result.diagnostics) == "");
    CHECK(result.config->geoip.databases ==
          std::vector<std::filesystem::path>{folder.path() / "geo/a.mmdb",
                                             folder.path().parent_path() / "b.mmdb", "/c.mmdb"});
    CHECK(result.config->server.state == folder.path() / "");
}

TEST_CASE("a secret is read from its file without the newline at its end, and never shown") {
    const Folder folder;
    folder.write("api.token", "hunter2\n");
    folder.write("fairway.toml", with_token("file:api.token"));
    const LoadResult result = load(folder.path() / "fairway.toml");
    REQUIRE(lines(result.diagnostics) == "");
    CHECK(result.config->api.token == Secret{"file:" + (folder.path() / "api.token").string(), "hunter2"});
    CHECK(show(*result.config).find("hunter2") == std::string::npos);
    folder.write("api.token", "hunter3\n");
    const LoadResult later = load(folder.path() / "fairway.toml");
    REQUIRE(later.config);
    CHECK(diff(*result.config, *later.config) == std::vector<std::string>{"~ api: token has a new value"});
}

TEST_CASE("a secret may come from the environment") {
    REQUIRE(::setenv("FAIRWAY_TEST_TOKEN", "from-env", 1) == 0);
    const LoadResult result = load_text(with_token("env:FAIRWAY_TEST_TOKEN"), "f.toml");
    REQUIRE(lines(result.diagnostics) == "");
    CHECK(result.config->api.token == Secret{"env:FAIRWAY_TEST_TOKEN", "from-env"});
    REQUIRE(::unsetenv("FAIRWAY_TEST_TOKEN") == 0);
    CHECK(lines(load_text(with_token("env:FAIRWAY_TEST_TOKEN"), "f.toml").diagnostics) ==
          "f.toml:15:9: error: token: the environment variable \"FAIRWAY_TEST_TOKEN\" is not set\n");
}

TEST_CASE("a secret's file that everybody may read is warned of, one that is no file is an error") {
    const Folder folder;
    folder.write("t", "x\n", 0644);
    folder.write("fairway.toml", with_token("file:t"));
    const std::string path = "\"" + folder.path().string() + "/";
    const auto said = [&] { return lines(load(folder.path() / "fairway.toml").diagnostics); };
    const std::string start = folder.path().string() + "/fairway.toml:15:9: ";
    CHECK(said() ==
          start + "warning: token: " + path + "t\" is open to every user; chmod it to 0640 or less\n");
    REQUIRE(::chmod((folder.path() / "t").c_str(), 0640) == 0);
    CHECK(said() == "");
    folder.write("t", "\n\r\n");
    CHECK(said() ==
          start + "error: token: the secret from \"file:" + folder.path().string() + "/t\" is empty\n");
    folder.write("t", std::string(65537, 'x'));
    CHECK(said() == start + "error: token: " + path + "t\" is too large for a secret (64 KiB)\n");
    folder.write("fairway.toml", with_token("file:."));
    CHECK(said() == start + "error: token: " + path + "\" is not a regular file\n");
    folder.write("fairway.toml", with_token("file:absent"));
    CHECK(said() ==
          start + "error: token: " + path + "absent\" cannot be opened: No such file or directory\n");
    REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
    folder.write("fairway.toml", with_token("file:pipe"));
    CHECK(said() == start + "error: token: " + path + "pipe\" is not a regular file\n");
}

TEST_CASE("nesting without end, of any kind, is refused before it is parsed") {
    const auto said = [](const std::string& text) { return lines(load_text(text, "f.toml").diagnostics); };
    const std::string too_deep = ": error: tables, arrays or dotted keys are nested deeper than 32\n";
    CHECK(said("\nx = " + std::string(100'000, '[')) == "f.toml:2:1" + too_deep);
    std::string dotted = "a";
    for (int i = 0; i < 100'000; ++i) dotted += ".a";
    CHECK(said(dotted + " = 1\n") == "f.toml:1:1" + too_deep);
    std::string tables = "a = ";
    for (int i = 0; i < 10'000; ++i) tables += "{a=";
    CHECK(said(tables) == "f.toml:1:1" + too_deep);
    // Brackets and dots in strings and comments are only text.
    const std::string harmless = std::string(200, '[') + std::string(200, '.');
    CHECK(said(std::string(minimal) + "[server]\nnsid = \"\\\"" + harmless.substr(150, 100) + "\" # " +
               harmless + "\n[region.x]\nx = '''\n" + harmless + "'''\ny = \"\"\"" + harmless + "\"\"\"\n") ==
          "f.toml:17:1: error: unknown key \"x\"\nf.toml:19:1: error: unknown key \"y\"\n");
}

TEST_CASE("a great many mistakes are all told, quickly") {
    std::string text(minimal);
    for (int i = 0; i < 5000; ++i)
        text += "[gateway.g" + std::to_string(i) +
                "]\nregion = \"eu-centrall\"\nendpoints = [\"10.0.0.1\"]\nmonitors = [\"ikee\"]\n";
    const LoadResult result = load_text(text, "f.toml");
    CHECK(result.diagnostics.size() == 10'000);
    CHECK_FALSE(result.config);
}
