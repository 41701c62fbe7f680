#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/strings.h"
#include "versiontable/version_number.h"
#include "versiontable/version_table.h"

namespace onnxcompat {
namespace {

constexpr std::string_view kForms = "opset=13, ai.onnx.ml=2, ir=8 or PRODUCT=VERSION";

/// A whole positive number, nothing before or after it.
std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

/// Checks a version number against the newest one that may be asked for.
Result<int> version_in(std::string_view spec, std::string_view text, std::string_view what,
                       int newest_released, int newest_known) {
  const auto version = number_in(text);
  if (!version) {
    return fail(ExitCode::usage,
                fmt::format("target '{}': '{}' is not {} version", spec, text, what));
  }
  if (*version > newest_known) {
    return fail(ExitCode::usage,
                fmt::format("target '{}': the newest released {} version is {}", spec,
                            what.substr(what.find(' ') + 1), newest_released));
  }
  return *version;
}

std::vector<std::string_view> domains_of(std::span<const Release> releases) {
  std::vector<std::string_view> domains;
  for (const Release& release : releases) {
    if (release.product != "onnx") continue;
    for (const DomainVersion& entry : release.ceilings.opsets) {
      if (!std::ranges::count(domains, entry.domain)) domains.push_back(entry.domain);
    }
  }
  return domains;
}

/// Do two readings disagree on something that both speak of?
bool differ(const Ceilings& a, const Ceilings& b) {
  if (a.ir_version != 0 && b.ir_version != 0 && a.ir_version != b.ir_version) return true;
  return std::ranges::any_of(a.opsets, [&](const DomainVersion& entry) {
    const auto other = b.opset(entry.domain);
    return other && *other != entry.version;
  });
}

/// The versions of a product, each once, oldest first.
std::vector<std::string_view> versions_of(std::span<const Release> releases,
                                          std::string_view product) {
  std::vector<std::string_view> versions;
  for (const Release& release : releases) {
    if (release.product == product && !std::ranges::count(versions, release.version)) {
      versions.push_back(release.version);
    }
  }
  return versions;
}

/// The versions right below and above one that is not there; as text, the most alike.
std::vector<std::string_view> neighbours(std::span<const std::string_view> versions,
                                         std::string_view wanted) {
  std::string_view below;
  std::string_view above;
  for (const std::string_view version : versions) {
    const auto order = compare_versions(version, wanted);
    if (!order) continue;
    if (*order < 0) below = version;
    if (*order > 0 && above.empty()) above = version;
  }
  std::vector<std::string_view> result;
  if (!below.empty()) result.push_back(below);
  if (!above.empty()) result.push_back(above);
  if (result.empty()) {
    if (const auto alike = did_you_mean(wanted, versions)) result.push_back(*alike);
  }
  return result;
}

}  // namespace

Error VersionTable::unknown_product(std::string_view spec, std::string_view name) const {
  std::vector<std::string_view> known = {"opset", "ir"};
  const std::vector<std::string_view> domains = domains_of(releases_);
  known.insert(known.end(), domains.begin(), domains.end());
  std::erase(known, "");
  for (const Product& product : products_) known.push_back(product.name);
  std::vector<std::string_view> candidates = known;
  for (const Product& product : products_) {
    candidates.insert(candidates.end(), product.aliases.begin(), product.aliases.end());
  }
  const auto meant = did_you_mean(name, candidates);
  return {ExitCode::usage, fmt::format("target '{}': '{}' is not known{}; known are {}", spec, name,
                                       meant ? fmt::format(", did you mean '{}'?", *meant) : "",
                                       fmt::join(known, ", "))};
}

Error VersionTable::unknown_version(const Product& product, std::string_view version) const {
  constexpr std::size_t kShort = 12;
  const std::vector<std::string_view> versions = versions_of(releases_, product.name);
  if (versions.empty()) {
    return {ExitCode::usage, fmt::format("target '{}={}': no release of {} is known", product.name,
                                         version, product.title)};
  }
  const std::string known = versions.size() <= kShort
                                ? fmt::format("{}", fmt::join(versions, ", "))
                                : fmt::format("{} to {} ('onnxcompat versions {}' lists them)",
                                              versions.front(), versions.back(), product.name);
  const auto near = neighbours(versions, version);
  return {
      ExitCode::usage,
      fmt::format("target '{}={}': {} has no such version here{}; known are {}", product.name,
                  version, product.title,
                  near.empty() ? "" : fmt::format(", did you mean {}?", fmt::join(near, " or ")),
                  known)};
}

Result<Target> VersionTable::product_target(const Product& product,
                                            std::string_view version) const {
  const Release* row =
      version == "latest" ? nullptr : deciding_release(releases_, product.name, version);
  if (version == "latest") {
    const std::vector<std::string_view> versions = versions_of(releases_, product.name);
    if (!versions.empty()) row = deciding_release(releases_, product.name, versions.back());
  }
  if (!row) return std::unexpected(unknown_version(product, version));
  if (row->ceilings.ir_version == 0 && row->ceilings.opsets.empty()) {
    return fail(ExitCode::usage, fmt::format("target '{}={}': no ceiling of {} {} is known{}{}",
                                             product.name, version, product.title, row->version,
                                             row->note.empty() ? "" : ": ", row->note));
  }
  Target target{.spec = fmt::format("{}={}", product.name, row->version),
                .product = std::string(product.name),
                .ceilings = row->ceilings,
                .evidence = row->evidence,
                .documented = std::nullopt,
                .source = std::string(row->source),
                .note = std::string(row->note)};
  if (row->evidence == Evidence::measured) {
    const Release* documented = find_release(product.name, row->version, Evidence::documented);
    if (documented && differ(documented->ceilings, row->ceilings)) {
      target.documented = documented->ceilings;
    }
  }
  return target;
}

Result<Target> VersionTable::parse_target(std::string_view spec) const {
  const std::size_t equals = spec.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == spec.size()) {
    return fail(ExitCode::usage, fmt::format("target '{}' is not of the form {}", spec, kForms));
  }
  const std::string name = lower_case(spec.substr(0, equals));
  const std::string_view version = spec.substr(equals + 1);

  Target target;
  if (name == "ir") {
    const auto ir = version_in(spec, version, "an IR", newest_ir_version(), newest_ir_version());
    if (!ir) return std::unexpected(ir.error());
    target.spec = fmt::format("ir={}", *ir);
    target.ceilings.ir_version = *ir;
    return target;
  }
  const std::string domain = name == "opset" || name == "ai.onnx" ? "" : name;
  if (const auto newest = newest_opset(domain)) {
    const std::string what = fmt::format("an {} opset", domain.empty() ? "ai.onnx" : domain);
    const auto opset =
        version_in(spec, version, what, *newest, newest_known_opset(domain).value_or(*newest));
    if (!opset) return std::unexpected(opset.error());
    if (*opset > *newest)
      target.note =
          fmt::format("{} {} is not released yet", domain.empty() ? "ai.onnx" : domain, *opset);
    target.spec = fmt::format("{}={}", domain.empty() ? "opset" : domain, *opset);
    target.ceilings.opsets.push_back({domain, *opset});
    return target;
  }
  const Product* product = find_product(name);
  if (!product) return std::unexpected(unknown_product(spec, spec.substr(0, equals)));
  return product_target(*product, version);
}

}  // namespace onnxcompat
