#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>

#include "executor/kernels/ml_scores.h"

namespace onnxcompat::executor {
namespace {

enum class Branch : std::uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };

struct Vote {
  std::int64_t target;
  double weight;
};

/// 24 bytes: of a forest that does not fit the cache, every step is a miss.
struct TreeNode {
  double value = 0;
  std::int32_t feature = 0;
  std::array<std::int32_t, 2> next{};  ///< nodes: if not, if so. A leaf leads to itself.
  Branch branch = Branch::leaf;
  bool nan_is_true = false;
};

constexpr std::size_t kMostNodes = std::numeric_limits<std::int32_t>::max();

/// Examples that walk a tree side by side: their cache misses overlap.
constexpr std::size_t kLanes = 16;

struct Forest {
  std::vector<TreeNode> nodes;
  std::vector<std::int64_t> roots;
  std::map<std::int64_t, std::vector<double>> members;  ///< of nodes that ask for membership
  std::vector<std::vector<Vote>> votes;                 ///< of each node; leaves have them
  bool only_leq = true;                                 ///< as in nearly every ensemble

  /// After the nodes are there.
  void finish() {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i].branch == Branch::leaf) {
        nodes[i].next.fill(static_cast<std::int32_t>(i));
      } else {
        only_leq = only_leq && nodes[i].branch == Branch::leq;
      }
    }
  }

  /// The leaves that up to kLanes examples, from `first` on, reach; false if the nodes lead in a
  /// circle.
  bool leaves(std::int64_t root, const Features& x, std::int64_t first,
              std::span<std::int32_t> at) const {
    std::array<const double*, kLanes> rows{};
    for (std::size_t i = 0; i < at.size(); ++i) {
      rows[i] = x.row(first + static_cast<std::int64_t>(i)).data();
      at[i] = static_cast<std::int32_t>(root);
    }
    for (std::size_t steps = 0; steps <= nodes.size(); ++steps) {
      bool moved = false;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const TreeNode& node = nodes[static_cast<std::size_t>(at[i])];
        const double value = rows[i][node.feature];
        const bool yes = only_leq ? (value <= node.value) | (node.nan_is_true & (value != value))
                                  : follows(at[i], node, value);
        moved |= node.branch != Branch::leaf;
        at[i] = node.next[yes ? 1 : 0];
      }
      if (!moved) return true;
    }
    return false;
  }

 private:
  bool follows(std::int64_t at, const TreeNode& node, double x) const {
    if (std::isnan(x)) return node.nan_is_true;
    switch (node.branch) {
      case Branch::leaf:
        return true;
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
      case Branch::member:
        return std::ranges::find(members.at(at), x) != members.at(at).end();
    }
    return false;
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

Result<std::int32_t> feature_number(const KernelContext& ctx, std::int64_t feature) {
  if (feature >= 0 && feature <= std::numeric_limits<std::int32_t>::max()) {
    return static_cast<std::int32_t>(feature);
  }
  return ctx.fail(fmt::format("feature {} is asked for", feature));
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
  if (count > kMostNodes) return ctx.fail("there are too many nodes");
  Forest forest;
  forest.nodes.resize(count);
  forest.votes.resize(count);
  std::vector<bool> is_child(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    TreeNode& node = forest.nodes[i];
    ONNXCOMPAT_TRY(node.branch, branch_named(ctx, modes[i]));
    if (node.branch == Branch::leaf) continue;
    ONNXCOMPAT_TRY(node.feature, feature_number(ctx, features[i]));
    node.value = values[i];
    node.nan_is_true = !missing.empty() && missing[i] != 0;
    for (bool yes : {true, false}) {
      const auto child = places.find({trees[i], yes ? on_true[i] : on_false[i]});
      if (child == places.end()) return ctx.fail("a node has no child of the stated id");
      node.next[yes ? 1 : 0] = static_cast<std::int32_t>(child->second);
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
  forest.finish();
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
  if (count + leaves > kMostNodes) return ctx.fail("there are too many nodes");
  Forest forest;
  forest.nodes.resize(count + leaves);
  forest.votes.resize(count + leaves);
  std::size_t member = 0;
  for (std::size_t i = 0; i < count; ++i) {
    TreeNode& node = forest.nodes[i];
    const std::int64_t mode = modes.span()[i];
    if (mode < 0 || mode > 6) return ctx.fail(fmt::format("node mode {} is unknown", mode));
    node.branch = static_cast<Branch>(mode);
    ONNXCOMPAT_TRY(node.feature, feature_number(ctx, features[i]));
    node.value = splits.span()[i];
    node.nan_is_true = !missing.empty() && missing[i] != 0;
    for (bool yes : {true, false}) {
      const bool leaf = (yes ? true_leaf[i] : false_leaf[i]) != 0;
      const std::int64_t child = yes ? on_true[i] : on_false[i];
      if (child < 0 || child >= static_cast<std::int64_t>(leaf ? leaves : count)) {
        return ctx.fail(fmt::format("node {} has no child {}", i, child));
      }
      node.next[yes ? 1 : 0] =
          static_cast<std::int32_t>(leaf ? child + static_cast<std::int64_t>(count) : child);
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
  forest.finish();
  return forest;
}

Status check_features(const KernelContext& ctx, const Forest& forest, const Features& x) {
  for (const TreeNode& node : forest.nodes) {
    if (node.feature >= x.size && (node.branch != Branch::leaf || x.size == 0)) {
      return ctx.fail(fmt::format("feature {} of {} is asked for", node.feature, x.size));
    }
  }
  return {};
}

enum class Aggregate { average, sum, min, max };

std::unexpected<Error> circle_fault(const KernelContext& ctx) {
  return ctx.fail("a tree leads in a circle");
}

/// What the leaves say about some examples, one row of `targets` scores for each. Every score sums
/// up in the order of the trees. False if a tree leads in a circle.
bool aggregate(const Forest& forest, const Features& x, std::int64_t first, std::int64_t last,
               std::int64_t targets, Aggregate how, double* scores) {
  const auto width = static_cast<std::size_t>(targets);
  const bool extreme = how == Aggregate::min || how == Aggregate::max;
  std::fill_n(scores, (last - first) * targets, 0.0);
  // Trees go round within a block of examples: a tree's nodes stay in the cache, as do the
  // examples.
  static constexpr std::int64_t kBlock = 8 * static_cast<std::int64_t>(kLanes);
  for (std::int64_t block = first; block < last; block += kBlock) {
    const std::int64_t end = std::min(block + kBlock, last);
    std::vector<bool> voted(extreme ? static_cast<std::size_t>(end - block) * width : 0, false);
    for (const std::int64_t root : forest.roots) {
      for (std::int64_t n = block; n < end; n += static_cast<std::int64_t>(kLanes)) {
        std::array<std::int32_t, kLanes> places{};
        const std::span at(places.data(), std::min(kLanes, static_cast<std::size_t>(end - n)));
        if (!forest.leaves(root, x, n, at)) return false;
        for (std::size_t i = 0; i < at.size(); ++i) {
          const std::int64_t example = n + static_cast<std::int64_t>(i);
          double* own = scores + (example - first) * targets;
          for (const Vote& vote : forest.votes[static_cast<std::size_t>(at[i])]) {
            double& score = own[vote.target];
            if (!extreme) {
              score += vote.weight;
              continue;
            }
            const std::size_t flag = static_cast<std::size_t>(example - block) * width +
                                     static_cast<std::size_t>(vote.target);
            score = !voted[flag]            ? vote.weight
                    : how == Aggregate::min ? std::min(score, vote.weight)
                                            : std::max(score, vote.weight);
            voted[flag] = true;
          }
        }
      }
    }
  }
  if (how == Aggregate::average && !forest.roots.empty()) {
    const auto trees = static_cast<double>(forest.roots.size());
    for (std::int64_t i = 0; i < (last - first) * targets; ++i) scores[i] /= trees;
  }
  return true;
}

Status regress(KernelContext& ctx, const Forest& forest, std::int64_t targets, Aggregate how,
               const std::vector<double>& base, PostTransform transform, DataType type) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_CHECK(check_features(ctx, forest, x));
  ONNXCOMPAT_TRY(auto y, compute<double>(ctx, type, Dims{x.count, targets}));
  std::atomic<bool> circle = false;
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    double* rows = y.data() + begin * targets;
    if (!aggregate(forest, x, begin, end, targets, how, rows)) {
      circle = true;
      return;
    }
    std::vector<double> scores(static_cast<std::size_t>(targets));
    for (std::int64_t n = begin; n < end; ++n, rows += targets) {
      std::copy_n(rows, targets, scores.begin());
      for (std::size_t t = 0; t < base.size(); ++t) scores[t] += base[t];
      apply_transform(transform, scores);
      std::ranges::copy(scores, rows);
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
  std::vector<double> all(static_cast<std::size_t>(x.count * labels));
  if (!aggregate(forest, x, 0, x.count, labels, Aggregate::sum, all.data())) {
    return circle_fault(ctx);
  }
  for (std::int64_t n = 0; n < x.count; ++n) {
    std::vector<double> scores(all.begin() + n * labels, all.begin() + (n + 1) * labels);
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
