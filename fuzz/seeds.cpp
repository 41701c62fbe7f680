// fuzz_seeds OUT MOST_BYTES FILE…: writes small models, of whatever format, as serialized ones.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "model/model.h"

int main(int argc, char** argv) {
  using namespace onnxcompat;
  if (argc < 3) return 2;
  const auto most = std::strtoull(argv[2], nullptr, 10);
  int written = 0;
  for (int i = 3; i < argc; ++i) {
    std::error_code error;
    if (std::filesystem::file_size(argv[i], error) > 4 * most || error) continue;
    const auto model = Model::load(argv[i]);
    if (!model) continue;
    const auto bytes = model->serialize();
    if (!bytes || bytes->size() > most) continue;
    std::ofstream out(
        std::filesystem::path(argv[1]) / (std::to_string(std::hash<std::string>{}(*bytes))),
        std::ios::binary);
    out << *bytes;
    ++written;
  }
  std::printf("%d seeds\n", written);
  return 0;
}
