#include "adapters/ops/trees.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace onnxcompat::adapters {
namespace {

constexpr const char* kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                  "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};

std::int64_t mode_number(const std::string& mode) {
  const auto found = std::ranges::find(kModes, mode);
  return found == std::end(kModes) ? -1 : found - std::begin(kModes);
}

TensorLiteral vector_of(DataType type, const std::vector<double>& values) {
  return TensorLiteral::of(type, {static_cast<std::int64_t>(values.size())}, values);
}

}  // namespace

std::optional<std::vector<double>> float_list(NodeEdit& e, const std::string& name) {
  if (const auto a = e.attribute(name); a && !a->floats().empty()) {
    return std::vector<double>(a->floats().begin(), a->floats().end());
  }
  if (const auto a = e.attribute(name + "_as_tensor")) {
    const auto values = a->t().doubles();
    if (values) return *values;
    e.refuse(values.error().message);
  }
  return std::nullopt;
}

std::optional<Forest> read_forest(NodeEdit& e, const std::string& votes) {
  const Ints trees = e.int_list_or("nodes_treeids", {});
  const Ints ids = e.int_list_or("nodes_nodeids", {});
  const Ints features = e.int_list_or("nodes_featureids", {});
  const Ints if_true = e.int_list_or("nodes_truenodeids", {});
  const Ints if_false = e.int_list_or("nodes_falsenodeids", {});
  const Ints missing = e.int_list_or("nodes_missing_value_tracks_true", Ints(trees.size(), 0));
  const auto modes = e.attribute("nodes_modes");
  const auto values = float_list(e, "nodes_values");
  const auto hitrates = float_list(e, "nodes_hitrates");
  const Ints vote_trees = e.int_list_or(votes + "_treeids", {});
  const Ints vote_nodes = e.int_list_or(votes + "_nodeids", {});
  const Ints vote_ids = e.int_list_or(votes + "_ids", {});
  const auto weights = float_list(e, votes + "_weights");
  if (e.refused()) return std::nullopt;
  const std::size_t n = trees.size();
  const std::size_t v = vote_ids.size();
  if (!modes || !values || n == 0 || ids.size() != n || features.size() != n ||
      if_true.size() != n || if_false.size() != n || missing.size() != n || values->size() != n ||
      static_cast<std::size_t>(modes->strings().size()) != n ||
      (hitrates && hitrates->size() != n) || vote_trees.size() != v || vote_nodes.size() != v ||
      (weights ? weights->size() : 0) != v) {
    e.refuse("the lists that describe its trees differ in length");
    return std::nullopt;
  }
  Forest forest;
  forest.hitrates = hitrates.has_value();
  for (std::size_t i = 0; i < n; ++i) {
    forest.nodes.push_back({trees[i], ids[i], features[i], modes->strings()[static_cast<int>(i)],
                            (*values)[i], hitrates ? (*hitrates)[i] : 0, if_true[i], if_false[i],
                            missing[i] != 0});
  }
  for (std::size_t i = 0; i < v; ++i) {
    forest.votes.push_back({vote_trees[i], vote_nodes[i], vote_ids[i], (*weights)[i]});
  }
  return forest;
}

namespace {

/// Lists of TreeEnsemble-5 as they grow, tree by tree.
class EnsembleBuilder {
 public:
  EnsembleBuilder(const Forest& forest, Aggregate aggregate)
      : forest_(forest), aggregate_(aggregate) {
    for (std::size_t i = 0; i < forest.nodes.size(); ++i) {
      const auto& node = forest.nodes[i];
      if (by_id_.emplace(std::pair{node.tree, node.id}, i).second &&
          (trees_.empty() || !seen_.contains(node.tree))) {
        trees_.push_back(node.tree);
        seen_.insert(node.tree);
      }
    }
    for (const auto& vote : forest.votes) votes_[{vote.tree, vote.node}].push_back(vote);
  }

  bool build(std::string& reason) {
    for (const std::int64_t tree : trees_) {
      std::set<std::size_t> children;
      std::set<std::int64_t> targets;
      bool several = false;
      for (const auto& node : forest_.nodes) {
        if (node.tree != tree) continue;
        if (node.mode == "LEAF") {
          const auto it = votes_.find({tree, node.id});
          if (it == votes_.end()) continue;
          for (const auto& vote : it->second) {
            several = several || vote.target != it->second.front().target;
            targets.insert(vote.target);
          }
          continue;
        }
        for (const std::int64_t child : {node.if_true, node.if_false}) {
          const auto it = by_id_.find({tree, child});
          if (it == by_id_.end()) {
            reason = fmt::format("tree {} has no node {}", tree, child);
            return false;
          }
          children.insert(it->second);
        }
      }
      std::optional<std::size_t> root;
      for (std::size_t i = 0; i < forest_.nodes.size(); ++i) {
        if (forest_.nodes[i].tree == tree && !children.contains(i) && !root) root = i;
      }
      if (!root) {
        reason = fmt::format("tree {} has no root", tree);
        return false;
      }
      if (!several) targets = {-1};
      for (const std::int64_t target : targets) {
        if (!add_tree(*root, several ? std::optional(target) : std::nullopt, reason)) return false;
      }
    }
    return true;
  }

  Attrs attributes(DataType type) const {
    Attrs attrs{
        {"leaf_targetids", leaf_targets_},
        {"leaf_weights", vector_of(type, leaf_weights_)},
        {"nodes_falseleafs", false_leafs_},
        {"nodes_falsenodeids", false_ids_},
        {"nodes_featureids", features_},
        {"nodes_missing_value_tracks_true", missing_},
        {"nodes_modes", vector_of(DataType::uint8, modes_)},
        {"nodes_splits", vector_of(type, splits_)},
        {"nodes_trueleafs", true_leafs_},
        {"nodes_truenodeids", true_ids_},
        {"tree_roots", roots_},
    };
    if (forest_.hitrates) attrs.push_back({"nodes_hitrates", vector_of(type, hitrates_)});
    return attrs;
  }

 private:
  /// One tree, or that part of its votes which goes to one target.
  bool add_tree(std::size_t root, std::optional<std::int64_t> target, std::string& reason) {
    const std::int64_t tree = forest_.nodes[root].tree;
    roots_.push_back(static_cast<std::int64_t>(features_.size()));
    if (forest_.nodes[root].mode == "LEAF") {
      // A tree is at least one branch. Both ways lead to such a leaf: some runtimes lose one that
      // is met twice.
      add_node(0, 0, 0, 0, false);
      true_leafs_.back() = false_leafs_.back() = 1;
      true_ids_.back() = add_leaf(root, target);
      false_ids_.back() = add_leaf(root, target);
      return true;
    }
    struct Pending {
      std::size_t source;
      std::size_t parent;
      bool on_true;
    };
    std::vector<Pending> stack;
    std::size_t count = 0;
    const auto visit = [&](std::size_t source) {
      const Forest::Node& node = forest_.nodes[source];
      const std::int64_t mode = mode_number(node.mode);
      if (mode < 0 || ++count > forest_.nodes.size()) {
        reason = mode < 0 ? "unknown node mode " + node.mode : "a tree runs in a circle";
        return false;
      }
      add_node(node.feature, static_cast<double>(mode), node.value, node.hitrate,
               node.missing_goes_true);
      const std::size_t at = features_.size() - 1;
      stack.push_back({by_id_.at({tree, node.if_false}), at, false});
      stack.push_back({by_id_.at({tree, node.if_true}), at, true});
      return true;
    };
    if (!visit(root)) return false;
    // Some runtimes take a root for a leaf whose two branches have one number, be one a leaf and
    // one a node: the leaf gets its number later then.
    if (leaf_targets_.size() == features_.size()) std::swap(stack.front(), stack.back());
    while (!stack.empty()) {
      const Pending next = stack.back();
      stack.pop_back();
      const bool leaf = forest_.nodes[next.source].mode == "LEAF";
      const auto to =
          leaf ? add_leaf(next.source, target) : static_cast<std::int64_t>(features_.size());
      (next.on_true ? true_leafs_ : false_leafs_)[next.parent] = leaf ? 1 : 0;
      (next.on_true ? true_ids_ : false_ids_)[next.parent] = to;
      if (!leaf && !visit(next.source)) return false;
    }
    return true;
  }

  std::int64_t add_leaf(std::size_t source, std::optional<std::int64_t> target) {
    const Forest::Node& node = forest_.nodes[source];
    double weight = no_vote(aggregate_);
    std::int64_t id = target.value_or(0);
    if (const auto it = votes_.find({node.tree, node.id}); it != votes_.end()) {
      for (const auto& vote : it->second) {
        if (target && vote.target != *target) continue;
        weight = aggregate_ == Aggregate::min   ? std::min(weight, vote.weight)
                 : aggregate_ == Aggregate::max ? std::max(weight, vote.weight)
                                                : weight + vote.weight;
        id = vote.target;
      }
    }
    leaf_targets_.push_back(id);
    leaf_weights_.push_back(weight);
    return static_cast<std::int64_t>(leaf_targets_.size()) - 1;
  }

  void add_node(std::int64_t feature, double mode, double split, double hitrate, bool missing) {
    features_.push_back(feature);
    modes_.push_back(mode);
    splits_.push_back(split);
    hitrates_.push_back(hitrate);
    missing_.push_back(missing ? 1 : 0);
    for (Ints* list : {&true_ids_, &false_ids_, &true_leafs_, &false_leafs_}) list->push_back(0);
  }

  const Forest& forest_;
  Aggregate aggregate_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> by_id_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Forest::Vote>> votes_;
  std::vector<std::int64_t> trees_;
  std::set<std::int64_t> seen_;
  Ints roots_, features_, true_ids_, false_ids_, true_leafs_, false_leafs_, missing_, leaf_targets_;
  std::vector<double> modes_, splits_, hitrates_, leaf_weights_;
};

}  // namespace

bool has_divided_leaves(const Forest& forest) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> targets;
  return std::ranges::any_of(forest.votes, [&](const Forest::Vote& vote) {
    return targets.emplace(std::pair{vote.tree, vote.node}, vote.target).first->second !=
           vote.target;
  });
}

void add_constants(Forest& forest, const std::vector<double>& values, Aggregate aggregate) {
  std::set<std::int64_t> used, voted;
  if (no_vote(aggregate) != 0) {
    for (const auto& vote : forest.votes) voted.insert(vote.target);
  }
  for (const auto& node : forest.nodes) used.insert(node.tree);
  std::int64_t tree = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto target = static_cast<std::int64_t>(i);
    if (voted.contains(target)) continue;
    while (!used.insert(tree).second) ++tree;
    forest.nodes.push_back({tree, 0, 0, "LEAF", 0, 0, 0, 0, false});
    forest.votes.push_back({tree, 0, target, values[i]});
  }
}

double no_vote(Aggregate aggregate) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return aggregate == Aggregate::min ? kInfinity : aggregate == Aggregate::max ? -kInfinity : 0;
}

bool leaves_gaps(const Forest& forest, Aggregate aggregate, bool biased) {
  if (no_vote(aggregate) == 0) return false;
  std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int64_t>> targets;
  for (const auto& vote : forest.votes) targets[{vote.tree, vote.node}].insert(vote.target);
  const bool each = biased || has_divided_leaves(forest);
  std::map<std::int64_t, std::set<std::int64_t>> of_tree;
  for (const auto& node : forest.nodes) {
    if (node.mode != "LEAF") continue;
    const auto& own = targets[{node.tree, node.id}];
    const auto& others = of_tree.emplace(node.tree, own).first->second;
    if (own.empty() || (each && own != others)) return true;
  }
  return false;
}

std::int64_t count_trees(const Forest& forest) {
  std::set<std::int64_t> trees;
  for (const Forest::Node& node : forest.nodes) trees.insert(node.tree);
  return std::ssize(trees);
}

std::optional<Attrs> tree_ensemble(const Forest& forest, DataType type, Aggregate aggregate,
                                   std::string& reason) {
  EnsembleBuilder builder(forest, aggregate);
  if (!builder.build(reason)) return std::nullopt;
  return builder.attributes(type);
}

namespace {

/// The mode BRANCH_MEMBER.
constexpr std::size_t kMember = std::size(kModes);
/// Sets and shared branches may blow a tree up; larger ones are refused.
constexpr std::size_t kMostNodes = std::size_t{1} << 18;

/// The set of each node that asks for membership: they stand in the order of those nodes, with NaN
/// between them [TreeEnsemble-5 membership_values].
std::map<std::size_t, std::vector<double>> member_sets(const std::vector<double>& modes,
                                                       const std::vector<double>& values) {
  std::map<std::size_t, std::vector<double>> sets;
  auto next = values.begin();
  for (std::size_t node = 0; node < modes.size(); ++node) {
    if (modes[node] != static_cast<double>(kMember)) continue;
    std::vector<double>& set = sets[node];
    while (next != values.end() && !std::isnan(*next)) set.push_back(*next++);
    if (next != values.end()) ++next;
  }
  return sets;
}

}  // namespace

std::optional<Forest> read_tree_ensemble(NodeEdit& e) {
  const Ints roots = e.int_list_or("tree_roots", {});
  const Ints features = e.int_list_or("nodes_featureids", {});
  const Ints true_ids = e.int_list_or("nodes_truenodeids", {});
  const Ints false_ids = e.int_list_or("nodes_falsenodeids", {});
  const Ints true_leafs = e.int_list_or("nodes_trueleafs", {});
  const Ints false_leafs = e.int_list_or("nodes_falseleafs", {});
  const Ints missing = e.int_list_or("nodes_missing_value_tracks_true", Ints(features.size(), 0));
  const Ints targets = e.int_list_or("leaf_targetids", {});
  const auto numbers = [&](const char* name) -> std::vector<double> {
    const auto a = e.attribute(name);
    if (!a) return {};
    const auto values = a->t().doubles();
    return values ? *values : std::vector<double>{};
  };
  const auto modes = numbers("nodes_modes");
  const auto splits = numbers("nodes_splits");
  const auto hitrates = numbers("nodes_hitrates");
  const auto weights = numbers("leaf_weights");
  const auto members = member_sets(modes, numbers("membership_values"));
  if (e.refused()) return std::nullopt;
  const std::size_t n = features.size();
  if (true_ids.size() != n || false_ids.size() != n || true_leafs.size() != n ||
      false_leafs.size() != n || missing.size() != n || modes.size() != n || splits.size() != n ||
      weights.size() != targets.size() || (!hitrates.empty() && hitrates.size() != n)) {
    e.refuse("the lists that describe its trees differ in length");
    return std::nullopt;
  }
  Forest forest;
  forest.hitrates = !hitrates.empty();
  for (std::size_t tree = 0; tree < roots.size(); ++tree) {
    const auto tree_id = static_cast<std::int64_t>(tree);
    struct Pending {
      std::int64_t at;
      bool leaf;
      std::int64_t id;
    };
    std::int64_t next_id = 1;
    std::vector<Pending> stack{{roots[tree], false, 0}};
    while (!stack.empty()) {
      const Pending now = stack.back();
      stack.pop_back();
      const std::size_t limit = now.leaf ? targets.size() : n;
      if (now.at < 0 || static_cast<std::size_t>(now.at) >= limit ||
          forest.nodes.size() > kMostNodes) {
        e.refuse("its trees do not hang together, or are too large");
        return std::nullopt;
      }
      const auto at = static_cast<std::size_t>(now.at);
      if (now.leaf) {
        forest.nodes.push_back({tree_id, now.id, 0, "LEAF", 0, 0, 0, 0, false});
        forest.votes.push_back({tree_id, now.id, targets[at], weights[at]});
        continue;
      }
      const auto mode = static_cast<std::size_t>(modes[at]);
      if (mode == kMember) {
        // Equal to one of them, or to the next: the way of a member is written out for each.
        const auto set = members.find(at);
        std::vector<std::pair<const char*, double>> questions;
        if (set != members.end()) {
          for (const double member : set->second) questions.emplace_back("BRANCH_EQ", member);
        }
        // Only what is missing may be in an empty set.
        if (questions.empty()) {
          questions.emplace_back("BRANCH_LT", -std::numeric_limits<double>::infinity());
        }
        std::int64_t id = now.id;
        for (const auto& [question, value] : questions) {
          const std::int64_t if_true = next_id++;
          const std::int64_t if_false = next_id++;
          forest.nodes.push_back({tree_id, id, features[at], question, value,
                                  forest.hitrates ? hitrates[at] : 0, if_true, if_false,
                                  missing[at] != 0});
          stack.push_back({true_ids[at], true_leafs[at] != 0, if_true});
          id = if_false;
        }
        stack.push_back({false_ids[at], false_leafs[at] != 0, id});
        continue;
      }
      if (mode >= std::size(kModes)) {
        e.refuse("a node is of no known mode");
        return std::nullopt;
      }
      const std::int64_t if_true = next_id++;
      const std::int64_t if_false = next_id++;
      forest.nodes.push_back({tree_id, now.id, features[at], kModes[mode], splits[at],
                              forest.hitrates ? hitrates[at] : 0, if_true, if_false,
                              missing[at] != 0});
      stack.push_back({false_ids[at], false_leafs[at] != 0, if_false});
      stack.push_back({true_ids[at], true_leafs[at] != 0, if_true});
    }
  }
  return forest;
}

}  // namespace onnxcompat::adapters
