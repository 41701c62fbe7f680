#include "inference/types.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace onnxcompat::infer {
namespace {

using Kind = TypeView::Kind;

constexpr int kMaxNesting = 32;  ///< sequences of optionals of…
constexpr std::size_t kMaxReals = 64;

ValueType declared_type(const TypeView& type, bool keep_symbols, int depth) {
  ValueType out;
  out.kind = type.kind();
  if (is_known(type.elem_type())) out.elem = type.elem_type();
  if (is_known(type.key_type())) out.key = type.key_type();
  if (type.has_shape()) {
    Shape& shape = out.shape.emplace();
    for (const DimView d : type.dims()) {
      Dim& declared = shape.emplace_back();
      if (d.has_value() && d.value() >= 0) {
        declared.value = d.value();
      } else if (keep_symbols && d.has_param() && !is_generated(d.param())) {
        declared.symbol = d.param();
      }
    }
  }
  if (const auto inner = type.elem(); inner && depth < kMaxNesting) {
    out.inner = std::make_shared<ValueType>(declared_type(*inner, keep_symbols, depth + 1));
  }
  return out;
}

ValueType wrap(Kind kind, ValueType element) {
  ValueType out;
  out.kind = kind;
  if (element.kind != Kind::none) out.inner = std::make_shared<ValueType>(std::move(element));
  return out;
}

ValueType parse_type(std::string_view spelling, int depth) {
  const auto within = [&](std::string_view head) -> std::optional<std::string_view> {
    if (!spelling.starts_with(head) || !spelling.ends_with(')')) return std::nullopt;
    return spelling.substr(head.size(), spelling.size() - head.size() - 1);
  };
  if (depth > kMaxNesting) return {};
  ValueType out;
  for (const auto& [head, kind] :
       {std::pair{"tensor(", Kind::tensor}, {"sparse_tensor(", Kind::sparse_tensor}}) {
    if (const auto name = within(head)) {
      out.kind = kind;
      out.elem = data_type_named(*name).value_or(DataType::undefined);
      return out;
    }
  }
  if (const auto inner = within("seq(")) {
    return wrap(Kind::sequence, parse_type(*inner, depth + 1));
  }
  if (const auto inner = within("optional(")) {
    return wrap(Kind::optional, parse_type(*inner, depth + 1));
  }
  if (const auto inner = within("map(")) {
    const std::size_t comma = inner->find(',');
    if (comma == std::string_view::npos) return {};
    std::string_view value = inner->substr(comma + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    const auto plain = data_type_named(value);  // map(string, float)
    out = wrap(Kind::map, plain ? ValueType::tensor(*plain) : parse_type(value, depth + 1));
    out.key = data_type_named(inner->substr(0, comma)).value_or(DataType::undefined);
  }
  return out;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::tensor:
      return "tensor";
    case Kind::sparse_tensor:
      return "sparse tensor";
    case Kind::sequence:
      return "sequence";
    case Kind::optional:
      return "optional";
    case Kind::map:
      return "map";
    case Kind::opaque:
      return "opaque";
    case Kind::none:
      break;
  }
  return "unknown";
}

void fill_shape(std::optional<Shape>& known, const Shape& declared,
                std::optional<Contradiction>& found) {
  if (!known) {
    known = declared;
    return;
  }
  if (known->size() != declared.size()) {
    found = Contradiction{fmt::format("declared with shape {}, but its shape is {}",
                                      describe(declared), describe(*known)),
                          true};
    return;
  }
  for (std::size_t i = 0; i < declared.size(); ++i) {
    Dim& here = (*known)[i];
    const Dim& there = declared[i];
    if (here.value && there.value && *here.value != *there.value && !found) {
      found = Contradiction{fmt::format("declared with shape {}, but its shape is {}",
                                        describe(declared), describe(*known)),
                            true};
    } else if (!here.value && !is_unknown(there) &&
               (there.value || is_unknown(here) || is_generated(here.symbol))) {
      here = there;
    }
  }
}

template <class Change>
void change_shapes(ValueType& type, Change change) {
  if (type.shape) change(type.shape);
  if (type.inner) {
    auto inner = std::make_shared<ValueType>(*type.inner);
    change_shapes(*inner, change);
    type.inner = std::move(inner);
  }
}

}  // namespace

std::int64_t data_length(const Shape& shape) {
  if (shape.size() != 1) return -1;
  const std::int64_t length = shape.front().value.value_or(-1);
  return length <= static_cast<std::int64_t>(kMaxData) ? length : -1;
}

bool Data::all_known() const { return reals.empty() && std::ranges::all_of(elems, &Dim::known); }

DataPtr vector_of(std::vector<Dim> elems) {
  if (elems.size() > kMaxData) return nullptr;
  return std::make_shared<Data>(Data{false, std::move(elems), {}});
}

DataPtr scalar_of(Dim elem) { return std::make_shared<Data>(Data{true, {std::move(elem)}, {}}); }

DataPtr reals_of(std::vector<double> values, bool scalar) {
  if (values.size() > kMaxData) return nullptr;
  Data data;
  data.scalar = scalar;
  const bool whole = std::ranges::all_of(values, [](double v) {
    return std::isfinite(v) && std::trunc(v) == v && std::abs(v) < 9e15;
  });
  if (whole) {
    for (const double v : values) data.elems.push_back(dim(static_cast<std::int64_t>(v)));
  } else {
    data.reals = std::move(values);
  }
  return std::make_shared<Data>(std::move(data));
}

DataPtr read_data(const TensorView& tensor) {
  const auto count = tensor.element_count();
  if (tensor.dims().size() > 1 || !count || static_cast<std::uint64_t>(*count) > kMaxData ||
      tensor.is_external()) {
    return nullptr;
  }
  const bool scalar = tensor.dims().empty();
  switch (tensor.data_type()) {
    case DataType::float32:
    case DataType::float64: {
      if (static_cast<std::uint64_t>(*count) > kMaxReals) return nullptr;
      auto values = tensor.doubles();
      if (!values || static_cast<std::int64_t>(values->size()) != *count) return nullptr;
      return reals_of(std::move(*values), scalar);
    }
    case DataType::boolean:
    case DataType::int8:
    case DataType::int16:
    case DataType::int32:
    case DataType::int64:
    case DataType::uint8:
    case DataType::uint16:
    case DataType::uint32: {
      const auto values = tensor.ints();
      if (!values || static_cast<std::int64_t>(values->size()) != *count) return nullptr;
      Data data;
      data.scalar = scalar;
      for (const std::int64_t v : *values) data.elems.push_back(dim(v));
      return std::make_shared<Data>(std::move(data));
    }
    default:
      return nullptr;
  }
}

ValueType declared_type(const TypeView& type, bool keep_symbols) {
  return declared_type(type, keep_symbols, 0);
}

ValueType tensor_type(const TensorView& tensor) {
  ValueType out;
  out.kind = Kind::tensor;
  if (is_known(tensor.data_type())) out.elem = tensor.data_type();
  Shape& shape = out.shape.emplace();
  for (const std::int64_t d : tensor.dims()) shape.push_back(d < 0 ? Dim{} : dim(d));
  return out;
}

ValueType sequence_of(ValueType element) { return wrap(Kind::sequence, std::move(element)); }
ValueType optional_of(ValueType element) { return wrap(Kind::optional, std::move(element)); }
ValueType parse_type(std::string_view spelling) { return parse_type(spelling, 0); }

ValueType without_shapes(const ValueType& type) {
  ValueType out;
  out.kind = type.kind;
  out.elem = type.elem;
  out.key = type.key;
  if (type.inner) out.inner = std::make_shared<ValueType>(without_shapes(*type.inner));
  return out;
}

std::optional<Contradiction> fill(ValueType& known, const ValueType& declared) {
  if (declared.kind == Kind::none) return std::nullopt;
  if (known.kind == Kind::none) {
    known = declared;
    return std::nullopt;
  }
  if (known.kind != declared.kind) {
    return Contradiction{fmt::format("declared as {}, but it is {}", kind_name(declared.kind),
                                     kind_name(known.kind)),
                         false};
  }
  const auto differ = [](DataType a, DataType b) { return is_known(a) && is_known(b) && a != b; };
  if (differ(known.elem, declared.elem) || differ(known.key, declared.key)) {
    return Contradiction{fmt::format("declared as {}, but it is {}", declared.str(), known.str()),
                         false};
  }
  if (!is_known(known.elem)) known.elem = declared.elem;
  if (!is_known(known.key)) known.key = declared.key;
  std::optional<Contradiction> found;
  if (declared.inner) {
    ValueType inner = known.inner ? *known.inner : ValueType{};
    found = fill(inner, *declared.inner);
    known.inner = std::make_shared<ValueType>(std::move(inner));
  }
  if (declared.shape) fill_shape(known.shape, *declared.shape, found);
  return found;
}

ValueType meet(const ValueType& a, const ValueType& b, bool* lost_type) {
  if (a.kind != b.kind) {
    if (lost_type != nullptr && a.kind != Kind::none && b.kind != Kind::none) *lost_type = true;
    return {};
  }
  ValueType out;
  out.kind = a.kind;
  if (a.elem == b.elem) {
    out.elem = a.elem;
  } else if (lost_type != nullptr && is_known(a.elem) && is_known(b.elem)) {
    *lost_type = true;
  }
  if (a.key == b.key) out.key = a.key;
  if (a.inner && b.inner) {
    out.inner = std::make_shared<ValueType>(meet(*a.inner, *b.inner, lost_type));
  }
  if (a.shape && b.shape && a.shape->size() == b.shape->size()) {
    Shape& shape = out.shape.emplace();
    for (std::size_t i = 0; i < a.shape->size(); ++i) {
      shape.push_back((*a.shape)[i] == (*b.shape)[i] ? (*a.shape)[i] : Dim{});
    }
  }
  return out;
}

void forget_symbols_since(ValueType& type, std::int64_t watermark) {
  change_shapes(type, [&](std::optional<Shape>& shape) {
    for (Dim& d : *shape) {
      if (generation(d.symbol) >= watermark) d.symbol.clear();
    }
  });
}

DataPtr forget_symbols_since(DataPtr data, std::int64_t watermark) {
  if (!data || std::ranges::all_of(
                   data->elems, [&](const Dim& d) { return generation(d.symbol) < watermark; })) {
    return data;
  }
  Data out = *data;
  for (Dim& d : out.elems) {
    if (generation(d.symbol) >= watermark) d.symbol.clear();
  }
  return std::make_shared<Data>(std::move(out));
}

bool equal(const ValueType& a, const ValueType& b) {
  if (a.kind != b.kind || a.elem != b.elem || a.key != b.key || a.shape != b.shape ||
      (a.inner == nullptr) != (b.inner == nullptr)) {
    return false;
  }
  return a.inner == nullptr || equal(*a.inner, *b.inner);
}

std::string describe(const Dim& d) {
  if (d.value) return std::to_string(*d.value);
  return d.symbol.empty() || is_generated(d.symbol) ? "?" : d.symbol;
}

std::string describe(const Shape& shape) {
  std::string out = "[";
  for (const Dim& d : shape) out += (out.size() > 1 ? "," : "") + describe(d);
  return out + "]";
}

std::string describe(const ValueType& type) {
  std::string out = type.str();
  if (out.empty()) out = kind_name(type.kind);
  return type.shape ? out + describe(*type.shape) : out;
}

}  // namespace onnxcompat::infer
