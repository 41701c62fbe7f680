// Gemm, Conv, ConvTranspose.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// C stretched to the rows of A and the columns of B, whatever they are.
void stretch_c(NodeEdit& e) {
  compute_places(e);
  const Value rows = dim_of(e, e.input(0), e.int_or("transA", 0) != 0 ? 1 : 0);
  const Value columns = dim_of(e, e.input(1), e.int_or("transB", 0) != 0 ? 0 : 1);
  if (e.refused()) return;
  Value c = e.input(2);
  if (!e.rank(2)) {
    // It has two dims at most [Gemm-7].
    const Value dims = concat(e, {e.ints({1, 1}, "ones"), shape_of(e, c)}, 0);
    c = reshape_to(e, c, slice(e, dims, Ints{-2}, Ints{kEnd}, Ints{0}));
    e.set_type(c, e.dtype(2), 2);
  }
  const Value shape = concat(e, {rows, columns}, 0);
  if (!e.ints_of(shape)) e.set_type(shape, ValueType::tensor(DataType::int64, Shape{Dim{2, {}}}));
  e.set_input(2, expand(e, c, shape));
}

/// [Gemm-6] C is of the result's shape, or with broadcast=1 one element or a row.
void gemm_broadcast_down(NodeEdit& e) {
  const auto c = e.shape(2);
  const auto result = e.shape(e.output(0));
  if (!c) return stretch_c(e);
  if (result && *c == *result) return;
  if (elements_of(*c) == 1 || c->size() == 1) {
    e.set({"broadcast", 1});
    return;
  }
  if (c->size() == 2 && c->front() == 1) {
    e.set_input(2, squeeze(e, e.input(2), {0}));
    e.set({"broadcast", 1});
    return;
  }
  if (!result || result->size() != 2 || c->size() != 2) return stretch_c(e);
  Ints repeats;
  for (std::size_t i = 0; i < 2; ++i) repeats.push_back((*c)[i] == 1 ? (*result)[i] : 1);
  e.set_input(2, e.emit_in({}, 6, "Tile", {e.input(2), e.ints(repeats, "repeats")}, 1, {}).front());
}

/// [Gemm-11] C is optional.
void gemm_without_c_down(NodeEdit& e) {
  if (e.has_input(2)) return;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  e.set_input(2, e.constant(TensorLiteral::zeros(type, {1}), "C"));
  e.set({"beta", 0.0F});
}

/// [ConvTranspose-11] where the total padding is odd, the text of 1 puts the smaller half first
/// unless auto_pad is SAME_UPPER, that of 11 only if it is. Every runtime does as 11 says.
void odd_padding(NodeEdit& e, bool up) {
  const bool strict = e.options().strict_text;
  const std::string auto_pad = e.string_or("auto_pad", "NOTSET");
  const bool same = auto_pad.starts_with("SAME");
  if (!e.has("output_shape") && !same) return;
  const auto dims = strict ? e.need_shape(0) : e.shape(0);
  const auto weights = strict && dims ? e.need_shape(1) : e.shape(1);
  if (!dims || !weights || weights->size() < 3 || dims->size() != weights->size()) return;
  const std::size_t n = weights->size() - 2;
  const Ints kernel = e.int_list_or("kernel_shape", Ints(weights->begin() + 2, weights->end()));
  const Ints strides = e.int_list_or("strides", Ints(n, 1));
  const Ints dilations = e.int_list_or("dilations", Ints(n, 1));
  const Ints extra = e.int_list_or("output_padding", Ints(n, 0));
  const Ints wanted = e.int_list_or("output_shape", {});
  if (e.refused() || kernel.size() != n || strides.size() != n || dilations.size() != n ||
      extra.size() != n || (!wanted.empty() && wanted.size() < n)) {
    return e.refuse("its attributes differ in length");
  }
  for (const Ints* list : {&kernel, &strides, &dilations, &extra, &wanted}) {
    for (const std::int64_t v : *list) {
      if (v < 0 || v > (1 << 20)) return e.refuse("its attributes are no sizes of a window");
    }
  }
  Ints begins(n), ends(n);
  bool odd = false;
  const bool first_is_smaller = up ? auto_pad != "SAME_UPPER" : auto_pad == "SAME_UPPER";
  for (std::size_t i = 0; i < n; ++i) {
    if ((*dims)[i + 2] < 0 || (*dims)[i + 2] > std::int64_t{1} << 40) {
      return e.refuse("a dimension of its input is no size");
    }
    const std::int64_t out =
        wanted.empty() ? (*dims)[i + 2] * strides[i] : wanted[wanted.size() - n + i];
    const std::int64_t total = std::max<std::int64_t>(
        0, strides[i] * ((*dims)[i + 2] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1 - out);
    odd = odd || total % 2 != 0;
    begins[i] = first_is_smaller ? total / 2 : total - total / 2;
    ends[i] = total - begins[i];
  }
  if (!odd) return;
  if (!strict) {
    return e.remark(
        "its padding is odd: the texts of ConvTranspose-1 and -11 put the larger half on "
        "different sides, runtimes never did; --strict-text follows the texts");
  }
  e.drop("output_shape");
  e.drop("auto_pad");
  begins.insert(begins.end(), ends.begin(), ends.end());
  e.set({"pads", begins});
}

}  // namespace

void register_linear(Registry& t) {
  t.at("Conv", 1, 11).same();
  t.at("ConvTranspose", 1, 11)
      .up([](NodeEdit& e) { odd_padding(e, true); })
      .down([](NodeEdit& e) { odd_padding(e, false); })
      .note("the side of odd padding: swapped between 1 and 11 by the texts, the same in practice");
  t.at("Gemm", 1, 6).same();
  t.at("Gemm", 6, 7).dropped("broadcast").down(gemm_broadcast_down);
  t.at("Gemm", 9, 11).down(gemm_without_c_down);
}

}  // namespace onnxcompat::adapters
