#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "versiontable/version_table.h"

namespace onnxcompat {

/// The rows of a file in the format of data/versions.json, in its order.
struct VersionsFile {
  std::vector<Product> products;
  std::vector<Release> releases;
  std::shared_ptr<std::deque<std::string>> texts;  ///< what the rows' texts point into
};

/// Reads the format:
///
///   {"format": 1, "products": [
///     {"name": "onnxruntime", "title": "ONNX Runtime", "aliases": ["ort"],
///      "defaults": {…the fields of every release below that does not have them…},
///      "releases": [{"version": "1.14.0", "date": "2023-02-09", "evidence": "measured",
///                    "confidence": "measured", "ir": 8, "min_opset": 7,
///                    "opsets": {"ai.onnx": 18, "ai.onnx.ml": 3}, "source": "…"}]}]}
///
/// A release may also have "until" (last version of a range), "names" (other names), "note", and
/// instead of ceilings "bundles": "onnxruntime 1.14.1", which takes over those of that row (of the
/// file so far, or of `known`). Only version and source are required. Errors name `name` and the
/// place (ExitCode::usage).
Result<VersionsFile> parse_versions(std::string_view text, const std::string& name,
                                    std::span<const Release> known);

}  // namespace onnxcompat
