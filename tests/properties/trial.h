#pragma once

// One case: converted, run before and after, compared.

#include <string>

#include "adapters/registry.h"
#include "properties/generator.h"

namespace onnxcompat::properties {

/// A transition in one direction.
struct Step {
  const adapters::Transition* transition = nullptr;
  bool up = true;

  std::string name() const;  ///< "Softmax-11-13"
  const OpSchema* start() const;
};

enum class Verdict : std::uint8_t {
  illegal,   ///< the checker or the executor rejects the case itself
  refused,   ///< the converter does not do it, with reasons
  exact,     ///< the same bits
  rounding,  ///< within the tolerance of a step that says it rounds
  failed
};

struct Trial {
  Verdict verdict = Verdict::illegal;
  std::string reason;
  std::string before;  ///< models in the textual syntax, where it failed
  std::string after;
};

/// A case drawn for the step; nullopt-like (no schema) if there is no recipe.
NodeCase draw(const Step& step, std::uint64_t seed, const Limits& limits, int& target);

/// Where text and practice part, the converter follows practice and the executor may follow the
/// text: a case that fails is held against the text as well.
Trial attempt(const NodeCase& c, int target, bool keep_models);

/// The smallest case found that fails as this one does.
NodeCase shrink(const Step& step, NodeCase c, int& target);

}  // namespace onnxcompat::properties
