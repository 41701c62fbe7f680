#include "versiontable/kernels.h"

#include <string>

#include <nlohmann/json.hpp>

#include "factgen.h"

namespace factgen {
namespace {

using Json = nlohmann::ordered_json;

std::string series(const std::string& release) {
  const auto number = onnxcompat::release_series(release);
  if (!number) throw DataError("'" + release + "' is no release");
  return std::to_string(*number);
}

/// "1.8-1.14" -> "1008, 1014"
std::string series_range(const std::string& text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) throw DataError("'" + text + "' is no range of releases");
  return series(text.substr(0, dash)) + ", " + series(text.substr(dash + 1));
}

/// "6-12" -> "6, 12"; an open "13+" matches version 13 alone.
std::string operator_versions(const std::string& text) {
  if (text.ends_with('+')) {
    const std::string version = text.substr(0, text.size() - 1);
    return version + ", " + version;
  }
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return text + ", " + text;
  return text.substr(0, dash) + ", " + text.substr(dash + 1);
}

std::string stored_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

class Generator {
 public:
  explicit Generator(const Json& data) : data_(data) {}

  std::string run() {
    for (const Json& list : data_.at("type_lists")) lists_.push_back(&list);
    std::map<std::string, std::map<std::string, const Json*>> domains;
    for (const auto& [domain, operators] : data_.at("operators").items()) {
      for (const auto& [name, entry] : operators.items()) {
        domains[stored_domain(domain)][name] = &entry;
      }
    }
    std::string rows;
    for (const auto& [domain, operators] : domains) {
      for (const auto& [name, entry] : operators) {
        rows += "    {" + literal(domain) + ", " + literal(name) + ", " + kernels(*entry) + ", " +
                measured(*entry) + "},\n";
      }
    }
    std::vector<std::string> releases;
    for (const Json& release : data_.at("releases")) releases.push_back(series(release));
    std::vector<std::string> tried;
    for (const Json& release : data_.at("measured_releases")) {
      tried.push_back(literal(release.get<std::string>()));
    }
    std::vector<std::string> unreleased;
    for (const auto& [version, opset] : data_.at("unreleased_opset").items()) {
      unreleased.push_back("{" + literal(version) + ", " + std::to_string(opset.get<int>()) + "}");
    }
    std::vector<std::string> faults;
    for (const Json& fault : data_.at("faults")) faults.push_back(fault_row(fault));
    std::vector<std::string> bodies;
    for (const auto& [op, inner] : data_.at("body_operators").items()) {
      bodies.push_back("{" + literal(op) + ", " + literal(inner.get<std::string>()) + "}");
    }
    Pool series_pool("ReleaseSeries", "kSeries");
    Pool unreleased_pool("UnreleasedRow", "kUnreleased");
    Pool fault_pool("RuntimeFault", "kFaults");
    Pool body_pool("BodyOperatorRow", "kBodyOperators");
    const std::string series_span = series_pool.span(releases);
    const std::string tried_span = texts_.span(tried);
    const std::string unreleased_span = unreleased_pool.span(unreleased);
    const std::string fault_span = fault_pool.span(faults);
    const std::string body_span = body_pool.span(bodies);
    return "// Made from data/kernels.json by tools/factgen.\n"
           "#include \"versiontable/tables.h\"\n\n"
           "namespace onnxcompat::tables {\nnamespace {\n\n"
           "using namespace std::string_view_literals;\n\n" +
           texts_.definition() + types_.definition() + kernels_.definition() +
           measured_.definition() + series_pool.definition() + unreleased_pool.definition() +
           fault_pool.definition() + body_pool.definition() +
           "constexpr KernelOperatorRow kOperators[] = {\n" + rows +
           "};\n\n}  // namespace\n\n"
           "constinit const std::span<const KernelOperatorRow> kernel_operators = kOperators;\n"
           "constinit const std::span<const ReleaseSeries> kernel_series" +
           series_span + ";\nconstinit const std::span<const std::string_view> measured_releases" +
           tried_span + ";\nconstinit const std::span<const UnreleasedRow> unreleased_opsets" +
           unreleased_span + ";\nconstinit const std::span<const RuntimeFault> runtime_faults" +
           fault_span + ";\nconstinit const std::span<const BodyOperatorRow> body_operators" +
           body_span + ";\nconstinit const ReleaseSeries kernels_approximate_from = " +
           series(data_.at("approximate_from")) +
           ";\nconstinit const ReleaseSeries model_functions_from = " +
           series(data_.at("functions_from")) +
           ";\nconstinit const ReleaseSeries function_imports_from = " +
           series(data_.at("function_imports_from")) + ";\n\n}  // namespace onnxcompat::tables\n";
  }

 private:
  std::string types_of(const Json& row) {
    std::vector<std::string> params;
    for (const auto& [param, number] : row.items()) {
      std::vector<std::string> names;
      for (const Json& name : *lists_.at(number.get<std::size_t>())) {
        names.push_back(literal(name.get<std::string>()));
      }
      params.push_back("{" + literal(param) + ", " + texts_.span(names) + "}");
    }
    return types_.span(params);
  }

  std::string kernels(const Json& entry) {
    std::vector<std::string> rows;
    if (const auto found = entry.find("kernels"); found != entry.end()) {
      for (const Json& row : *found) {
        rows.push_back("{" + operator_versions(row.at(0)) + ", " + series_range(row.at(1)) + ", " +
                       types_of(row.at(2)) + "}");
      }
    }
    return kernels_.span(rows);
  }

  std::string measured(const Json& entry) {
    const std::size_t releases = data_.at("measured_releases").size();
    std::vector<std::string> rows;
    if (const auto found = entry.find("measured"); found != entry.end()) {
      for (const auto& [since, by_inputs] : found->items()) {
        for (const auto& [inputs, signs] : by_inputs.items()) {
          const auto text = signs.get<std::string>();
          if (text.size() != releases || text.find_first_not_of("+-!~.") != std::string::npos) {
            throw DataError("signs '" + text + "' are not one for each measured release");
          }
          rows.push_back("{" + since + ", " + literal(inputs) + ", " + literal(text) + "}");
        }
      }
    }
    return measured_.span(rows);
  }

  static std::string fault_row(const Json& fault) {
    const auto text = [&](const char* key) { return fault.value(key, std::string()); };
    return "{" + literal(stored_domain(text("domain"))) + ", " + literal(text("operator")) + ", " +
           literal(text("value")) + ", " + std::to_string(fault.value("nested", 0)) + ", " +
           literal(text("negative")) + ", " + literal(text("nonzero")) + ", " +
           literal(text("longer")) + ", " + literal(text("alike")) + ", " +
           literal(text("function")) + ", " + std::to_string(fault.value("body_from", 0)) + ", " +
           series_range(text("releases")) + ", " + literal(text("effect")) + "}";
  }

  const Json& data_;
  std::vector<const Json*> lists_;
  Pool texts_{"std::string_view", "kTexts"};
  Pool types_{"KernelTypes", "kTypes"};
  Pool kernels_{"Kernel", "kKernels"};
  Pool measured_{"MeasuredLoads", "kMeasured"};
};

}  // namespace

std::string generate_kernels(std::string_view data) {
  const Json parsed = Json::parse(data);
  return Generator(parsed).run();
}

}  // namespace factgen
