// Operators whose result's element type is said by an attribute.

#include <algorithm>
#include <cctype>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// Contents after a cast, where the numbers survive it.
DataPtr cast_data(const DataPtr& data, DataType to) {
  if (!data) return nullptr;
  switch (to) {
    case DataType::float32:
    case DataType::float64:
      return data;
    case DataType::int32:
    case DataType::int64:
    case DataType::uint64:
    case DataType::uint32: {
      Data out;
      out.scalar = data->scalar;
      for (const double v : data->reals) {
        const bool fits = v > -9e15 && v < 9e15;
        out.elems.push_back(fits ? dim(static_cast<std::int64_t>(v)) : Dim{});
      }
      if (data->reals.empty()) out.elems = data->elems;
      const bool narrow = bits_of(to) == 32;
      for (Dim& d : out.elems) {
        const bool wraps =
            d.value && ((narrow && (*d.value > INT32_MAX || *d.value < INT32_MIN)) ||
                        (*d.value < 0 && to != DataType::int32 && to != DataType::int64));
        if (wraps) d = {};
      }
      return std::make_shared<Data>(std::move(out));
    }
    case DataType::boolean: {
      if (!data->reals.empty()) return nullptr;
      Data out;
      out.scalar = data->scalar;
      for (const Dim& d : data->elems) out.elems.push_back(d.value ? dim(*d.value != 0) : Dim{});
      return std::make_shared<Data>(std::move(out));
    }
    default:
      return nullptr;
  }
}

void cast_to(Context& c, std::optional<DataType> to) {
  if (to) c.set_elem(0, *to);
  c.copy_shape(0, 0);
  const bool survives = to && c.elem(0) != DataType::float16 && c.elem(0) != DataType::bfloat16;
  if (survives && c.op() != "BitCast") c.set_data(0, cast_data(c.data(0), *to));
}

Shape shape_of(std::span<const std::int64_t> dims) {
  Shape shape;
  for (const std::int64_t d : dims) shape.push_back(d < 0 ? Dim{} : dim(d));
  return shape;
}

Shape vector_shape(int length) { return {dim(length)}; }

}  // namespace

void cast(Context& c) { cast_to(c, c.data_type("to")); }

/// `to` is the type's name as TensorProto.DataType spells it [Cast-1].
void cast_named(Context& c) {
  std::string name = c.string("to");
  std::ranges::transform(name, name.begin(), [](unsigned char ch) { return std::tolower(ch); });
  cast_to(c, data_type_named(name));
}

void cast_like(Context& c) {
  const DataType to = c.elem(1);
  cast_to(c, is_known(to) ? std::optional(to) : std::nullopt);
}

void constant(Context& c) {
  if (const auto value = c.attribute("value"); value && value->type() == AttributeType::tensor) {
    c.set_type(0, tensor_type(value->t()));
    c.set_data(0, read_data(value->t()));
  } else if (const auto sparse = c.attribute("sparse_value")) {
    if (sparse->type() != AttributeType::sparse_tensor) return;
    c.set_elem(0, sparse->sparse_tensor().values().data_type());
    c.set_shape(0, shape_of(sparse->sparse_tensor().dims()));
  } else if (const auto i = c.integer("value_int")) {
    c.set_elem(0, DataType::int64);
    c.set_shape(0, {});
    c.set_data(0, scalar_of(dim(*i)));
  } else if (const auto f = c.real("value_float")) {
    c.set_elem(0, DataType::float32);
    c.set_shape(0, {});
    c.set_data(0, reals_of({static_cast<double>(*f)}, true));
  } else if (const auto ints = c.integers("value_ints")) {
    c.set_elem(0, DataType::int64);
    c.set_shape(0, vector_shape(static_cast<int>(ints->size())));
    std::vector<Dim> elems;
    for (const std::int64_t v : *ints) elems.push_back(dim(v));
    c.set_data(0, vector_of(std::move(elems)));
  } else if (const auto floats = c.floats("value_floats")) {
    c.set_elem(0, DataType::float32);
    c.set_shape(0, vector_shape(static_cast<int>(floats->size())));
    c.set_data(0, reals_of({floats->begin(), floats->end()}, false));
  } else if (c.has_attribute("value_string")) {
    c.set_elem(0, DataType::string);
    c.set_shape(0, {});
  } else if (c.has_attribute("value_strings")) {
    c.set_elem(0, DataType::string);
    c.set_shape(0, vector_shape(c.length("value_strings")));
  }
}

void constant_of_shape(Context& c) {
  const auto value = c.attribute("value");
  const bool given = value && value->type() == AttributeType::tensor;
  c.set_elem(0, given ? value->t().data_type() : DataType::float32);
  const DataPtr target = vector_data(c, 0);
  if (!target) {
    if (const Dim rank = c.dim_of(0, 0); rank.value && *rank.value <= 64) {
      c.set_rank(0, static_cast<int>(*rank.value));
    }
    return;
  }
  Shape shape;
  for (const Dim& d : target->elems) shape.push_back(c.symbols().is_size(d) ? d : Dim{});
  if (const std::int64_t length = data_length(shape); length >= 0) {
    Dim fill = dim(0);
    if (given) {
      const DataPtr one = read_data(value->t());
      fill = one && one->elems.size() == 1 ? one->elems[0] : Dim{};
    }
    if (!is_unknown(fill)) {
      c.set_data(0, vector_of(std::vector<Dim>(static_cast<std::size_t>(length), fill)));
    }
  }
  c.set_shape(0, std::move(shape));
}

/// Shape of the input, type of `dtype`, else of the input.
void typed_like(Context& c) {
  const auto type = c.data_type("dtype");
  c.set_elem(0, type.value_or(c.elem(0)));
  c.copy_shape(0, 0);
}

void eye_like(Context& c) {
  c.shape_of_rank(0, 2);
  typed_like(c);
}

void multinomial(Context& c) {
  c.set_elem(0, c.data_type("dtype").value_or(DataType::int32));
  c.shape_of_rank(0, 2);
  c.set_shape(0, {c.dim_of(0, 0), dim(c.integer_or("sample_size", 1))});
}

void random(Context& c) {
  c.set_elem(0, c.data_type("dtype").value_or(DataType::float32));
  if (const auto dims = c.integers("shape")) c.set_shape(0, shape_of(*dims));
}

}  // namespace onnxcompat::infer
