#pragma once

// Runs small models written as text, and compares with numbers computed some other way.

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "executor/kernels/numeric.h"
#include "executor/runner.h"
#include "model/model.h"
#include "support/catch.h"

namespace onnxcompat::test {

using namespace onnxcompat::executor;

/// Outputs of a graph such as `g (float[] x) => (float[] y) { y = Relu(x) }` in an opset.
inline Result<std::vector<Value>> try_run(const std::string& opset, const std::string& graph,
                                          const NamedValues& inputs) {
  const std::string text = fmt::format("<ir_version: 10, opset_import: [{}]>\n{}", opset, graph);
  auto model = Model::parse(text, "test", ModelFormat::text);
  if (!model) return std::unexpected(model.error());
  RunOptions options;
  options.memory_budget = std::uint64_t{1} << 28;
  auto executor = Executor::prepare(*model, options);
  if (!executor) return std::unexpected(executor.error());
  if (!executor->missing_kernels().empty()) {
    return fail(ExitCode::internal_error, "no kernel: " + executor->missing_kernels()[0].op);
  }
  return executor->run(inputs);
}

inline std::vector<Tensor> run(const std::string& opset, const std::string& graph,
                               const NamedValues& inputs) {
  auto outputs = try_run(opset, graph, inputs);
  INFO(graph);
  if (!outputs) FAIL(outputs.error().message);
  std::vector<Tensor> tensors;
  for (const Value& value : *outputs) {
    tensors.push_back(value.tensor() == nullptr ? Tensor() : *value.tensor());
  }
  return tensors;
}

inline std::string onnx(int version) { return fmt::format("\"\" : {}", version); }

/// The error of a run that must fail.
inline std::string refusal(const std::string& opset, const std::string& graph,
                           const NamedValues& inputs) {
  auto outputs = try_run(opset, graph, inputs);
  INFO(graph);
  REQUIRE_FALSE(outputs.has_value());
  return outputs.error().message;
}

template <class T>
Value tensor(Dims dims, const std::vector<T>& values) {
  return Value{Tensor::of<T>(std::move(dims), std::span<const T>(values))};
}

inline Value floats(Dims dims, std::vector<float> values) {
  return tensor<float>(std::move(dims), values);
}

inline Value ints(Dims dims, std::vector<std::int64_t> values) {
  return tensor<std::int64_t>(std::move(dims), values);
}

/// The same "random" numbers in every run, in [-1, 1).
inline std::vector<float> noise(std::int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(engine()) / 2147483648.0F - 1);
  }
  return values;
}

inline Value random_floats(const Dims& dims, unsigned seed) {
  return floats(dims, noise(product(dims), seed));
}

inline std::vector<double> doubles(const Tensor& tensor) {
  const Operand<double> values(tensor);
  return {values.span().begin(), values.span().end()};
}

/// Every element within `tolerance` of the expected one, NaN where NaN is expected.
inline void require_near(const Tensor& actual, const Dims& dims,
                         const std::vector<double>& expected, double tolerance = 1e-5) {
  REQUIRE(actual.dims() == dims);
  const std::vector<double> values = doubles(actual);
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO("element " << i << ": " << values[i] << ", expected " << expected[i]);
    if (std::isnan(expected[i])) {
      REQUIRE(std::isnan(values[i]));
    } else if (std::isinf(expected[i])) {
      REQUIRE(values[i] == expected[i]);
    } else {
      REQUIRE(std::abs(values[i] - expected[i]) <=
              tolerance * std::max(1.0, std::abs(expected[i])));
    }
  }
}

}  // namespace onnxcompat::test
