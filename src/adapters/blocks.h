#pragma once

// Building blocks of rewrites. Each is written in the oldest form that says what it means and walks
// to the target from there, so that the caller need not know which opset it works for.

#include <string_view>
#include <vector>

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// An INTS or INT attribute becomes an int64 vector at input `index`; absent stays absent.
void attribute_to_input(NodeEdit& e, std::string_view attribute, int index);

/// From here on the 64-bit integers that are computed for the node are places and sizes, but for
/// its own data and what is made of those (wide_data.h): below [Add-6] they are computed in double.
void compute_places(Emitter& e);

/// float32, float64, float16 or bfloat16.
bool is_float(DataType type);

/// Does Cast take and give the type at that opset of ai.onnx?
bool cast_knows(int opset, DataType type);
Value cast(Emitter& e, const Value& x, DataType to);
/// Equal of floating-point numbers, which older ones do not take: neither less nor greater, and
/// neither is NaN.
Value equal_floats(Emitter& e, const Value& a, const Value& b, DataType type);
/// The type that control flow carries values of a type in: [If-16], [Loop-16] and [Scan-16] brought
/// bfloat16, whose every number float32 holds.
DataType carried_type(const Emitter& e, DataType type);
/// The type to compute in: of differences in 16 bits only their rounding is left.
DataType at_least_float32(DataType type);
/// NumPy broadcasting: Add, Sub, Mul, Div, Pow, Equal, Less, Greater, And, Or.
Value binary(Emitter& e, std::string_view op, const Value& a, const Value& b);
Value unary(Emitter& e, std::string_view op, const Value& x);
Value reshape(Emitter& e, const Value& x, const Value& shape);
Value reshape(Emitter& e, const Value& x, const Ints& shape);
/// To a computed shape without -1, in which a 0 means an empty dimension. Exact but at opset 5,
/// where a 0 copies the input's dimension at that place.
Value reshape_to(Emitter& e, const Value& x, const Value& shape);
Value transpose(Emitter& e, const Value& x, const Ints& perm);
Value squeeze(Emitter& e, const Value& x, const Ints& axes);
Value unsqueeze(Emitter& e, const Value& x, const Ints& axes);
/// A vector along one of `rank` dims, the others of size 1.
Value along(Emitter& e, const Value& vector, std::int64_t axis, std::int64_t rank);
Value concat(Emitter& e, const std::vector<Value>& parts, std::int64_t axis);
Value gather(Emitter& e, const Value& x, const Value& indices, std::int64_t axis);
Value slice(Emitter& e, const Value& x, const Ints& starts, const Ints& ends, const Ints& axes);
/// Slice with computed bounds (vectors of int64); needs opset 10.
Value slice(Emitter& e, const Value& x, const Value& starts, const Value& ends, const Value& axes,
            const Value& steps = {});
/// Element i of a vector, as a scalar.
Value element(Emitter& e, const Value& vector, std::int64_t i);
Value expand(Emitter& e, const Value& x, const Value& shape);
/// x, of static shape `own`, stretched to a static shape with Tile.
Value tile_to(Emitter& e, const Value& x, Ints own, const Ints& full);
/// The number of elements; nothing if a dim is none, or it is beyond measure.
std::optional<std::int64_t> elements_of(const Ints& dims);
/// What static shapes broadcast to.
Ints broadcast_of(const Ints& a, const Ints& b);
/// Likewise of computed dims, two vectors of one length.
Value broadcast_of(Emitter& e, const Value& a, const Value& b);
/// A vector of `count` dims with ones before it, `all` in all.
Value with_leading_ones(Emitter& e, const Value& dims, std::int64_t count, std::int64_t all);
/// A tensor of that (computed) shape filled with one value.
Value filled(Emitter& e, const Value& shape, double value, DataType type);
Value where(Emitter& e, const Value& condition, const Value& yes, const Value& no);
/// a < b, of places and sizes: integers that double tells apart, or far away from those.
Value less(Emitter& e, const Value& a, const Value& b);
/// ReduceSum, ReduceMean, ReduceMax… over constant axes (none: all).
Value reduce(Emitter& e, std::string_view op, const Value& x, const Ints& axes, bool keepdims);

/// A Loop of so many rounds (a scalar); `body` is the attribute. Runtimes may not take a condition
/// that is left out, so that it is given.
std::vector<Value> counted_loop(Emitter& e, const Value& count, const std::vector<Value>& carried,
                                int outputs, Attr body, int opset = 11);

Value shape_of(Emitter& e, const Value& x);
/// Dims [start, end) of x, ends as in Slice.
Value dims_of(Emitter& e, const Value& x, std::int64_t start, std::int64_t end);
/// The size of one dim, as a vector of one element, or a scalar.
Value dim_of(Emitter& e, const Value& x, std::int64_t axis);
Value dim_scalar(Emitter& e, const Value& x, std::int64_t axis);
/// Product of a vector, as a vector of one element.
Value product(Emitter& e, const Value& vector);
/// Number of elements, a scalar.
Value size_of(Emitter& e, const Value& x);
/// Number of dims, a scalar.
Value rank_of(Emitter& e, const Value& x);
/// 0 … n-1; n a scalar.
Value arange(Emitter& e, const Value& n);
/// x as [dims before axis, dim of axis, dims after], for any rank; axis may be negative.
Value view3(Emitter& e, const Value& x, std::int64_t axis);
/// And back: what became of such three dims of x has all dims of x again but for the axis.
Value from_view3(Emitter& e, const Value& y, const Value& x, std::int64_t axis);
/// The constant that output i is if it is known to be empty.
std::optional<Value> empty_result(NodeEdit& e, int i);
/// The node, whose axis counts from the end of a rank that is not known, as one on the middle one
/// of three dims. Its results have that axis as well.
void on_middle_axis(NodeEdit& e);
constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
/// How far apart neighbours along an axis of x are in row-major order, as a vector of one.
Value stride(Emitter& e, const Value& x, std::int64_t axis);
/// The place of each element of x among all of them in row-major order, of x's shape.
Value flat_positions(Emitter& e, const Value& x);
/// index, int32 or int64, or index + size where it is negative.
Value wrapped(Emitter& e, const Value& index, const Value& size);

/// More dims than that are nowhere spelled out one by one, or with each other.
constexpr int kMostDims = 64;

/// x reversed along an axis.
Value reversed(Emitter& e, const Value& x, std::int64_t axis);

}  // namespace onnxcompat::adapters
