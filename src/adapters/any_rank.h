#pragma once

// Building blocks for tensors whose rank or axes only the run tells. The dims of such a tensor are
// a vector of a length that is not known; framed ones have a 1 in front, which changes no place in
// memory, and nothing is ever summed up over no dims at all.

#include <functional>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

/// As many ones as a scalar says; none if it is negative.
Value ones(Emitter& e, const Value& count);
/// The framed dims of a tensor.
Value framed_dims(Emitter& e, const Value& x);
/// The shape, as it is, that two shapes of any lengths broadcast to.
Value broadcast_shape(Emitter& e, const Value& a, const Value& b);
/// [dims, places] the coordinates of some places in row-major order.
Value coordinate_rows(Emitter& e, const Value& dims, const Value& places);
/// x stretched to a shape of any length that it broadcasts to.
Value stretched(Emitter& e, const Value& x, const Value& full);
/// Known to be equal: the same size, or the same symbol.
bool same_dim(const Dim& a, const Dim& b);
bool same_shape(const Shape& a, const Shape& b);
/// What is known of the dims of an input; null if not even its rank.
const Shape* shape_known(const NodeEdit& e, int i);
bool single_element(const Shape& shape);
/// broadcast=1 lets B be one element, or a block of A's shape that starts at `axis` (absent: its
/// end) [Add-6]. Without the attributes only trailing ones are missing for NumPy's rule.
void align_as_numpy(NodeEdit& e);
/// Inputs of the node, or what became of them, each stretched to what they broadcast to.
std::vector<Value> stretched_alike(NodeEdit& e, std::vector<Value> inputs);

/// Where in the flattened data each index along an axis points [GatherElements-11]: of the shape of
/// the indices where the rank of the data is known, else a vector.
Value element_places(Emitter& e, const Value& data, const Value& indices, std::int64_t axis);
/// Where index tuples point [GatherND-11], of whatever length they are.
struct TuplePlaces {
  Value places;  ///< [tuples] among the joined leading dims
  Value width;   ///< scalar: how many dims lead
  Value cells;   ///< [1] the product of those
  Value run;     ///< [1] the product of the dims behind them
};
TuplePlaces tuple_places(Emitter& e, const Value& data, const Value& indices);
/// Elements [start, …) of a vector, from a scalar on.
Value tail(Emitter& e, const Value& vector, const Value& start);

// Axes that the run tells: vectors of int64, negative ones counted from the end.

/// [axes, dims] 1 where the axis names the dim; `rank` is a scalar.
Value named_dims(Emitter& e, const Value& axes, const Value& rank);
/// Over all dims: whether an axis names the dim, as 0 or 1; or the value of the axis that does,
/// else 0. `values` is as long as the axes.
Value placed(Emitter& e, const Value& named);
Value placed(Emitter& e, const Value& named, const Value& values);
/// x as three dims, split at the one axis in `axis`.
Value view3(Emitter& e, const Value& x, const Value& axis);

/// What becomes of x, of any rank, axis by axis: `work` is given the number of an axis (a scalar)
/// and x with that axis first and all others as a second one, and gives them back with another
/// first dim.
Value along_each_axis(
    Emitter& e, const Value& x,
    const std::function<Value(Subgraph& body, const Value& axis, const Value& rows)>& work);

}  // namespace onnxcompat::adapters
