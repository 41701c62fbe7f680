#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

using Kind = TypeView::Kind;

ValueType element_of(const ValueType& holder) { return holder.inner ? *holder.inner : ValueType{}; }

/// A tensor's parts along an axis: the size there is not one number for all.
ValueType open_along(ValueType tensor, int axis) {
  if (tensor.shape) (*tensor.shape)[static_cast<std::size_t>(axis)] = {};
  return tensor;
}

}  // namespace

void int64_scalar(Context& c) {
  c.set_elem(0, DataType::int64);
  c.set_shape(0, {});
}

void boolean_scalar(Context& c) {
  c.set_elem(0, DataType::boolean);
  c.set_shape(0, {});
}

void sequence_empty(Context& c) {
  c.set_type(0, sequence_of(ValueType::tensor(c.data_type("dtype").value_or(DataType::float32))));
}

void sequence_construct(Context& c) {
  if (c.input_count() == 0) return;
  ValueType element = c.input(0);
  bool mixed = false;
  for (int i = 1; i < c.input_count(); ++i) element = meet(element, c.input(i), &mixed);
  if (mixed) c.conflict("the elements have different types", false);
  c.set_type(0, sequence_of(std::move(element)));
}

void sequence_at(Context& c) { c.set_type(0, element_of(c.input(0))); }

void sequence_erase(Context& c) { c.set_type(0, c.input(0)); }

void sequence_insert(Context& c) {
  const ValueType element = element_of(c.input(0));
  const ValueType& added = c.input(1);
  bool mixed = false;
  ValueType joined = meet(element, added, &mixed);
  if (mixed) {
    c.conflict("the tensor's type is not that of the sequence's elements", false);
    joined = without_shapes(element);
  } else if (joined.kind == Kind::none || !is_known(joined.elem)) {
    // One of them is not known; they have the same element type [SequenceInsert-11].
    const ValueType& known = is_known(element.elem) ? element : added;
    joined = without_shapes(known);
  }
  c.set_type(0, sequence_of(std::move(joined)));
}

void split_to_sequence(Context& c) {
  ValueType part = c.input(0);
  if (part.kind == Kind::none) return;
  if (const Shape* in = c.shape(0)) {
    const auto axis = c.axis(c.integer_or("axis", 0), static_cast<int>(in->size()));
    if (!axis) {
      part.shape.reset();
    } else if (c.has_input(1)) {
      part = open_along(std::move(part), *axis);
      // A scalar that divides the size gives equal parts.
      const auto step = c.int_of(1);
      const Dim& whole = (*in)[static_cast<std::size_t>(*axis)];
      if (step && c.rank(1) == 0 && *step > 0 && whole.value && *whole.value % *step == 0) {
        (*part.shape)[static_cast<std::size_t>(*axis)] = dim(*step);
      }
    } else if (c.integer_or("keepdims", 1) != 0) {
      (*part.shape)[static_cast<std::size_t>(*axis)] = dim(1);
    } else {
      part.shape->erase(part.shape->begin() + *axis);
    }
  }
  c.set_type(0, sequence_of(std::move(part)));
}

void concat_from_sequence(Context& c) {
  const ValueType element = element_of(c.input(0));
  if (element.kind != Kind::tensor) return;
  c.set_elem(0, element.elem);
  if (!element.shape) return;
  Shape out = *element.shape;
  const bool adds = c.integer_or("new_axis", 0) != 0;
  const auto wanted = c.integer("axis");
  if (!wanted) return;
  const auto axis = c.axis(*wanted, static_cast<int>(out.size()) + (adds ? 1 : 0));
  if (!axis) return;
  if (adds) {
    out.insert(out.begin() + *axis, Dim{});
  } else {
    out[static_cast<std::size_t>(*axis)] = {};
  }
  c.set_shape(0, std::move(out));
}

void optional(Context& c) {
  if (c.has_input(0)) {
    c.set_type(0, optional_of(c.input(0)));
  } else if (const auto type = c.attribute("type");
             type && type->type() == AttributeType::type_proto) {
    c.set_type(0, optional_of(declared_type(type->tp())));
  }
}

void optional_get_element(Context& c) {
  const ValueType& in = c.input(0);
  // Since 18 the input may be a plain tensor or sequence.
  c.set_type(0, in.kind == Kind::optional ? element_of(in) : in);
}

}  // namespace onnxcompat::infer
