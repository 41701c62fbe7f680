// Cast, CastLike, Constant, Shape and what follows from element types.

#include <algorithm>
#include <cctype>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/registry.h"
#include "support/utf8.h"

namespace onnxcompat::adapters {
namespace {

/// The names that Cast-1 writes, in the order of TensorProto.DataType from 1 on.
constexpr std::string_view kTypeNames[] = {"FLOAT",  "UINT8",  "INT8",   "UINT16",    "INT16",
                                           "INT32",  "INT64",  "STRING", "BOOL",      "FLOAT16",
                                           "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"};

void type_name_to_number(NodeEdit& e) {
  std::string name = e.string_or("to", "");
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  const auto found = std::ranges::find(kTypeNames, name);
  if (found == std::end(kTypeNames)) {
    return e.refuse("to=\"" + name + "\" names no element type");
  }
  e.set({"to", found - std::begin(kTypeNames) + 1});
}

void type_number_to_name(NodeEdit& e) {
  const std::int64_t number = e.int_or("to", 0);
  if (e.refused()) return;
  if (number < 1 || number > static_cast<std::int64_t>(std::size(kTypeNames))) {
    return e.refuse("the element type to cast to is younger than opset 6");
  }
  e.set({"to", kTypeNames[number - 1]});
}

bool is_float8(DataType t) { return t >= DataType::float8e4m3fn && t <= DataType::float8e5m2fnuz; }
bool is_fnuz(DataType t) { return t == DataType::float8e4m3fnuz || t == DataType::float8e5m2fnuz; }

bool has_infinity(DataType t) {
  return t == DataType::float16 || t == DataType::bfloat16 || t == DataType::float32 ||
         t == DataType::float64 || t == DataType::float8e5m2 || t == DataType::string;
}

DataType target_type(NodeEdit& e) {
  if (e.op() == "Cast") return static_cast<DataType>(e.int_or("to", 0));
  return e.dtype(1);
}

/// [Cast-24] an infinity becomes the largest FNUZ value under saturate=1, where 23 gave NaN. Every
/// runtime does as 24 says, in all versions.
void infinity_guard(NodeEdit& e, bool up) {
  if (!is_fnuz(target_type(e)) || e.int_or("saturate", 1) == 0 || e.refused()) return;
  if (!e.options().strict_text) {
    return e.remark(
        "an infinity cast to an FNUZ type gives NaN before 24 and the largest value from "
        "then on by the texts, and the largest value in practice; --strict-text follows "
        "the texts");
  }
  const DataType type = e.need_dtype(0);
  if (e.refused() || !has_infinity(type)) return;
  // Every infinity and every other value stays what it is in the wider type.
  const bool wide = type == DataType::float64 || type == DataType::string;
  const DataType work = wide ? DataType::float64 : DataType::float32;
  const Value x = cast(e, e.input(0), work);
  if (up) {
    const Value infinite = e.emit_in({}, 10, "IsInf", {x}, 1, {}).front();
    const Value nan = e.number(std::numeric_limits<double>::quiet_NaN(), work, "nan");
    e.set_input(0, where(e, infinite, nan, x));
  } else {
    const double limit = target_type(e) == DataType::float8e4m3fnuz ? 240 : 57344;
    const Value low = e.number(-limit, work, "min");
    const Value high = e.number(limit, work, "max");
    e.set_input(0, e.emit_in({}, 13, "Clip", {x, low, high}, 1, {}).front());
  }
}

void saturate_down(NodeEdit& e) {
  if (is_float8(target_type(e))) {
    return e.refuse("saturate=0 for a float8 type has no counterpart");
  }
  e.drop("saturate");
}

/// Constant-12's plain values as a tensor.
void plain_values_down(NodeEdit& e) {
  for (const std::string_view name : {"value_int", "value_ints", "value_float", "value_floats",
                                      "value_string", "value_strings"}) {
    const auto a = e.attribute(name);
    if (e.refused()) return;
    if (!a) continue;
    const auto value = e.scope().constant(e.output(0));
    const auto literal = value ? value->literal() : std::nullopt;
    if (!literal) return e.refuse(std::string(name) + " cannot be read");
    // Elements of a tensor are text [onnx.proto#TensorProto], a string attribute may be any bytes.
    bool is_text = is_utf8(a->s());
    for (const std::string& text : a->strings()) is_text = is_text && is_utf8(text);
    if (!is_text) return e.refuse(std::string(name) + " holds what is not UTF-8");
    e.drop(name);
    e.set({"value", *literal});
  }
}

void sparse_value_down(NodeEdit& e) {
  const auto a = e.attribute("sparse_value");
  if (!a) return;
  const auto dense = TensorLiteral::dense(a->sparse_tensor());
  if (!dense) return e.refuse(dense.error().message);
  e.drop("sparse_value");
  e.set({"value", *dense});
}

/// A function has no initializers: numbers that double holds are cast from there.
bool cast_from_double(NodeEdit& e, const TensorLiteral& literal) {
  const auto numbers = literal.to_doubles();
  if (!numbers) return false;
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::ranges::any_of(*numbers, [](double v) { return !(v > -kExact && v < kExact); })) {
    return false;
  }
  const auto wide = TensorLiteral::of(DataType::float64, literal.dims, *numbers);
  const Value held = e.emit_in({}, 1, "Constant", {}, 1, {{"value", wide}}).front();
  e.set_type(held, DataType::float64, static_cast<int>(literal.dims.size()));
  e.replace({cast(e, held, literal.type)});
  return true;
}

/// [Constant-1] is for floats; anything else is an initializer.
void constant_to_initializer(NodeEdit& e) {
  const auto a = e.attribute("value");
  if (!a || a->type() != AttributeType::tensor) return e.refuse("the constant has no value");
  const DataType type = a->t().data_type();
  if (type == DataType::float32 || type == DataType::float16 || type == DataType::float64) return;
  const auto literal = TensorLiteral::copy(a->t());
  if (!literal) return e.refuse(literal.error().message);
  if (e.in_function() && cast_from_double(e, *literal)) return;
  e.to_initializer(*literal);
}

/// [Shape-15] start and end.
void shape_range_down(NodeEdit& e) {
  const std::int64_t start = e.int_or("start", 0);
  const bool open = !e.has("end");
  const std::int64_t end = e.int_or("end", kEnd);
  if (e.refused()) return;
  e.drop("start");
  e.drop("end");
  if (start == 0 && open) return;
  const Value all = e.detach_output(0);
  e.set_type(all, DataType::int64, 1);
  e.produce(0, slice(e, all, Ints{start}, Ints{end}, Ints{0}));
}

/// [CastLike-15] a Cast to the type of the second input.
void cast_like(NodeEdit& e) {
  const DataType type = e.need_dtype(1);
  if (e.refused()) return;
  const Value y = e.emit_in({}, 13, "Cast", {e.input(0)}, 1, {{"to", type}}).front();
  e.replace({y});
}

void optional_input_down(NodeEdit& e, bool has_element) {
  if (!e.has_input(0)) {
    const double no = 0;
    return e.replace({e.constant(TensorLiteral::of(DataType::boolean, {}, {&no, 1}))});
  }
  const ValueType* type = e.type(e.input(0));
  if (type == nullptr || type->kind == TypeView::Kind::none) {
    return e.refuse("whether its input is an optional is not known");
  }
  if (type->kind == TypeView::Kind::optional) return;
  if (!has_element) return e.replace({e.input(0)});
  const double yes = 1;
  e.replace({e.constant(TensorLiteral::of(DataType::boolean, {}, {&yes, 1}))});
}

}  // namespace

void register_cast(Registry& t) {
  t.at("Cast", 1, 6).up(type_name_to_number).down(type_number_to_name);
  t.at("Cast", 13, 19).added("saturate", was(1), saturate_down);
  t.at("CastLike", 15, 19).added("saturate", was(1), saturate_down);
  for (const std::string_view op : {"Cast", "CastLike"}) {
    t.at(op, 23, 24)
        .added("round_mode", was("up"))
        .up([](NodeEdit& e) { infinity_guard(e, true); })
        .down([](NodeEdit& e) { infinity_guard(e, false); })
        .note("an infinity cast to an FNUZ type: NaN before 24 by the text, saturated in practice");
  }
  t.expand("CastLike", cast_like, "Cast to the type of the second input");

  t.at("Constant", 1, 9).down(constant_to_initializer);
  t.at("Constant", 9, 11).down(sparse_value_down);
  t.at("Constant", 11, 12).down(plain_values_down);
  t.at("Shape", 13, 15).down(shape_range_down);
  t.at("OptionalHasElement", 15, 18).down([](NodeEdit& e) { optional_input_down(e, true); });
  t.at("OptionalGetElement", 15, 18).down([](NodeEdit& e) { optional_input_down(e, false); });
}

}  // namespace onnxcompat::adapters
