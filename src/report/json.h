#pragma once

// What the formats made of JSON share. Only src/report/ includes this.

#include <nlohmann/json.hpp>

#include "report/report.h"

namespace onnxcompat {

// Keys keep the order in which they are written.
using Json = nlohmann::ordered_json;

/// The MODEL object of docs/report.md.
Json json_of(const ModelReport& model);
Json json_of(const Totals& totals);
/// {"name", "version"}
Json json_of_tool(const Report& report);
/// "shard" and "isolation", where there are any.
void add_circumstances(Json& out, const Report& report);

}  // namespace onnxcompat
