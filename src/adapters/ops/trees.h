#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// A forest as TreeEnsembleRegressor-3 and TreeEnsembleClassifier-3 write it: one row a node, named
/// by tree and node id, and one row a vote of a leaf.
struct Forest {
  struct Node {
    std::int64_t tree = 0;
    std::int64_t id = 0;
    std::int64_t feature = 0;
    std::string mode;  ///< "LEAF", "BRANCH_LEQ"…
    double value = 0;
    double hitrate = 0;
    std::int64_t if_true = 0;  ///< node id
    std::int64_t if_false = 0;
    bool missing_goes_true = false;
  };
  struct Vote {
    std::int64_t tree = 0;
    std::int64_t node = 0;
    std::int64_t target = 0;
    double weight = 0;
  };
  std::vector<Node> nodes;
  std::vector<Vote> votes;
  bool hitrates = false;
};

/// Reads the attributes; `votes` is "target" or "class". Refuses what does not hang together.
std::optional<Forest> read_forest(NodeEdit& e, const std::string& votes);

/// How trees are put together, as numbered by [TreeEnsemble-5].
enum class Aggregate : std::uint8_t { average = 0, sum = 1, min = 2, max = 3 };

/// Adds trees that say the same of everything: a value for each target; for the least and the
/// greatest only where a target has no votes.
void add_constants(Forest& forest, const std::vector<double>& values, Aggregate aggregate);
/// Does any leaf vote for several targets?
bool has_divided_leaves(const Forest& forest);
/// How many trees there are.
std::int64_t count_trees(const Forest& forest);

/// The weight of a leaf that does not vote: it changes neither a sum, nor the least, nor the
/// greatest of votes.
double no_vote(Aggregate aggregate);
/// May a target be without votes that TreeEnsemble-5 should make 0, or `biased` its base value, of?
bool leaves_gaps(const Forest& forest, Aggregate aggregate, bool biased);

/// The attributes of TreeEnsemble-5 [TreeEnsemble-5]. Elements of tensors are of `type`. A leaf
/// that votes for several targets makes one tree for each of them, which adds up the same, and has
/// the same least and greatest votes. nullopt with a reason where trees do not hang together.
std::optional<Attrs> tree_ensemble(const Forest& forest, DataType type, Aggregate aggregate,
                                   std::string& reason);

/// The forest of a TreeEnsemble-5; a node that asks for membership in a set as one node for each
/// member.
std::optional<Forest> read_tree_ensemble(NodeEdit& e);

/// The numbers of a FLOATS attribute, or of its TENSOR form `name`_as_tensor.
std::optional<std::vector<double>> float_list(NodeEdit& e, const std::string& name);

}  // namespace onnxcompat::adapters
