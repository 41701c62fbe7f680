#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <optional>

#include "executor/kernels/ml_scores.h"

namespace onnxcompat::executor {
namespace {

enum class Branch : std::uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };

struct Vote {
  std::int64_t target;
  double weight;
};

struct TreeNode {
  double value = 0;
  std::int64_t feature = 0;
  std::int64_t on_true = 0, on_false = 0;  ///< nodes
  Branch branch = Branch::leaf;
  bool nan_is_true = false;
};

struct Forest {
  std::vector<TreeNode> nodes;
  std::vector<std::int64_t> roots;
  std::map<std::int64_t, std::vector<double>> members;  ///< of nodes that ask for membership
  std::vector<std::vector<Vote>> votes;                 ///< of each node; leaves have them

  /// The leaf that an example reaches; -1 if the nodes lead in a circle.
  std::int64_t leaf(std::int64_t root, std::span<const double> x) const {
    std::int64_t at = root;
    for (std::size_t steps = 0;; ++steps) {
      const TreeNode& node = nodes[static_cast<std::size_t>(at)];
      if (node.branch == Branch::leaf) return at;
      if (steps > nodes.size()) return -1;
      const double value = x[static_cast<std::size_t>(node.feature)];
      // Nearly every ensemble asks nothing else.
      const bool yes = node.branch == Branch::leq && value == value ? value <= node.value
                                                                    : follows(at, node, value);
      at = yes ? node.on_true : node.on_false;
    }
  }

 private:
  bool follows(std::int64_t at, const TreeNode& node, double x) const {
    if (std::isnan(x)) return node.nan_is_true;
    switch (node.branch) {
      case Branch::leq:
        return x <= node.value;
      case Branch::lt:
        return x < node.value;
      case Branch::gte:
        return x >= node.value;
      case Branch::gt:
        return x > node.value;
      case Branch::eq:
        return x == node.value;
      case Branch::neq:
        return x != node.value;
      default:
        return std::ranges::find(members.at(at), x) != members.at(at).end();
    }
  }
};

/// A list attribute of floats, or its tensor form of float or double [TreeEnsembleRegressor-3].
Result<std::vector<double>> read_numbers(const KernelContext& ctx, const std::string& name) {
  const std::vector<float> floats = ctx.floats_attr(name);
  if (!floats.empty()) return std::vector<double>(floats.begin(), floats.end());
  if (!ctx.has_attribute(name + "_as_tensor")) return std::vector<double>{};
  ONNXCOMPAT_TRY(const auto tensor, ctx.tensor_attr(name + "_as_tensor"));
  if (!tensor) return std::vector<double>{};
  const Operand<double> values(*tensor);
  return std::vector<double>(values.span().begin(), values.span().end());
}

Result<Branch> branch_named(const KernelContext& ctx, std::string_view name) {
  static constexpr std::pair<std::string_view, Branch> kNames[] = {
      {"BRANCH_LEQ", Branch::leq}, {"BRANCH_LT", Branch::lt}, {"BRANCH_GTE", Branch::gte},
      {"BRANCH_GT", Branch::gt},   {"BRANCH_EQ", Branch::eq}, {"BRANCH_NEQ", Branch::neq},
      {"LEAF", Branch::leaf},
  };
  for (const auto& [known, branch] : kNames) {
    if (name == known) return branch;
  }
  return ctx.fail(fmt::format("node mode \"{}\" is unknown", name));
}

/// Attributes nodes_*, and the votes of attributes <prefix>_* [TreeEnsembleClassifier-1].
Result<Forest> read_named_forest(const KernelContext& ctx, const std::string& prefix,
                                 std::int64_t targets) {
  const Dims trees = ctx.ints_attr("nodes_treeids"), ids = ctx.ints_attr("nodes_nodeids");
  const Dims features = ctx.ints_attr("nodes_featureids");
  const Dims on_true = ctx.ints_attr("nodes_truenodeids");
  const Dims on_false = ctx.ints_attr("nodes_falsenodeids");
  const Dims missing = ctx.ints_attr("nodes_missing_value_tracks_true");
  const std::vector<std::string> modes = ctx.strings_attr("nodes_modes");
  ONNXCOMPAT_TRY(const auto values, read_numbers(ctx, "nodes_values"));
  const std::size_t count = ids.size();
  if (trees.size() != count || features.size() != count || on_true.size() != count ||
      on_false.size() != count || modes.size() != count || values.size() != count ||
      (!missing.empty() && missing.size() != count)) {
    return ctx.fail("attributes nodes_* have different lengths");
  }
  using Key = std::pair<std::int64_t, std::int64_t>;
  std::map<Key, std::int64_t> places;
  for (std::size_t i = 0; i < count; ++i) {
    if (!places.emplace(Key{trees[i], ids[i]}, static_cast<std::int64_t>(i)).second) {
      return ctx.fail(fmt::format("node {} of tree {} is there twice", ids[i], trees[i]));
    }
  }
  Forest forest;
  forest.nodes.resize(count);
  forest.votes.resize(count);
  std::vector<bool> is_child(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    TreeNode& node = forest.nodes[i];
    ONNXCOMPAT_TRY(node.branch, branch_named(ctx, modes[i]));
    if (node.branch == Branch::leaf) continue;
    node.feature = features[i];
    node.value = values[i];
    node.nan_is_true = !missing.empty() && missing[i] != 0;
    for (bool yes : {true, false}) {
      const auto child = places.find({trees[i], yes ? on_true[i] : on_false[i]});
      if (child == places.end()) return ctx.fail("a node has no child of the stated id");
      (yes ? node.on_true : node.on_false) = child->second;
      is_child[static_cast<std::size_t>(child->second)] = true;
    }
  }
  std::map<std::int64_t, bool> rooted;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_child[i] && !rooted[trees[i]]) {
      forest.roots.push_back(static_cast<std::int64_t>(i));
      rooted[trees[i]] = true;
    }
    rooted.emplace(trees[i], false);
  }
  for (const auto& [tree, has_root] : rooted) {
    if (!has_root) return ctx.fail(fmt::format("tree {} has no root", tree));
  }
  const Dims vote_trees = ctx.ints_attr(prefix + "_treeids");
  const Dims vote_nodes = ctx.ints_attr(prefix + "_nodeids");
  const Dims vote_targets = ctx.ints_attr(prefix + "_ids");
  ONNXCOMPAT_TRY(const auto weights, read_numbers(ctx, prefix + "_weights"));
  if (vote_nodes.size() != vote_trees.size() || vote_targets.size() != vote_trees.size() ||
      weights.size() != vote_trees.size()) {
    return ctx.fail(fmt::format("attributes {}_* have different lengths", prefix));
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto place = places.find({vote_trees[i], vote_nodes[i]});
    if (place == places.end() || vote_targets[i] < 0 || vote_targets[i] >= targets) {
      return ctx.fail(fmt::format("vote {} is for an unknown node or target", i));
    }
    forest.votes[static_cast<std::size_t>(place->second)].push_back({vote_targets[i], weights[i]});
  }
  return forest;
}

/// [TreeEnsemble-5]: positions instead of ids, leaves in a list of their own.
Result<Forest> read_forest(const KernelContext& ctx, std::int64_t targets) {
  const Dims features = ctx.ints_attr("nodes_featureids"), roots = ctx.ints_attr("tree_roots");
  const Dims on_true = ctx.ints_attr("nodes_truenodeids");
  const Dims on_false = ctx.ints_attr("nodes_falsenodeids");
  const Dims true_leaf = ctx.ints_attr("nodes_trueleafs");
  const Dims false_leaf = ctx.ints_attr("nodes_falseleafs");
  const Dims missing = ctx.ints_attr("nodes_missing_value_tracks_true");
  const Dims leaf_targets = ctx.ints_attr("leaf_targetids");
  ONNXCOMPAT_TRY(const auto modes_tensor, ctx.tensor_attr("nodes_modes"));
  ONNXCOMPAT_TRY(const auto splits_tensor, ctx.tensor_attr("nodes_splits"));
  ONNXCOMPAT_TRY(const auto weights_tensor, ctx.tensor_attr("leaf_weights"));
  ONNXCOMPAT_TRY(const auto members_tensor, ctx.tensor_attr("membership_values"));
  if (!modes_tensor || !splits_tensor || !weights_tensor) {
    return ctx.fail("nodes_modes, nodes_splits or leaf_weights is missing");
  }
  const Operand<std::int64_t> modes(*modes_tensor);
  const Operand<double> splits(*splits_tensor), weights(*weights_tensor);
  const Operand<double> members =
      members_tensor ? Operand<double>(*members_tensor) : Operand<double>();
  const std::size_t count = features.size(), leaves = leaf_targets.size();
  if (on_true.size() != count || on_false.size() != count || true_leaf.size() != count ||
      false_leaf.size() != count || modes.size() != count || splits.size() != count ||
      (!missing.empty() && missing.size() != count) || weights.size() != leaves) {
    return ctx.fail("attributes nodes_* or leaf_* have different lengths");
  }
  Forest forest;
  forest.nodes.resize(count + leaves);
  forest.votes.resize(count + leaves);
  std::size_t member = 0;
  for (std::size_t i = 0; i < count; ++i) {
    TreeNode& node = forest.nodes[i];
    const std::int64_t mode = modes.span()[i];
    if (mode < 0 || mode > 6) return ctx.fail(fmt::format("node mode {} is unknown", mode));
    node.branch = static_cast<Branch>(mode);
    node.feature = features[i];
    node.value = splits.span()[i];
    node.nan_is_true = !missing.empty() && missing[i] != 0;
    for (bool yes : {true, false}) {
      const bool leaf = (yes ? true_leaf[i] : false_leaf[i]) != 0;
      const std::int64_t child = yes ? on_true[i] : on_false[i];
      if (child < 0 || child >= static_cast<std::int64_t>(leaf ? leaves : count)) {
        return ctx.fail(fmt::format("node {} has no child {}", i, child));
      }
      (yes ? node.on_true : node.on_false) =
          leaf ? child + static_cast<std::int64_t>(count) : child;
    }
    if (node.branch != Branch::member) continue;
    auto& members_of = forest.members[static_cast<std::int64_t>(i)];
    if (member >= members.size()) return ctx.fail("membership_values has too few sets");
    for (; member < members.size() && !std::isnan(members.span()[member]); ++member) {
      members_of.push_back(members.span()[member]);
    }
    ++member;  // the NaN between two sets
  }
  for (std::size_t i = 0; i < leaves; ++i) {
    if (leaf_targets[i] < 0 || leaf_targets[i] >= targets) {
      return ctx.fail(fmt::format("leaf {} is for an unknown target", i));
    }
    forest.votes[count + i].push_back({leaf_targets[i], weights.span()[i]});
  }
  for (std::int64_t root : roots) {
    if (root < 0 || root >= static_cast<std::int64_t>(count)) {
      return ctx.fail(fmt::format("root {} is unknown", root));
    }
  }
  forest.roots = roots;
  return forest;
}

Status check_features(const KernelContext& ctx, const Forest& forest, const Features& x) {
  for (const TreeNode& node : forest.nodes) {
    if (node.branch != Branch::leaf && (node.feature < 0 || node.feature >= x.size)) {
      return ctx.fail(fmt::format("feature {} of {} is asked for", node.feature, x.size));
    }
  }
  return {};
}

enum class Aggregate { average, sum, min, max };

std::unexpected<Error> circle_fault(const KernelContext& ctx) {
  return ctx.fail("a tree leads in a circle");
}

/// What the leaves say about one example; nullopt if a tree leads in a circle.
std::optional<std::vector<double>> aggregate(const Forest& forest, std::span<const double> x,
                                             std::int64_t targets, Aggregate how) {
  std::vector<double> scores(static_cast<std::size_t>(targets), 0);
  std::vector<bool> voted(scores.size(), false);
  for (std::int64_t root : forest.roots) {
    const std::int64_t leaf = forest.leaf(root, x);
    if (leaf < 0) return std::nullopt;
    for (const Vote& vote : forest.votes[static_cast<std::size_t>(leaf)]) {
      const auto at = static_cast<std::size_t>(vote.target);
      double& score = scores[at];
      if (how == Aggregate::min)
        score = voted[at] ? std::min(score, vote.weight) : vote.weight;
      else if (how == Aggregate::max)
        score = voted[at] ? std::max(score, vote.weight) : vote.weight;
      else
        score += vote.weight;
      voted[at] = true;
    }
  }
  if (how == Aggregate::average && !forest.roots.empty()) {
    for (double& score : scores) score /= static_cast<double>(forest.roots.size());
  }
  return scores;
}

Status regress(KernelContext& ctx, const Forest& forest, std::int64_t targets, Aggregate how,
               const std::vector<double>& base, PostTransform transform, DataType type) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_CHECK(check_features(ctx, forest, x));
  ONNXCOMPAT_TRY(auto y, compute<double>(ctx, type, Dims{x.count, targets}));
  std::atomic<bool> circle = false;
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      auto scores = aggregate(forest, x.row(n), targets, how);
      if (!scores) {
        circle = true;
        return;
      }
      for (std::size_t t = 0; t < scores->size() && !base.empty(); ++t) (*scores)[t] += base[t];
      apply_transform(transform, *scores);
      std::ranges::copy(*scores, y.data() + n * targets);
    }
  };
  parallel_for(x.count, static_cast<std::int64_t>(forest.roots.size()) * 32, run);
  if (circle) return circle_fault(ctx);
  ctx.set(0, y.finish());
  return {};
}

// [TreeEnsembleRegressor-1] [TreeEnsembleRegressor-3]
Status tree_ensemble_regressor(KernelContext& ctx) {
  static constexpr std::string_view kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  const std::string how = ctx.string_attr("aggregate_function", "SUM");
  const auto* known = std::ranges::find(kAggregates, how);
  if (known == std::end(kAggregates)) {
    return ctx.fail(fmt::format("aggregate_function \"{}\" is unknown", how));
  }
  const std::int64_t targets = ctx.int_attr("n_targets", 1);
  if (targets < 1 || targets > (1 << 24)) return ctx.fail("n_targets is out of range");
  ONNXCOMPAT_TRY(const auto forest,
                 ctx.prepared<Forest>([&] { return read_named_forest(ctx, "target", targets); }));
  ONNXCOMPAT_TRY(const auto base, read_numbers(ctx, "base_values"));
  if (!base.empty() && static_cast<std::int64_t>(base.size()) != targets) {
    return ctx.fail("base_values has not one value a target");
  }
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  return regress(ctx, *forest, targets, static_cast<Aggregate>(known - kAggregates), base,
                 transform, DataType::float32);
}

// [TreeEnsemble-5]
Status tree_ensemble(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const std::int64_t targets = ctx.int_attr("n_targets", 1);
  const std::int64_t how = ctx.int_attr("aggregate_function", 1);
  const std::int64_t transform = ctx.int_attr("post_transform", 0);
  if (targets < 1 || targets > (1 << 24) || how < 0 || how > 3 || transform < 0 || transform > 4) {
    return ctx.fail("n_targets, aggregate_function or post_transform is out of range");
  }
  ONNXCOMPAT_TRY(const auto forest,
                 ctx.prepared<Forest>([&] { return read_forest(ctx, targets); }));
  return regress(ctx, *forest, targets, static_cast<Aggregate>(how), {},
                 static_cast<PostTransform>(transform), ctx.input(0).type());
}

// [TreeEnsembleClassifier-1] [TreeEnsembleClassifier-3]
Status tree_ensemble_classifier(KernelContext& ctx) {
  const auto labels = static_cast<std::int64_t>(std::max(
      ctx.strings_attr("classlabels_strings").size(), ctx.ints_attr("classlabels_int64s").size()));
  if (labels < 1) return ctx.fail("there are no class labels");
  ONNXCOMPAT_TRY(const auto shared,
                 ctx.prepared<Forest>([&] { return read_named_forest(ctx, "class", labels); }));
  const Forest& forest = *shared;
  ONNXCOMPAT_TRY(const auto base, read_numbers(ctx, "base_values"));
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_CHECK(check_features(ctx, forest, x));
  // Two labels with votes for one of them only: the other has what is left. Probabilities (no
  // weight is negative) decide at one half, margins at zero.
  std::vector<std::int64_t> named = ctx.ints_attr("class_ids");
  const bool single =
      labels == 2 && !named.empty() &&
      std::ranges::all_of(named, [&](std::int64_t id) { return id == named.front(); });
  if (!base.empty() && base.size() != static_cast<std::size_t>(labels) &&
      !(single && base.size() == 1)) {
    return ctx.fail("base_values has not one value a class");
  }
  bool negative = false;
  for (const auto& votes : forest.votes) {
    for (const Vote& vote : votes) negative = negative || vote.weight < 0;
  }
  ONNXCOMPAT_TRY(auto z, compute<double>(ctx, DataType::float32, Dims{x.count, labels}));
  std::vector<std::int64_t> classes;
  for (std::int64_t n = 0; n < x.count; ++n) {
    auto found = aggregate(forest, x.row(n), labels, Aggregate::sum);
    if (!found) return circle_fault(ctx);
    auto scores = *std::move(found);
    if (single) {
      double score = scores[static_cast<std::size_t>(named.front())];
      if (!base.empty()) score += base.back();
      classes.push_back(score > (negative ? 0 : 0.5) ? 1 : 0);
      scores = with_second_score(transform, score,
                                 negative ? SecondScore::negation : SecondScore::complement);
    } else {
      for (std::size_t c = 0; c < base.size(); ++c) scores[c] += base[c];
      classes.push_back(std::ranges::max_element(scores) - scores.begin());
      apply_transform(transform, scores);
    }
    std::ranges::copy(scores, z.data() + n * labels);
  }
  ONNXCOMPAT_CHECK(set_labels(ctx, 0, classes, "classlabels_strings", "classlabels_int64s"));
  if (ctx.wants(1)) ctx.set(1, z.finish());
  return {};
}

}  // namespace

std::span<const KernelRow> ml_tree_kernels() {
  static constexpr KernelRow rows[] = {
      {"ai.onnx.ml", "TreeEnsembleRegressor", 1, 4, tree_ensemble_regressor},
      {"ai.onnx.ml", "TreeEnsembleClassifier", 1, 4, tree_ensemble_classifier},
      {"ai.onnx.ml", "TreeEnsemble", 5, kUnbounded, tree_ensemble},
  };
  return rows;
}

}  // namespace onnxcompat::executor
