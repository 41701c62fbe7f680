// Rules about the values of attributes and inputs. What holds for which operator version is in
// data/attribute_values.json; here is how a node is held against it.

#include <algorithm>
#include <cmath>
#include <set>

#include "checker/expression.h"
#include "checker/rules.h"
#include "support/data_type.h"
#include "versiontable/value_facts.h"

namespace onnxcompat::rules {
namespace {

using Kind = ValueFact::Kind;

std::string version_of(const OpSchema& schema) {
  return fmt::format("{}-{}", schema.name, schema.since_version);
}

/// What the fact is on, for messages: `Attribute "axis" of Softmax-13`.
std::string called(const ValueFact& fact, const OpSchema& schema) {
  return fmt::format("{} \"{}\" of {}", fact.on_attribute() ? "Attribute" : "Input", fact.name(),
                     version_of(schema));
}

/// An expression as a person reads it: without what says where each name belongs.
std::string plain(std::string_view expression) {
  std::string out;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    for (const std::string_view prefix : {"attr.", "in.", "out."}) {
      const bool starts_word =
          i == 0 || (std::isalnum(static_cast<unsigned char>(expression[i - 1])) == 0 &&
                     expression[i - 1] != '_');
      if (starts_word && expression.substr(i).starts_with(prefix)) i += prefix.size();
    }
    out += expression[i];
  }
  return out;
}

std::string shown(const Term& t, bool as_type = false) {
  switch (t.kind) {
    case Term::Kind::integer:
      return as_type && t.i > 0 && t.i < kDataTypeCount
                 ? fmt::format("{} ({})", t.i, name_of(static_cast<DataType>(t.i)))
                 : fmt::format("{}", t.i);
    case Term::Kind::real:
      return fmt::format("{}", t.d);
    case Term::Kind::text:
      return fmt::format("\"{}\"", t.s);
    case Term::Kind::list: {
      std::string out = "[";
      for (std::size_t i = 0; i < t.items.size(); ++i) {
        if (i == 8) return out + ", …]";
        out += (i > 0 ? ", " : "") + shown(t.items[i]);
      }
      return out + "]";
    }
    default:
      return "?";
  }
}

/// The elements of a list, or the one value.
std::vector<Term> elements(Term t) {
  if (t.kind == Term::Kind::list) return std::move(t.items);
  std::vector<Term> one;
  if (t.kind != Term::Kind::unknown && t.kind != Term::Kind::unset) one.push_back(std::move(t));
  return one;
}

class FactCheck {
 public:
  FactCheck(const NodeAt& n, Sink& out) : n_(n), out_(out) {}

  template <class Wanted>
  void run(Wanted wanted) {
    const OpSchema* schema = n_.signature();
    if (schema == nullptr || n_.function) return;
    for (const ValueFact* fact : value_facts(*schema)) {
      if (wanted(*fact) && applies(*fact)) check(*fact);
    }
  }

 private:
  bool applies(const ValueFact& fact) const {
    if (!fact.subject.empty() && !is_given(n_, fact.subject)) return false;
    return fact.unless.empty() || compiled(fact.unless).holds(n_) == false;
  }

  Term value_of(const ValueFact& fact) const {
    return fact.on_attribute() ? attribute_term(n_, fact.name()) : contents_of(n_, fact.subject);
  }

  Place place_of(const ValueFact& fact) const {
    if (fact.on_attribute()) {
      const auto attributes = n_.node.attributes();
      for (int i = 0; i < attributes.size(); ++i) {
        if (attributes[i].name() == fact.name()) return at_attribute(n_.body, n_.index, i);
      }
    }
    if (fact.on_input()) {
      for (std::size_t i = 0; i < n_.schema->inputs.size(); ++i) {
        if (n_.schema->inputs[i].name == fact.name() && n_.node.has_input(static_cast<int>(i))) {
          return n_.input(static_cast<int>(i));
        }
      }
    }
    return n_.place();
  }

  template <class... Args>
  Sink::Added add(const ValueFact& fact, fmt::format_string<Args...> format, Args&&... args) {
    auto added = out_.add(place_of(fact), "{}", fmt::format(format, std::forward<Args>(args)...));
    if (fact.advice) added.as(Severity::warning);
    return added;
  }

  void check(const ValueFact& fact) {
    switch (fact.kind) {
      case Kind::values:
        return check_values(fact);
      case Kind::range:
        return check_range(fact, std::nullopt);
      case Kind::axis:
        return check_range(fact, rank_of(n_, fact.tensor));
      case Kind::length:
        return check_length(fact);
      case Kind::rank:
        return check_rank(fact);
      case Kind::distinct:
        return check_distinct(fact);
      case Kind::permutation:
        return check_permutation(fact);
      case Kind::condition:
        if (compiled(fact.is).holds(n_) != false) return;
        add(fact, "{} asks for {}, which does not hold here", version_of(*n_.schema),
            plain(fact.is));
        return;
    }
  }

  void check_values(const ValueFact& fact) {
    for (const Term& t : elements(value_of(fact))) {
      const bool text = t.kind == Term::Kind::text;
      if (text ? fact.texts.empty() : t.kind != Term::Kind::integer || fact.numbers.empty()) {
        continue;  // of another type than the attribute's: OCA009 speaks of it
      }
      if (text ? std::ranges::find(fact.texts, t.s) != fact.texts.end()
               : std::ranges::find(fact.numbers, t.i) != fact.numbers.end()) {
        continue;
      }
      add(fact, "{} is {}, which is not one of its values", called(fact, *n_.schema),
          shown(t, fact.types))
          .hint("Allowed: {}{}", allowed(fact), later_version(fact, t));
      return;
    }
  }

  std::string allowed(const ValueFact& fact) const {
    if (!fact.texts.empty()) return fmt::format("{}", fmt::join(fact.texts, ", "));
    if (!fact.types) return fmt::format("{}", fmt::join(fact.numbers, ", "));
    std::string out;
    for (const std::int64_t type : fact.numbers) {
      out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", type,
                         type == 0 ? "unset" : name_of(static_cast<DataType>(type)));
    }
    return out;
  }

  std::string later_version(const ValueFact& fact, const Term& t) const {
    for (const OpSchema& later : op_history(n_.schema->domain, n_.schema->name)) {
      if (later.since_version <= n_.schema->since_version || later.deprecated ||
          later.attribute(fact.name()) == nullptr) {
        continue;
      }
      if (t.kind == Term::Kind::text ? allows_value(later, fact.name(), t.s)
                                     : allows_value(later, fact.name(), t.i)) {
        return fmt::format("; {} {} allows it", display_domain(later.domain), later.since_version);
      }
    }
    return {};
  }

  void check_range(const ValueFact& fact, std::optional<int> rank) {
    if (fact.kind == Kind::axis && !rank) return;
    const auto bound = [&](std::string_view expression) {
      return expression.empty() ? Term{} : compiled(expression).evaluate(n_, rank);
    };
    const Term min = bound(fact.min);
    const Term max = bound(fact.max);
    for (const Term& t : elements(value_of(fact))) {
      if (!t.is_number()) continue;
      const bool below = min.is_number() && (fact.min_exclusive ? t.number() <= min.number()
                                                                : t.number() < min.number());
      const bool above = max.is_number() && (fact.max_exclusive ? t.number() >= max.number()
                                                                : t.number() > max.number());
      if (!below && !above && !std::isnan(t.number())) continue;
      if (fact.kind == Kind::axis) {
        add(fact, "{} is {}, which is no axis of {}, of rank {}", called(fact, *n_.schema),
            shown(t), plain(fact.tensor), *rank)
            .hint("Axes go from {} to {} here", shown(min), shown(max));
      } else {
        add(fact, "{} is {}; it must {}", called(fact, *n_.schema), shown(t), limits(fact));
      }
      return;
    }
  }

  static std::string limits(const ValueFact& fact) {
    std::string out;
    if (!fact.min.empty()) {
      out = fmt::format("be {} {}", fact.min_exclusive ? "above" : "at least", plain(fact.min));
    }
    if (fact.max.empty()) return out;
    return fmt::format("{}be {} {}", out.empty() ? "" : out + " and ",
                       fact.max_exclusive ? "below" : "at most", plain(fact.max));
  }

  void check_length(const ValueFact& fact) {
    const Term wanted = compiled(fact.is).evaluate(n_);
    const Term length = compiled_length(fact);
    if (wanted.kind != Term::Kind::integer || length.kind != Term::Kind::integer ||
        wanted.i == length.i) {
      return;
    }
    const std::string meaning = plain(fact.is);
    const std::string number = fmt::format("{}", wanted.i);
    add(fact, "{} has {} element{}, it must have {}{}", called(fact, *n_.schema), length.i,
        length.i == 1 ? "" : "s", number,
        meaning == number ? std::string{} : fmt::format(" ({})", meaning));
  }

  Term compiled_length(const ValueFact& fact) const {
    if (fact.on_attribute()) {
      const Term value = attribute_term(n_, fact.name());
      return value.kind == Term::Kind::list
                 ? Term::integer(static_cast<std::int64_t>(value.items.size()))
                 : Term{};
    }
    return vector_length(n_, fact.subject);
  }

  void check_rank(const ValueFact& fact) {
    const auto rank = rank_of(n_, fact.subject);
    if (!rank || compiled(fact.is).holds(n_, rank) != false) return;
    add(fact, "{} has rank {}; its rank r must be such that {}", called(fact, *n_.schema), *rank,
        plain(fact.is));
  }

  void check_distinct(const ValueFact& fact) {
    const auto rank = fact.tensor.empty() ? std::nullopt : rank_of(n_, fact.tensor);
    std::set<std::int64_t> seen;
    for (const Term& t : elements(value_of(fact))) {
      if (t.kind != Term::Kind::integer) return;
      if (seen.insert(t.i < 0 && rank ? t.i + *rank : t.i).second) continue;
      add(fact, "{} names {} twice", called(fact, *n_.schema), t.i);
      return;
    }
  }

  void check_permutation(const ValueFact& fact) {
    const Term value = value_of(fact);
    if (value.kind != Term::Kind::list) return;
    std::vector<std::int64_t> axes;
    for (const Term& t : value.items) axes.push_back(t.i);
    std::ranges::sort(axes);
    const auto rank = rank_of(n_, fact.tensor);
    bool right = !rank || axes.size() == static_cast<std::size_t>(*rank);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      right = right && axes[i] == static_cast<std::int64_t>(i);
    }
    if (right) return;
    add(fact, "{} is {}, which is no permutation of the axes of {}{}", called(fact, *n_.schema),
        shown(value), plain(fact.tensor), rank ? fmt::format(", of rank {}", *rank) : "");
  }

  const NodeAt& n_;
  Sink& out_;
};

template <Kind kind>
void of_attributes(const NodeAt& n, Sink& out) {
  if (n.node.attributes().empty()) return;
  FactCheck(n, out).run(
      [](const ValueFact& fact) { return fact.kind == kind && fact.on_attribute(); });
}

void conditions(const NodeAt& n, Sink& out, bool attributes, bool edges) {
  FactCheck(n, out).run([&](const ValueFact& fact) {
    return fact.kind == Kind::condition && fact.names_attributes == attributes &&
           fact.names_edges == edges;
  });
}

}  // namespace

const Rule attr_value_not_allowed{
    .id = "OCA015",
    .name = "attr-value-not-allowed",
    .purpose = "Checks that attributes have one of the values that their operator knows",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why =
        "Schemas say of which kind an attribute is, the text of the operator which values it "
        "takes: modes, directions, flags, element types. Runtimes refuse others, or read them as "
        "the default.",
    .bad = "y = GridSample <mode = \"linear\"> (x, grid) under opset 16",
    .good = "y = GridSample <mode = \"bilinear\"> (x, grid)",
    .fix = "Use one of the values that the operator has at this version",
    .needs_inference = true,
    .check = each_node(of_attributes<Kind::values>)};

const Rule attr_value_out_of_range{
    .id = "OCA016",
    .name = "attr-value-out-of-range",
    .purpose = "Checks that numbers in attributes are within what their operator allows",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why = "A group of 0 or a negative stride means nothing; what runtimes make of it differs.",
    .bad = "y = Conv <group = 0> (x, w)",
    .good = "y = Conv <group = 1> (x, w)",
    .fix = "Give a number that the operator allows",
    .needs_inference = true,
    .check = each_node(of_attributes<Kind::range>)};

const Rule attr_length{
    .id = "OCA017",
    .name = "attr-length",
    .purpose = "Checks that lists in attributes have as many elements as their operator wants",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why = "Pads, strides and the like have a number for each axis; others would be guessed.",
    .bad = "y = MaxPool <kernel_shape = [3, 3], strides = [2]> (x) for x of rank 4",
    .good = "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (x)",
    .fix = "Give a number for each axis",
    .needs_inference = true,
    .check = each_node(of_attributes<Kind::length>)};

const Rule attr_axis_out_of_range{
    .id = "OCA018",
    .name = "attr-axis-out-of-range",
    .purpose = "Checks that axes in attributes are axes of the tensor that they speak of",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why =
        "There is no such axis. Negative axes, counted from the back, came with opset 11 for most "
        "operators.",
    .bad = "y = Softmax <axis = 2> (x) for x of rank 2",
    .good = "y = Softmax <axis = 1> (x)",
    .fix = "Name an axis that the tensor has",
    .needs_inference = true,
    .check = each_node(of_attributes<Kind::axis>)};

const Rule attr_list_repeats{
    .id = "OCA019",
    .name = "attr-list-repeats",
    .purpose = "Checks that lists of axes name each axis once, and permutations all of them",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why = "An axis cannot be reduced, squeezed or moved twice.",
    .bad = "y = Transpose <perm = [0, 0]> (x)",
    .good = "y = Transpose <perm = [1, 0]> (x)",
    .fix = "Name each axis once",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      of_attributes<Kind::distinct>(n, out);
      of_attributes<Kind::permutation>(n, out);
    })};

const Rule attr_combination{
    .id = "OCA020",
    .name = "attr-combination",
    .purpose = "Checks that the attributes of a node go together",
    .citation = "[IR.md#attributes] [Operators.md]",
    .why =
        "Some attributes exclude each other, some are nothing without another; which one a runtime "
        "then follows is its own choice.",
    .bad = "y = Conv <auto_pad = \"VALID\", pads = [1, 1, 1, 1]> (x, w)",
    .good = "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
    .fix = "Keep the attribute that was meant, or add the one that is missing",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) { conditions(n, out, true, false); })};

const Rule attr_against_inputs{
    .id = "OCA021",
    .name = "attr-against-inputs",
    .yields_to = "OCA016 OCA017 OCA018 OCN007 OCN010 OCN012 OCN014 OCG028",
    .purpose = "Checks that attributes fit the types and shapes of the node's inputs and outputs",
    .citation = "[IR.md#nodes] [Operators.md]",
    .why = "The operator is not defined for such a combination.",
    .bad = "y = Conv <group = 2> (x, w) for x of 3 channels",
    .good = "y = Conv <group = 3> (x, w)",
    .fix = "Correct the attribute, or the input",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) { conditions(n, out, true, true); })};

const Rule input_value{
    .id = "OCN020",
    .name = "input-value",
    .yields_to = "OCA016 OCA017 OCA018 OCN007 OCN008 OCN010 OCN012 OCN014 OCG028",
    .purpose =
        "Checks that ranks, sizes and constant contents of a node's inputs are ones its operator "
        "is defined for",
    .citation = "[IR.md#nodes] [Operators.md]",
    .why =
        "Schemas give inputs a type only; what shape they have, and which numbers a vector of axes "
        "or steps may hold, is in the text of the operator.",
    .bad = "v, i = TopK (x, k) with k = {0}",
    .good = "v, i = TopK (x, k) with k = {1}",
    .fix = "Correct the input",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      FactCheck(n, out).run([](const ValueFact& fact) {
        return fact.kind == Kind::condition ? fact.names_edges && !fact.names_attributes
                                            : fact.on_input();
      });
    })};

}  // namespace onnxcompat::rules
