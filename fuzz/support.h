#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/model.h"

namespace onnxcompat::fuzz {

/// The model that the fuzzer's bytes are; nullopt if they are none. A refusal must be one line that
/// names the file: anything else is a finding.
std::optional<Model> model_of(const std::uint8_t* data, std::size_t size,
                              ModelFormat format = ModelFormat::binary);

/// Ends the process, as the fuzzer wants it, if `holds` is false.
void require(bool holds, std::string_view what);

/// A number that depends on all bytes: choices of a harness are drawn from it.
std::uint64_t hash_of(const std::uint8_t* data, std::size_t size);

}  // namespace onnxcompat::fuzz
