// SPDX-License-Identifier: Apache-2.0
// Reading files, and the order of work: all files to trees, one tree, one document, one configuration.

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/unique_fd.h"
#include "config/tables.h"

namespace fairway::config {
namespace {

std::string error_text(int error) {
    return std::strerror(error);
}

/// The whole of an open file, unless it is larger than `limit`.
Result<std::string> read_all(int fd, size_t limit) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail("cannot be read: " + error_text(errno));
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<size_t>(got));
        if (text.size() > limit)
            return fail("the file is larger than " + std::to_string(limit >> 20) + " MiB");
    }
}

Result<std::string> read_file(const std::filesystem::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail("cannot be opened: " + error_text(errno));
    return read_all(fd.get(), max_file_size);
}

/// conf.d beside the main file, in order of names; none when there is no such folder.
Result<std::vector<std::filesystem::path>> included_files(const std::filesystem::path& main) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    const std::filesystem::path folder = main.parent_path() / "conf.d";
    std::filesystem::directory_iterator entry(folder, error), end;
    if (error == std::errc::no_such_file_or_directory) return files;
    while (!error && entry != end) {
        const std::filesystem::path& path = entry->path();
        // Editors and orchestrators leave hidden files of their own there.
        const bool wanted = path.extension() == ".toml" && !path.filename().string().starts_with('.');
        std::error_code ignored;
        if (wanted && entry->is_regular_file(ignored)) files.push_back(path);
        if (wanted && ignored) files.push_back(path);  // a broken link: opening it will say so
        entry.increment(error);
    }
    if (error) return fail(folder.string() + " cannot be listed: " + error.message());
    std::sort(files.begin(), files.end());
    return files;
}

/// The folder that relative paths start from, absolute where that can be known.
std::filesystem::path folder_of(const std::filesystem::path& file) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(file, error);
    return (error ? file : whole).lexically_normal().parent_path();
}

class Loader {
  public:
    /// One more file; the first is the main one.
    void add(const std::filesystem::path& path, const Result<std::string>& text) {
        const uint32_t file = report_.add_file(path.string());
        files_.push_back(path);
        if (!text) {
            report_.error({file, 0, 0}, text.error().message);
            return;
        }
        const bool empty = file == 0 && trim(*text).empty();
        if (empty) {
            report_.error({file, 0, 0}, "the file is empty");
            return;
        }
        auto tree = parse_document(report_, file, *text);
        if (!tree) {
            unreadable_ = true;
        } else if (file == 0) {
            tree_ = std::move(*tree);
        } else {
            merge_document(report_, tree_, std::move(*tree));
        }
    }
    void fault(const std::string& message) { report_.error({}, message); }

    /// Judges what was added. A file that could not be understood would only cause complaints about what it
    /// defines, so then there are no others.
    LoadResult finish(const std::filesystem::path& folder, const SecretReader& secrets) {
        LoadResult result;
        const bool readable = !unreadable_ && !tree_.entries.empty();
        if (!readable && !report_.failed()) report_.error({}, "the file sets nothing");
        if (readable) {
            Context context{report_, folder, secrets};
            Document document;
            document_table().read(context, tree_, document);
            result.config = compile(context, document);
        }
        if (report_.failed()) result.config.reset();
        if (result.config) result.config->files = files_;
        result.diagnostics = report_.take();
        return result;
    }

  private:
    Reporter report_;
    std::vector<std::filesystem::path> files_;
    Node tree_;
    bool unreadable_ = false;
};

/// Runs `work`; what it throws (memory, a library's surprise) becomes a diagnostic.
template <class Work>
LoadResult guarded(const std::filesystem::path& name, Work work) {
    std::string what;
    try {
        return work();
    } catch (const std::exception& error) {
        what = error.what();
    }
    return {std::nullopt, {{Diagnostic::Severity::error, name.string(), 0, 0, "cannot be loaded: " + what}}};
}

}  // namespace

Result<SecretContent> read_secret(const std::string& source) {
    SecretContent content;
    if (source.starts_with("env:")) {
        const std::string name = source.substr(4);
        const char* value = std::getenv(name.c_str());
        if (value == nullptr) return fail("the environment variable " + quote(name) + " is not set");
        content.value = value;
    } else {
        const std::string path = source.substr(source.find(':') + 1);
        // Not to be stopped by a pipe that nobody writes to.
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!fd) return fail(quote(path) + " cannot be opened: " + error_text(errno));
        struct stat status {};
        if (::fstat(fd.get(), &status) != 0) return fail(quote(path) + ": " + error_text(errno));
        if (!S_ISREG(status.st_mode)) return fail(quote(path) + " is not a regular file");
        if (status.st_size > 65536) return fail(quote(path) + " is too large for a secret (64 KiB)");
        auto text = read_all(fd.get(), max_file_size);
        if (!text) return fail(quote(path) + " " + text.error().message);
        content.value = std::move(*text);
        if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
            content.warning = quote(path) + " is open to every user; chmod it to 0640 or less";
    }
    while (!content.value.empty() && (content.value.back() == '\n' || content.value.back() == '\r'))
        content.value.pop_back();
    if (content.value.empty()) return fail("the secret from " + quote(source) + " is empty");
    return content;
}

std::string Diagnostic::to_string() const {
    std::string text = file + ":";
    if (line != 0) text += std::to_string(line) + ":" + std::to_string(column) + ":";
    return text + (severity == Severity::error ? " error: " : " warning: ") + message;
}

LoadResult load(const std::filesystem::path& path) {
    return guarded(path, [&] {
        Loader loader;
        loader.add(path, read_file(path));
        const auto included = included_files(path);
        if (!included) loader.fault(included.error().message);
        if (included) {
            for (const std::filesystem::path& file : *included) loader.add(file, read_file(file));
        }
        return loader.finish(folder_of(path), read_secret);
    });
}

LoadResult load_text(std::string_view text, const std::filesystem::path& name, const SecretReader& secrets) {
    return guarded(name, [&] {
        Loader loader;
        loader.add(name, std::string(text));
        return loader.finish(folder_of(name), secrets);
    });
}

}  // namespace fairway::config
