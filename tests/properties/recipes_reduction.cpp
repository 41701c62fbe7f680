// Reductions, softmax, orders and sums along an axis.

#include <algorithm>
#include <map>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

/// Some of the axes of a tensor of that rank.
Ints some_axes(Draft& d, std::int64_t rank, bool negative) {
  Ints axes;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (d.random().chance(50)) axes.push_back(negative && d.random().chance(40) ? i - rank : i);
  }
  if (axes.empty() && rank > 0) axes.push_back(d.axis(rank, negative));
  return axes;
}

void reduce(Draft& d) {
  Random& r = d.random();
  if (d.op() != "ReduceMax" && d.op() != "ReduceMin") d.tame();
  const Dims dims = d.dims(1, 4);
  const auto rank = static_cast<std::int64_t>(dims.size());
  const DataType t = d.type("T");
  if (d.op() == "ReduceLogSum" || d.op() == "ReduceProd") {
    d.give(d.ranged(t, dims, 1, 3));
  } else {
    d.data(t, dims);
  }
  d.maybe("keepdims", r.integer(0, 1));
  const bool given = r.chance(75);
  if (d.has("axes")) {
    if (given) d.set("axes", some_axes(d, rank, d.negative_axes()));
    return;
  }
  d.maybe("noop_with_empty_axes", r.integer(0, 1), 40);
  if (given) {
    d.parameter(some_axes(d, rank, true));
  } else if (r.chance(30)) {
    d.parameter(Ints{});
  }
}

void arg(Draft& d) {
  Random& r = d.random();
  d.tame();
  Dims dims = d.dims(1, 4);
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  d.data(d.type("T"), dims);
  const auto rank = static_cast<std::int64_t>(dims.size());
  if (r.chance(80)) d.set("axis", d.axis(rank, d.negative_axes()));
  d.maybe("keepdims", r.integer(0, 1));
  d.maybe("select_last_index", r.integer(0, 1), 40);
}

void top_k(Draft& d) {
  Random& r = d.random();
  Dims dims = d.dims(1, 3);
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t axis = d.axis(rank, d.negative_axes());
  std::int64_t& size = dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
  size = std::max<std::int64_t>(size, 1);
  const std::int64_t k = r.integer(1, size);
  const DataType t = d.type("T");
  const bool wide = t == DataType::int64 || t == DataType::uint64;
  const bool says_which = r.chance(50);
  const std::int64_t largest = r.integer(0, 1);
  // Where NaN is among the smallest is left open.
  const bool may_be_smallest = d.has("largest") && !(says_which && largest == 1);
  if (may_be_smallest && !wide) d.tame();
  d.data(t, dims);
  if (axis == rank - 1 && r.chance(50) && d.negative_axes()) {
    // the default
  } else {
    d.set("axis", axis);
  }
  if (d.has("k")) {
    d.set("k", k);
  } else {
    d.parameter(Ints{k});
  }
  if (says_which) d.set("largest", largest);
  d.maybe("sorted", std::int64_t{1}, 30);
  d.outputs({100, 100});
}

void softmax(Draft& d) {
  d.tame();
  const Dims dims = d.dims(1, 4);
  const auto rank = static_cast<std::int64_t>(dims.size());
  d.data(d.type("T"), dims);
  // The axis that is taken for granted must exist.
  if (d.random().chance(70) || (d.since() < 13 && rank < 2)) {
    d.set("axis", d.axis(rank, d.negative_axes()));
  }
}

void cumulate(Draft& d) {
  Random& r = d.random();
  d.tame();
  const Dims dims = d.dims(1, 4);
  d.data(d.type("T"), dims);
  const std::int64_t axis = d.axis(static_cast<std::int64_t>(dims.size()), true);
  d.parameter(Ints{axis}, d.type("T2"), true);
  d.maybe("exclusive", r.integer(0, 1), 50);
  d.maybe("reverse", r.integer(0, 1), 50);
}

/// Random equations: repeated labels, ellipses that broadcast, blanks, implied outputs.
void einsum(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::string letters = "aBcjZ";
  std::map<char, std::int64_t> sizes;
  const bool empty = r.chance(6);
  for (const char c : letters) sizes[c] = empty ? d.dim() : r.integer(1, 3);
  Dims dots;
  const bool ellipsis = r.chance(30);
  for (std::int64_t k = ellipsis ? r.integer(0, 2) : 0; k > 0; --k) dots.push_back(d.dim());
  const auto blank = [&] { return std::string(r.chance(8) ? " " : ""); };
  const DataType t = d.type("T");
  const auto letter = [&] {
    return letters[static_cast<std::size_t>(r.integer(0, std::ssize(letters) - 1))];
  };
  std::string equation, used;
  const std::int64_t inputs = r.chance(60) ? 2 : r.integer(1, 3);
  for (std::int64_t i = 0; i < inputs; ++i) {
    std::string own;
    for (std::int64_t k = r.integer(0, 3); k > 0; --k) {
      const char c = letter();
      if (own.find(c) == std::string::npos || r.chance(25)) own += c;
    }
    const auto at = static_cast<std::size_t>(r.integer(0, std::ssize(own)));
    const bool here = ellipsis && (i == 0 || r.chance(70));
    Dims dims;
    equation += i > 0 ? "," + blank() : "";
    for (std::size_t k = 0; k <= own.size(); ++k) {
      if (here && k == at) {
        const Dims part = d.broadcast_part(dots);
        dims.insert(dims.end(), part.begin(), part.end());
        equation += blank() + "...";
      }
      if (k == own.size()) break;
      const bool single = std::ranges::count(own, own[k]) == 1 && inputs > 1 && r.chance(8);
      dims.push_back(single ? 1 : sizes[own[k]]);
      equation += own[k] + blank();
      if (used.find(own[k]) == std::string::npos) used += own[k];
    }
    d.data(t, dims);
  }
  if (r.chance(75)) {
    equation += blank() + "->" + blank();
    const bool first = r.chance(70);
    if (ellipsis && first) equation += "...";
    for (std::size_t k = used.size(); k > 0; --k) {
      const auto at = static_cast<std::size_t>(r.integer(0, static_cast<std::int64_t>(k) - 1));
      if (r.chance(60)) equation += used[at] + blank();
      used.erase(at, 1);
    }
    if (ellipsis && !first) equation += "...";
  }
  d.set("equation", equation);
}

}  // namespace

void add_reductions(Recipes& r) {
  r["Einsum"] = einsum;
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
                         "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    r[op] = reduce;
  }
  for (const char* op : {"ArgMax", "ArgMin"}) r[op] = arg;
  r["TopK"] = top_k;
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) r[op] = softmax;
  for (const char* op : {"CumSum", "CumProd"}) r[op] = cumulate;
}

}  // namespace onnxcompat::properties
