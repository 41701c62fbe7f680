#pragma once

// Every transition between neighbouring versions of an operator has a verdict here. Code rules over
// rows, rows over what the schemas prove.

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/convert.h"
#include "adapters/node_edit.h"
#include "versiontable/schema.h"

namespace onnxcompat::adapters {

/// The value that an older version had built in: `was(0)`, `was("stretch")`.
using Was = std::variant<std::int64_t, float, std::string>;
inline Was was(int value) { return std::int64_t{value}; }
inline Was was(float value) { return value; }
inline Was was(const char* value) { return std::string(value); }

/// One transition between neighbouring versions. Each declaration says what happens both ways, so
/// that the two cannot drift apart. Actions run in the order in which they were declared, the way
/// down as well; the first that refuses or replaces the node ends it.
class Transition {
 public:
  Transition(std::string_view of_domain, std::string_view op_name, int older, int newer)
      : domain(of_domain), op(op_name), from(older), to(newer) {}

  // What a row declares.

  /// Nothing but wording changed.
  Transition& same();
  /// An attribute was added. Up: written where its default is not the old behaviour. Down: dropped
  /// where it holds the old behaviour, otherwise `otherwise` deals with it, or it is refused.
  Transition& added(std::string_view attribute, const Was& old, Action otherwise = {});
  /// Likewise for an INTS attribute whose old behaviour is `each` in every element.
  Transition& added_ints(std::string_view attribute, std::int64_t each, Action otherwise = {});
  /// An attribute without meaning was dropped.
  Transition& dropped(std::string_view attribute);
  /// An INTS or INT attribute became the int64 input `index`. Down: a constant input is folded,
  /// `otherwise` deals with one that is not.
  Transition& attr_to_input(std::string_view attribute, int index, Action otherwise = {});
  /// Optional inputs from `index` on were added. Down: refused (or `otherwise`) where one is given.
  Transition& added_input(int index, Action otherwise = {});
  /// An axis attribute may be negative from here on, counting from the rank of input `input` plus
  /// `extra`. Down: made non-negative; `otherwise` where the rank is not known.
  Transition& negative_axis(std::string_view attribute, int input = 0, int extra = 0,
                            Action otherwise = {});
  /// Likewise for an attribute holding several axes.
  Transition& negative_axes(std::string_view attribute, int input = 0, Action otherwise = {});
  /// Values of a STRING attribute were renamed.
  Transition& renamed_values(std::string_view attribute,
                             const std::vector<std::pair<std::string, std::string>>& old_to_new);

  // What is written.
  Transition& up(Action action);
  Transition& down(Action action);
  Transition& note(std::string_view text);

  std::string_view domain;
  std::string_view op;
  int from;
  int to;
  Authority authority = Authority::derived;
  bool combined = false;  ///< a combinator declared it, not only a row without any change
  bool has_verdict = false;
  std::vector<Action> up_actions;
  std::vector<Action> down_actions;
  std::string remark;

 private:
  Transition& declare(bool changes = true);
};

/// A rewrite of an operator into older ones, for targets below its first version.
struct Expansion {
  std::string_view domain;
  std::string_view op;
  int since = 0;  ///< the operator's first version
  Action action;
  std::string remark;
};

class Registry {
 public:
  static const Registry& instance();

  // For the family files.
  Transition& at(std::string_view op, int from, int to) { return at_in({}, op, from, to); }
  Transition& at_in(std::string_view domain, std::string_view op, int from, int to);
  /// How to write an operator in older ones; `lowest` is the lowest opset they are written for.
  void expand(std::string_view op, Action action, std::string_view remark = {}) {
    expand_in({}, op, std::move(action), remark);
  }
  void expand_in(std::string_view domain, std::string_view op, Action action,
                 std::string_view remark = {});
  /// Why older operators cannot say what an operator of ai.onnx does.
  void inexpressible(std::string_view op, std::string_view reason);
  /// How to write an experimental operator of early releases, which no opset has.
  void experimental(std::string_view op, Action action, std::string_view remark = {});

  // For the engine.
  const Transition* find(std::string_view domain, std::string_view op, int from, int to) const;
  const Expansion* expansion(std::string_view domain, std::string_view op) const;
  const Expansion* experimental(std::string_view op) const;
  /// Why there is no expansion; empty if there is one, or nothing is known.
  std::string_view inexpressible(std::string_view domain, std::string_view op) const;
  /// Rows that name what the tables do not hold, or the same thing twice.
  const std::vector<std::string>& mistakes() const { return mistakes_; }
  /// Every transition of the tables, with a verdict or not, in the order of the tables.
  std::vector<const Transition*> transitions() const;
  std::vector<const Expansion*> expansions() const;

 private:
  Registry();
  void derive();
  using Key = std::pair<std::string_view, std::string_view>;
  std::map<Key, std::vector<std::unique_ptr<Transition>>> transitions_;
  std::map<Key, Expansion> expansions_;
  std::map<std::string_view, Expansion> experimental_;
  std::map<std::string_view, std::string_view> inexpressible_;
  std::vector<std::string> mistakes_;
};

}  // namespace onnxcompat::adapters
