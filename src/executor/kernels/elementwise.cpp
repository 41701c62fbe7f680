#include "executor/kernels/elementwise.h"

#include <algorithm>

namespace onnxcompat::executor {
namespace {

/// [Add-1] b has one element, or its dims are a run of a's dims: at its end, or at `axis`. A dim of
/// 1 within the run is stretched: the text says not yet, the official test cases rely on it.
Result<BroadcastPair> legacy_pair(const KernelContext& c) {
  const Dims& a = c.input(0).dims();
  const Dims& b = c.input(1).dims();
  BroadcastPair pair{a, strides_of(a), strides_of(a)};
  if (a == b) return pair;
  const auto mismatch = [&] {
    return c.fail(
        fmt::format("dims {} do not fit {} (broadcast={}, axis={})", to_string(b), to_string(a),
                    c.int_attr("broadcast"),
                    c.has_attribute("axis") ? std::to_string(c.int_attr("axis")) : "unset"));
  };
  if (c.int_attr("broadcast") == 0 || b.size() > a.size()) return mismatch();
  std::ranges::fill(pair.b_strides, 0);
  if (c.input(1).size() == 1) return pair;
  const auto last = static_cast<std::int64_t>(a.size() - b.size());
  std::int64_t axis = c.has_attribute("axis") ? c.int_attr("axis") : last;
  if (axis < 0) axis += static_cast<std::int64_t>(a.size());
  if (axis < 0 || axis > last) return mismatch();
  const Dims own = strides_of(b);
  for (std::size_t k = 0; k < b.size(); ++k) {
    const std::size_t at = static_cast<std::size_t>(axis) + k;
    if (a[at] != b[k] && b[k] != 1) return mismatch();
    pair.b_strides[at] = b[k] == 1 ? 0 : own[k];
  }
  return pair;
}

}  // namespace

Result<BroadcastPair> broadcast_inputs(const KernelContext& c) {
  if (c.since_version() < 7) return legacy_pair(c);
  const Dims& a = c.input(0).dims();
  const Dims& b = c.input(1).dims();
  const std::vector<Dims> both = {a, b};
  auto dims = broadcast_dims(both);
  if (!dims) return c.fail(fmt::format("dims {} and {} do not fit", to_string(a), to_string(b)));
  BroadcastPair pair{*dims, broadcast_strides(a, *dims), broadcast_strides(b, *dims)};
  return pair;
}

}  // namespace onnxcompat::executor
