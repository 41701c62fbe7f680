// ai.onnx.ml: tree ensembles.

#include <algorithm>
#include <cmath>

#include "adapters/blocks.h"
#include "adapters/ops/trees.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr std::string_view kMl = "ai.onnx.ml";

std::vector<std::string> strings(NodeEdit& e, std::string_view name) {
  const auto a = e.attribute(name);
  if (!a) return {};
  return {a->strings().begin(), a->strings().end()};
}

/// [TreeEnsembleRegressor-3] tensors of double beside the lists of float.
void double_lists_down(NodeEdit& e, const std::string& votes) {
  for (const std::string& name : {std::string("base_values"), std::string("nodes_hitrates"),
                                  std::string("nodes_values"), votes + "_weights"}) {
    if (!e.has(name + "_as_tensor")) continue;
    const auto values = float_list(e, name);
    if (e.refused() || !values) return;
    Floats single;
    for (const double v : *values) {
      single.push_back(static_cast<float>(v));
      if (static_cast<double>(single.back()) != v) {
        return e.refuse(name + "_as_tensor holds numbers that float32 does not");
      }
    }
    e.drop(name + "_as_tensor");
    e.set({name, single});
  }
}

/// A post_transform by operators of its own, where it cannot stay in the node.
std::optional<Value> transformed(NodeEdit& e, const Value& scores, const std::string& transform) {
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return unary(e, "Sigmoid", scores);
  if (transform == "SOFTMAX") {
    return e.emit_in({}, 13, "Softmax", {scores}, 1, {{"axis", -1}}).front();
  }
  if (transform == "SOFTMAX_ZERO") {
    // As Softmax, but what is next to nothing stays so.
    const auto number = [&](double v) { return e.number(v, DataType::float32, "number"); };
    const Value top = reduce(e, "ReduceMax", scores, {1}, true);
    const Value counts = binary(e, "Greater", unary(e, "Abs", scores), number(1e-7));
    const Value power = unary(e, "Exp", binary(e, "Sub", scores, top));
    const Value small = binary(e, "Mul", scores, unary(e, "Exp", unary(e, "Neg", top)));
    const Value parts = where(e, counts, power, small);
    const Value sum = reduce(e, "ReduceSum", parts, {1}, true);
    const Value none = e.emit_in({}, 11, "Equal", {sum, number(0)}, 1, {}).front();
    return where(e, none, number(0.5), binary(e, "Div", parts, sum));
  }
  e.refuse("post_transform " + transform +
           " where leaves do not vote has no form in TreeEnsemble-5");
  return std::nullopt;
}

/// The votes of a forest summed up by TreeEnsemble-5, as float32; `wide` where float32 does not
/// hold the votes.
std::optional<Value> summed(NodeEdit& e, const Forest& forest, std::int64_t targets,
                            Aggregate aggregate, std::int64_t post_transform, bool wide = false) {
  const DataType input = e.need_dtype(0);
  if (e.refused()) return std::nullopt;
  // Integers go through double, which holds what float32 does not.
  const DataType type = input == DataType::float32 && !wide ? DataType::float32 : DataType::float64;
  std::string reason;
  auto attributes = tree_ensemble(forest, type, aggregate, reason);
  if (!attributes) {
    e.refuse(reason);
    return std::nullopt;
  }
  const auto is_hint = [](const Attr& a) { return a.name == "nodes_hitrates"; };
  if (type == DataType::float64 && std::erase_if(*attributes, is_hint) > 0) {
    e.remark(
        "nodes_hitrates, which change no result, are left out: they are float32 by the definition "
        "of TreeEnsemble-5, and double like the input for ONNX Runtime");
  }
  attributes->push_back({"aggregate_function", static_cast<std::int64_t>(aggregate)});
  attributes->push_back({"n_targets", targets});
  attributes->push_back({"post_transform", post_transform});
  const Value x = cast(e, e.input(0), type);
  const Value y = e.emit_in(kMl, 5, "TreeEnsemble", {x}, 1, *attributes).front();
  e.set_type(y, type, 2);
  e.rounds("order of sums");
  return cast(e, y, DataType::float32);
}

constexpr const char* kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};

Value floats(Emitter& e, const std::vector<double>& values, std::string_view suffix) {
  return e.constant(
      TensorLiteral::of(DataType::float32, {static_cast<std::int64_t>(values.size())}, values),
      suffix);
}

void regressor_up(NodeEdit& e) {
  const std::string aggregate = e.string_or("aggregate_function", "SUM");
  const std::string transform = e.string_or("post_transform", "NONE");
  const std::int64_t targets = e.int_or("n_targets", 1);
  auto forest = read_forest(e, "target");
  if (!forest) return;
  const auto base = float_list(e, "base_values");
  const std::string_view names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  const auto function = std::ranges::find(names, aggregate) - std::begin(names);
  const auto number = std::ranges::find(kTransforms, transform) - std::begin(kTransforms);
  if (e.refused()) return;
  if (function == 4 || number == 5) {
    return e.refuse("unknown aggregate_function or post_transform");
  }
  const bool biased = base && std::ranges::any_of(*base, [](double v) { return v != 0; });
  const bool own_targets = std::ranges::all_of(
      forest->votes, [&](const auto& v) { return v.target >= 0 && v.target < targets; });
  if (!own_targets || (biased && std::ssize(*base) != targets)) {
    return e.refuse("votes or base values are for targets that it does not have");
  }
  auto together = static_cast<Aggregate>(function);
  bool wide = false;
  if (together == Aggregate::average && (biased || has_divided_leaves(*forest))) {
    // The mean is a sum of parts, of however many trees.
    const auto trees = static_cast<double>(count_trees(*forest));
    for (auto& vote : forest->votes) vote.weight /= trees;
    together = Aggregate::sum;
    wide = true;
  }
  const double none = no_vote(together);
  const bool gaps = leaves_gaps(*forest, together, biased);
  if (gaps && std::ranges::any_of(forest->votes, [&](const auto& v) { return v.weight == none; })) {
    return e.refuse("a vote is infinite");
  }
  if (biased && together != Aggregate::sum) {
    for (auto& vote : forest->votes) vote.weight += (*base)[static_cast<std::size_t>(vote.target)];
    wide = true;
  }
  if (biased) {
    const std::vector<double> nothing(base->size(), none);
    add_constants(*forest, gaps ? nothing : *base, gaps ? Aggregate::sum : together);
  }
  if (gaps && number != 0 && targets == 1 && !e.options().strict_text) {
    return e.refuse(
        "post_transform where leaves do not vote, for one target: runtimes leave the transform out "
        "where the text applies it");
  }
  // Runtimes take the numbers of SOFTMAX and LOGISTIC in TreeEnsemble-5 for each other's; for one
  // target they pass over both, in the older operator as well.
  const bool mistaken = targets != 1 && (transform == "SOFTMAX" || transform == "LOGISTIC");
  const bool spelled_out = gaps || mistaken;
  auto y = summed(e, *forest, targets, together, spelled_out ? 0 : number, wide);
  if (y && gaps) {
    const Value limit = e.number(none, DataType::float32, "no_vote");
    const Value missing = e.emit_in({}, 11, "Equal", {*y, limit}, 1, {}).front();
    const Value otherwise = biased ? floats(e, *base, "base_values") : floats(e, {0}, "zero");
    y = where(e, missing, otherwise, *y);
  }
  if (y && spelled_out) y = transformed(e, *y, transform);
  if (y) e.replace({*y});
}

void classifier_up(NodeEdit& e) {
  const std::string transform = e.string_or("post_transform", "NONE");
  auto forest = read_forest(e, "class");
  if (!forest) return;
  const auto names = strings(e, "classlabels_strings");
  const Ints numbers = e.int_list_or("classlabels_int64s", {});
  const auto base = float_list(e, "base_values");
  if (e.refused()) return;
  const std::size_t classes = names.empty() ? numbers.size() : names.size();
  bool several = false;
  for (const auto& vote : forest->votes) {
    several = several || vote.target != forest->votes.front().target;
    if (vote.target < 0 || static_cast<std::size_t>(vote.target) >= classes) {
      return e.refuse("a vote is for a class that has no label");
    }
  }
  if (classes <= 2 && !several) {
    return e.refuse(
        "a binary classifier whose votes are for one class only: what its scores mean "
        "differs between runtimes");
  }
  if (base && std::ranges::any_of(*base, [](double v) { return v != 0; })) {
    if (base->size() != classes) return e.refuse("base values are not one for each class");
    add_constants(*forest, *base, Aggregate::sum);
  }
  const auto scores = summed(e, *forest, static_cast<std::int64_t>(classes), Aggregate::sum, 0);
  if (!scores) return;
  const Value best =
      e.emit_in({}, 11, "ArgMax", {*scores}, 1, {{"axis", 1}, {"keepdims", 0}}).front();
  const auto count = static_cast<std::int64_t>(classes);
  const Value labels = names.empty()
                           ? e.ints(numbers, "labels")
                           : e.constant(TensorLiteral::of_strings({count}, names), "labels");
  const Value label = gather(e, labels, best, 0);
  // Older operators have no inverse of the normal distribution; the node has.
  const auto z = transform == "PROBIT" ? summed(e, *forest, count, Aggregate::sum, 4)
                                       : transformed(e, *scores, transform);
  if (!z) return;
  e.replace({label, *z});
}

void ensemble_to_regressor(NodeEdit& e) {
  const std::int64_t aggregate = e.int_or("aggregate_function", 1);
  const std::int64_t transform = e.int_or("post_transform", 0);
  const std::int64_t targets = e.int_or("n_targets", 1);
  const auto forest = read_tree_ensemble(e);
  if (!forest) return;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (type == DataType::float64) {
    return e.refuse("a result of type double: TreeEnsembleRegressor gives float32");
  }
  if (aggregate < 0 || aggregate > 3 || transform < 0 || transform > 4) {
    return e.refuse("unknown aggregate_function or post_transform");
  }
  constexpr const char* kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  Ints trees, ids, features, if_true, if_false, missing, vote_trees, vote_nodes, vote_ids;
  Floats values, hitrates, weights;
  std::vector<std::string> modes;
  bool exact = true;
  const auto single = [&](double v) {
    exact = exact && (static_cast<double>(static_cast<float>(v)) == v || std::isnan(v));
    return static_cast<float>(v);
  };
  for (const auto& node : forest->nodes) {
    trees.push_back(node.tree);
    ids.push_back(node.id);
    features.push_back(node.feature);
    modes.push_back(node.mode);
    values.push_back(single(node.value));
    hitrates.push_back(static_cast<float>(node.hitrate));
    if_true.push_back(node.if_true);
    if_false.push_back(node.if_false);
    missing.push_back(node.missing_goes_true ? 1 : 0);
  }
  for (const auto& vote : forest->votes) {
    vote_trees.push_back(vote.tree);
    vote_nodes.push_back(vote.node);
    vote_ids.push_back(vote.target);
    weights.push_back(single(vote.weight));
  }
  if (!exact) return e.refuse("a threshold or weight is no float32 number");
  Attrs attributes{{"aggregate_function", kAggregates[aggregate]},
                   {"n_targets", targets},
                   {"nodes_falsenodeids", if_false},
                   {"nodes_featureids", features},
                   {"nodes_missing_value_tracks_true", missing},
                   {"nodes_modes", modes},
                   {"nodes_nodeids", ids},
                   {"nodes_treeids", trees},
                   {"nodes_truenodeids", if_true},
                   {"nodes_values", values},
                   {"post_transform", kTransforms[transform]},
                   {"target_ids", vote_ids},
                   {"target_nodeids", vote_nodes},
                   {"target_treeids", vote_trees},
                   {"target_weights", weights}};
  if (forest->hitrates) attributes.push_back({"nodes_hitrates", hitrates});
  e.rounds("order of sums");
  if (targets != 1 && (transform == 1 || transform == 2)) {
    e.remark(
        "post_transform of TreeEnsemble-5: 1 is SOFTMAX and 2 LOGISTIC by the text, which is "
        "followed; ONNX Runtime takes them for each other's");
  }
  const Value x = type == DataType::float16 ? cast(e, e.input(0), DataType::float32) : e.input(0);
  const Value y = e.emit_in(kMl, 1, "TreeEnsembleRegressor", {x}, 1, attributes).front();
  e.set_type(y, DataType::float32, 2);
  e.replace({cast(e, y, type)});
}

}  // namespace

void register_ml(Registry& t) {
  t.at_in(kMl, "TreeEnsembleClassifier", 1, 3).down([](NodeEdit& e) {
    double_lists_down(e, "class");
  });
  t.at_in(kMl, "TreeEnsembleRegressor", 1, 3).down([](NodeEdit& e) {
    double_lists_down(e, "target");
  });
  t.at_in(kMl, "TreeEnsembleClassifier", 3, 5).up(classifier_up);
  t.at_in(kMl, "TreeEnsembleRegressor", 3, 5).up(regressor_up);
  t.expand_in(kMl, "TreeEnsemble", ensemble_to_regressor, "TreeEnsembleRegressor, its predecessor");
}

}  // namespace onnxcompat::adapters
