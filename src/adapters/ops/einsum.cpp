// Einsum as products of matrices, or elementwise, and sums.

#include <algorithm>
#include <map>

#include "adapters/any_rank.h"
#include "adapters/ops/equation.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// A value whose axes are named.
struct Operand {
  Value value;
  Labels labels;
  Shape dims;

  std::int64_t axis(Label label) const { return std::ranges::find(labels, label) - labels.begin(); }
  const Dim& dim(Label label) const { return dims[static_cast<std::size_t>(axis(label))]; }
};

/// Writes the equation, one operand after the other.
class Contraction {
 public:
  explicit Contraction(NodeEdit& e) : e_(e) {}

  /// A value with every label once.
  Operand operand(const Value& value, const Labels& labels) {
    Operand x{value, labels, Shape(labels.size())};
    const ValueType* type = e_.type(x.value);
    if (type != nullptr && type->shape) x.dims = *type->shape;
    return diagonal(x);
  }

  Operand cast_to(Operand x, DataType type) {
    x.value = cast(e_, x.value, type);
    return x;
  }

  /// x without the labels that are not needed.
  Operand sum_out(Operand x, const Labels& needed) {
    Ints axes;
    Operand rest{x.value, {}, {}};
    for (std::size_t i = 0; i < x.labels.size(); ++i) {
      if (holds(needed, x.labels[i])) {
        rest.labels.push_back(x.labels[i]);
        rest.dims.push_back(x.dims[i]);
      } else {
        axes.push_back(static_cast<std::int64_t>(i));
      }
    }
    if (axes.empty()) return x;
    rest.value = reduce(e_, "ReduceSum", x.value, axes, false);
    state(rest);
    return rest;
  }

  Operand arranged(Operand x, const Labels& order) {
    if (x.labels == order) return x;
    Ints perm;
    Operand y{{}, order, {}};
    for (const Label label : order) {
      perm.push_back(x.axis(label));
      y.dims.push_back(x.dim(label));
    }
    y.value = transpose(e_, x.value, perm);
    state(y);
    return y;
  }

  /// Σ a·b over what is not needed.
  Operand multiplied(const Operand& left, const Operand& right, const Labels& needed) {
    const auto wanted_with = [&](const Operand& other) {
      Labels all = needed;
      all.insert(all.end(), other.labels.begin(), other.labels.end());
      return all;
    };
    const Operand a = sum_out(left, wanted_with(right));
    const Operand b = sum_out(right, wanted_with(left));
    Labels shared;
    for (const Label label : a.labels) {
      if (holds(b.labels, label) && !holds(needed, label)) shared.push_back(label);
    }
    const bool whole = !is_float(e_.dtype(a.value));
    if (shared.empty() || (whole && e_.target() < 9) || has_no_elements(a) || has_no_elements(b)) {
      return sum_out(elementwise(a, b), needed);
    }
    return sum_out(by_matrices(a, b, shared), needed);
  }

 private:
  void state(const Operand& x) {
    e_.set_type(x.value, ValueType::tensor(e_.dtype(x.value), x.dims));
  }

  static bool has_no_elements(const Operand& x) {
    return std::ranges::any_of(x.dims, [](const Dim& d) { return d.value == 0; });
  }

  static bool same(const Dim& a, const Dim& b) {
    return a == b && (a.known() || !a.symbol.empty());
  }

  /// NumPy broadcasting of two dims.
  static Dim joined(const Dim& a, const Dim& b) {
    if (same(a, b) || b.value == 1) return a;
    if (a.value == 1) return b;
    return a.known() ? a : b.known() ? b : Dim{};
  }

  /// Repeated labels: the elements whose places agree, from the flattened data.
  Operand diagonal(const Operand& x) {
    Labels once;
    for (const Label label : x.labels) {
      if (!holds(once, label)) once.push_back(label);
    }
    if (once == x.labels) return x;
    Operand y{{}, once, {}};
    Value place;
    for (std::size_t k = 0; k < once.size(); ++k) {
      Value step;
      for (std::size_t i = 0; i < x.labels.size(); ++i) {
        if (x.labels[i] != once[k]) continue;
        if (x.dims[i].known() && x.dim(once[k]).known() && x.dims[i] != x.dim(once[k])) {
          e_.refuse("a repeated label stands for dimensions of different sizes");
          return x;
        }
        const Value stride =
            product(e_, dims_of(e_, x.value, static_cast<std::int64_t>(i) + 1, kEnd));
        step = step.empty() ? stride : binary(e_, "Add", step, stride);
      }
      y.dims.push_back(x.dim(once[k]));
      const Value line = multiples(step, dim_scalar(e_, x.value, x.axis(once[k])));
      Ints around(once.size() - 1);
      for (std::size_t i = 0; i < around.size(); ++i) {
        around[i] = static_cast<std::int64_t>(i < k ? i : i + 1);
      }
      const Value part = around.empty() ? line : unsqueeze(e_, line, around);
      place = place.empty() ? part : binary(e_, "Add", place, part);
    }
    y.value = gather(e_, reshape(e_, x.value, Ints{-1}), place, 0);
    state(y);
    return y;
  }

  /// 0, step … (count - 1) * step.
  Value multiples(const Value& step, const Value& count) {
    const auto by = e_.ints_of(step);
    const auto n = e_.ints_of(count);
    constexpr std::int64_t kMost = 1 << 16;
    if (!by || !n || n->front() > kMost) return binary(e_, "Mul", arange(e_, count), step);
    Ints all;
    for (std::int64_t i = 0; i < n->front(); ++i) all.push_back(i * by->front());
    return e_.ints(all, "places");
  }

  /// x with dims of 1 for the labels of `all` that it lacks, less those before its first own one;
  /// its labels are in the order of `all`.
  Value stretched(const Operand& x, const Labels& all) {
    Ints missing;
    std::int64_t place = 0;
    for (const Label label : all) {
      const bool own = holds(x.labels, label);
      if (own || place > 0) {
        if (!own) missing.push_back(place);
        ++place;
      }
    }
    return missing.empty() ? x.value : unsqueeze(e_, x.value, missing);
  }

  static Labels among(const Labels& all, const Labels& own) {
    Labels some;
    for (const Label label : all) {
      if (holds(own, label)) some.push_back(label);
    }
    return some;
  }

  static Shape dims_of_both(const Operand& a, const Operand& b, const Labels& labels) {
    Shape dims;
    for (const Label label : labels) {
      dims.push_back(!holds(a.labels, label)   ? b.dim(label)
                     : !holds(b.labels, label) ? a.dim(label)
                                               : joined(a.dim(label), b.dim(label)));
    }
    return dims;
  }

  Operand elementwise(const Operand& a, const Operand& b) {
    Operand y{{}, a.labels, {}};
    for (const Label label : b.labels) {
      if (!holds(a.labels, label)) y.labels.push_back(label);
    }
    y.dims = dims_of_both(a, b, y.labels);
    const Operand right = arranged(b, among(y.labels, b.labels));
    y.value = binary(e_, "Mul", stretched(a, y.labels), stretched(right, y.labels));
    state(y);
    return y;
  }

  /// One shared label is that of the matrices; others are joined with it where their sizes are
  /// known, and else go before the matrices, to be summed afterwards.
  Operand by_matrices(const Operand& a, const Operand& b, const Labels& shared) {
    Labels joint, before, rows, columns;
    for (const Label label : shared) {
      const bool known = same(a.dim(label), b.dim(label)) && a.dim(label).known();
      (known ? joint : before).push_back(label);
    }
    if (joint.empty()) {
      const auto best = std::ranges::find_if(
          before, [&](Label label) { return same(a.dim(label), b.dim(label)); });
      // Expand is of 8.
      if (best == before.end() && e_.target() < 8) return elementwise(a, b);
      joint.push_back(best == before.end() ? before.back() : *best);
      std::erase(before, joint.front());
    }
    for (const Label label : a.labels) {
      if (holds(shared, label)) continue;
      (holds(b.labels, label) ? before : rows).push_back(label);
    }
    for (const Label label : b.labels) {
      if (!holds(a.labels, label)) columns.push_back(label);
    }
    // One row and one column label are the matrices', the rest is broadcast before them.
    Labels row, column;
    const auto take_last = [&](Labels& from, Labels& to) {
      if (from.empty()) return;
      to.push_back(from.back());
      from.pop_back();
      before.insert(before.end(), from.begin(), from.end());
    };
    take_last(rows, row);
    take_last(columns, column);

    const auto order = [](std::initializer_list<Labels> parts) {
      Labels all;
      for (const Labels& part : parts) all.insert(all.end(), part.begin(), part.end());
      return all;
    };
    const Labels a_before = among(before, a.labels);
    const Labels b_before = among(before, b.labels);
    Operand x = arranged(a, order({a_before, row, joint}));
    Operand z{};
    if (joint.size() == 1) {
      z = arranged(b, order({b_before, joint, column}));
      if (!same(a.dim(joint[0]), b.dim(joint[0]))) {
        // Either may be 1, to be stretched.
        const Value length = dim_of(e_, x.value, x.axis(joint[0]));
        x.value = expand(e_, x.value, dim_of(e_, z.value, z.axis(joint[0])));
        z.value = expand(e_, z.value,
                         column.empty() ? length : concat(e_, {length, e_.ints({1}, "one")}, 0));
      }
    } else {
      x = merged(x, joint);
      const bool known = column.empty() || b.dim(column[0]).known();
      z = known ? merged(arranged(b, order({b_before, joint, column})), joint)
                : arranged(merged(arranged(b, order({b_before, column, joint})), joint),
                           order({b_before, {joint[0]}, column}));
    }
    // A lone row or column may be left out where nothing stands before it.
    Operand y{{}, before, {}};
    Ints superfluous;
    const auto width = static_cast<std::int64_t>(before.size());
    Value l = stretched(x, order({before, row, {joint[0]}}));
    Value r = stretched(z, order({before, {joint[0]}, column}));
    y.labels = order({before, row, column});
    const bool l_is_vector = a_before.empty() && row.empty();
    const bool r_is_vector = b_before.empty() && column.empty();
    if (row.empty() && !l_is_vector) {
      const auto last = static_cast<std::int64_t>(rank_after(a_before, before));
      l = unsqueeze(e_, l, {last});
      superfluous.push_back(width);
    }
    if (column.empty() && !r_is_vector) {
      r = unsqueeze(e_, r, {static_cast<std::int64_t>(rank_after(b_before, before)) + 1});
      superfluous.push_back(width + (row.empty() && l_is_vector ? 0 : 1));
    }
    y.value = e_.emit_in({}, 1, "MatMul", {l, r}, 1, {}).front();
    y.dims = dims_of_both(a, b, y.labels);
    if (!superfluous.empty()) {
      e_.set_type(y.value, e_.dtype(a.value),
                  static_cast<int>(y.labels.size() + superfluous.size()));
      y.value = squeeze(e_, y.value, superfluous);
    }
    e_.set_type(y.value, ValueType::tensor(e_.dtype(a.value), y.dims));
    return y;
  }

  /// Of how many dims the part before a matrix is, from the first own one on.
  static std::size_t rank_after(const Labels& own, const Labels& before) {
    if (own.empty()) return 0;
    return static_cast<std::size_t>(before.end() - std::ranges::find(before, own.front()));
  }

  /// Neighbouring axes of known sizes joined, as whatever stands behind them must be; the first of
  /// their labels stands for them.
  Operand merged(const Operand& x, const Labels& joint) {
    Operand y{{}, {}, {}};
    Ints shape;
    bool joined_yet = false;
    for (std::size_t i = 0; i < x.labels.size(); ++i) {
      const Dim& dim = x.dims[i];
      if (holds(joint, x.labels[i]) && x.labels[i] != joint[0]) {
        shape.back() *= *dim.value;
        y.dims.back() = Dim{shape.back(), {}};
        continue;
      }
      joined_yet = joined_yet || x.labels[i] == joint[0];
      // A 0 leaves a dim as it is.
      shape.push_back(joined_yet ? *dim.value : 0);
      y.labels.push_back(x.labels[i]);
      y.dims.push_back(dim);
    }
    y.value = reshape(e_, x.value, shape);
    state(y);
    return y;
  }

  NodeEdit& e_;
};

/// An ellipsis of who knows how many dims.
class JoinedDims {
 public:
  JoinedDims(NodeEdit& e, Equation& equation) : e_(e), equation_(equation) {
    own_.resize(equation.terms.size());
    if (!equation.joined) return;
    compute_places(e);
    for (std::size_t i = 0; i < own_.size(); ++i) {
      if (!holds(equation.terms[i], kJoined)) continue;
      own_[i] = own_dims(i);
      stretches_ = !dims_.empty();
      dims_ = stretches_ ? broadcast_shape(e, dims_, own_[i]) : own_[i];
    }
  }

  /// Input i with its dims joined; their label may come to the front.
  Value operand(std::size_t i) {
    Value x = e_.input(static_cast<int>(i));
    Labels& labels = equation_.terms[i];
    if (own_[i].empty()) return x;
    const std::int64_t place = place_in(labels);
    std::vector<Value> letters;
    if (place > 0) letters.push_back(dims_of(e_, x, 0, place));
    if (place + 1 < std::ssize(labels)) {
      letters.push_back(dims_of(e_, x, place + 1 - std::ssize(labels), kEnd));
    }
    Shape known = dims_of_letters(x, labels.size(), place);
    Value y = x;
    if (!stretches_ || place > 0) {
      std::vector<Value> shape = letters;
      shape.insert(shape.begin() + (place > 0 ? 1 : 0), product(e_, own_[i]));
      y = reshaped(x, shape, known);
    }
    if (!stretches_) return y;
    if (place > 0) {
      Ints perm{place};
      for (std::int64_t axis = 0; axis < std::ssize(labels); ++axis) {
        if (axis != place) perm.push_back(axis);
      }
      std::rotate(labels.begin(), labels.begin() + place, labels.begin() + place + 1);
      std::rotate(known.begin(), known.begin() + place, known.begin() + place + 1);
      y = transpose(e_, y, perm);
      y = reshape_to(e_, y, before(own_[i], letters));
    }
    std::vector<Value> ones;
    if (labels.size() > 1) ones.push_back(e_.ints(Ints(labels.size() - 1, 1), "ones"));
    y = expand(e_, y, before(dims_, ones));
    return reshaped(y, {before(product(e_, dims_), letters)}, known);
  }

  /// With the ellipsis' own dims in place of the joined one.
  Value result(const Value& y) {
    const Labels& labels = equation_.output;
    if (dims_.empty() || !holds(labels, kJoined)) return y;
    const std::int64_t place = place_in(labels);
    std::vector<Value> shape{dims_};
    if (place > 0) shape.insert(shape.begin(), dims_of(e_, y, 0, place));
    if (place + 1 < std::ssize(labels)) shape.push_back(dims_of(e_, y, place + 1, kEnd));
    return reshape_to(e_, y, concat(e_, shape, 0));
  }

 private:
  static std::int64_t place_in(const Labels& labels) {
    return std::ranges::find(labels, kJoined) - labels.begin();
  }

  /// What is known of them, with the joined dim among them.
  Shape dims_of_letters(const Value& x, std::size_t count, std::int64_t place) const {
    Shape dims(count);
    const ValueType* type = e_.type(x);
    if (type == nullptr || !type->shape) return dims;
    const Shape& own = *type->shape;
    const auto behind = static_cast<std::ptrdiff_t>(count) - place - 1;
    std::copy_n(own.begin(), place, dims.begin());
    std::copy_n(own.end() - behind, behind, dims.end() - behind);
    return dims;
  }

  Value own_dims(std::size_t i) {
    const Labels& labels = equation_.terms[i];
    const std::int64_t place = place_in(labels), end = place + 1 - std::ssize(labels);
    return dims_of(e_, e_.input(static_cast<int>(i)), place, end < 0 ? end : kEnd);
  }

  Value before(const Value& dims, std::vector<Value> rest) {
    rest.insert(rest.begin(), dims);
    return concat(e_, rest, 0);
  }

  Value reshaped(const Value& x, const std::vector<Value>& dims, const Shape& known) {
    const Value y = reshape_to(e_, x, concat(e_, dims, 0));
    e_.set_type(y, ValueType::tensor(e_.dtype(x), known));
    return y;
  }

  NodeEdit& e_;
  Equation& equation_;
  std::vector<Value> own_;  ///< what the ellipsis stands for in each operand
  Value dims_;              ///< and in all of them
  bool stretches_ = false;  ///< in more than one operand
};

/// [Einsum-12]
void einsum(NodeEdit& e) {
  auto equation = read_equation(e);
  const DataType type = e.need_dtype(0);
  if (!equation || e.refused()) return;
  const std::size_t count = equation->terms.size();
  const bool sums = std::ranges::any_of(equation->terms, [&](const Labels& term) {
    return std::ranges::any_of(term, [&](Label l) { return !holds(equation->output, l); });
  });
  // Sums and products of small integers wrap as their low bits in a wider type do.
  const bool small = type == DataType::int8 || type == DataType::uint8 || type == DataType::int16 ||
                     type == DataType::uint16;
  DataType work = type;
  if (small && (count > 1 || sums)) work = DataType::int32;
  if (type == DataType::float16 && count > 1) work = DataType::float32;
  if (is_float(type) && (sums || count > 2)) e.rounds();

  std::map<Label, std::size_t> last_term;
  for (std::size_t i = 0; i < count; ++i) {
    for (const Label label : equation->terms[i]) last_term[label] = i;
  }
  JoinedDims ellipsis(e, *equation);
  Contraction contraction(e);
  Operand result;
  for (std::size_t i = 0; i < count && !e.refused(); ++i) {
    const Value value = ellipsis.operand(i);
    const Operand next = contraction.cast_to(contraction.operand(value, equation->terms[i]), work);
    Labels needed = equation->output;
    for (const auto& [label, last] : last_term) {
      if (last > i) needed.push_back(label);
    }
    result =
        i == 0 ? contraction.sum_out(next, needed) : contraction.multiplied(result, next, needed);
  }
  if (e.refused()) return;
  result = contraction.arranged(result, equation->output);
  e.replace({ellipsis.result(cast(e, result.value, type))});
}

}  // namespace

void register_einsum(Registry& t) { t.expand("Einsum", einsum, "MatMul, or Mul and ReduceSum"); }

}  // namespace onnxcompat::adapters
