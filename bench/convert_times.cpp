// Times the converter alone: MODEL OPSET RUNS. Prints the least wall seconds that it takes to make
// the converted model from the one in memory, without reading, checking and writing either.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "model/model.h"

using namespace onnxcompat;

namespace {

int give_up(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return static_cast<int>(error.code);
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const int opset = argc == 4 ? number(argv[2]) : 0, runs = argc == 4 ? number(argv[3]) : 0;
  if (opset < 1 || runs < 1) {
    fmt::print(stderr, "usage: convert_times MODEL OPSET RUNS\n");
    return 2;
  }
  const auto model = Model::load(argv[1]);
  if (!model) return give_up(model.error());
  ConversionRequest request;
  request.opsets = {{"", opset}};
  double least = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const auto conversion = convert(*model, request);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!conversion) return give_up(conversion.error());
    if (!conversion->model) {
      fmt::print(stderr, "{}: cannot be converted to opset {}\n", argv[1], opset);
      return static_cast<int>(ExitCode::refused);
    }
    least = std::min(least, took.count());
  }
  fmt::print("{:.6f}\n", least);
  return 0;
}
