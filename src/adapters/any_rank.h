#pragma once

// Building blocks for tensors whose rank only the run tells. Their dims are a vector of a length
// that is not known, always with a 1 in front: it changes no place in memory, and nothing is ever
// summed up over no dims at all. Such a vector is called framed; [1, n…] below.

#include <optional>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

/// As many ones as a scalar says; none if it is negative.
Value ones(Emitter& e, const Value& count);
/// The framed dims of a tensor.
Value framed_dims(Emitter& e, const Value& x);
/// The shape, as it is, that two shapes of any lengths broadcast to.
Value broadcast_shape(Emitter& e, const Value& a, const Value& b);
/// How far apart neighbours along each dim are in row-major order: of the length of the dims.
Value strides(Emitter& e, const Value& dims);
/// 0 at the place of an axis among framed dims, else 1; the axis may be negative.
Value not_at_axis(Emitter& e, const Value& dims, std::int64_t axis);
/// [elements, dims] the coordinates of every element in row-major order.
Value coordinates(Emitter& e, const Value& dims);
/// [dims, places] the coordinates of some places in row-major order.
Value coordinate_rows(Emitter& e, const Value& dims, const Value& places);
/// [rows] the place in row-major order of each row of coordinates, along which the strides count.
Value places_of(Emitter& e, const Value& coordinates, const Value& strides);
/// x stretched to a shape of any length that it broadcasts to.
Value stretched(Emitter& e, const Value& x, const Value& full);

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

}  // namespace onnxcompat::adapters
