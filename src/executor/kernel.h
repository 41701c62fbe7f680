#pragma once

// What a kernel sees, and the table of kernels. A kernel implements its operator versions straight
// from the specification; it never rewrites the node into another version.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executor/tensor.h"
#include "model/view.h"
#include "support/error.h"
#include "versiontable/schema.h"

namespace onnxcompat::executor {

class Runner;  // executor/runner.h: runs graphs, owns budgets and the random state

using Status = Result<void>;

/// One node being run. Attribute readers fill in the schema's default and resolve references of
/// function bodies; inputs are bound values.
class KernelContext {
 public:
  KernelContext(NodeView node, const OpSchema* schema, std::span<Value> inputs,
                std::span<Value> outputs, Runner& runner);

  const NodeView& node() const { return node_; }
  /// Version of the operator in force, e.g. 11 for Softmax at opset 12; 0 without a schema.
  int since_version() const { return schema_ == nullptr ? 0 : schema_->since_version; }
  Runner& runner() const { return runner_; }

  // ---- inputs
  int input_count() const { return static_cast<int>(inputs_.size()); }
  bool has(int i) const {
    return i < input_count() && inputs_[static_cast<std::size_t>(i)].present();
  }
  const Value& value(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  /// The value at input i, which is then absent: nobody else holds it if this was its last use.
  Value take(int i) { return std::exchange(inputs_[static_cast<std::size_t>(i)], {}); }
  /// The tensor at input i. Only after has(i); a value of another kind gives an empty tensor, which
  /// check_inputs() has refused before the kernel is called.
  const Tensor& input(int i) const;
  /// Elements of an integer input (int32 or int64), widened; empty optional if input i is absent.
  Result<std::optional<std::vector<std::int64_t>>> ints_input(int i) const;

  /// The one element of an integer input. Error if it is absent or holds another number of them.
  Result<std::int64_t> int_input(int i) const;

  // ---- attributes
  bool has_attribute(std::string_view name) const;  ///< present on the node (not a default)
  std::int64_t int_attr(std::string_view name, std::int64_t otherwise = 0) const;
  float float_attr(std::string_view name, float otherwise = 0) const;
  std::string string_attr(std::string_view name, std::string_view otherwise = {}) const;
  std::vector<std::int64_t> ints_attr(std::string_view name) const;
  std::vector<float> floats_attr(std::string_view name) const;
  std::vector<std::string> strings_attr(std::string_view name) const;
  Result<std::optional<Tensor>> tensor_attr(std::string_view name) const;
  std::optional<AttributeView> attribute(std::string_view name) const;  ///< references resolved

  /// What make() -> Result<T> reads from the attributes alone, kept with the node from run to run
  /// unless a function call fills some of them in. One kernel, one T.
  template <class T, class Make>
  Result<std::shared_ptr<const T>> prepared(Make&& make) const {
    if (kept_ != nullptr && *kept_ != nullptr) return std::static_pointer_cast<const T>(*kept_);
    auto made = make();
    if (!made) return std::unexpected(std::move(made).error());
    auto shared = std::make_shared<const T>(*std::move(made));
    if (kept_ != nullptr) *kept_ = shared;
    return shared;
  }
  void keep_in(std::shared_ptr<const void>* kept) { kept_ = kept; }

  // ---- outputs
  int output_count() const { return static_cast<int>(outputs_.size()); }
  /// Is output i named by the node? Others need not be computed.
  bool wants(int i) const;
  /// A zeroed tensor within the memory budget. Errors: negative or overflowing dims
  /// (ExitCode::unreadable), budget passed (ExitCode::limit).
  Result<Tensor> allocate(DataType type, Dims dims) const;
  /// Room for that many bytes of scratch memory? Error ExitCode::limit if not.
  Status check_memory(std::uint64_t bytes) const;
  void set(int i, Tensor tensor);
  void set(int i, Value value);

  /// An error value naming the node: "Conv: …".
  std::unexpected<Error> fail(std::string message) const;
  /// For element types the kernel does not serve.
  std::unexpected<Error> unsupported_type(DataType type) const;

 private:
  NodeView node_;
  const OpSchema* schema_;
  std::span<Value> inputs_;
  std::span<Value> outputs_;
  Runner& runner_;
  std::shared_ptr<const void>* kept_ = nullptr;
};

using KernelFn = Status (*)(KernelContext&);

/// A kernel serves the operator versions first … last (since_versions, both included) and names the
/// specification it follows in a tag at its function: `// [Softmax-13]`.
struct KernelRow {
  std::string_view domain;  ///< "" is ai.onnx
  std::string_view op;
  int first;
  int last;  ///< kUnbounded: every later version known today
  KernelFn run;
};

/// Every family of kernels.inc has one function `std::span<const KernelRow> <family>_kernels()`.
/// Its file returns a static table.

/// The kernel for an operator version; null if there is none.
const KernelRow* find_kernel(std::string_view domain, std::string_view op, int since_version);

/// Every row of every family.
std::vector<KernelRow> all_kernels();

// ---- shared by families (broadcast.cpp, axes.cpp)

/// NumPy-style multidirectional broadcast of several shapes [Broadcasting.md]; nullopt if they do
/// not fit.
std::optional<Dims> broadcast_dims(std::span<const Dims> shapes);

/// Strides (in elements, 0 where stretched) to read a tensor of `dims` as if it had `target` dims.
Dims broadcast_strides(std::span<const std::int64_t> dims, std::span<const std::int64_t> target);

/// axis + rank for negative axes; nullopt if it is outside [-rank, rank-1].
std::optional<int> normalize_axis(std::int64_t axis, int rank);

/// Calls body(begin, end) over [0, count) in as many threads as the runner allows, in one piece if
/// count * cost is small. The split never changes what is computed for an element.
void parallel_for(std::int64_t count, std::int64_t cost,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace onnxcompat::executor
