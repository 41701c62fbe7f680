// Wire scan, load, every view, and back: what was read is written again as it was.

#include "../tests/model/exercise.h"
#include "model/edit.h"
#include "mutate.h"
#include "support.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  test::exercise(*model);
  const auto same = model->serialize();
  fuzz::require(same && same->size() == size &&
                    std::equal(same->begin(), same->end(), reinterpret_cast<const char*>(data)),
                "an unchanged model is written byte for byte");
  ModelEditor(*model).set_opset("fuzz.example", 1);
  const auto once = model->serialize();
  fuzz::require(once.has_value(), "a small model is written");
  const auto again = Model::parse(*once, "fuzz.onnx");
  fuzz::require(again.has_value(), "what is written is read");
  Model changed = again->clone();
  ModelEditor(changed).set_opset("fuzz.example", 1);
  const auto twice = changed.serialize();
  fuzz::require(twice && *twice == *once, "and written the same");
  return 0;
}
