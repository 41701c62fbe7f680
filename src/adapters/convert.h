#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finding/finding.h"
#include "model/model.h"
#include "support/error.h"
#include "versiontable/version_table.h"

namespace onnxcompat {

class DomainMap;  // adapters/domain_map.h

struct ConversionOptions {
  /// Follow the released text where every real runtime does otherwise (default: practice).
  bool strict_text = false;
  /// Drop what the target cannot hold and no result depends on (metadata, annotations, training
  /// information…), as a listed change instead of a refusal.
  bool allow_loss = false;
  /// Take initializers that are also graph inputs for constants, and drop those inputs where their
  /// value was folded.
  bool freeze_initializers = false;
};

struct ConversionRequest {
  /// The opset version to end at, by domain. Domains that the model does not import are ignored.
  std::vector<DomainVersion> opsets;
  /// The IR version to end at; or the highest one allowed. Neither: the model's own, raised where
  /// what the result contains or its opset's first release asks for more.
  std::optional<int> ir_version;
  std::optional<int> max_ir_version;
  ConversionOptions options;
  /// Transitions of domains that the tables do not hold.
  std::vector<std::shared_ptr<const DomainMap>> maps;
};

/// Whose word a transition rests on: the schemas prove that only types changed; a row declares
/// what an attribute or input became; code was written for it.
enum class Authority : std::uint8_t { derived, declared, written };
std::string_view name_of(Authority authority);

/// One node rewritten from one version of its operator to the next, all nodes of an operator that
/// went through several versions unchanged, or one change for the IR version.
struct ConversionStep {
  std::string path;  ///< as Location::path, in the source model; empty for unchanged nodes
  std::string domain;
  std::string op;
  int from = 0;  ///< version of the operator before; 0 for IR steps
  int to = 0;    ///< and after; 0 if the operator was expanded into older ones
  Authority authority = Authority::derived;
  bool rounding = false;  ///< same real function, but rounding or order of sums may differ
  /// The type whose last places those are, where it is narrower than the result's.
  DataType rounding_in = DataType::undefined;
  std::string note;
  int nodes = 1;  ///< how many nodes this row is about
};

struct Conversion {
  std::unique_ptr<Model> model;  ///< absent if anything was refused
  std::int64_t ir_version = 0;   ///< of the result
  std::vector<ConversionStep> steps;
  std::vector<Finding>
      blockers;                ///< every refusal; rule is "Softmax-13-11", "Gelu-20-0", "IR-10-8"
  std::vector<Finding> notes;  ///< losses that were allowed; text against practice
};

/// Converts a copy; the model itself is left alone. A refusal is not an error: it is in `blockers`.
/// Errors (ExitCode::usage): a target version that does not exist.
Result<Conversion> convert(const Model& model, const ConversionRequest& request);

/// The verdict on one transition between neighbouring versions of an operator.
struct TransitionRow {
  std::string domain;
  std::string op;
  int from = 0;  ///< the older version; 0 for the way below the first version
  int to = 0;
  Authority authority = Authority::derived;
  /// What the row rests on: "derived" from the schemas, "declared" to change nothing, a
  /// "combinator" of attributes and inputs, "code", a "refusal"; "none" is a gap.
  std::string verdict;
  std::string up;    ///< "unchanged" or "rewritten"
  std::string down;  ///< likewise, "refused", or "types checked" where only element types matter
  std::string note;
  bool released = true;  ///< false where the newer version is one that ONNX has yet to release
};

/// Every transition of the tables, and below every operator's first version, sorted by domain,
/// operator and version.
std::vector<TransitionRow> transitions_table();

}  // namespace onnxcompat
