#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/error.h"

namespace onnxcompat {

/// The opset version of one domain; "" is ai.onnx.
struct DomainVersion {
  std::string domain;
  int version = 0;

  bool operator==(const DomainVersion&) const = default;
};

/// Highest opset versions by domain that something accepts, its IR ceiling and its floor.
/// 0 or absent = says nothing about it.
struct Ceilings {
  int ir_version = 0;
  std::vector<DomainVersion> opsets;
  int min_ai_onnx = 0;  ///< lowest ai.onnx opset that it promises to run

  /// The ceiling for a domain; nullopt if it says nothing about that domain.
  std::optional<int> opset(std::string_view domain) const;

  /// True if nothing at all is said.
  bool empty() const { return ir_version == 0 && opsets.empty() && min_ai_onnx == 0; }

  bool operator==(const Ceilings&) const = default;
};

/// What both accept: the lower ceiling and the higher floor of each.
Ceilings intersect(const Ceilings& a, const Ceilings& b);

/// How a row of the table is known.
enum class Evidence : std::uint8_t {
  documented,  ///< the product's own documentation says so
  measured,    ///< models were loaded with the release
  stated       ///< said elsewhere, or follows from what it is built from
};
std::string_view name_of(Evidence evidence);

/// How far a row may be relied on.
enum class Confidence : std::uint8_t {
  measured,  ///< by loading models
  high,      ///< the vendor's own table, page or versioned file
  medium,    ///< a page without version history, a pin in a build, or derived from one
  low        ///< an issue, a forum, another's text, or not known exactly
};
std::string_view name_of(Confidence confidence);

/// Something that has releases and may be a target.
struct Product {
  std::string_view name;   ///< as targets spell it: "onnxruntime"
  std::string_view title;  ///< as people do: "ONNX Runtime"
  std::vector<std::string_view> aliases;
};

/// One release of ONNX or of a runtime, one row of data/versions.json for each evidence.
struct Release {
  std::string_view product;  ///< "onnx", "onnxruntime", "winml", "tensorrt"…
  std::string_view version;  ///< as its source writes it: "1.14.0", or "1.14" for all of a series
  std::string_view until;    ///< last version that the row covers, if it covers a range
  std::vector<std::string_view> names;  ///< other names of the version ("23.04", "win11")
  std::string_view date;                ///< ISO date, or a year, or empty
  Evidence evidence = Evidence::stated;
  Confidence confidence = Confidence::low;
  Ceilings ceilings;         ///< empty where no source states any
  std::string_view bundles;  ///< "onnxruntime 1.14.1" where the ceilings are those of that row
  std::string_view source;
  std::string_view note;  ///< what else the source says; may be empty
};

/// All products, those of ONNX itself first.
std::span<const Product> products();

/// All rows, product after product, oldest release first within a product.
std::span<const Release> releases();

/// Newest released opset version of a domain; nullopt for domains we do not know.
std::optional<int> newest_opset(std::string_view domain);

/// Newest opset version whose operators are known: above newest_opset() where the tables hold
/// operators of a version in preparation. nullopt for domains we do not know.
std::optional<int> newest_known_opset(std::string_view domain);

/// " (not released yet)" behind an opset version that is in preparation, else "".
std::string_view release_mark(std::string_view domain, int opset);

/// Newest released IR version.
int newest_ir_version();

/// The IR version that the ONNX release which first shipped this opset brought: the least one that
/// every checker takes for it (opsets 1–8: 3) [Versioning.md#released-versions]. 3, the first with
/// opset imports, for domains that ONNX does not release; the newest for opsets not yet released.
int ir_version_for_opset(std::string_view domain, int opset);

/// A `--target` as asked for, resolved into ceilings. Takes `opset=13`, `ai.onnx.ml=2`, `ir=8`,
/// `onnx=1.8`, `onnxruntime=1.14` (`ort=` for short), `winml=…` and every other product of the
/// table. A version without a row of its own is governed by its series: 1.14.1 by 1.14.0, 1.8 by
/// 1.8.0.
struct Target {
  std::string spec;     ///< canonical: "onnxruntime=1.14.0", "opset=13"
  std::string product;  ///< "onnxruntime"; empty for opset, domain and ir targets
  Ceilings ceilings;    ///< what decides: measured where known, else documented
  Evidence evidence = Evidence::stated;
  std::optional<Ceilings> documented;  ///< the other reading, where the two differ
  std::string source;
  std::string note;
};

/// Errors (ExitCode::usage) name the known products or versions, with a "did you mean".
Result<Target> parse_target(std::string_view spec);

/// Which rows to list; what is left open does not filter.
struct ReleaseFilter {
  std::string product = {};  ///< name or alias
  std::optional<Evidence> evidence = {};
  int ir_version = 0;                      ///< only rows that take this IR version
  std::vector<DomainVersion> opsets = {};  ///< … and these opset imports
};

/// The oldest releases whose ceilings take a model; null where none does.
struct MinimumReleases {
  const Release* onnx = nullptr;  ///< by the released-versions table
  const Release* onnxruntime_documented = nullptr;
  const Release* onnxruntime_measured = nullptr;
};

/// True if a model with this IR version and these opset imports stays within the row's ceilings.
/// Floors do not matter. A domain that the row is silent about is not judged, except that an ONNX
/// release only knows the ai.onnx domains that it ships.
bool takes(const Release& release, int ir_version, std::span<const DomainVersion> opsets);

/// The table of releases. The built-in one is data/versions.json; with_file() adds a user's rows.
/// Cheap to move, immutable once made: rows stay where they are for its lifetime.
class VersionTable {
 public:
  static const VersionTable& built_in();

  /// The built-in table and the rows of a file in the format of data/versions.json. A row of a
  /// known product, version and evidence replaces that row. Errors (ExitCode::usage) say where.
  static Result<VersionTable> with_file(const std::string& path);

  /// The same for text; `name` stands for the file in errors.
  static Result<VersionTable> with_text(std::string_view text, const std::string& name);

  std::span<const Product> products() const { return products_; }
  std::span<const Release> releases() const { return releases_; }

  /// The product of that name or alias, in any letter case; null if there is none.
  const Product* find_product(std::string_view name_or_alias) const;

  /// The row that speaks for a version of a product (by name) with that evidence, or null.
  const Release* find_release(std::string_view product, std::string_view version,
                              Evidence evidence) const;

  std::vector<const Release*> list(const ReleaseFilter& filter) const;
  MinimumReleases minimum_releases(int ir_version, std::span<const DomainVersion> opsets) const;

  Result<Target> parse_target(std::string_view spec) const;
  std::optional<int> newest_opset(std::string_view domain) const;
  std::optional<int> newest_known_opset(std::string_view domain) const;
  int newest_ir_version() const;
  int ir_version_for_opset(std::string_view domain, int opset) const;

 private:
  Result<Target> product_target(const Product& product, std::string_view version) const;
  Error unknown_product(std::string_view spec, std::string_view name) const;
  Error unknown_version(const Product& product, std::string_view version) const;

  std::vector<Product> products_;
  std::vector<Release> releases_;
  std::shared_ptr<const void> texts_;  ///< keeps the texts of rows that are not built in
};

}  // namespace onnxcompat
