#include "versiontable/exporters.h"

#include <algorithm>

#include <fmt/format.h>

#include "support/strings.h"
#include "versiontable/tables.h"
#include "versiontable/version_number.h"

namespace onnxcompat {
namespace {

/// The newest release that is not newer than a version; "1.13.0+cu117" counts as 1.13.0.
const ExporterRelease* governing(const Exporter& exporter, std::string_view version) {
  const std::string_view numbers = version.substr(0, version.find_first_not_of("0123456789."));
  const ExporterRelease* found = nullptr;
  for (const ExporterRelease& release : exporter.releases) {
    const auto order = compare_versions(release.version, numbers);
    if (order && *order <= 0) found = &release;
  }
  return found;
}

/// The oldest release that writes an opset.
const ExporterRelease* first_with(const Exporter& exporter, int opset) {
  for (const ExporterRelease& release : exporter.releases) {
    if (release.max_opset >= opset && release.min_opset <= opset) return &release;
  }
  return nullptr;
}

std::string call(const Exporter& exporter, int opset) {
  std::string text(exporter.option);
  constexpr std::string_view kOpset = "{opset}";
  if (const auto at = text.find(kOpset); at != std::string::npos) {
    text.replace(at, kOpset.size(), fmt::format("{}", opset));
  }
  return text;
}

}  // namespace

std::span<const Exporter> exporters() { return tables::exporters; }

std::string export_again(std::string_view producer, std::string_view producer_version, int opset) {
  const std::string name = lower_case(producer);
  for (const Exporter& exporter : tables::exporters) {
    if (!std::ranges::count(exporter.producers, name)) continue;
    const ExporterRelease* release = governing(exporter, producer_version);
    std::string again = call(exporter, opset);
    if (release == nullptr || release->max_opset == 0) return again;
    if (opset <= release->max_opset && opset >= release->min_opset) {
      return fmt::format("{} ({} {} writes opsets {} to {}; {} confidence: {})", again,
                         exporter.name, release->version, std::max(release->min_opset, 1),
                         release->max_opset, name_of(release->confidence), release->source);
    }
    const ExporterRelease* other = first_with(exporter, opset);
    if (other == nullptr) return {};
    return fmt::format("{} with {} {} ({} confidence: {}); {} writes opsets {} to {}", again,
                       exporter.name, other->version, name_of(other->confidence), other->source,
                       release->version, std::max(release->min_opset, 1), release->max_opset);
  }
  return {};
}

}  // namespace onnxcompat
