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

/// Does any leaf have several votes?
bool votes_several_times(const Forest& forest);
/// How many trees there are.
std::int64_t count_trees(const Forest& forest);

/// The attributes of TreeEnsemble-5 [TreeEnsemble-5]. Elements of tensors are of `type`. A leaf
/// that votes for several targets makes one tree for each of them, which adds up the same, and of
/// which the least and the greatest are the same where all leaves vote for the same targets.
/// nullopt with a reason where that is not so.
std::optional<Attrs> tree_ensemble(const Forest& forest, DataType type, Aggregate aggregate,
                                   std::string& reason);

/// The forest of a TreeEnsemble-5; a node that asks for membership in a set as one node for each
/// member.
std::optional<Forest> read_tree_ensemble(NodeEdit& e);

/// The numbers of a FLOATS attribute, or of its TENSOR form `name`_as_tensor.
std::optional<std::vector<double>> float_list(NodeEdit& e, const std::string& name);

}  // namespace onnxcompat::adapters
