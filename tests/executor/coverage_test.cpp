// Every operator version has a kernel, and every kernel takes every element type that its schema
// allows: a node of each is run with each type. What is computed is for other tests; here it counts
// that something is, of a type that the schema allows.

#include <algorithm>
#include <map>
#include <set>

#include "executor/run_text.h"
#include "executor/type_rules.h"
#include "versiontable/schema.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// A node of an operator, for versions from `first` on up to the next row that says so.
/// `inputs`: for each its dims, "2x3" or "s" for a scalar, ":1,2" its elements (else ones); "-" is
/// left out. In `attributes`, $T is the number of the type that T stands for, %T its name in
/// capitals, &T a tensor of one element of it.
struct Sample {
  std::string_view op;
  int first;
  std::string_view inputs;
  std::string_view attributes = "";
};

/// Operators that are not here take two dims, 2 and 3, at each input that must be.
constexpr Sample kSamples[] = {
#include "executor/coverage_samples.inc"
};

/// What has no kernel for a type, or none at all, and why.
struct Exempt {
  std::string_view op;    ///< with its version behind a dash where it is about one
  std::string_view type;  ///< in words of the report below; "" is every one
  std::string_view why;
};

constexpr Exempt kExempt[] = {
    {"Col2Im", "T=tensor(bool)", "overlapping blocks are added: truth values have no sum"},
    {"Col2Im", "T=tensor(string)", "overlapping blocks are added: texts have no sum"},
    {"GridSample", "=tensor(bool)", "truth values cannot be interpolated"},
    {"GridSample", "=tensor(string)", "texts cannot be interpolated"},
    {"GridSample", "=tensor(complex", "left out: no runtime interpolates complex numbers"},
    {"Gradient", "", "differentiates the graph it stands in: refused by name"},
    {"TreeEnsembleClassifier-5", "", "deprecated: the schema takes no node"},
    {"TreeEnsembleRegressor-5", "", "deprecated: the schema takes no node"},
    {"Upsample-10", "", "deprecated: the schema takes no node"},
};

// ---- values

Tensor ones(DataType type, const Dims& dims, const std::vector<std::string>& elements) {
  const std::int64_t count = product(dims);
  const auto text_of = [&](std::int64_t i) {
    return elements.empty() ? std::string("1")
                            : elements[static_cast<std::size_t>(i) % elements.size()];
  };
  if (type == DataType::string) {
    std::vector<std::string> strings;
    for (std::int64_t i = 0; i < count; ++i) strings.push_back(text_of(i));
    return Tensor::of_strings(dims, std::move(strings));
  }
  Tensor tensor(type, dims);
  if (type == DataType::complex64 || type == DataType::complex128) return tensor;
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(std::stod(text_of(i)));
  if (is_float(type) || is_small(type)) {
    store<double>(values, tensor);
  } else if (type == DataType::boolean) {
    auto out = tensor.mutable_data<bool>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[i] != 0;
  } else {
    dispatch(Ints{}, type, [&]<class T>(std::type_identity<T>) {
      auto out = tensor.mutable_data<T>();
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(values[i]);
    });
  }
  return tensor;
}

std::string_view inside(std::string_view type) {
  const auto open = type.find('(');
  return type.substr(open + 1, type.size() - open - 2);
}

/// A value of a type as schemas spell it; nullopt for opaque ones.
std::optional<Value> value_of(std::string_view type, const Dims& dims,
                              const std::vector<std::string>& elements) {
  if (type.starts_with("tensor(")) {
    return Value{ones(*data_type_named(inside(type)), dims, elements)};
  }
  if (type.starts_with("seq(")) {
    const auto element = value_of(inside(type), dims, elements);
    if (!element) return std::nullopt;
    return Value{Sequence{{*element, *element}}};
  }
  if (type.starts_with("optional(")) {
    const auto content = value_of(inside(type), dims, elements);
    if (!content) return std::nullopt;
    return Value{OptionalValue{std::make_shared<const Value>(*content)}};
  }
  if (type.starts_with("map(")) {
    const std::string_view types = inside(type);
    const auto comma = types.find(',');
    MapValue map;
    map.key_type = *data_type_named(types.substr(0, comma));
    if (map.key_type == DataType::string) map.string_keys = {"1"};
    if (map.key_type == DataType::int64) map.int_keys = {1};
    std::string_view of = types.substr(comma + 1);
    while (of.starts_with(' ')) of.remove_prefix(1);
    if (of.starts_with("tensor(")) of = inside(of);
    map.values = std::make_shared<const Value>(Value{ones(*data_type_named(of), {1}, {})});
    return Value{std::move(map)};
  }
  return std::nullopt;
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(by), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// ---- one node

using Assignment = std::map<std::string, std::string, std::less<>>;  ///< variable -> type

std::string substituted(std::string_view attributes, const Assignment& types) {
  std::string text(attributes);
  for (const auto& [variable, type] : types) {
    if (!type.starts_with("tensor(")) continue;
    const auto elem = data_type_named(inside(type));
    if (!elem) continue;
    std::string name(name_of(*elem)), capitals = name;
    std::ranges::transform(capitals, capitals.begin(), [](char c) { return std::toupper(c); });
    const bool complex = *elem == DataType::complex64 || *elem == DataType::complex128;
    const std::string one = *elem == DataType::string ? "{\"1\"}" : complex ? "{1, 0}" : "{1}";
    const std::pair<std::string, std::string> places[] = {
        {"$" + variable + "$", fmt::format("{}", static_cast<int>(*elem))},
        {"%" + variable + "%", capitals},
        {"&" + variable + "&", fmt::format("{}[1] {}", name, one)}};
    for (const auto& [from, to] : places) {
      for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
      }
    }
  }
  return text;
}

/// Runs one sample; why it did not work, or "".
std::string fault_of(const OpSchema& schema, std::string_view spec, std::string_view attributes,
                     const Assignment& types) {
  const auto items = split(spec, ' ');
  std::vector<std::string> formals, actuals;
  NamedValues values;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i] == "-") {
      actuals.emplace_back("\"\"");
      continue;
    }
    const FormalParameter* formal = schema.input(static_cast<int>(i));
    if (formal == nullptr) return "the sample has too many inputs";
    const auto colon = std::min(items[i].find(':'), items[i].size());
    Dims dims;
    if (!items[i].starts_with('s')) {
      for (const std::string& d : split(std::string_view(items[i]).substr(0, colon), 'x')) {
        dims.push_back(std::stoll(d));
      }
    }
    const auto elements = colon < items[i].size()
                              ? split(std::string_view(items[i]).substr(colon + 1), ',')
                              : std::vector<std::string>();
    const auto variable = types.find(formal->type_str);
    const std::string type =
        variable != types.end() ? variable->second : std::string(formal->type_str);
    auto value = value_of(type, dims, elements);
    if (!value) return "no value of type " + type;
    const std::string name = fmt::format("i{}", i);
    values.emplace(name, *std::move(value));
    formals.push_back(name);
    actuals.push_back(name);
  }
  if (attributes.find("captured") != std::string_view::npos) {
    auto value = value_of(types.at("V"), {2, 3}, {});
    if (!value) return "no value of type " + types.at("V");
    values.emplace("captured", *std::move(value));
    formals.emplace_back("captured");
  }
  std::vector<std::string> outputs;
  for (int i = 0; i < std::max(1, schema.min_output); ++i) outputs.push_back(fmt::format("o{}", i));
  const std::string domain = schema.domain.empty() ? "" : std::string(schema.domain) + ".";
  const std::string given = substituted(attributes, types);
  const std::string graph =
      fmt::format("g ({}) => ({}) {{ {} = {}{}{}({}) }}", fmt::join(formals, ", "),
                  fmt::join(outputs, ", "), fmt::join(outputs, ", "), domain, schema.name,
                  given.empty() ? "" : " <" + given + ">", fmt::join(actuals, ", "));
  const std::string opsets =
      schema.domain.empty()
          ? onnx(schema.since_version)
          : fmt::format("\"\" : 21, \"{}\" : {}", schema.domain, schema.since_version);
  const auto results = try_run(opsets, graph, values);
  if (!results) return results.error().message;
  for (std::size_t i = 0; i < results->size(); ++i) {
    const FormalParameter* formal = schema.output(static_cast<int>(i));
    // What an input binds is that type; the attributes or the kernel choose otherwise.
    bool bound = false;
    for (std::size_t k = 0; k < items.size(); ++k) {
      bound = bound ||
              (items[k] != "-" && schema.input(static_cast<int>(k))->type_str == formal->type_str);
    }
    const auto variable = types.find(formal->type_str);
    TypeSet allowed = bound && variable != types.end() ? TypeSet::named(variable->second)
                                                       : TypeSet::named(formal->type_str);
    if (!bound || variable == types.end()) {
      for (const auto type : schema.allowed_types(formal->type_str)) {
        allowed.add(TypeSet::named(type));
      }
    }
    if (!allowed.meets(TypeSet::of((*results)[i]))) {
      return fmt::format("output {} is {}", i, describe((*results)[i]));
    }
  }
  return {};
}

std::string default_inputs(const OpSchema& schema) {
  std::string spec;
  for (const FormalParameter& formal : schema.inputs) {
    if (formal.option == ParameterOption::optional) break;
    spec += "2x3 ";
  }
  return spec;
}

/// The samples in force for a version: those with the greatest `first` that is not above it.
std::vector<Sample> samples_of(const OpSchema& schema) {
  std::vector<Sample> found;
  for (const Sample& sample : kSamples) {
    if (sample.op != schema.name || sample.first > schema.since_version) continue;
    if (!found.empty() && found.front().first < sample.first) found.clear();
    if (found.empty() || found.front().first == sample.first) found.push_back(sample);
  }
  return found;
}

bool is_exempt(const OpSchema& schema, std::string_view types, std::set<std::string_view>& used) {
  for (const Exempt& exempt : kExempt) {
    const bool versioned = exempt.op.find('-') != std::string_view::npos;
    const std::string name = versioned ? fmt::format("{}-{}", schema.name, schema.since_version)
                                       : std::string(schema.name);
    if (exempt.op != name || types.find(exempt.type) == std::string_view::npos) continue;
    used.insert(exempt.why);
    return true;
  }
  return false;
}

/// A sequence and the tensors that go into it change their type together.
void follow(const OpSchema& schema, const TypeConstraint& changed, std::string_view type,
            Assignment& types) {
  if (schema.name != "SequenceInsert" || changed.param == "I") return;
  const std::string other(changed.param == "S" ? "T" : "S");
  types[other] = changed.param == "S" ? std::string(inside(type)) : fmt::format("seq({})", type);
}

}  // namespace

TEST_CASE("every operator version has a kernel that takes every type of its schema") {
  std::string report;
  std::set<std::string_view> used;
  int runs = 0;
  for (const OpSchema& schema : all_schemas()) {
    const auto samples = samples_of(schema);
    const std::string spec = default_inputs(schema);
    // The types that each variable stands for at first; then each is changed on its own.
    Assignment usual;
    for (const TypeConstraint& constraint : schema.type_constraints) {
      const auto prefers = [&](std::string_view type) {
        return std::ranges::find(constraint.types, type) != constraint.types.end();
      };
      usual[std::string(constraint.param)] = prefers("tensor(float)")   ? "tensor(float)"
                                             : prefers("tensor(int64)") ? "tensor(int64)"
                                             : prefers("seq(tensor(float))")
                                                 ? "seq(tensor(float))"
                                                 : std::string(constraint.types.front());
    }
    std::vector<std::pair<std::string, Assignment>> cases;
    for (const TypeConstraint& constraint : schema.type_constraints) {
      for (const std::string_view type : constraint.types) {
        Assignment types = usual;
        types[std::string(constraint.param)] = type;
        follow(schema, constraint, type, types);
        cases.emplace_back(fmt::format("{}={}", constraint.param, type), std::move(types));
      }
    }
    if (cases.empty()) cases.emplace_back("no types", usual);
    for (const auto& [what, types] : cases) {
      std::string fault;
      if (find_kernel(schema.domain, schema.name, schema.since_version) == nullptr) {
        fault = "no kernel";
      } else if (samples.empty()) {
        fault = fault_of(schema, spec, "", types);
      } else {
        // One that fits the types is enough.
        for (const Sample& sample : samples) {
          fault = fault_of(schema, sample.inputs, sample.attributes, types);
          if (fault.empty()) break;
        }
      }
      ++runs;
      if (fault.empty() || is_exempt(schema, what, used)) continue;
      report += fmt::format("{} {}-{} {}: {}\n", schema.domain, schema.name, schema.since_version,
                            what, fault);
    }
  }
  INFO(report);
  CHECK(report.empty());
  CHECK(runs > 5000);
  // An exemption that nothing needs any more must go.
  for (const Exempt& exempt : kExempt) {
    INFO(exempt.op << " " << exempt.type);
    CHECK(used.contains(exempt.why));
  }
}
