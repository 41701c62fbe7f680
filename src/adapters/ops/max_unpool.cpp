// MaxUnpool, written out where no operator is made for it.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/ops/pool_windows.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// The dims that the indices count in, which the attributes give: known ones, else a vector.
struct Inner {
  std::optional<Ints> known;
  Value dims;
};

Inner inner_dims(NodeEdit& e, const WindowForm& w) {
  const Value x = e.input(0);
  Ints behind;  // what a window reaches beyond the starts of all
  for (std::size_t i = 0; i < w.rank(); ++i) {
    behind.push_back(w.kernel[i] - w.strides[i] - w.begins[i] - w.ends[i]);
  }
  const auto is_size = [](std::int64_t d) { return d >= 0 && d <= kMaxWindow * kMaxWindow; };
  auto dims = e.shape(x);
  if (dims && dims->size() == w.rank() + 2 && std::ranges::all_of(*dims, is_size)) {
    for (std::size_t i = 0; i < w.rank(); ++i) {
      (*dims)[i + 2] = (*dims)[i + 2] * w.strides[i] + behind[i];
    }
    return {dims, e.ints(*dims, "inner")};
  }
  const Value starts = binary(e, "Mul", dims_of(e, x, 2, kEnd), e.ints(w.strides, "strides"));
  const Value spatial = binary(e, "Add", starts, e.ints(behind, "behind"));
  return {std::nullopt, concat(e, {dims_of(e, x, 0, 2), spatial}, 0)};
}

/// Places in one plane after the other of `inner` dims, as places among `outer` ones, of which only
/// the spatial dims may differ.
Value moved(NodeEdit& e, const Value& places, const Value& inner, const Value& outer,
            std::size_t spatial) {
  Value rest = places, sum, apart;
  for (auto axis = static_cast<std::int64_t>(spatial) + 1; axis >= 2; --axis) {
    const Value size = element(e, inner, axis);
    const Value lines = binary(e, "Div", rest, size);
    const Value at = binary(e, "Sub", rest, binary(e, "Mul", lines, size));
    sum = sum.empty() ? at : binary(e, "Add", sum, binary(e, "Mul", at, apart));
    const Value length = element(e, outer, axis);
    apart = apart.empty() ? length : binary(e, "Mul", apart, length);
    rest = lines;
  }
  return binary(e, "Add", sum, binary(e, "Mul", rest, apart));
}

/// [MaxUnpool-9]
void max_unpool(NodeEdit& e) {
  const auto w = window_form(e);
  const DataType type = e.need_dtype(0);
  if (!w || e.refused()) return;
  if (w->rank() == 0) return e.refuse("kernel_shape is empty");
  compute_places(e);
  const Inner inner = inner_dims(e, *w);
  Value places = reshape(e, e.input(1), Ints{-1});
  Value outer = inner.dims;
  if (e.has_input(2) && (!inner.known || e.const_ints(2) != inner.known)) {
    outer = e.input(2);
    e.set_type(outer, DataType::int64, 1);
    places = moved(e, places, inner.dims, outer, w->rank());
  }
  const Value nothing = filled(e, product(e, outer), 0, type);
  e.set_type(nothing, type, 1);
  const Value values = reshape(e, e.input(0), Ints{-1});
  const Value flat =
      e.emit_in({}, 9, "Scatter", {nothing, places, values}, 1, {{"axis", 0}}).front();
  e.replace({reshape_to(e, flat, outer)});
}

}  // namespace

void register_max_unpool(Registry& t) {
  t.at("MaxUnpool", 9, 11).same();
  t.expand("MaxUnpool", max_unpool, "Scatter into zeros");
}

}  // namespace onnxcompat::adapters
