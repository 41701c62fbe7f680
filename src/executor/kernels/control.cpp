// If and Loop: operators that run graphs.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "executor/kernels/body.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

using Values = std::vector<Value>;

Result<bool> condition_of(const KernelContext& c, const Value& value) {
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr || tensor->type() != DataType::boolean || tensor->size() != 1) {
    return c.fail("the condition is not one boolean");
  }
  return tensor->data<bool>()[0];
}

// [If-1] [If-11] [If-13] sequences, [If-16] optionals, [If-19] [If-21] [If-23] more types
Status if_(KernelContext& c) {
  ONNXCOMPAT_TRY(const bool condition, condition_of(c, c.value(0)));
  ONNXCOMPAT_TRY(const GraphView branch, graph_attr(c, condition ? "then_branch" : "else_branch"));
  const auto count = static_cast<std::size_t>(c.output_count());
  ONNXCOMPAT_TRY(Values outputs, run_body(c, branch, {}, count));
  for (std::size_t i = 0; i < count; ++i) c.set(static_cast<int>(i), std::move(outputs[i]));
  return {};
}

/// A scalar, or of dims [1] where the body declares that.
template <class T>
Value scalar_for(const GraphView& body, int input, T value) {
  const bool is_list = input < body.inputs().size() && body.inputs()[input].type().has_shape() &&
                       body.inputs()[input].type().dims().size() == 1;
  const Tensor scalar = Tensor::scalar<T>(value);
  return {is_list ? scalar.reshaped({1}) : scalar};
}

/// A value as the body's input declares it: what an optional holds stands for the optional, as
/// where one iteration gives a sequence and the next takes an optional of it.
Value as_declared(const GraphView& body, int input, Value value) {
  const bool lifts = input < body.inputs().size() &&
                     body.inputs()[input].type().kind() == TypeView::Kind::optional &&
                     (value.tensor() != nullptr || value.sequence() != nullptr);
  if (!lifts) return value;
  return {OptionalValue{std::make_shared<const Value>(std::move(value))}};
}

Result<std::int64_t> trip_count(const KernelContext& c) {
  if (!c.has(0)) return std::numeric_limits<std::int64_t>::max();  // the node budget ends it
  const Tensor& m = c.input(0);
  if (m.type() != DataType::int64 || m.size() != 1) return c.fail("M is not one int64");
  return m.data<std::int64_t>()[0];
}

// [Loop-1] [Loop-11] no inputs but M and cond, [Loop-13] sequences, [Loop-16] optionals,
// [Loop-19] [Loop-21] [Loop-23] more types. The body's condition counts only if cond is given.
Status loop(KernelContext& c) {
  ONNXCOMPAT_TRY(const GraphView body, graph_attr(c, "body"));
  ONNXCOMPAT_TRY(const std::int64_t trips, trip_count(c));
  bool going = true;
  if (c.has(1)) {
    ONNXCOMPAT_TRY(going, condition_of(c, c.value(1)));
  }
  const auto carried_count = static_cast<std::size_t>(std::max(c.input_count() - 2, 0));
  const auto body_outputs = static_cast<std::size_t>(body.outputs().size());
  const auto count = static_cast<std::size_t>(c.output_count());
  if (body_outputs < 1 + std::max(carried_count, count)) {
    return c.fail(
        fmt::format("the body has {} outputs, fewer than a condition, {} carried values "
                    "and the node's {} outputs",
                    body_outputs, carried_count, count));
  }
  Values carried;
  for (std::size_t i = 0; i < carried_count; ++i) {
    carried.push_back(c.take(static_cast<int>(i) + 2));
  }
  std::vector<Collected> scans(body_outputs - 1 - carried_count);
  Value condition = scalar_for(body, 1, going);
  for (std::int64_t i = 0; i < trips && (going || !c.has(1)); ++i) {
    Values inputs{scalar_for(body, 0, i), std::move(condition)};
    for (Value& value : carried) {
      inputs.push_back(as_declared(body, static_cast<int>(inputs.size()), std::move(value)));
    }
    carried.clear();
    ONNXCOMPAT_TRY(Values outputs, run_body(c, body, std::move(inputs), body_outputs));
    ONNXCOMPAT_TRY(going, condition_of(c, outputs[0]));
    condition = std::move(outputs[0]);
    for (std::size_t k = 1; k < outputs.size(); ++k) {
      if (k <= carried_count) {
        carried.push_back(std::move(outputs[k]));
      } else {
        ONNXCOMPAT_CHECK(scans[k - 1 - carried_count].add(c, outputs[k]));
      }
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    const int output = static_cast<int>(k);
    if (!c.wants(output)) continue;
    if (k < carried_count) {
      c.set(output, std::move(carried[k]));
    } else {
      ONNXCOMPAT_TRY(Tensor stacked, scans[k - carried_count].stacked(c, 0, false, body, k + 1));
      c.set(output, std::move(stacked));
    }
  }
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "If", 1, kUnbounded, if_},
    {"", "Loop", 1, kUnbounded, loop},
};

}  // namespace

std::span<const KernelRow> control_kernels() { return kRows; }

}  // namespace onnxcompat::executor
