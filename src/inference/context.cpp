#include "inference/context.h"

#include <algorithm>

#include <fmt/format.h>

namespace onnxcompat::infer {
namespace {

using Kind = TypeView::Kind;
const ValueType kUnknown;

}  // namespace

Context::Context(Host& host, const NodeView& node, const OpSchema* schema, Symbols& symbols,
                 std::span<const ValueType* const> inputs, std::span<ValueType> outputs,
                 std::span<DataPtr> output_data)
    : host_(host),
      node_(node),
      schema_(schema),
      symbols_(symbols),
      inputs_(inputs),
      outputs_(outputs),
      output_data_(output_data) {}

// ---- inputs

bool Context::has_input(int i) const {
  return i >= 0 && i < input_count() && inputs_[static_cast<std::size_t>(i)] != nullptr;
}

const ValueType& Context::input(int i) const {
  return has_input(i) ? *inputs_[static_cast<std::size_t>(i)] : kUnknown;
}

const Shape* Context::shape(int i) const {
  const ValueType& type = input(i);
  return type.shape ? &*type.shape : nullptr;
}

std::optional<int> Context::rank(int i) const { return input(i).rank(); }

Dim Context::dim_of(int i, int axis) const {
  const Shape* s = shape(i);
  if (s == nullptr || axis < 0 || axis >= static_cast<int>(s->size())) return {};
  return (*s)[static_cast<std::size_t>(axis)];
}

std::optional<std::vector<std::int64_t>> Context::ints(int i) const {
  const DataPtr contents = data(i);
  if (!contents || !contents->all_known()) return std::nullopt;
  std::vector<std::int64_t> out;
  out.reserve(contents->elems.size());
  for (const Dim& d : contents->elems) out.push_back(*d.value);
  return out;
}

std::optional<std::vector<double>> Context::reals(int i) const {
  const DataPtr contents = data(i);
  if (!contents) return std::nullopt;
  if (!contents->reals.empty()) return contents->reals;
  if (!contents->all_known()) return std::nullopt;
  std::vector<double> out;
  for (const Dim& d : contents->elems) out.push_back(static_cast<double>(*d.value));
  return out;
}

Dim Context::elem_of(int i) const {
  const DataPtr contents = data(i);
  return contents && contents->elems.size() == 1 ? contents->elems.front() : Dim{};
}

std::optional<std::int64_t> Context::int_of(int i) const { return elem_of(i).value; }

// ---- attributes

std::optional<AttributeView> Context::attribute(std::string_view name) const {
  return host_.attribute(name);
}

std::optional<std::int64_t> Context::integer(std::string_view name) const {
  if (const auto a = attribute(name)) {
    return a->type() == AttributeType::int_ ? std::optional(a->i()) : std::nullopt;
  }
  const AttributeSchema* s = schema_ != nullptr ? schema_->attribute(name) : nullptr;
  if (s != nullptr && s->default_value.type == AttributeType::int_) return s->default_value.i;
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> Context::integers(std::string_view name) const {
  if (const auto a = attribute(name)) {
    if (a->type() != AttributeType::ints) return std::nullopt;
    return std::vector<std::int64_t>(a->ints().begin(), a->ints().end());
  }
  const AttributeSchema* s = schema_ != nullptr ? schema_->attribute(name) : nullptr;
  if (s == nullptr || s->default_value.type != AttributeType::ints) return std::nullopt;
  return std::vector<std::int64_t>(s->default_value.ints.begin(), s->default_value.ints.end());
}

std::optional<std::vector<float>> Context::floats(std::string_view name) const {
  const auto a = attribute(name);
  if (!a || a->type() != AttributeType::floats) return std::nullopt;
  return std::vector<float>(a->floats().begin(), a->floats().end());
}

std::optional<float> Context::real(std::string_view name) const {
  const auto a = attribute(name);
  if (!a || a->type() != AttributeType::float_) return std::nullopt;
  return a->f();
}

std::string Context::string(std::string_view name) const {
  if (const auto a = attribute(name)) return a->type() == AttributeType::string ? a->s() : "";
  const AttributeSchema* s = schema_ != nullptr ? schema_->attribute(name) : nullptr;
  return s != nullptr ? std::string(s->default_value.s) : std::string{};
}

int Context::length(std::string_view name) const {
  const auto a = attribute(name);
  if (!a) return 0;
  switch (a->type()) {
    case AttributeType::ints:
      return static_cast<int>(a->ints().size());
    case AttributeType::floats:
      return static_cast<int>(a->floats().size());
    case AttributeType::strings:
      return a->strings().size();
    default:
      return 0;
  }
}

std::optional<DataType> Context::data_type(std::string_view name) const {
  const auto number = integer(name);
  if (!number || *number <= 0 || *number >= kDataTypeCount) return std::nullopt;
  return static_cast<DataType>(*number);
}

// ---- results

ValueType& Context::output(int i) {
  if (i >= 0 && i < output_count()) return outputs_[static_cast<std::size_t>(i)];
  dropped_ = {};
  return dropped_;
}

void Context::set_type(int i, ValueType type) { output(i) = std::move(type); }

void Context::set_elem(int i, DataType elem) {
  ValueType& out = output(i);
  if (out.kind != Kind::sparse_tensor) out.kind = Kind::tensor;
  if (is_known(elem)) out.elem = elem;
}

void Context::set_shape(int i, Shape shape) {
  ValueType& out = output(i);
  if (out.kind == Kind::none) out.kind = Kind::tensor;
  for (Dim& d : shape) {
    if (d.value && *d.value < 0) d = {};
  }
  if (out.kind == Kind::tensor || out.kind == Kind::sparse_tensor) out.shape = std::move(shape);
}

void Context::set_data(int i, DataPtr data) {
  if (i >= 0 && i < output_count()) output_data_[static_cast<std::size_t>(i)] = std::move(data);
}

void Context::copy_shape(int from, int to) {
  if (const Shape* s = shape(from)) set_shape(to, *s);
}

void Context::conflict(std::string message, bool shape_only) {
  const Strings outputs = node_.outputs();
  host_.conflict(outputs.empty() ? std::string{} : outputs[0], std::move(message), shape_only);
}

// ---- help for rules

std::optional<int> Context::axis(std::int64_t value, int rank) {
  if (value < -rank || value >= rank) {
    conflict(fmt::format("axis {} is out of range for rank {}", value, rank));
    return std::nullopt;
  }
  return static_cast<int>(value < 0 ? value + rank : value);
}

std::optional<std::vector<int>> Context::axes(std::span<const std::int64_t> values, int rank) {
  std::vector<int> out;
  for (const std::int64_t value : values) {
    const auto a = axis(value, rank);
    if (!a) return std::nullopt;
    out.push_back(*a);
  }
  std::ranges::sort(out);
  const auto repeated = std::ranges::unique(out);
  out.erase(repeated.begin(), repeated.end());
  return out;
}

Dim Context::same(const Dim& a, const Dim& b, std::string_view what) {
  if (a.value && b.value && *a.value != *b.value) {
    conflict(fmt::format("{}: {} and {} differ", what, *a.value, *b.value));
  }
  if (a.value) return a;
  if (b.value) return b;
  if (is_unknown(a) || (is_generated(a.symbol) && !is_unknown(b))) return b;
  return a;
}

Dim Context::product(std::span<const Dim> dims) {
  Dim out = dim(1);
  for (const Dim& d : dims) out = symbols_.mul(out, d);
  return out;
}

Dim Context::broadcast(const Dim& a, const Dim& b) {
  if (a.value == 1) return b;
  if (b.value == 1) return a;
  if (a.value && b.value) {
    if (*a.value != *b.value) {
      conflict(fmt::format("dimensions {} and {} cannot be broadcast", *a.value, *b.value));
      return {};
    }
    return a;
  }
  if (a.value) return a;
  if (b.value) return b;
  return a == b ? a : Dim{};
}

std::optional<Shape> Context::broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const std::size_t offset = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const Dim& x = a.size() >= b.size() ? longer[offset + i] : shorter[i];
    const Dim& y = a.size() >= b.size() ? shorter[i] : longer[offset + i];
    if (x.value && y.value && *x.value != *y.value && *x.value != 1 && *y.value != 1) {
      conflict(fmt::format("shapes {} and {} cannot be broadcast", describe(a), describe(b)));
      return std::nullopt;
    }
    out[offset + i] = broadcast(x, y);
  }
  return out;
}

const Shape* Context::shape_of_rank(int i, int rank) {
  const Shape* s = shape(i);
  if (s != nullptr && static_cast<int>(s->size()) != rank) {
    conflict(fmt::format("input {} has rank {}, {} needs rank {}", i, s->size(), op(), rank));
    return nullptr;
  }
  return s;
}

// ---- subgraphs

std::vector<Actual> Context::run(std::string_view attribute_name, std::span<const Actual> inputs,
                                 bool trial) {
  const auto a = attribute(attribute_name);
  if (!a || a->type() != AttributeType::graph) return {};
  return host_.run(*a, inputs, trial);
}

Actual Context::actual(int i) const { return {input(i), data(i), !has_input(i)}; }

}  // namespace onnxcompat::infer
