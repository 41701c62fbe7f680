#pragma once

// What the values of attributes and inputs may be where the schema does not say: closed sets,
// ranges, lengths, axes, and conditions between them. data/attribute_values.json, compiled in.

#include <cstdint>
#include <span>
#include <string_view>

#include "versiontable/schema.h"

namespace onnxcompat {

/// One fact. Texts named "expression" are in the language of the data file; `min`, `max` and `is`
/// are such. A fact on an attribute or input says nothing where that is not given.
struct ValueFact {
  enum class Kind : std::uint8_t {
    values,       ///< the attribute (each element of a list) is one of `texts` or `numbers`
    range,        ///< each number is within `min` and `max`
    length,       ///< the list, or vector, has `is` elements
    rank,         ///< `is` holds of the rank r of the input
    axis,         ///< each number is an axis of `tensor`: within `min` and `max` of its rank r
    distinct,     ///< no number twice; axes of `tensor`, if it is not empty, counted from the front
    permutation,  ///< the numbers are the axes of `tensor` in some order
    condition     ///< `is` holds
  };
  Kind kind;
  bool advice;               ///< follows from the meaning only, or real models do otherwise
  bool types;                ///< `numbers` are element types
  bool names_attributes;     ///< the fact is on an attribute, or speaks of one
  bool names_edges;          ///< … on an input, or of inputs, outputs or their number
  bool min_exclusive;        ///< `min` itself is out of range
  bool max_exclusive;        ///< `max` itself is out of range
  std::string_view subject;  ///< "attr.axis", "in.scales"; empty for conditions on the node
  std::string_view is;       ///< expression
  std::string_view min;      ///< expression; empty: no bound
  std::string_view max;      ///< expression; empty: no bound
  std::string_view tensor;   ///< "in.data", "out.expanded"
  std::string_view unless;   ///< expression; where it holds the fact does not
  std::span<const std::string_view> texts;
  std::span<const std::int64_t> numbers;

  bool on_attribute() const { return subject.starts_with("attr."); }
  bool on_input() const { return subject.starts_with("in."); }
  /// "axis" of "attr.axis".
  std::string_view name() const { return subject.substr(subject.find('.') + 1); }
};

/// The facts of an operator version, by its exact since_version.
std::span<const ValueFact* const> value_facts(std::string_view domain, std::string_view op,
                                              int since_version);
/// The same for a schema of the tables.
std::span<const ValueFact* const> value_facts(const OpSchema& schema);

/// Every fact there is, each once.
std::span<const ValueFact> all_value_facts();

/// May the attribute have that value in this version of the operator? Only what is certain without
/// looking at the rest of the node is denied: closed sets and constant ranges.
bool allows_value(const OpSchema& schema, std::string_view attribute, std::string_view value);
bool allows_value(const OpSchema& schema, std::string_view attribute, std::int64_t value);

}  // namespace onnxcompat
