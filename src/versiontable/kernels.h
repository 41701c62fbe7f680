#pragma once

// What is known of ONNX Runtime's releases beyond their ceilings: which operators, versions and
// element types have a CPU kernel, what loading official models showed, and which contributed
// operators they register (data/kernels.json, data/com_microsoft.json).

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "versiontable/schema.h"

namespace onnxcompat {

/// A series of releases as one number that compares: 1.14 and 1.14.1 are 1014.
using ReleaseSeries = int;

/// nullopt if the text is not dotted numbers.
std::optional<ReleaseSeries> release_series(std::string_view version);

/// The types that a kernel takes for one type parameter ("T", or the name of an input), as element
/// types ("float") or whole types ("seq(tensor(float))").
struct KernelTypes {
  std::string_view param;
  std::span<const std::string_view> types;
};

/// A CPU kernel of an operator in a run of releases.
struct Kernel {
  int first;  ///< operator versions
  int last;   ///< the same as `first` where the registration is open: it matches no other version
  ReleaseSeries from;
  ReleaseSeries until;
  std::span<const KernelTypes> types;  ///< empty: not known, or the kernel asks for none
};

/// What loading the official models of one operator version with given input types showed.
struct MeasuredLoads {
  int since;
  std::string_view inputs;  ///< types of the inputs that are there: "float seq(int64)"
  std::string_view signs;   ///< one for each measured release
};

enum class LoadEvidence : std::uint8_t {
  not_measured,
  loads,      ///< every model did
  no_kernel,  ///< none did: no kernel
  refused,    ///< none did, for another reason, although other releases load them
  mixed
};

/// Something that makes a release crash, hang or refuse whatever kernels it has.
struct RuntimeFault {
  std::string_view domain;
  std::string_view op;          ///< empty: any
  std::string_view value_kind;  ///< "optional": a value of that kind is enough
  int nested;                   ///< that many nested in each other; 0: one is enough
  std::string_view negative;    ///< an attribute or known input with a negative number in it
  std::string_view nonzero;     ///< an integer attribute
  std::string_view longer;      ///< a list attribute of more than one element
  std::string_view alike;       ///< an element type that all inputs and outputs are of
  std::string_view function;    ///< what a model's function has: "subgraph", "unused input" or
                                ///< "renamed reference" (to a parameter, by an attribute so named)
  int body_from;                ///< run as its function body, from this opset on; 0: does not apply
  ReleaseSeries from;
  ReleaseSeries until;
  std::string_view effect;
};

/// One formal input or output of a contributed operator, and since which release it is there.
struct ContributedParameter {
  std::string_view name;
  std::string_view type_str;
  ParameterOption option;
  ReleaseSeries since;           ///< 0: as long as the operator
  ReleaseSeries optional_since;  ///< it may be left out from this release on; 0: does not apply
};

struct ContributedAttribute {
  std::string_view name;
  AttributeType type;
  bool required;
  ReleaseSeries since;    ///< 0: as long as the operator
  ReleaseSeries removed;  ///< the first release without it; 0: still there
};

struct ContributedType {
  std::string_view type;  ///< "tensor(float)"
  ReleaseSeries since;    ///< 0: as long as the operator
};

struct ContributedConstraint {
  std::string_view param;
  std::span<const ContributedType> types;
};

/// An operator that ONNX Runtime adds to those of ONNX.
struct ContributedSchema {
  std::string_view domain;
  std::string_view name;
  int since_version;
  std::string_view build;  ///< "default", or the kind of build that has it
  ReleaseSeries first;
  ReleaseSeries last;
  std::span<const ReleaseSeries> absent;  ///< releases in between without it
  bool complete;                          ///< is the signature known whole?
  bool has_function_body;
  int min_input;
  int max_input;  ///< kUnbounded for variadic
  int min_output;
  int max_output;
  std::span<const ContributedParameter> inputs;
  std::span<const ContributedParameter> outputs;
  std::span<const ContributedAttribute> attributes;
  std::span<const ContributedConstraint> constraints;

  bool is_in(ReleaseSeries release) const;
  const ContributedAttribute* attribute(std::string_view attribute_name) const;
  /// What actual input `index` binds to (the last one repeats when variadic); null if none.
  const ContributedParameter* input(int index) const;
  const ContributedParameter* output(int index) const;
  const ContributedConstraint* constraint(std::string_view param) const;
};

/// The schema of a contributed operator as of an opset version; null if there is none.
const ContributedSchema* find_contributed(std::string_view domain, std::string_view op, int opset);

/// True for a domain of which ONNX Runtime registers contributed operators.
bool is_contributed_domain(std::string_view domain);

/// The series of the releases that the tables hold, oldest first.
std::span<const ReleaseSeries> kernel_series();

/// What the tables say of one release.
class KernelTable {
 public:
  /// nullopt for versions that the tables do not hold.
  static std::optional<KernelTable> of(std::string_view version);

  ReleaseSeries series() const { return series_; }
  /// Is the table that of a source tree near the release rather than its own?
  bool approximate() const;

  /// The kernels that match a version of an operator.
  std::vector<const Kernel*> kernels(std::string_view domain, std::string_view op, int since) const;

  LoadEvidence measured(std::string_view domain, std::string_view op, int since,
                        std::string_view inputs) const;

  /// Does any kernel take the element type? True where the tables hold no types of the release.
  bool knows_element(std::string_view element) const;

  /// Does the release run functions that a model defines?
  bool has_model_functions() const;
  /// Does it hold what those functions import against its ceilings, as it does with the model?
  bool reads_function_imports() const;

  std::vector<const RuntimeFault*> faults() const;
  /// The operator of ai.onnx that the function body of another applies to its very inputs; empty if
  /// none is known.
  static std::string_view body_operator(std::string_view op);

 private:
  explicit KernelTable(ReleaseSeries series, int measured_index)
      : series_(series), measured_index_(measured_index) {}
  ReleaseSeries series_;
  int measured_index_;  ///< -1: no release of the series was measured
};

/// The highest ai.onnx opset that a release takes once it is told to accept opsets that ONNX had
/// not released with it (ALLOW_RELEASED_ONNX_OPSET_ONLY=0); nullopt where it is no other.
std::optional<int> unreleased_opset(std::string_view version);

}  // namespace onnxcompat
