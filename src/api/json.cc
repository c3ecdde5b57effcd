// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace fairway::api {
namespace {

/// How deep arrays and objects nest, counted before anything is built.
size_t depth_of(std::string_view text) {
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
        if ((c == '}' || c == ']') && depth > 0) --depth;
    }
    return deepest;
}

}  // namespace

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

Json document(std::string_view name) {
    return {{"schema", "fairway/" + std::string(name) + "/1"}};
}

Response ok(const Json& json, int status) {
    Response response;
    response.status = status;
    response.body = text_of(json);
    return response;
}

BodyReader::BodyReader(std::string_view text) : json_(std::make_unique<Json>(Json::object())) {
    if (trim(text).empty()) return;
    if (depth_of(text) > max_depth) {
        error_ = Error{"the body nests deeper than " + std::to_string(max_depth) + " levels"};
        return;
    }
    *json_ = Json::parse(text, nullptr, false);
    if (json_->is_object()) return;
    error_ = Error{json_->is_discarded() ? "the body is not JSON" : "the body is not a JSON object"};
    *json_ = Json::object();
}

BodyReader::~BodyReader() = default;

const Json* BodyReader::member(std::string_view key) {
    asked_.emplace_back(key);
    const auto at = json_->find(std::string(key));
    return at == json_->end() || at->is_null() ? nullptr : &*at;
}

void BodyReader::wrong(std::string_view key, std::string_view expected) {
    if (!error_) error_ = Error{"\"" + std::string(key) + "\" must be " + std::string(expected)};
}

std::string BodyReader::text(std::string_view key, std::string_view otherwise) {
    const Json* value = member(key);
    if (value == nullptr) return std::string(otherwise);
    if (value->is_string()) return value->get<std::string>();
    wrong(key, "a string");
    return {};
}

std::vector<std::string> BodyReader::texts(std::string_view key) {
    const Json* value = member(key);
    std::vector<std::string> texts;
    if (value == nullptr) return texts;
    if (!value->is_array() || value->size() > 1000) {
        wrong(key, "a list of at most 1000 strings");
        return texts;
    }
    for (const Json& item : *value) {
        if (item.is_string())
            texts.push_back(item.get<std::string>());
        else
            wrong(key, "a list of strings");
    }
    return texts;
}

bool BodyReader::flag(std::string_view key) {
    const Json* value = member(key);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    wrong(key, "true or false");
    return false;
}

std::optional<int64_t> BodyReader::number(std::string_view key) {
    const Json* value = member(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer() && !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX))
        return value->get<int64_t>();
    wrong(key, "a whole number");
    return std::nullopt;
}

Result<void> BodyReader::finish() {
    if (error_) return tl::unexpected(*error_);
    for (const auto& [key, value] : json_->items()) {
        if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
        const std::string near = nearest_name(key, asked_);
        return fail("unknown member \"" + key + "\"" +
                    (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    return {};
}

}  // namespace fairway::api
