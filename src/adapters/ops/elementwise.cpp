// Elementwise operators of one input, and Pow, Range, Erf [transitions: simple attributes].

#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr float kFloatMax = std::numeric_limits<float>::max();
constexpr float kHalfMax = 65504;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// [Clip-1] an absent bound is no bound; [Clip-6] it is the largest float32.
void write_absent_bounds(NodeEdit& e, float bound) {
  e.drop("consumed_inputs");
  if (!e.has("min")) e.set({"min", -bound});
  if (!e.has("max")) e.set({"max", bound});
}

/// [Clip-11] bounds are scalars of the input's type.
void clip_up(NodeEdit& e) {
  const DataType type = e.dtype(0);
  const auto move = [&](const char* attribute, int index, float otherwise) {
    // The numeric limits that the absent input of 11 stands for are the old defaults for float32;
    // double's are wider, and float16's narrower.
    const bool needed = e.has(attribute) || type != DataType::float32;
    if (!needed || e.refused()) return;
    const auto reference = e.reference(attribute);
    if (!reference && type != DataType::undefined) {
      e.set_input(index, e.number(e.float_or(attribute, otherwise), type, attribute));
    } else {
      const Value bound =
          reference ? e.constant(*reference, attribute)
                    : e.number(e.float_or(attribute, otherwise), DataType::float32, attribute);
      if (e.target() >= 15) {
        e.set_input(index, e.emit_in({}, 15, "CastLike", {bound, e.input(0)}, 1, {}).front());
      } else if (type == DataType::undefined) {
        return static_cast<void>(e.need_dtype(0));
      } else {
        e.set_input(index, cast(e, bound, type));
      }
    }
    e.drop(attribute);
  };
  move("min", 1, -kFloatMax);
  move("max", 2, kFloatMax);
}

/// What an absent bound of [Clip-11] is; nothing for integers, which it does not change.
std::optional<double> greatest_finite(DataType type) {
  switch (type) {
    case DataType::float16:
      return kHalfMax;
    case DataType::bfloat16:
      return 0x1.FEp127;
    case DataType::float32:
      return kFloatMax;
    case DataType::float64:
      return std::numeric_limits<double>::max();
    default:
      return std::nullopt;
  }
}

/// Bounds of 64-bit integers, which no floating-point attribute holds [Where-9].
void clip_integers(NodeEdit& e) {
  if (e.target() < 9) return e.refuse("64-bit integers: Clip-6 takes floating-point numbers");
  Value x = e.input(0);
  if (e.has_input(1)) x = where(e, binary(e, "Less", x, e.input(1)), e.input(1), x);
  if (e.has_input(2)) x = where(e, binary(e, "Less", e.input(2), x), e.input(2), x);
  e.replace({x});
}

void clip_down(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (type == DataType::int64 || type == DataType::uint64) return clip_integers(e);
  const std::optional<double> greatest = greatest_finite(type);
  std::optional<float> bounds[2];
  bool as_attributes = true;
  for (int i = 0; i < 2; ++i) {
    if (!e.has_input(i + 1)) {
      // [Clip-11] numeric_limits of the type; [Clip-6] those of float.
      if (type == DataType::undefined) return static_cast<void>(e.need_dtype(0));
      if (type == DataType::float16) bounds[i] = i == 0 ? -kHalfMax : kHalfMax;
      as_attributes = as_attributes && type != DataType::float64 && type != DataType::bfloat16;
      continue;
    }
    const auto known = e.constant(i + 1);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values || values->size() != 1 ||
        (static_cast<double>(static_cast<float>(values->front())) != values->front() &&
         !std::isnan(values->front()))) {
      as_attributes = false;
      continue;
    }
    bounds[i] = static_cast<float>(values->front());
  }
  if (!as_attributes) {
    // Right for min > max too, where the result is max.
    Value x = e.input(0);
    for (int i = 1; i <= 2; ++i) {
      if (!e.has_input(i) && !greatest) continue;
      const Value bound =
          e.has_input(i) ? e.input(i) : e.number(i == 1 ? -*greatest : *greatest, type, "bound");
      x = e.emit_in({}, 8, i == 1 ? "Max" : "Min", {x, bound}, 1, {}).front();
    }
    return e.replace({x});
  }
  for (int i = 2; i >= 1; --i) {
    e.fold_input(i);
    if (bounds[i - 1]) e.set({i == 1 ? "min" : "max", *bounds[i - 1]});
  }
}

void selu_defaults(NodeEdit& e, float alpha, float gamma) {
  e.drop("consumed_inputs");
  if (!e.has("alpha")) e.set({"alpha", alpha});
  if (!e.has("gamma")) e.set({"gamma", gamma});
}

/// [Pow-7] both inputs have one floating-point type.
void pow_down(NodeEdit& e) {
  const DataType base = e.need_dtype(0);
  const DataType exponent = e.need_dtype(1);
  if (e.refused() || (base == exponent && is_float(base))) return;
  const auto known = e.constant(1);
  const auto values = known ? known->doubles() : std::nullopt;
  if (is_float(base)) {
    if (values) {
      const auto dims = known->dims();
      const TensorLiteral literal = TensorLiteral::of(base, dims, *values);
      const auto back = literal.to_doubles();
      if (back && *back == *values) {
        e.fold_input(1);
        e.set_input(1, e.constant(literal, "exponent"));
        return;
      }
    }
    const bool narrow_int = exponent == DataType::int8 || exponent == DataType::uint8 ||
                            exponent == DataType::int16 || exponent == DataType::uint16;
    if (base == DataType::float64 || (narrow_int && base == DataType::float32)) {
      e.set_input(1, cast(e, e.input(1), base));
      return;
    }
  } else if (values && values->size() == 1 &&
             e.rank(0).value_or(0) >= static_cast<int>(known->dims().size())) {
    const double power = values->front();
    if (power == std::floor(power) && power >= 1 && power <= 16) {
      // Integer products wrap just as the integer power does.
      Value result = e.input(0);
      for (int i = 1; i < static_cast<int>(power); ++i) {
        result = binary(e, "Mul", result, e.input(0));
      }
      return e.replace({result});
    }
  }
  e.rounds("computed in double");
  const Value x = cast(e, e.input(0), DataType::float64);
  const Value y = cast(e, e.input(1), DataType::float64);
  e.replace({cast(e, binary(e, "Pow", x, y), base)});
}

/// [Erf-13] no longer takes integers; what is cut towards zero tells double from float, whose
/// erf(4) is 1.
void erf_up(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (type == DataType::undefined || is_float(type)) return;
  const auto rank = e.rank(0);
  e.set_input(0, cast(e, e.input(0), DataType::float64));
  const Value y = e.detach_output(0);
  e.set_type(y, DataType::float64, rank);
  e.produce(0, cast(e, y, type));
}

/// Operators of before [Add-7], which broadcast b along a from an axis on, whatever their ranks.
Value from_axis(Emitter& e, std::string_view op, const Value& a, const Value& b, int axis) {
  return e.emit_in({}, 6, op, {a, b}, 1, {{"axis", axis}, {"broadcast", 1}}).front();
}

/// The mean of every channel of every item.
Value channel_means(Emitter& e, const Value& x) {
  const Value means = e.emit_in({}, 1, "GlobalAveragePool", {x}, 1, {}).front();
  return e.emit_in({}, 1, "Flatten", {means}, 1, {{"axis", 1}}).front();
}

/// The normalization written out, of any rank and without computed shapes.
void normalize_by_axis(NodeEdit& e) {
  const bool by_item = e.op() == "InstanceNormalization";
  const DataType type = e.need_dtype(0);
  const float epsilon = e.float_or("epsilon", 1e-5F);
  if (e.refused()) return;
  const DataType work = at_least_float32(type);
  const auto input = [&](int i) { return cast(e, e.input(i), work); };
  const Value x = input(0);
  const int axis = by_item ? 0 : 1;
  const Value centered = from_axis(e, "Sub", x, by_item ? channel_means(e, x) : input(3), axis);
  const Value variance =
      by_item ? channel_means(e, e.emit_in({}, 6, "Mul", {centered, centered}, 1, {}).front())
              : input(4);
  const Value small = e.number(static_cast<double>(epsilon), work, "epsilon");
  const Value deviation = unary(e, "Sqrt", from_axis(e, "Add", variance, small, 0));
  const Value normal = from_axis(e, "Div", centered, deviation, axis);
  const Value scaled = from_axis(e, "Mul", normal, input(1), 1);
  e.rounds();
  e.replace({cast(e, from_axis(e, "Add", scaled, input(2), 1), type)});
}

/// Are there no dims to reshape it to, nor can it be given some more?
bool has_no_shape(const NodeEdit& e) {
  return e.target() < 5 && !e.shape(0) && e.rank(0).value_or(5) > 4;
}

/// [BatchNormalization-1] is documented for four dimensions only.
void four_dims(NodeEdit& e) {
  const auto rank = e.rank(0);
  if (rank == 4) return;
  if (rank && *rank < 2) {
    return e.refuse("an input of fewer than two dimensions has no channels");
  }
  const auto shape = e.shape(0);
  if (!shape && e.target() >= 5) {
    // What is not known is computed [Reshape-5].
    const Value dims = shape_of(e, e.input(0));
    e.set_input(0, reshape(e, e.input(0), Ints{0, 0, -1, 1}));
    const Value y = e.detach_output(0);
    e.set_type(y, ValueType::tensor(e.dtype(0), Shape(4)));
    return e.produce(0, reshape(e, y, dims));
  }
  if (!shape && rank && *rank < 4) {
    const Ints missing = *rank == 3 ? Ints{3} : Ints{2, 3};
    e.set_input(0, unsqueeze(e, e.input(0), missing));
    const Value y = e.detach_output(0);
    e.set_type(y, ValueType::tensor(e.dtype(0), Shape(4)));
    return e.produce(0, squeeze(e, y, missing));
  }
  if (has_no_shape(e)) {
    const bool trains = e.op() == "BatchNormalization" && e.int_or("is_test", 0) == 0;
    return trains ? static_cast<void>(e.need_shape(0)) : normalize_by_axis(e);
  }
  const auto rest = elements_of(Ints(shape->begin() + 2, shape->end()));
  if (!rest) return e.refuse("its dims are no sizes");
  e.set_input(0, reshape(e, e.input(0), Ints{(*shape)[0], (*shape)[1], *rest, 1}));
  const Value y = e.detach_output(0);
  e.set_type(y, ValueType::tensor(e.dtype(0), Shape(4)));
  e.produce(0, reshape(e, y, *shape));
}

}  // namespace

void register_elementwise(Registry& t) {
  for (const std::string_view op :
       {"Abs",         "Add",        "Ceil", "Div",     "Dropout", "Elu", "Exp", "Floor",
        "HardSigmoid", "LeakyRelu",  "Log",  "Max",     "Mean",    "Min", "Mul", "Neg",
        "PRelu",       "Reciprocal", "Relu", "Sigmoid", "Sqrt",    "Sub", "Sum", "Tanh"}) {
    t.at(op, 1, 6).dropped("consumed_inputs");
  }
  t.at("InstanceNormalization", 1, 6).dropped("consumed_inputs").down(four_dims);
  t.at("BatchNormalization", 1, 6).dropped("consumed_inputs").down([](NodeEdit& e) {
    // Required in 1, of one entry an input; the running mean and variance are consumed.
    e.set({"consumed_inputs", Ints{0, 0, 0, 1, 1}});
    if (has_no_shape(e)) return four_dims(e);
    if (e.int_or("spatial", 1) == 0) {
      // A scale, mean… for every element: vectors all the same.
      for (int i = 1; i < 5; ++i) {
        if (e.rank(i) != 1) e.set_input(i, reshape(e, e.input(i), Ints{-1}));
      }
    }
    if (e.rank(0) != 4) four_dims(e);
  });

  t.at("Clip", 1, 6)
      .up([](NodeEdit& e) { write_absent_bounds(e, kInfinity); })
      .down([](NodeEdit& e) { write_absent_bounds(e, kFloatMax); });
  t.at("Clip", 6, 11).up(clip_up).down(clip_down);

  // The schema of 6 gives more digits than 1; the documentation of both shows the short ones.
  t.at("Selu", 1, 6)
      .up([](NodeEdit& e) { selu_defaults(e, 1.6732F, 1.0507F); })
      .down(
          [](NodeEdit& e) { selu_defaults(e, 1.67326319217681884765625F, 1.05070102214813232F); });

  t.at("Pow", 7, 12).down(pow_down);
  t.at("Erf", 9, 13).up(erf_up);
  t.at("Range", 11, 27).added("stash_type", was(1));
  t.at("NonMaxSuppression", 10, 11)
      .same()
      .note("an overlap equal to the threshold never suppressed");
  t.at("NegativeLogLikelihoodLoss", 12, 13).same();
}

}  // namespace onnxcompat::adapters
