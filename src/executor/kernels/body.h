#pragma once

// What Loop, Scan and If share: running a body and putting its outputs together.

#include <string_view>
#include <vector>

#include "executor/kernel.h"

namespace onnxcompat::executor {

/// A graph attribute. Error if there is none.
Result<GraphView> graph_attr(const KernelContext& c, std::string_view name);

/// Runs a graph of the current node. Error if it has fewer outputs than that.
Result<std::vector<Value>> run_body(const KernelContext& c, const GraphView& body,
                                    std::vector<Value> inputs, std::size_t least_outputs);

/// in[…, at, …] with `at` on the axis, which the result does not have.
Result<Tensor> piece_of(const KernelContext& c, const Tensor& in, int axis, std::int64_t at);

/// What a body's output would be, for loops that never ran: open dims count as 0. Error if no
/// tensor type is declared.
Result<Tensor> declared_piece(const KernelContext& c, const GraphView& body, std::size_t output);

/// One output of a body, over all runs.
class Collected {
 public:
  /// Error if the value is no tensor or has not the type and dims of those before it.
  Status add(const KernelContext& c, const Value& value);

  std::size_t size() const { return pieces_.size(); }
  const std::vector<Tensor>& pieces() const { return pieces_; }

  /// The pieces side by side along a new axis (which may be negative), the last one first if
  /// `reverse`; with no pieces an empty tensor by the declaration of the body's output.
  Result<Tensor> stacked(const KernelContext& c, std::int64_t new_axis, bool reverse,
                         const GraphView& body, std::size_t output) const;

 private:
  std::vector<Tensor> pieces_;
};

}  // namespace onnxcompat::executor
