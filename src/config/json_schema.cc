// SPDX-License-Identifier: Apache-2.0

#include <nlohmann/json.hpp>

#include "config/tables.h"

namespace fairway::config {

std::string json_schema() {
    auto schema = nlohmann::ordered_json::parse(document_table().schema());
    nlohmann::ordered_json whole{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                                 {"title", "fairway.toml"},
                                 {"description", "Configuration of fairwayd"}};
    whole.update(schema);
    return whole.dump(2) + "\n";
}

}  // namespace fairway::config
