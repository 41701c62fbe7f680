// Reductions, ArgMax and ArgMin: axes as an input, indices counted from the end.

#include <algorithm>

#include "adapters/any_rank.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// A reduction as elementwise work before and after one that can be taken axis by axis.
struct Decomposed {
  std::string_view before;
  std::string_view reduction;
  std::string_view after;
};

Decomposed decomposed(std::string_view op) {
  if (op == "ReduceL1") return {"Abs", "ReduceSum", ""};
  if (op == "ReduceL2") return {"Square", "ReduceSum", "Sqrt"};
  if (op == "ReduceSumSquare") return {"Square", "ReduceSum", ""};
  if (op == "ReduceLogSum") return {"", "ReduceSum", "Log"};
  return {"", op, ""};
}

Value apply(Emitter& e, std::string_view op, const Value& x) {
  if (op.empty()) return x;
  // [Mul-6] Nothing is broadcast: the rank does not matter.
  return op == "Square" ? e.emit_in({}, 6, "Mul", {x, x}, 1, {}).front() : unary(e, op, x);
}

/// What is left when no axis is reduced [ReduceSumSquare-18 noop_with_empty_axes]: the elementwise
/// part alone.
Value reduced_over_nothing(Emitter& e, std::string_view op, const Value& x) {
  const Decomposed parts = decomposed(op);
  if (parts.before == "Square" && parts.after == "Sqrt") return unary(e, "Abs", x);
  return apply(e, parts.after, apply(e, parts.before, x));
}

/// The type of the input and the one that a reduction spelled out in several operators is computed
/// in: roots and logarithms of integers exist in floating point only, and 16 bits between two steps
/// lose what one operator keeps.
struct WorkType {
  DataType input = DataType::undefined;
  DataType work = DataType::undefined;
};

std::optional<WorkType> work_type(NodeEdit& e, const Decomposed& parts) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return std::nullopt;
  const bool half = type == DataType::float16 || type == DataType::bfloat16;
  const bool real = half || type == DataType::float32 || type == DataType::float64;
  const bool picks = parts.reduction == "ReduceMax" || parts.reduction == "ReduceMin";
  if (half && !picks) return WorkType{type, DataType::float32};
  if (half) return WorkType{type, carried_type(e, type)};
  const bool rooted = !parts.after.empty() || parts.reduction == "ReduceLogSumExp";
  if (!real && rooted) return WorkType{type, DataType::float64};
  return WorkType{type, type};
}

Value to_work(NodeEdit& e, const WorkType& t) { return cast(e, e.input(0), t.work); }
Value from_work(NodeEdit& e, const Value& x, const WorkType& t) {
  return t.input == t.work ? x : cast(e, x, t.input);
}

/// Axes known at run time only, by ReduceSum-13, which takes them as an input.
void dynamic_axes_by_sum(NodeEdit& e) {
  const std::string_view op = e.op();
  const Decomposed parts = decomposed(op == "ReduceMean" ? std::string_view("ReduceSum") : op);
  const Attrs attributes = e.attributes({"keepdims", "noop_with_empty_axes"});
  const auto own = work_type(e, parts);
  if (!own) return;
  const Value x = apply(e, parts.before, to_work(e, *own));
  const Value sum = e.emit_in({}, 13, "ReduceSum", {x, e.input(1)}, 1, attributes).front();
  if (e.op() == "ReduceMean") {
    const Value count = binary(e, "Div", size_of(e, e.input(0)), size_of(e, sum));
    e.rounds();
    return e.replace({from_work(e, binary(e, "Div", sum, cast(e, count, own->work)), *own)});
  }
  if (!parts.before.empty() || !parts.after.empty()) e.rounds();
  e.replace({from_work(e, apply(e, parts.after, sum), *own)});
}

Ints one_at(int axis, int rank) {
  Ints dims(static_cast<std::size_t>(rank), 0);
  dims[static_cast<std::size_t>(axis)] = 1;
  return dims;
}

/// Over all dims: 1 where the axes at input 1 name the dim.
Value reduced_dims(NodeEdit& e, const Value& rank, bool noop) {
  Value mask = placed(e, named_dims(e, e.input(1), rank));
  if (noop) return mask;
  // No axes stand for all of them.
  const Value none = binary(e, "Equal", size_of(e, e.input(1)), e.scalar(0));
  return binary(e, "Add", mask, cast(e, none, DataType::int64));
}

Value kept_dims(Emitter& e, const Value& x, const Value& mask) {
  const Value kept = unary(e, "Not", cast(e, mask, DataType::boolean));
  return e.emit_in({}, 9, "Compress", {shape_of(e, x), kept}, 1, {{"axis", 0}}).front();
}

/// All that comes of an empty tensor is what comes of no elements.
void reduced_to_neutral(NodeEdit& e, const Value& mask) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Value nothing = e.constant(TensorLiteral::zeros(type, {0}), "nothing");
  const Value neutral = reduce(e, e.op(), nothing, {0}, false);
  e.replace({expand(e, neutral, kept_dims(e, e.input(0), mask))});
}

/// x, of any rank, as [dims that stay, dims that are reduced]; `mask` says which are, as 0 or 1.
Value reduced_last(Emitter& e, const Value& given, const Value& dims, const Value& mask) {
  const DataType type = carried_type(e, e.dtype(given));
  const Value x = cast(e, given, type);
  Subgraph body = e.subgraph("axis");
  const Value axis = body.input("number", DataType::int64, 0);
  const Value go = body.input("go", DataType::boolean, 0);
  const Value so_far = body.input("so_far", type, 2, x);
  const Value sizes = body.input("sizes", DataType::int64, 1);
  body.output(go);
  const Value one = body.ints({1}, "one");
  const Value own = slice(body, sizes, Ints{0}, Ints{1}, Ints{0});
  const Value others = slice(body, sizes, Ints{1}, Ints{kEnd}, Ints{0});
  const Value flag = unsqueeze(body, gather(body, mask, axis, 0), {0});
  // The dim goes last if it is reduced, and joins those before it otherwise.
  const Value more = binary(body, "Sub", own, one);
  const Value moves = binary(body, "Mul", flag, more);
  const Value last = binary(body, "Add", moves, one);
  const Value joins = binary(body, "Add", binary(body, "Sub", more, moves), one);
  const Value stay = binary(body, "Mul", dim_of(body, so_far, 0), joins);
  const Value rest = product(body, others);
  const Value three = reshape_to(body, so_far, concat(body, {stay, last, rest}, 0));
  body.set_type(three, type, 3);
  const Value moved = transpose(body, three, {0, 2, 1});
  const Value behind = binary(body, "Mul", rest, last);
  const Value two = reshape_to(body, moved, concat(body, {stay, behind}, 0));
  body.set_type(two, type, 2);
  body.output(two);
  body.output(concat(body, {others, last}, 0));
  const Value row = reshape(e, x, Ints{1, -1});
  const Value result = counted_loop(e, size_of(e, dims), {row, dims}, 2, {"body", body}).front();
  e.set_type(result, type, 2);
  return cast(e, result, e.dtype(given));
}

/// Axes known at run time only, of a rank that is as well.
void dynamic_axes_any_rank(NodeEdit& e) {
  const bool noop = e.int_or("noop_with_empty_axes", 0) != 0;
  const bool keep = e.int_or("keepdims", 1) != 0;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  compute_places(e);
  const Value dims = shape_of(e, e.input(0));
  const Value mask = reduced_dims(e, size_of(e, dims), noop);
  const Value two = reduced_last(e, e.input(0), dims, mask);
  const Value y = reduce(e, e.op(), two, {1}, false);
  e.set_type(y, type, 1);
  Value shape;
  if (keep) {
    const Value one = e.scalar(1, "one");
    const Value gone = binary(e, "Mul", mask, binary(e, "Sub", dims, one));
    shape = binary(e, "Sub", dims, gone);
  } else {
    shape = kept_dims(e, e.input(0), mask);
  }
  e.replace({reshape_to(e, y, shape)});
}

/// Axes known at run time only, one axis after the other under an If.
void dynamic_axes_by_branches(NodeEdit& e) {
  const auto rank = e.rank(0);
  if (!rank) return dynamic_axes_any_rank(e);
  if (*rank > kMostDims) return static_cast<void>(e.need_ints(1));
  compute_places(e);
  const Decomposed parts = decomposed(e.op());
  const bool noop = e.int_or("noop_with_empty_axes", 0) != 0;
  const bool keep = e.int_or("keepdims", 1) != 0;
  const auto dims = e.shape(0);
  const bool empty = dims && std::ranges::find(*dims, 0) != dims->end();
  const Value mask = reduced_dims(e, e.scalar(*rank, "rank"), noop);
  if (!keep && e.target() < 14 && empty) return reduced_to_neutral(e, mask);
  const auto own = work_type(e, parts);
  if (!own) return;
  Value x = apply(e, parts.before, to_work(e, *own));
  const DataType type = e.dtype(x);
  const Value one = e.scalar(1);
  for (int axis = 0; axis < *rank; ++axis) {
    const Value flag = element(e, mask, axis);
    Subgraph yes = e.subgraph("reduce");
    Subgraph no = e.subgraph("keep");
    Value reduced = reduce(yes, parts.reduction, x, {axis}, true);
    Value kept = x;
    if (e.target() < 11) {
      // [If-11] Before, branches give the same shape: one that nobody can tell beforehand.
      const Value sizes = e.emit_in({}, 1, "Shape", {x}, 1, {}).front();
      const Value there = e.ints(one_at(axis, *rank), "there");
      const Value change =
          binary(e, "Mul", binary(e, "Mul", there, flag), binary(e, "Sub", one, sizes));
      const Value result = binary(e, "Add", sizes, change);
      reduced = reshape(yes, reduced, result);
      kept = reshape(no, kept, result);
    }
    yes.output(reduced);
    no.output(kept);
    x = e.emit_in({}, 11, "If", {cast(e, flag, DataType::boolean)}, 1,
                  {{"else_branch", no}, {"then_branch", yes}})
            .front();
    e.set_type(x, type, rank);
  }
  if (!keep) x = reshape_to(e, x, kept_dims(e, x, mask));
  if (!(parts.reduction == "ReduceMax" || parts.reduction == "ReduceMin")) e.rounds();
  e.replace({from_work(e, apply(e, parts.after, x), *own)});
}

void axes_up(NodeEdit& e) {
  // An empty list reduces all dims, as an absent one does.
  const bool empty = !e.reference("axes") && e.has("axes") && e.int_list("axes")->empty();
  if (empty) e.drop("axes");
  attribute_to_input(e, "axes", 1);
}

void axes_down(NodeEdit& e) {
  const auto axes = e.const_ints(1);
  const std::int64_t noop = e.int_or("noop_with_empty_axes", 0);
  if (e.refused()) return;
  if (!e.has_input(1) || (axes && axes->empty())) {
    if (noop != 0) {
      if (e.op() != "ReduceLogSum") {
        return e.replace({reduced_over_nothing(e, e.op(), e.input(0))});
      }
      const auto own = work_type(e, decomposed(e.op()));
      if (!own) return;
      e.rounds();
      return e.replace({from_work(e, unary(e, "Log", to_work(e, *own)), *own)});
    }
    e.drop("noop_with_empty_axes");
    e.fold_input(1);
    return;
  }
  if (axes) {
    e.drop("noop_with_empty_axes");
    e.set({"axes", *axes});
    e.fold_input(1);
    return;
  }
  const bool sums = decomposed(e.op()).reduction == "ReduceSum" || e.op() == "ReduceMean";
  if (sums && e.target() >= 13) return dynamic_axes_by_sum(e);
  dynamic_axes_by_branches(e);
}

/// One negative axis where the rank is not known, or several neighbours: as the middle one of
/// three.
void negative_axes_as_one(NodeEdit& e, std::int64_t first, std::int64_t last, const Attr& middle) {
  const bool keep = e.int_or("keepdims", 1) != 0;
  const Value x = e.input(0);
  const auto dims_after = [&] { return dims_of(e, x, last + 1, kEnd); };
  std::vector<Value> shape{dims_of(e, x, 0, first)};
  if (keep) shape.push_back(e.ints(Ints(static_cast<std::size_t>(last - first + 1), 1)));
  if (last != -1) shape.push_back(dims_after());
  if (first == last) {
    e.set_input(0, view3(e, x, first));
  } else {
    const Value before = product(e, dims_of(e, x, 0, first));
    const Value within = product(e, dims_of(e, x, first, last == -1 ? kEnd : last + 1));
    const Value after = last == -1 ? e.ints({1}, "dim") : product(e, dims_after());
    e.set_input(0, reshape_to(e, x, concat(e, {before, within, after}, 0)));
  }
  e.set(middle);
  const Value reduced = e.detach_output(0, keep ? 3 : 2);
  e.produce(0, reshape_to(e, reduced, concat(e, shape, 0)));
}

void reduce_any_rank(NodeEdit& e) {
  Ints axes = *e.int_list("axes");
  std::ranges::sort(axes);
  if (axes.back() < 0 && axes.back() - axes.front() == std::ssize(axes) - 1) {
    return negative_axes_as_one(e, axes.front(), axes.back(), {"axes", Ints{1}});
  }
  // One axis after the other.
  const Decomposed parts = decomposed(e.op());
  const bool keep = e.int_or("keepdims", 1) != 0;
  const auto own = work_type(e, parts);
  if (!own) return;
  Value x = apply(e, parts.before, to_work(e, *own));
  for (const std::int64_t axis : axes) x = reduce(e, parts.reduction, x, {axis}, true);
  if (!keep) x = squeeze(e, x, axes);
  if (!(parts.reduction == "ReduceMax" || parts.reduction == "ReduceMin")) e.rounds();
  e.replace({from_work(e, apply(e, parts.after, x), *own)});
}

void arg_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  negative_axes_as_one(e, axis, axis, {"axis", 1});
}

/// [ArgMax-12] select_last_index: the first one of the reversed axis.
void last_index_down(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  e.drop("select_last_index");
  const Value last = binary(e, "Sub", dim_scalar(e, e.input(0), axis), e.scalar(1));
  e.set_input(0, reversed(e, e.input(0), axis));
  const Value index = e.detach_output(0);
  e.set_type(index, DataType::int64);
  e.produce(0, binary(e, "Sub", last, index));
}

}  // namespace

void register_reduce(Registry& t) {
  for (const std::string_view op :
       {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    t.at(op, 1, 11).negative_axes("axes", 0, reduce_any_rank);
    const bool sum = op == "ReduceSum";
    t.at(op, sum ? 11 : 13, sum ? 13 : 18).up(axes_up).down(axes_down);
  }
  for (const std::string_view op : {"ArgMax", "ArgMin"}) {
    t.at(op, 1, 11).negative_axis("axis", 0, 0, arg_any_rank);
    t.at(op, 11, 12).added("select_last_index", was(0), last_index_down);
  }
}

}  // namespace onnxcompat::adapters
