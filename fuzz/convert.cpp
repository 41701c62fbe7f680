// Conversion to a target drawn from the bytes. The result of a valid model is valid.

#include "adapters/convert.h"

#include "checker/checker.h"
#include "mutate.h"
#include "support.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  const std::uint64_t hash = fuzz::hash_of(data, size);
  ConversionRequest request;
  request.opsets = {{"", static_cast<int>(1 + hash % 26)},
                    {"ai.onnx.ml", static_cast<int>(1 + (hash >> 8) % 5)}};
  if ((hash >> 16) % 4 == 0) request.ir_version = static_cast<int>(3 + (hash >> 20) % 11);
  request.options.allow_loss = (hash >> 24) % 2 == 0;
  request.options.freeze_initializers = (hash >> 25) % 2 == 0;
  const auto converted = convert(*model, request);
  if (!converted || !converted->model) return 0;
  fuzz::require(converted->blockers.empty(), "a result has no blockers");
  const auto bytes = converted->model->serialize();
  fuzz::require(bytes.has_value(), "a result is written");
  fuzz::require(Model::parse(*bytes, "fuzz.onnx").has_value(), "and read");
  return 0;
}
