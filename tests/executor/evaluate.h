#pragma once

// One node of text, constants in, a tensor out: tests that read as tables.

#include <string>
#include <vector>

#include "executor/run_text.h"

namespace onnxcompat::test {

inline Result<std::vector<Value>> try_evaluate(int opset, const std::string& constants,
                                               const std::string& node,
                                               const std::string& outputs = "y") {
  return try_run(onnx(opset),
                 fmt::format("g () => ({}) <{}> {{ {} = {} }}", outputs, constants, outputs, node),
                 {});
}

/// Outputs of `node`, which reads initializers such as "float[2] a = {1, 2}".
inline std::vector<Tensor> evaluate_all(int opset, const std::string& constants,
                                        const std::string& node, const std::string& outputs = "y") {
  auto results = try_evaluate(opset, constants, node, outputs);
  INFO(node << " at opset " << opset << " with " << constants);
  if (!results) FAIL(results.error().message);
  std::vector<Tensor> tensors;
  for (const Value& value : *results) {
    REQUIRE(value.tensor() != nullptr);
    tensors.push_back(*value.tensor());
  }
  return tensors;
}

inline Tensor evaluate(int opset, const std::string& constants, const std::string& node) {
  return evaluate_all(opset, constants, node)[0];
}

/// Elements of any numeric tensor as text: "int64[2] 1 2"; strings in quotes.
inline std::string shown(const Tensor& tensor) {
  std::string text = fmt::format("{}[{}]", name_of(tensor.type()), fmt::join(tensor.dims(), ","));
  if (tensor.type() == DataType::string) {
    for (const std::string& s : tensor.strings()) text += fmt::format(" \"{}\"", s);
    return text;
  }
  for (const double v : doubles(tensor)) {
    text += std::isnan(v) ? " nan" : fmt::format(" {:.6g}", v);  // a NaN's sign means nothing
  }
  return text;
}

struct Row {
  int opset;
  std::string constants;
  std::string node;
  std::string expected;  ///< as shown() writes it
};

inline void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO("opset " << row.opset << ": " << row.node << " with " << row.constants);
    CHECK(shown(evaluate(row.opset, row.constants, row.node)) == row.expected);
  }
}

struct BadRow {
  int opset;
  std::string constants;
  std::string node;
  std::string message;  ///< a part of the error
};

/// Every row must be refused, by the kernel and for the reason given.
inline void check_refusals(const std::vector<BadRow>& rows) {
  for (const BadRow& row : rows) {
    INFO("opset " << row.opset << ": " << row.node << " with " << row.constants);
    const auto results = try_evaluate(row.opset, row.constants, row.node);
    REQUIRE_FALSE(results.has_value());
    INFO(results.error().message);
    CHECK(results.error().message.find(row.message) != std::string::npos);
  }
}

}  // namespace onnxcompat::test
