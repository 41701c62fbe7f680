#include "support.h"

#include <cstdio>
#include <cstdlib>

namespace onnxcompat::fuzz {

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

std::optional<Model> model_of(const std::uint8_t* data, std::size_t size, ModelFormat format) {
  auto model = Model::parse({reinterpret_cast<const char*>(data), size}, "fuzz.onnx", format);
  if (model) return *std::move(model);
  const Error& error = model.error();
  require(error.code == ExitCode::unreadable || error.code == ExitCode::limit,
          "a refusal says unreadable or limit");
  require(error.message.starts_with("fuzz.onnx:"), "a refusal names the file");
  require(error.message.find('\n') == std::string::npos, "a refusal is one line");
  return std::nullopt;
}

std::uint64_t hash_of(const std::uint8_t* data, std::size_t size) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3;
  return hash ^ (hash >> 32);
}

}  // namespace onnxcompat::fuzz
