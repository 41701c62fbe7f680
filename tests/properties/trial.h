#pragma once

// One case: converted, run before and after, compared.

#include <string>

#include "adapters/registry.h"
#include "properties/generator.h"

namespace onnxcompat::properties {

/// A transition in one direction, or the way below an operator's first version.
struct Step {
  const adapters::Transition* transition = nullptr;
  bool up = true;
  const adapters::Expansion* expansion = nullptr;  ///< set: stands for the transition

  std::string name() const;  ///< "Softmax-11-13", "GridSample-16-0"
  const OpSchema* start() const;
};

enum class Verdict : std::uint8_t {
  illegal,   ///< the checker or the executor rejects the case itself
  refused,   ///< the converter does not do it, with reasons
  exact,     ///< the same bits
  rounding,  ///< within the tolerance of a step that says it rounds
  failed
};

/// How a case is tried.
struct Mode {
  /// Where text and practice part, the converter follows practice and the executor the text: then
  /// the values are those of a conversion by the text, and the other one must be valid and run.
  bool strict_text = false;
  bool round_trip = false;   ///< to the target and back again
  bool keep_models = false;  ///< for printing
};

struct Trial {
  Verdict verdict = Verdict::illegal;
  bool same_model = false;  ///< a round trip ended in the model that it began with
  std::string reason;
  std::string before;  ///< models in the textual syntax, where it failed
  std::string after;
  std::string back;  ///< of a round trip
};

/// A case drawn for the step; without a schema if there is no recipe.
NodeCase draw(const Step& step, std::uint64_t seed, const Limits& limits, int& target);

Trial attempt(const NodeCase& c, int target, const Mode& mode);

/// The smallest case found that fails as this one does.
NodeCase shrink(const Step& step, NodeCase c, int& target, const Mode& mode);

}  // namespace onnxcompat::properties
