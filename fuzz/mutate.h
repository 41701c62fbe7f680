#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxcompat::fuzz {

/// LLVMFuzzerCustomMutator for serialized models: most of the time one to four changes to the
/// message tree (numbers, names that occur elsewhere in the model, repeated elements dropped,
/// doubled or swapped, messages copied from one place to another of the same type, operators and
/// opset versions), else a change of bytes.
std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);

/// LLVMFuzzerCustomCrossOver: grafts messages of the second model into the first.
std::size_t cross_models(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                         std::size_t b_size, std::uint8_t* out, std::size_t max_size,
                         unsigned seed);

}  // namespace onnxcompat::fuzz

/// Gives a harness both.
#define ONNXCOMPAT_FUZZ_MODELS                                                              \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,      \
                                                 std::size_t max_size, unsigned seed) {     \
    return onnxcompat::fuzz::mutate_model(data, size, max_size, seed);                      \
  }                                                                                         \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(                                         \
      const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b, std::size_t b_size, \
      std::uint8_t* out, std::size_t max_size, unsigned seed) {                             \
    return onnxcompat::fuzz::cross_models(a, a_size, b, b_size, out, max_size, seed);       \
  }
