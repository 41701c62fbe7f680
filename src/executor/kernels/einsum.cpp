#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// Letters stand for themselves, dims of the ellipsis for -1 (the last) and below.
using Label = int;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> terms;
  Labels output;
  std::map<Label, std::int64_t> sizes;
};

/// Labels of one term; an ellipsis stands for `ellipsis` dims. nullopt if the term is malformed.
std::optional<Labels> parse_term(std::string_view term, int ellipsis) {
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c == '.') {
      if (term.substr(i, 3) != "..." || ellipsis < 0) return std::nullopt;
      for (int k = ellipsis; k > 0; --k) labels.push_back(-k);
      ellipsis = -1;  // once
      i += 2;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      labels.push_back(c);
    } else {
      return std::nullopt;
    }
  }
  return labels;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t comma; (comma = text.find(',')) != std::string_view::npos;
       text = text.substr(comma + 1)) {
    parts.push_back(text.substr(0, comma));
  }
  parts.push_back(text);
  return parts;
}

/// The labels that occur once, ellipsis first, then by character [Einsum-12].
Labels implicit_output(const std::vector<Labels>& terms, int ellipsis) {
  std::map<Label, int> count;
  for (const Labels& term : terms) {
    for (Label label : term) ++count[label];
  }
  Labels output;
  for (int k = ellipsis; k > 0; --k) output.push_back(-k);
  for (const auto& [label, times] : count) {
    if (label >= 0 && times == 1) output.push_back(label);
  }
  return output;
}

Result<Equation> read_equation(const KernelContext& ctx) {
  std::string text = ctx.string_attr("equation");
  std::erase(text, ' ');
  const auto malformed = [&] {
    return ctx.fail(fmt::format("equation \"{}\" does not fit", text));
  };
  const std::size_t arrow = text.find("->");
  const auto inputs = split(std::string_view(text).substr(0, arrow));
  if (static_cast<int>(inputs.size()) != ctx.input_count()) return malformed();
  Equation equation;
  int widest = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // The rank says for how many dims an ellipsis stands.
    const int rank = ctx.input(static_cast<int>(i)).rank();
    const bool dots = inputs[i].find('.') != std::string_view::npos;
    const int ellipsis = dots ? rank - static_cast<int>(inputs[i].size()) + 3 : -1;
    if (dots && ellipsis < 0) return malformed();
    auto labels = parse_term(inputs[i], ellipsis);
    if (!labels || static_cast<int>(labels->size()) != rank) return malformed();
    widest = std::max(widest, ellipsis);
    equation.terms.push_back(*std::move(labels));
  }
  if (arrow == std::string::npos) {
    equation.output = implicit_output(equation.terms, widest);
  } else {
    auto output = parse_term(std::string_view(text).substr(arrow + 2), widest);
    if (!output) return malformed();
    equation.output = *std::move(output);
  }
  for (std::size_t i = 0; i < equation.terms.size(); ++i) {
    const Tensor& tensor = ctx.input(static_cast<int>(i));
    for (std::size_t axis = 0; axis < equation.terms[i].size(); ++axis) {
      const std::int64_t dim = tensor.dims()[axis];
      auto [at, fresh] = equation.sizes.emplace(equation.terms[i][axis], dim);
      if (!fresh && at->second == 1) at->second = dim;
      if (at->second != dim && dim != 1) return malformed();
    }
  }
  Labels seen;
  for (Label label : equation.output) {
    if (!equation.sizes.contains(label) || std::ranges::find(seen, label) != seen.end()) {
      return malformed();
    }
    seen.push_back(label);
  }
  return equation;
}

/// A dense array whose axes are named; every label occurs once and has its full size.
template <class A>
struct Named {
  Labels labels;
  std::vector<A> values;
};

bool holds(const Labels& labels, Label label) {
  return std::ranges::find(labels, label) != labels.end();
}

/// Sums `source`, read with `strides` by label, into an array over `labels`.
template <class A>
Named<A> gather(const std::map<Label, std::int64_t>& sizes, const A* source,
                const std::map<Label, std::int64_t>& strides, const Labels& labels) {
  Dims dims, steps;
  Labels all = labels;
  for (const auto& [label, stride] : strides) {
    if (!holds(labels, label)) all.push_back(label);
  }
  for (Label label : all) {
    dims.push_back(sizes.at(label));
    const auto stride = strides.find(label);
    steps.push_back(stride == strides.end() ? 0 : stride->second);
  }
  const auto kept = static_cast<int>(labels.size()), rank = static_cast<int>(all.size());
  Named<A> result{labels, std::vector<A>(static_cast<std::size_t>(product(dims, 0, kept)))};
  const std::int64_t summed = product(dims, kept, rank);
  if (result.values.empty() || summed == 0) return result;
  Dims index(dims.size(), 0);
  for (A& value : result.values) {
    for (std::int64_t i = 0; i < summed; ++i) {
      std::int64_t at = 0;
      for (std::size_t k = 0; k < index.size(); ++k) at += index[k] * steps[k];
      value += source[at];
      next_index(index, dims);
    }
  }
  return result;
}

template <class A>
Named<A> rearrange(const std::map<Label, std::int64_t>& sizes, const Named<A>& from,
                   const Labels& labels) {
  if (from.labels == labels) return from;
  std::map<Label, std::int64_t> strides;
  std::int64_t stride = 1;
  for (std::size_t i = from.labels.size(); i-- > 0;) {
    strides[from.labels[i]] = stride;
    stride *= sizes.at(from.labels[i]);
  }
  return gather(sizes, from.values.data(), strides, labels);
}

template <class A>
void multiply_matrices(std::int64_t m, std::int64_t n, std::int64_t k, const A* a, const A* b,
                       A* c) {
  if constexpr (std::is_floating_point_v<A>) {
    multiply<A>(m, n, k, {a, k}, {b, n}, c, n);
  } else {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t p = 0; p < k; ++p) {
        for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + p] * b[p * n + j];
      }
    }
  }
}

/// Σ a·b over the labels of both that nobody needs afterwards, as a stack of matrix products.
template <class A>
Named<A> contract(const std::map<Label, std::int64_t>& sizes, const Named<A>& a, const Named<A>& b,
                  const Labels& needed) {
  Labels stack, rows, columns, summed;
  for (Label label : a.labels) {
    if (!holds(b.labels, label)) {
      if (holds(needed, label)) rows.push_back(label);
    } else {
      (holds(needed, label) ? stack : summed).push_back(label);
    }
  }
  for (Label label : b.labels) {
    if (!holds(a.labels, label) && holds(needed, label)) columns.push_back(label);
  }
  const auto join = [](std::initializer_list<Labels> parts) {
    Labels result;
    for (const Labels& part : parts) result.insert(result.end(), part.begin(), part.end());
    return result;
  };
  const auto count = [&](const Labels& labels) {
    std::int64_t result = 1;
    for (Label label : labels) result *= sizes.at(label);
    return result;
  };
  const Named<A> left = rearrange(sizes, a, join({stack, rows, summed}));
  const Named<A> right = rearrange(sizes, b, join({stack, summed, columns}));
  const std::int64_t m = count(rows), n = count(columns), k = count(summed), s = count(stack);
  Named<A> result{join({stack, rows, columns}),
                  std::vector<A>(static_cast<std::size_t>(s * m * n))};
  for (std::int64_t i = 0; i < s && m * n > 0; ++i) {
    multiply_matrices(m, n, k, left.values.data() + i * m * k, right.values.data() + i * k * n,
                      result.values.data() + i * m * n);
  }
  return result;
}

/// An input with repeated labels read along their diagonal and dims that only broadcast left out.
template <class A>
Named<A> named(const Equation& equation, std::size_t i, const Tensor& tensor, const A* values) {
  std::map<Label, std::int64_t> strides;
  const Dims steps = strides_of(tensor.dims());
  Labels labels;
  for (std::size_t axis = 0; axis < steps.size(); ++axis) {
    const Label label = equation.terms[i][axis];
    if (tensor.dims()[axis] == 1 && equation.sizes.at(label) != 1) continue;
    if (!strides.contains(label)) labels.push_back(label);
    strides[label] += steps[axis];
  }
  return gather(equation.sizes, values, strides, labels);
}

template <class A, class Load>
std::vector<A> evaluate(const Equation& equation, const Load& load) {
  Named<A> result;
  for (std::size_t i = 0; i < equation.terms.size(); ++i) {
    Named<A> next = load(i);
    if (i == 0) {
      result = std::move(next);
      continue;
    }
    Labels needed = equation.output;
    for (std::size_t later = i + 1; later < equation.terms.size(); ++later) {
      needed.insert(needed.end(), equation.terms[later].begin(), equation.terms[later].end());
    }
    result = contract(equation.sizes, result, next, needed);
  }
  return rearrange(equation.sizes, result, equation.output).values;
}

// [Einsum-12]
Status einsum(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, std::max(1, ctx.input_count())));
  const DataType type = ctx.input(0).type();
  for (int i = 1; i < ctx.input_count(); ++i) ONNXCOMPAT_CHECK(require_same_type(ctx, {0, i}));
  ONNXCOMPAT_TRY(const Equation equation, read_equation(ctx));
  Dims dims;
  for (Label label : equation.output) dims.push_back(equation.sizes.at(label));
  if (is_integer(type)) {
    ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, dims));
    dispatch(Ints{}, type, [&]<class T>(std::type_identity<T>) {
      // Sums modulo 2^64, cut to the type: its own wrapping arithmetic.
      const auto values = evaluate<std::uint64_t>(equation, [&](std::size_t i) {
        const Tensor& tensor = ctx.input(static_cast<int>(i));
        const auto in = tensor.data<T>();
        const std::vector<std::uint64_t> wide(in.begin(), in.end());
        return named(equation, i, tensor, wide.data());
      });
      std::ranges::transform(values, y.mutable_data<T>().begin(),
                             [](std::uint64_t v) { return static_cast<T>(v); });
    });
    ctx.set(0, std::move(y));
    return {};
  }
  return compute_floats(ctx, type, [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, dims));
    std::ranges::copy(evaluate<A>(equation,
                                  [&](std::size_t i) {
                                    const Tensor& tensor = ctx.input(static_cast<int>(i));
                                    return named(equation, i, tensor, Operand<A>(tensor).data());
                                  }),
                      y.data());
    ctx.set(0, y.finish());
    return {};
  });
}

/// Determinant by elimination with row pivots, in double.
double determinant(std::vector<double>& matrix, std::int64_t n) {
  double result = 1;
  const auto at = [&](std::int64_t i, std::int64_t j) -> double& {
    return matrix[static_cast<std::size_t>(i * n + j)];
  };
  for (std::int64_t column = 0; column < n; ++column) {
    std::int64_t pivot = column;
    for (std::int64_t i = column + 1; i < n; ++i) {
      if (std::abs(at(i, column)) > std::abs(at(pivot, column))) pivot = i;
    }
    if (at(pivot, column) == 0) return 0;
    if (pivot != column) {
      for (std::int64_t j = 0; j < n; ++j) std::swap(at(pivot, j), at(column, j));
      result = -result;
    }
    result *= at(column, column);
    for (std::int64_t i = column + 1; i < n; ++i) {
      const double factor = at(i, column) / at(column, column);
      for (std::int64_t j = column; j < n; ++j) at(i, j) -= factor * at(column, j);
    }
  }
  return result;
}

// [Det-11] [Det-22]
Status det(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2 || x.dim(x.rank() - 1) != x.dim(x.rank() - 2)) {
    return ctx.fail(fmt::format("{} does not hold square matrices", to_string(x.dims())));
  }
  const std::int64_t n = x.dim(x.rank() - 1);
  const Dims dims(x.dims().begin(), x.dims().end() - 2);
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), dims));
    const Operand<double> input(x);
    for (std::int64_t i = 0; i < product(dims); ++i) {
      std::vector<double> matrix(input.data() + i * n * n, input.data() + (i + 1) * n * n);
      y[i] = static_cast<A>(determinant(matrix, n));
    }
    ctx.set(0, y.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> einsum_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "Einsum", 12, kUnbounded, einsum},
      {"", "Det", 11, kUnbounded, det},
  };
  return rows;
}

}  // namespace onnxcompat::executor
