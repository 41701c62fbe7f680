#pragma once

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
};

/// Highest opset versions by domain that something accepts, its IR ceiling and its floor.
/// 0 or absent = says nothing about it.
struct Ceilings {
  int ir_version = 0;
  std::vector<DomainVersion> opsets;
  int min_ai_onnx = 0;  ///< lowest ai.onnx opset that it promises to run

  /// The ceiling for a domain; nullopt if it says nothing about that domain.
  std::optional<int> opset(std::string_view domain) const;
};

/// How a row of the table is known.
enum class Evidence : std::uint8_t { documented, measured, stated };
std::string_view name_of(Evidence evidence);

/// One release of ONNX or of a runtime, one row of data/versions.json for each evidence.
struct Release {
  std::string_view product;  ///< "onnx", "onnxruntime", "winml", "tensorrt"…
  std::string_view version;  ///< "1.14.0"
  std::string_view date;     ///< ISO date or empty
  Evidence evidence;
  Ceilings ceilings;
  std::string_view source;
};

/// All rows, oldest release first within a product.
std::span<const Release> releases();

/// Newest released opset version of a domain; nullopt for domains we do not know.
std::optional<int> newest_opset(std::string_view domain);

/// Newest released IR version.
int newest_ir_version();

/// The IR version that the ONNX release which first shipped this opset brought: the least one that
/// every checker takes for it (opsets 1–8: 3) [Versioning.md#released-versions].
int ir_version_for_opset(std::string_view domain, int opset);

/// A `--target` as asked for, resolved into ceilings. Takes `opset=13`, `ai.onnx.ml=2`, `ir=8`,
/// `onnx=1.8`, `onnxruntime=1.14` (`ort=` for short), `winml=…` and every other product of the
/// table.
struct Target {
  std::string spec;     ///< canonical: "onnxruntime=1.14.0", "opset=13"
  std::string product;  ///< "onnxruntime"; empty for opset, domain and ir targets
  Ceilings ceilings;    ///< what decides: measured where known, else documented
  Evidence evidence = Evidence::stated;
  std::optional<Ceilings> documented;  ///< the other reading, where the two differ
  std::string source;
};

/// Errors (ExitCode::usage) name the known products or versions, with a "did you mean".
Result<Target> parse_target(std::string_view spec);

}  // namespace onnxcompat
