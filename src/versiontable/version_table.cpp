#include "versiontable/version_table.h"

#include <algorithm>
#include <iterator>

#include "support/mapped_file.h"
#include "support/strings.h"
#include "versiontable/schema.h"
#include "versiontable/tables.h"
#include "versiontable/version_number.h"
#include "versiontable/versions_file.h"

namespace onnxcompat {
namespace {

constexpr std::string_view kOnnx = "onnx";
constexpr std::string_view kOnnxRuntime = "onnxruntime";
constexpr int kFirstIrWithOpsets = 3;

/// The domains that come with ONNX itself.
bool is_onnx_domain(std::string_view domain) {
  return domain.empty() || domain.starts_with("ai.onnx.");
}

/// True for the rows that say which ONNX release brought what.
bool is_onnx_release(const Release& release) {
  return release.product == kOnnx && release.evidence == Evidence::documented;
}

Product built_in_product(const tables::ProductRow& row) {
  return {row.name, row.title, {row.aliases.begin(), row.aliases.end()}};
}

Release built_in_release(const tables::ReleaseRow& row) {
  Release release{.product = row.product,
                  .version = row.version,
                  .until = row.until,
                  .names = {row.names.begin(), row.names.end()},
                  .date = row.date,
                  .evidence = row.evidence,
                  .confidence = row.confidence,
                  .ceilings = {row.ir_version, {}, row.min_ai_onnx},
                  .bundles = row.bundles,
                  .source = row.source,
                  .note = row.note};
  release.ceilings.opsets.reserve(row.opsets.size());
  for (const auto& [domain, version] : row.opsets) {
    release.ceilings.opsets.push_back({std::string(domain), version});
  }
  return release;
}

}  // namespace

bool takes(const Release& release, int ir_version, std::span<const DomainVersion> opsets) {
  const Ceilings& ceilings = release.ceilings;
  if (ceilings.ir_version != 0 && ir_version > ceilings.ir_version) return false;
  return std::ranges::all_of(opsets, [&](const DomainVersion& entry) {
    const auto ceiling = ceilings.opset(entry.domain);
    if (ceiling) return entry.version <= *ceiling;
    return release.product != kOnnx || !is_onnx_domain(entry.domain);
  });
}

const VersionTable& VersionTable::built_in() {
  static const VersionTable table = [] {
    VersionTable made;
    made.products_.reserve(tables::products.size());
    made.releases_.reserve(tables::releases.size());
    std::ranges::transform(tables::products, std::back_inserter(made.products_), built_in_product);
    std::ranges::transform(tables::releases, std::back_inserter(made.releases_), built_in_release);
    return made;
  }();
  return table;
}

Result<VersionTable> VersionTable::with_file(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) return fail(ExitCode::usage, std::move(file.error().message));
  const auto bytes = file->bytes();
  return with_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

Result<VersionTable> VersionTable::with_text(std::string_view text, const std::string& name) {
  VersionTable table = built_in();
  auto file = parse_versions(text, name, table.releases_);
  if (!file) return std::unexpected(std::move(file.error()));
  for (Product& product : file->products) {
    const auto known = std::ranges::find(table.products_, product.name, &Product::name);
    if (known == table.products_.end()) {
      table.products_.push_back(std::move(product));
    } else {
      known->aliases.insert(known->aliases.end(), product.aliases.begin(), product.aliases.end());
    }
  }
  for (Release& release : file->releases) insert_release(table.releases_, std::move(release));
  table.texts_ = std::move(file->texts);
  return table;
}

const Product* VersionTable::find_product(std::string_view name_or_alias) const {
  const std::string wanted = lower_case(name_or_alias);
  const auto found = std::ranges::find_if(products_, [&](const Product& product) {
    return product.name == wanted ||
           std::ranges::find(product.aliases, wanted) != product.aliases.end();
  });
  return found == products_.end() ? nullptr : &*found;
}

const Release* VersionTable::find_release(std::string_view product, std::string_view version,
                                          Evidence evidence) const {
  return governing_release(releases_, product, evidence, version);
}

std::vector<const Release*> VersionTable::list(const ReleaseFilter& filter) const {
  const Product* product = filter.product.empty() ? nullptr : find_product(filter.product);
  std::vector<const Release*> result;
  if (!filter.product.empty() && !product) return result;
  for (const Release& release : releases_) {
    if (product && release.product != product->name) continue;
    if (filter.evidence && release.evidence != *filter.evidence) continue;
    if (!takes(release, filter.ir_version, filter.opsets)) continue;
    result.push_back(&release);
  }
  return result;
}

MinimumReleases VersionTable::minimum_releases(int ir_version,
                                               std::span<const DomainVersion> opsets) const {
  const auto oldest = [&](std::string_view product, Evidence evidence) -> const Release* {
    const auto found = std::ranges::find_if(releases_, [&](const Release& release) {
      return release.product == product && release.evidence == evidence &&
             takes(release, ir_version, opsets);
    });
    return found == releases_.end() ? nullptr : &*found;
  };
  return {.onnx = oldest(kOnnx, Evidence::documented),
          .onnxruntime_documented = oldest(kOnnxRuntime, Evidence::documented),
          .onnxruntime_measured = oldest(kOnnxRuntime, Evidence::measured)};
}

std::optional<int> VersionTable::newest_opset(std::string_view domain) const {
  std::optional<int> newest;
  for (const Release& release : releases_) {
    if (!is_onnx_release(release)) continue;
    if (const auto opset = release.ceilings.opset(domain)) {
      newest = std::max(newest.value_or(0), *opset);
    }
  }
  return newest;
}

std::optional<int> VersionTable::newest_known_opset(std::string_view domain) const {
  auto newest = newest_opset(domain);
  for (const OpSchema& schema : all_schemas()) {
    if (newest && schema.domain == domain) newest = std::max(*newest, schema.since_version);
  }
  return newest;
}

int VersionTable::newest_ir_version() const {
  int newest = 0;
  for (const Release& release : releases_) {
    if (is_onnx_release(release)) newest = std::max(newest, release.ceilings.ir_version);
  }
  return newest;
}

int VersionTable::ir_version_for_opset(std::string_view domain, int opset) const {
  bool known = false;
  for (const Release& release : releases_) {
    if (!is_onnx_release(release)) continue;
    const auto shipped = release.ceilings.opset(domain);
    if (shipped && *shipped >= opset) return release.ceilings.ir_version;
    known = known || shipped.has_value();
  }
  return known ? newest_ir_version() : kFirstIrWithOpsets;
}

std::span<const Product> products() { return VersionTable::built_in().products(); }

std::span<const Release> releases() { return VersionTable::built_in().releases(); }

std::optional<int> newest_opset(std::string_view domain) {
  return VersionTable::built_in().newest_opset(domain);
}

std::optional<int> newest_known_opset(std::string_view domain) {
  return VersionTable::built_in().newest_known_opset(domain);
}

std::string_view release_mark(std::string_view domain, int opset) {
  return opset > newest_opset(domain).value_or(opset) ? " (not released yet)" : "";
}

int newest_ir_version() { return VersionTable::built_in().newest_ir_version(); }

int ir_version_for_opset(std::string_view domain, int opset) {
  return VersionTable::built_in().ir_version_for_opset(domain, opset);
}

Result<Target> parse_target(std::string_view spec) {
  return VersionTable::built_in().parse_target(spec);
}

}  // namespace onnxcompat
