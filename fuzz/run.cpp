// The executor on drawn inputs, within small budgets.

#include "executor/generate.h"
#include "executor/runner.h"
#include "mutate.h"
#include "support.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  executor::RunOptions options;
  options.memory_budget = std::uint64_t{32} << 20;
  options.node_budget = 2000;
  options.threads = 1;
  auto prepared = executor::Executor::prepare(*model, options);
  if (!prepared || !prepared->missing_kernels().empty()) return 0;
  const Inference inference = Inference::run(*model);
  const auto inputs = executor::generate_inputs(*model, inference,
                                                {.seed = 1, .max_bytes = std::uint64_t{4} << 20});
  if (!inputs) return 0;
  const auto outputs = prepared->run(*inputs);
  if (outputs) {
    fuzz::require(outputs->size() == static_cast<std::size_t>(model->graph().outputs().size()),
                  "a run yields every output");
  }
  return 0;
}
