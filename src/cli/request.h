#pragma once

// Where a conversion is to go, from the command line's words.

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "adapters/convert.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {

struct RequestOptions {
  std::vector<std::string> targets;
  std::vector<std::string> opsets;  ///< "13" or "ai.onnx.ml=2"
  int ir_version = 0;
  std::string versions_file;
  ConversionOptions conversion;
  std::vector<std::string> domain_maps;  ///< "com.acme=FILE"

  /// Adds --target, --opset, --ir-version, --versions-file, --allow-loss, --strict-text,
  /// --freeze-initializers and --domain-map.
  void add_to(CLI::App& app);
};

struct Request {
  ConversionRequest conversion;
  std::vector<Target> targets;  ///< all of them, to be met by the result
};

/// Usage errors that need no model: nothing asked for, unknown targets, contradictions.
Result<void> validate(const RequestOptions& options, const VersionTable& table);

/// What to ask of the converter for this model. An exact target (opset=13) is a destination; a
/// release only bounds what the model has: what is above its ceiling comes down to it, what is
/// below its floor goes up to it.
Result<Request> conversion_request(const RequestOptions& options, const VersionTable& table,
                                   const Model& model);

/// The same for targets that are already parsed.
Request conversion_request(const std::vector<Target>& targets, const Model& model);

/// Where the request would lead: "ir 8, ai.onnx 13".
std::string request_line(const Request& request, const Model& model);

}  // namespace onnxcompat::cli
