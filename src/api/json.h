// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON as the API speaks it: keys in the order of writing, every document with its `schema`, bodies bounded
// and read strictly.

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "base/result.h"

namespace fairway::api {

using Json = nlohmann::ordered_json;

/// Bytes that are not UTF-8 become U+FFFD: text from the network must not make a document unreadable.
[[nodiscard]] std::string text_of(const Json& json);
/// A document of the schema "fairway/<name>/1".
[[nodiscard]] Json document(std::string_view name);
[[nodiscard]] Response ok(const Json& json, int status = 200);

/// Reads the members of a JSON object, each at most once asked for; the first mistake sticks, and finish()
/// also refuses members that nobody asked for. An absent body is an empty object.
class BodyReader {
  public:
    explicit BodyReader(std::string_view text);
    ~BodyReader();
    BodyReader(const BodyReader&) = delete;
    BodyReader& operator=(const BodyReader&) = delete;

    [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise = {});
    [[nodiscard]] std::vector<std::string> texts(std::string_view key);
    [[nodiscard]] bool flag(std::string_view key);
    [[nodiscard]] std::optional<int64_t> number(std::string_view key);
    [[nodiscard]] Result<void> finish();

    static constexpr size_t max_depth = 64;

  private:
    const Json* member(std::string_view key);
    void wrong(std::string_view key, std::string_view expected);

    std::unique_ptr<Json> json_;
    std::vector<std::string> asked_;
    std::optional<Error> error_;
};

}  // namespace fairway::api
