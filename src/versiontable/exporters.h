#pragma once

// What exporters write: by which release of theirs, up to which opset (data/exporters.json).

#include <span>
#include <string>
#include <string_view>

#include "versiontable/version_table.h"

namespace onnxcompat {

struct ExporterRelease {
  std::string_view version;
  int default_opset;  ///< 0: not known
  int min_opset;
  int max_opset;
  Confidence confidence;
  std::string_view source;
};

struct Exporter {
  std::string_view name;
  std::span<const std::string_view> producers;  ///< producer_name, in lower case
  std::string_view option;  ///< how the opset is asked for; "{opset}" stands for it
  std::span<const ExporterRelease> releases;  ///< oldest first
};

std::span<const Exporter> exporters();

/// How to export a model again at an opset, by whoever produced it: the call, and what is known of
/// that release's limits. Empty if the producer is not known.
std::string export_again(std::string_view producer, std::string_view producer_version, int opset);

}  // namespace onnxcompat
