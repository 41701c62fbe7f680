#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "adapters/context.h"
#include "adapters/domain_map.h"
#include "adapters/node_edit.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {

/// Takes the nodes of one root body after the other from their opset to the target.
class Engine {
 public:
  explicit Engine(Context& context) : context_(context), registry_(Registry::instance()) {}

  void convert(Root& root);

 private:
  /// The original node that all work in hand is for.
  struct Place {
    const Body& body;
    int index;
  };
  /// What a formal parameter took at the start and does not take at the target.
  struct LostTypes {
    bool input;
    std::size_t formal;  ///< in the target's schema
    std::vector<std::string_view> types;
  };
  /// The way of one operator from one opset to another, worked out once.
  struct Plan {
    const OpSchema* start = nullptr;  ///< null: the operator does not exist at that opset
    const OpSchema* end = nullptr;    ///< null: below the first version
    std::vector<std::pair<const Transition*, bool>> steps;  ///< the bool: up
    const Expansion* expansion = nullptr;
    const Expansion* experimental = nullptr;
    std::vector<LostTypes> lost;
    bool emitted = false;  ///< for nodes that adapters add, whatever opset they are written in
    bool quiet = false;    ///< nothing to run and nothing to check
    int nodes = 0;         ///< that went this way unchanged
  };

  void convert_body(BodyEditor editor, const Scope& scope);
  void advance(Added added, Scope& scope, const Place& place, std::vector<OwnedNode>& out,
               int depth);
  /// The same for a node of a domain that its owner declared.
  void advance_mapped(const DomainMap& map, Added added, Scope& scope, const Place& place,
                      std::vector<OwnedNode>& out, int depth);
  /// Ends one step: logs it, emits what came before the node, keeps what comes after.
  /// False if the node is gone (replaced or refused).
  bool settle(NodeEdit& edit, Authority authority, std::string_view remark, Scope& scope,
              const Place& place, std::vector<OwnedNode>& out,
              std::vector<std::vector<Added>>& after, int depth);
  /// False if the node was replaced.
  bool check_types(Plan& plan, OwnedNode& node, Scope& scope, const Place& place,
                   const Finish& finish, std::vector<OwnedNode>& out,
                   std::vector<std::vector<Added>>& after, int depth);
  Plan& plan(std::string_view domain, const std::string& op, int opset, int target, bool emitted);
  void refuse(const Place& place, std::string rule, std::string reason, std::string hint = {});
  void log_unchanged();

  Context& context_;
  const Registry& registry_;
  std::map<std::tuple<std::string, std::string, int, int, bool>, Plan> plans_;
  /// Domain, operator, from, to: nodes on which the actions of a transition had nothing to do.
  std::map<std::tuple<std::string, std::string, int, int>, int> unchanged_;
};

/// Rewrites a node whose element types its operator does not take at the target: it works on a
/// wider type, with Casts around it. Refuses where that is not exact or the target has no Cast.
void detour(NodeEdit& e, const OpSchema& schema);

}  // namespace onnxcompat::adapters
