#include <algorithm>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

std::string called(const SparseTensorAt& s) {
  const std::string& name = s.tensor.values().name();
  return name.empty() ? std::string("The sparse tensor")
                      : fmt::format("Sparse tensor \"{}\"", name);
}

/// Number of stored values; nullopt where the values are no vector.
std::optional<std::int64_t> stored(const SparseTensorAt& s) {
  if (!s.tensor.has_values()) return std::nullopt;
  const auto dims = s.tensor.values().dims();
  if (dims.size() != 1 || dims[0] < 0) return std::nullopt;
  return dims[0];
}

bool dims_in_order(const SparseTensorAt& s) {
  const auto dims = s.tensor.dims();
  return !dims.empty() && std::ranges::all_of(dims, [](std::int64_t d) { return d > 0; });
}

/// The form of the indices is in order, so that their values can be looked at.
bool indices_in_order(const SparseTensorAt& s) {
  const auto nnz = stored(s);
  if (!nnz || !dims_in_order(s)) return false;
  if (!s.tensor.has_indices()) return *nnz == 0;
  const TensorView indices = s.tensor.indices();
  const auto dims = indices.dims();
  const auto rank = static_cast<std::int64_t>(s.tensor.dims().size());
  return indices.data_type() == DataType::int64 && !dims.empty() && dims[0] == *nnz &&
         (dims.size() == 1 || (dims.size() == 2 && dims[1] == rank));
}

/// Product of the dense dims, saturating.
std::int64_t dense_size(std::span<const std::int64_t> dims) {
  std::int64_t size = 1;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(size, d, &size)) return std::numeric_limits<std::int64_t>::max();
  }
  return size;
}

}  // namespace

const Rule sparse_values{
    .id = "OCS001",
    .name = "sparse-values",
    .min_ir = 6,
    .purpose = "Checks that the values of a sparse tensor are a vector",
    .citation = "[onnx.proto#SparseTensorProto]",
    .why = "Values and indices are matched one to one; there is no other layout.",
    .bad = "a SparseTensorProto whose values have dims [2, 2]",
    .good = "a SparseTensorProto whose values have dims [4]",
    .fix = "Store the values as a vector",
    .check = each_sparse_tensor([](const SparseTensorAt& s, Sink& out) {
      if (!s.tensor.has_values()) {
        out.add(s.place, "The sparse tensor has no values");
      } else if (!stored(s)) {
        out.add(s.place, "The values of {} have rank {}, not 1", called(s),
                s.tensor.values().dims().size());
      }
    })};

const Rule sparse_indices_form{
    .id = "OCS002",
    .name = "sparse-indices-form",
    .min_ir = 6,
    .purpose = "Checks that the indices of a sparse tensor fit its values and dims",
    .citation = "[onnx.proto#SparseTensorProto]",
    .upstream = "PB010",
    .why = "Every value needs one index: a linear one, or one for each axis.",
    .bad = "a SparseTensorProto with 3 values and indices of dims [2]",
    .good = "a SparseTensorProto with 3 values and INT64 indices of dims [3] or [3, rank]",
    .fix = "Store the indices as INT64 of shape [NNZ] or [NNZ, rank]",
    .check = each_sparse_tensor([](const SparseTensorAt& s, Sink& out) {
      const auto nnz = stored(s);
      if (!nnz || !dims_in_order(s) || indices_in_order(s)) return;  // OCS001's, OCS004's
      if (!s.tensor.has_indices()) {
        out.add(s.place, "{} has values but no indices", called(s));
        return;
      }
      const TensorView indices = s.tensor.indices();
      if (indices.data_type() != DataType::int64) {
        out.add(s.place, "The indices of {} are {}, not int64", called(s),
                name_of(indices.data_type()));
      } else {
        out.add(s.place,
                "The indices of {} have shape [{}]; {} values of rank {} need [{}] or [{}, {}]",
                called(s), fmt::join(indices.dims(), ", "), *nnz, s.tensor.dims().size(), *nnz,
                *nnz, s.tensor.dims().size());
      }
    })};

const Rule sparse_indices_order{
    .id = "OCS003",
    .name = "sparse-indices-order",
    .min_ir = 6,
    .purpose = "Checks that sparse indices ascend, without repeats, within the dense dims",
    .citation = "[onnx.proto#SparseTensorProto]",
    .upstream = "PB011",
    .why = "Readers search by bisection and write to the place that an index names.",
    .bad = "indices [3, 1] or [9] for dims [4]",
    .good = "indices [1, 3] for dims [4]",
    .fix = "Sort the indices together with the values, and correct those out of range",
    .check = each_sparse_tensor([](const SparseTensorAt& s, Sink& out) {
      if (!indices_in_order(s) || !s.tensor.has_indices()) return;
      const auto values = s.tensor.indices().ints();
      if (!values) return;  // another rule's: data missing, of the wrong size, or external
      const auto dims = s.tensor.dims();
      const bool linear = s.tensor.indices().dims().size() == 1;
      const std::size_t width = linear ? 1 : dims.size();
      const std::int64_t dense = dense_size(dims);
      std::span<const std::int64_t> before;
      for (std::size_t i = 0; i + width <= values->size(); i += width) {
        const std::span<const std::int64_t> index = std::span(*values).subspan(i, width);
        for (std::size_t k = 0; k < width; ++k) {
          const std::int64_t limit = linear ? dense : dims[k];
          if (index[k] >= 0 && index[k] < limit) continue;
          out.add(s.place, "Index {} of {} is {}, outside [0, {})", i / width, called(s), index[k],
                  limit);
          return;
        }
        if (!before.empty() && !std::ranges::lexicographical_compare(before, index)) {
          out.add(s.place, "Index {} of {} does not come after the one before", i / width,
                  called(s));
          return;
        }
        before = index;
      }
    })};

const Rule sparse_dims{
    .id = "OCS004",
    .name = "sparse-dims",
    .min_ir = 6,
    .purpose = "Checks that the dense dims of a sparse tensor are there and positive",
    .citation = "[onnx.proto#SparseTensorProto]",
    .why = "The dense shape cannot be told from the stored values.",
    .bad = "a SparseTensorProto without dims, or with dims [0]",
    .good = "a SparseTensorProto with dims [4]",
    .fix = "State the shape of the dense tensor",
    .check = each_sparse_tensor([](const SparseTensorAt& s, Sink& out) {
      if (dims_in_order(s)) return;
      if (s.tensor.dims().empty()) {
        out.add(s.place, "{} has no dense dims", called(s));
      } else {
        out.add(s.place, "{} has dense dims [{}], which are not all positive", called(s),
                fmt::join(s.tensor.dims(), ", "));
      }
    })};

}  // namespace onnxcompat::rules
