#pragma once

#include <string_view>

#include "model/model.h"
#include "support/catch.h"

namespace onnxcompat {

/// The model that a text in ONNX's textual syntax describes; fails the test if it does not parse.
inline Model model_of(std::string_view text) {
  auto model = Model::parse(text, "test.onnxtxt", ModelFormat::text);
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  return *std::move(model);
}

}  // namespace onnxcompat
