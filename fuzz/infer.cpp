// Types and shapes of every value, by themselves and with defaults assumed.

#include "inference/inference.h"
#include "model/walk.h"
#include "mutate.h"
#include "support.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  const InferenceOptions options{.assume_defaults = fuzz::hash_of(data, size) % 2 == 0};
  const Inference inference = Inference::run(*model, options);
  each_body(*model, [&](const Body& body) {
    for (const NodeView node : body.nodes()) {
      for (const std::string& name : node.outputs()) {
        const ValueType* type = inference.type_of(body, name);
        if (type == nullptr || !type->shape) continue;
        for (const Dim& dim : *type->shape) {
          fuzz::require(!dim.value || *dim.value >= 0, "an inferred dim is not negative");
        }
      }
    }
  });
  return 0;
}
