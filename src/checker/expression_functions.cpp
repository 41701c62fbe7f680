#include <algorithm>
#include <set>

#include "checker/expression_evaluation.h"

namespace onnxcompat {
namespace {

using Kind = Term::Kind;
using namespace terms;

/// The sizes of a shape, in either form, from the last one on: 1 is the last. A rank or a size that
/// is not known is none.
std::optional<std::size_t> rank_of(const Term& shape) {
  return shape.kind == Kind::list ? std::optional(shape.items.size()) : std::nullopt;
}
std::optional<std::int64_t> size_from_back(const Term& shape, std::size_t back) {
  const Term& d = shape.items[shape.items.size() - back];
  return d.kind == Kind::integer ? std::optional(d.i) : std::nullopt;
}
std::optional<std::size_t> rank_of(const ValueType* type) {
  return type != nullptr && type->shape ? std::optional(type->shape->size()) : std::nullopt;
}
std::optional<std::int64_t> size_from_back(const ValueType* type, std::size_t back) {
  return (*type->shape)[type->shape->size() - back].value;
}

/// Can shapes be broadcast to one [Broadcasting.md]?
std::optional<bool> can_broadcast(const auto& shapes) {
  std::size_t rank = 0;
  std::optional<bool> fits = true;
  for (const auto& shape : shapes) {
    const auto own = rank_of(shape);
    if (!own) fits = std::nullopt;
    rank = std::max(rank, own.value_or(0));
  }
  for (std::size_t back = 1; back <= rank; ++back) {
    std::optional<std::int64_t> size;
    for (const auto& shape : shapes) {
      if (rank_of(shape).value_or(0) < back) continue;
      const auto d = size_from_back(shape, back);
      if (!d) {
        fits = std::nullopt;
      } else if (*d != 1) {
        if (size && *size != *d) return false;
        size = d;
      }
    }
  }
  return fits;
}

/// Can the first be broadcast to the second, which stays as it is [Broadcasting.md#unidirectional]?
std::optional<bool> can_broadcast_to(const Term& small, const Term& large) {
  if (small.kind != Kind::list || large.kind != Kind::list) return std::nullopt;
  if (small.items.size() > large.items.size()) return false;
  std::optional<bool> fits = true;
  for (std::size_t back = 1; back <= small.items.size(); ++back) {
    const Term& from = small.items[small.items.size() - back];
    const Term& to = large.items[large.items.size() - back];
    if (from.kind == Kind::integer && from.i == 1) continue;
    if (from.kind != Kind::integer || to.kind != Kind::integer) {
      fits = std::nullopt;
    } else if (from.i != to.i) {
      return false;
    }
  }
  return fits;
}

/// Before opset 7 the second shape is a contiguous part of the first one, from `axis` on or at its
/// end; readers stretch a size of 1, too.
std::optional<bool> can_broadcast_legacy(const Term& small, const Term& large, const Term& axis) {
  if (small.kind != Kind::list || large.kind != Kind::list) return std::nullopt;
  const auto m = static_cast<std::int64_t>(small.items.size());
  const auto n = static_cast<std::int64_t>(large.items.size());
  if (m > n)
    return std::ranges::all_of(small.items,
                               [](const Term& d) { return d.kind == Kind::integer && d.i == 1; });
  std::int64_t from = n - m;
  if (axis.kind == Kind::integer) {
    from = axis.i < 0 ? axis.i + n : axis.i;
  } else if (axis.kind != Kind::unset) {
    return std::nullopt;
  }
  if (from < 0 || from + m > n) return false;
  std::optional<bool> fits = true;
  for (std::int64_t i = 0; i < m; ++i) {
    const Term& d = small.items[static_cast<std::size_t>(i)];
    if (d.kind == Kind::integer && d.i == 1) continue;
    const auto same = equal(d, large.items[static_cast<std::size_t>(from + i)]);
    if (same == false) return false;
    if (!same) fits = std::nullopt;
  }
  return fits;
}

}  // namespace

Term Evaluation::call(const Expression::Node& node) {
  const std::string_view f = node.name;
  if (f == "has") return truth(has(at(node.operands.at(0))));
  if (f == "present") {
    const auto& edge = at(node.operands.at(0));
    const auto there = has(edge);
    if (there != true) return truth(there);
    const Term dims = shape_term(type(edge));
    const auto empty = contains(dims, Term::integer(0));
    return empty ? Term::boolean(!*empty) : Term{};
  }
  if (f == "ite") {
    const auto condition = as_bool(operand(node, 0));
    return condition ? operand(node, *condition ? 1 : 2) : Term{};
  }
  if (f == "exactly_one") return count_true(node, [](int yes, int) { return yes == 1; });
  if (f == "at_most_one") return count_true(node, [](int yes, int) { return yes <= 1; });
  if (f == "all_or_none") {
    return count_true(node, [](int yes, int all) { return yes == 0 || yes == all; });
  }
  if (node.operands.empty() || (f == "key_dtype" && is_edge(node, 0))) return of_labels(node);
  const Term edges = of_edges(node);
  return edges.kind != Kind::unknown ? edges : of_lists(node);
}

/// Functions of inputs and outputs.
Term Evaluation::of_edges(const Expression::Node& node) {
  const std::string_view f = node.name;
  if (f == "n") {
    const Actuals all = actuals(at(node.operands.at(0)));
    return all.first < 0 ? Term{} : Term::integer(std::max(0, all.end - all.first));
  }
  if (f == "rank") {
    const Term s = shape(node, 0);
    return s.kind == Kind::list ? Term::integer(static_cast<std::int64_t>(s.items.size())) : Term{};
  }
  if (f == "shape") return shape(node, 0);
  if (f == "dim") return element(shape(node, 0), operand(node, 1));
  if (f == "size") {
    const Term s = shape(node, 0);
    if (s.kind != Kind::list) return {};
    Term out = Term::integer(1);
    for (const Term& d : s.items) out = arithmetic(Op::multiply, out, d);
    return out;
  }
  if (f == "len" && is_edge(node, 0)) {
    const Term s = shape(node, 0);
    return s.kind == Kind::list && s.items.size() == 1 ? s.items[0] : Term{};
  }
  if (f == "val") {
    if (at(node.operands.at(0)).op != Op::input) return {};
    const Term list = contents_of(n_, at(node.operands[0]).name);
    const Term s = shape(node, 0);
    const bool scalar = s.kind == Kind::list && s.items.empty();
    return scalar && list.kind == Kind::list && list.items.size() == 1 ? list.items[0] : list;
  }
  if (f == "dtype") {
    if (const auto a = tensor_attribute(node, 0)) {
      return Term::integer(static_cast<int>(a->t().data_type()));
    }
    const ValueType* t = is_edge(node, 0) ? type(at(node.operands[0])) : nullptr;
    return t != nullptr && is_known(t->elem) ? Term::integer(static_cast<int>(t->elem)) : Term{};
  }
  if (f == "elem_dtype") {
    const ValueType* t = is_edge(node, 0) ? type(at(node.operands[0])) : nullptr;
    return t != nullptr && t->inner && is_known(t->inner->elem)
               ? Term::integer(static_cast<int>(t->inner->elem))
               : Term{};
  }
  if (f == "bcast") {
    // Asked for most nodes of most models: without a detour over terms.
    return truth(is_of_all_inputs(node) ? can_broadcast(n_.input_types)
                                        : can_broadcast(shapes(node)));
  }
  if (f == "bcast_to") return truth(can_broadcast_to(shape(node, 0), shape(node, 1)));
  if (f == "legacy_bcast") {
    return truth(can_broadcast_legacy(shape(node, 0), shape(node, 1), operand(node, 2)));
  }
  if (f == "all_same_shape" || f == "all_same_rank") {
    const std::vector<Term> all = shapes(node);
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[0].kind != Kind::list || all[i].kind != Kind::list) return {};
      const auto same = f == "all_same_rank"
                            ? std::optional(all[0].items.size() == all[i].items.size())
                            : equal(all[0], all[i]);
      if (same != true) return truth(same);
    }
    return Term::boolean(true);
  }
  if (f == "all_same_dtype") {
    const auto& edge = at(node.operands.at(0));
    const Actuals all = actuals(edge);
    for (int k = all.first; k < all.end; ++k) {
      const ValueType* first = type_of(n_, true, all.first);
      const ValueType* other = type_of(n_, true, k);
      if (first == nullptr || other == nullptr || first->str().empty() || other->str().empty()) {
        return {};
      }
      if (first->str() != other->str()) return Term::boolean(false);
    }
    return Term::boolean(true);
  }
  if (f == "same_shape_except") {
    Term a = shape(node, 0);
    Term b = shape(node, 1);
    const Term axis = operand(node, 2);
    if (a.kind != Kind::list || b.kind != Kind::list || axis.kind != Kind::integer) return {};
    if (a.items.size() != b.items.size()) return Term::boolean(false);
    const auto rank = static_cast<std::int64_t>(a.items.size());
    const std::int64_t skip = axis.i < 0 ? axis.i + rank : axis.i;
    if (skip < 0 || skip >= rank) return {};
    a.items.erase(a.items.begin() + static_cast<std::ptrdiff_t>(skip));
    b.items.erase(b.items.begin() + static_cast<std::ptrdiff_t>(skip));
    return truth(equal(a, b));
  }
  if (f == "all_dims_one") {
    const Term s = shape(node, 0);
    const Term axes = operand(node, 1);
    if (s.kind != Kind::list || axes.kind != Kind::list) return {};
    std::optional<bool> all = true;
    for (const Term& axis : axes.items) {
      const Term d = element(s, axis);
      if (d.kind == Kind::integer && d.i != 1) return Term::boolean(false);
      if (d.kind != Kind::integer) all = std::nullopt;
    }
    return truth(all);
  }
  return {};
}

/// Functions of numbers and lists.
Term Evaluation::of_lists(const Expression::Node& node) {
  const std::string_view f = node.name;
  const Term a = operand(node, 0);
  const Term b = operand(node, 1);
  const bool is_list = a.kind == Kind::list;
  if (f == "len") {
    return is_list ? Term::integer(static_cast<std::int64_t>(a.items.size())) : Term{};
  }
  if (f == "contains") return truth(contains(a, b));
  if (f == "concat") {
    if (!is_list || b.kind != Kind::list) return {};
    Term out = a;
    out.items.insert(out.items.end(), b.items.begin(), b.items.end());
    return out;
  }
  if (f == "ceil_div") {
    return a.kind == Kind::integer && b.kind == Kind::integer && a.i >= 0 && b.i > 0
               ? Term::integer(a.i / b.i + (a.i % b.i != 0 ? 1 : 0))
               : Term{};
  }
  if (f == "bitwidth") {
    const bool known = a.kind == Kind::integer && a.i > 0 && a.i < kDataTypeCount;
    return known ? Term::integer(bits_of(static_cast<DataType>(a.i))) : Term{};
  }
  if (f == "sum" || f == "prod" || f == "max" || f == "min") {
    const std::vector<Term> items = is_list ? a.items : std::vector<Term>{a, b};
    if (items.empty())
      return f == "sum" ? Term::integer(0) : f == "prod" ? Term::integer(1) : Term{};
    Term out = items[0];
    for (std::size_t i = 1; i < items.size(); ++i) {
      if (out.kind != Kind::integer || items[i].kind != Kind::integer) return {};
      if (f == "sum") {
        out = arithmetic(Op::add, out, items[i]);
      } else if (f == "prod") {
        out = arithmetic(Op::multiply, out, items[i]);
      } else {
        out.i = f == "max" ? std::max(out.i, items[i].i) : std::min(out.i, items[i].i);
      }
    }
    return out;
  }
  if (!is_list) return {};
  if (f == "count") {
    std::int64_t found = 0;
    for (const Term& item : a.items) {
      const auto same = equal(item, b);
      if (!same) return {};
      found += *same ? 1 : 0;
    }
    return Term::integer(found);
  }
  if (f == "all_equal") {
    std::optional<bool> all = true;
    for (const Term& item : a.items) {
      const auto same = equal(item, b);
      if (same == false) return Term::boolean(false);
      if (!same) all = std::nullopt;
    }
    return truth(all);
  }
  if (f == "all_zero_positions") {
    std::int64_t last = -1;
    for (std::size_t i = 0; i < a.items.size(); ++i) {
      if (a.items[i].kind != Kind::integer) return {};
      if (a.items[i].i == 0) last = static_cast<std::int64_t>(i);
    }
    return Term::integer(last);
  }
  if (b.kind != Kind::list || a.items.size() != b.items.size()) return {};
  if (f == "elem_max") {
    Term out = a;
    for (std::size_t i = 0; i < out.items.size(); ++i) {
      if (out.items[i].kind != Kind::integer || b.items[i].kind != Kind::integer) return {};
      out.items[i].i = std::max(out.items[i].i, b.items[i].i);
    }
    return out;
  }
  if (f == "elem_lt") {
    for (std::size_t i = 0; i < a.items.size(); ++i) {
      const auto less = as_bool(order(Op::less, a.items[i], b.items[i]));
      if (less != true) return truth(less);
    }
    return Term::boolean(true);
  }
  if (f == "unique_pairs") {
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    for (std::size_t i = 0; i < a.items.size(); ++i) {
      if (!seen.emplace(a.items[i].i, b.items[i].i).second) return Term::boolean(false);
    }
    return Term::boolean(true);
  }
  return {};
}

/// Functions of the label and key attributes of ai.onnx.ml.
Term Evaluation::of_labels(const Expression::Node& node) {
  const std::string_view f = node.name;
  if (f == "key_dtype" && !node.operands.empty()) {
    const ValueType* t = type(at(node.operands[0]));
    return t != nullptr && is_known(t->key) ? Term::integer(static_cast<int>(t->key)) : Term{};
  }
  if (f == "n_labels") {
    for (const char* name : {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}) {
      if (!n_.node.attribute(name)) continue;
      const Term labels = attribute_term(n_, name);
      if (labels.kind != Kind::list) return {};
      return Term::integer(static_cast<std::int64_t>(labels.items.size()));
    }
    return {};
  }
  const bool keys = f.starts_with("key_");
  struct Form {
    std::string_view suffix;
    DataType type;
  };
  static constexpr Form kForms[] = {{"_floats", DataType::float32},
                                    {"_int64s", DataType::int64},
                                    {"_strings", DataType::string},
                                    {"_tensor", DataType::undefined}};
  for (const Form& form : kForms) {
    const auto a =
        n_.node.attribute(std::string(keys ? "keys" : "values") + std::string(form.suffix));
    if (!a) continue;
    const bool tensor = a->type() == AttributeType::tensor;
    if (f.ends_with("dtype")) {
      return Term::integer(static_cast<int>(tensor ? a->t().data_type() : form.type));
    }
    if (tensor) {
      const auto count = a->t().element_count();
      return count ? Term::integer(*count) : Term{};
    }
    const Term list = attribute_term(n_, a->name());
    return list.kind == Kind::list ? Term::integer(static_cast<std::int64_t>(list.items.size()))
                                   : Term{};
  }
  return {};
}

}  // namespace onnxcompat
