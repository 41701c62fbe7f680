// The text parser; what it reads is printed, and the print is a fixed point. What it refuses goes
// to the readers of the two other texts.

#include "support.h"

using namespace onnxcompat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size, ModelFormat::text);
  if (!model) {
    for (const ModelFormat format : {ModelFormat::textproto, ModelFormat::json}) {
      const auto other = fuzz::model_of(data, size, format);
      if (other) fuzz::require(other->serialize().has_value(), "what is read has a wire form");
    }
    return 0;
  }
  const auto wire = model->serialize();
  fuzz::require(wire.has_value(), "what the parser reads has a wire form");
  const auto loaded = Model::parse(*wire, "fuzz.onnx");
  if (!loaded) return 0;  // @nograph and nothing else is no model
  const auto text = loaded->serialize(ModelFormat::text);
  if (!text) return 0;
  const auto again = Model::parse(*text, "fuzz.onnx", ModelFormat::text);
  fuzz::require(again.has_value(), "what is printed is read");
  const auto same_text = again->serialize(ModelFormat::text);
  fuzz::require(same_text && *same_text == *text, "and printed the same");
  // The print does not tell typed fields from raw_data (docs/text-format.md).
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  if (source.find("raw_data") != std::string_view::npos) return 0;
  const auto same = again->serialize();
  fuzz::require(same && *same == *wire, "and is the same model");
  return 0;
}
