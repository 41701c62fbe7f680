// The checker as a whole: which rules run, in which order findings come, and that no model, however
// broken, stops it.

#include "checker/checker.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "checker/catalogue.h"
#include "checker/scope.h"
#include "support/shared.h"
#include "support/temp_dir.h"
#include "support/text_model.h"

using namespace onnxcompat;

namespace {

constexpr std::string_view kTwoFaults = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[1] x) => (float[1] y) {
    a = Abs (lost)
    y = Ads (a)
  })";

std::vector<std::string> ids(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const Finding& f : findings) out.push_back(f.rule);
  return out;
}

Model model_of_bytes(const std::string& bytes) {
  auto model = Model::parse(bytes, "test.onnx");
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  return *std::move(model);
}

/// A graph of `nodes` nodes in a chain.
std::string chain(int nodes) {
  std::string text = "<ir_version: 8, opset_import: [\"\" : 17]>\ng (float[8] v0) => (float[8] v";
  text += fmt::format("{}) {{\n", nodes);
  for (int i = 0; i < nodes; ++i) {
    text += fmt::format("  [n{}] v{} = LeakyRelu <alpha = 0.5> (v{})\n", i, i + 1, i);
  }
  return text + "}\n";
}

}  // namespace

TEST_CASE("experimental operators have no schema in force") {
  int experimental = 0;
  for (const OpSchema& schema : all_schemas()) {
    for (int opset = 1; opset <= 30; ++opset) {
      if (!is_experimental_operator(schema.domain, schema.name, opset)) continue;
      ++experimental;
      INFO(schema.name << " at " << opset);
      CHECK(schema_in_force(schema.domain, schema.name, opset) == nullptr);
    }
  }
  CHECK(experimental > 0);  // early forms of operators that got a schema later
  CHECK(is_experimental_operator("", "ATen", 30));
}

TEST_CASE("rules are chosen by id, name, group or all") {
  const Model model = model_of(kTwoFaults);
  CHECK(ids(check(model)) == std::vector<std::string>{"OCG017", "OCN003"});
  CHECK(ids(check(model, {.select = {"ocg"}, .ignore = {}, .severity = {}})) ==
        std::vector<std::string>{"OCG017"});
  CHECK(ids(check(model, {.select = {"operator-unknown"}, .ignore = {}, .severity = {}})) ==
        std::vector<std::string>{"OCN003"});
  CHECK(ids(check(model, {.select = {}, .ignore = {"OCN003"}, .severity = {}})) ==
        std::vector<std::string>{"OCG017"});
  const auto all = ids(check(model, {.select = {"all"}, .ignore = {}, .severity = {}}));
  CHECK(all == std::vector<std::string>{"OCM017", "OCL002", "OCG017", "OCN003"});
}

TEST_CASE("severities can be overridden, the closest pattern winning") {
  const Model model = model_of(kTwoFaults);
  CheckOptions options;
  options.severity = {{"all", Severity::info}, {"OCG", Severity::warning}};
  const auto findings = check(model, options);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == Severity::warning);
  CHECK(findings[1].severity == Severity::info);
}

TEST_CASE("a pattern that matches no rule is refused with a suggestion") {
  CheckOptions options;
  options.ignore = {"undefined-valu"};
  const auto valid = validate(options);
  REQUIRE_FALSE(valid.has_value());
  CHECK(valid.error().code == ExitCode::usage);
  CHECK(valid.error().message ==
        "no rule is called \"undefined-valu\"; did you mean \"undefined-value\"?");
  options.ignore = {"OCG", "undefined-value", "all"};
  CHECK(validate(options).has_value());
}

TEST_CASE("the number of findings can be limited, and the rest is counted") {
  std::string text = "<ir_version: 8, opset_import: [\"\" : 17]>\ng () => (float[1] y0) {\n";
  for (int i = 0; i < 50; ++i) text += fmt::format("  y{} = Abs (lost)\n", i);
  const Model model = model_of(text + "}");
  CheckOptions options;
  options.select = {"OCG017"};
  options.max_findings = 20;
  const CheckReport report = run_checks(model, options);
  CHECK(report.findings.size() == 20);
  CHECK(report.omitted == 30);
  CHECK(report.findings.front().location.node_index == 0);
  CHECK(report.findings.back().location.node_index == 19);
}

TEST_CASE("findings come in the order of the file, subgraphs where they stand") {
  const Model model = model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[1] x) => (float[1] y) {
      a = Ads (x)
      b = If (c) <
        then_branch = tb () => (float[1] t) { t = Neg (lost) },
        else_branch = eb () => (float[1] e) { e = Nge (x) }
      >
      y = Add (b, missing)
    })");
  std::vector<std::string> paths;
  for (const Finding& f : check(model)) paths.push_back(f.location.path);
  CHECK(paths ==
        std::vector<std::string>{
            "graph/node[0] (Ads)", "graph/node[1] (If)/attr then_branch/node[0] (Neg)/input[0]",
            "graph/node[1] (If)/attr else_branch/node[0] (Nge)", "graph/node[2] (Add)/input[1]"});
}

TEST_CASE("places lead through functions") {
  const Model model = model_of(R"(
    <ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>
    g (float[1] x) => (float[1] y) { y = com.acme.F (x) }
    <domain: "com.acme", opset_import: ["" : 17]>
    F (a) => (b) { [first] b = Abs <alpha = 1.0> (a) })");
  const auto findings = check(model);
  REQUIRE(findings.size() == 1);
  const Location& where = findings[0].location;
  CHECK(where.path == "function com.acme:F/node[0] \"first\" (Abs)/attr alpha");
  CHECK(where.graph == "F");
  CHECK(where.node_index == 0);
  CHECK(where.node_name == "first");
  CHECK(where.op_type == "Abs");
  CHECK(where.attribute == "alpha");
}

TEST_CASE("fields that the format does not know are found where they are") {
  // ModelProto: ir_version 8, opset_import {version 17}, graph {name "g", unknown 99, reserved 3}.
  const std::string graph =
      std::string("\x12\x01g", 3) + std::string("\x98\x06\x01", 3) + std::string("\x18\x01", 2);
  const std::string bytes = std::string("\x08\x08", 2) + std::string("\x3a", 1) +
                            static_cast<char>(graph.size()) + graph +
                            std::string("\x42\x02\x10\x11", 4);
  CheckOptions options;
  options.select = {"OCM021"};
  const auto findings = check(model_of_bytes(bytes), options);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].location.path == "model/graph");
  CHECK(findings[0].message == "GraphProto has no field 99");
  CHECK(findings[1].message == "GraphProto has field 3, which the format gave up");
  CHECK(check(model_of(chain(1)), options).empty());
}

TEST_CASE("docs/rules.md is what the program prints") {
  std::ifstream in(std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "docs" / "rules.md");
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  // After a change of a rule: onnxcompat rules --format markdown > docs/rules.md
  CHECK(file == rules_markdown());
}

TEST_CASE("a rule explains itself") {
  const Rule* rule = find_rule("undefined-value");
  REQUIRE(rule != nullptr);
  const std::string text = explain(*rule);
  for (const std::string_view part : {rule->id, rule->name, rule->purpose, rule->why, rule->bad,
                                      rule->good, rule->fix, rule->citation}) {
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("no damage to a file stops the checker") {
  const auto folder = std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata" / "rules";
  CheckOptions all;
  all.select = {"all"};
  std::uint32_t random = 1;
  const auto next = [&] { return random = random * 1664525U + 1013904223U; };
  int checked = 0;
  for (const auto& file : test::files_below(folder, ".onnxtxt")) {
    const auto model = Model::load(file);
    REQUIRE(model.has_value());
    const auto bytes = model->serialize();
    if (!bytes) continue;  // names that no file may have
    for (int round = 0; round < 12; ++round) {
      std::string damaged = *bytes;
      if (round % 3 == 0) damaged.resize(next() % damaged.size());
      for (int flips = round % 4; flips > 0 && !damaged.empty(); --flips) {
        damaged[next() % damaged.size()] = static_cast<char>(next() >> 24);
      }
      const auto broken = Model::parse(damaged, "damaged.onnx");
      if (!broken) continue;
      run_checks(*broken, all);
      ++checked;
    }
  }
  CHECK(checked > 300);
}

TEST_CASE("empty and hollow models are reported, not crashed on") {
  for (const std::string_view text :
       {"graph { }", "ir_version: 8 graph { node { } node { } input { } output { } }",
        "ir_version: 8 opset_import { } graph { initializer { } sparse_initializer { } "
        "value_info { } quantization_annotation { } }",
        "ir_version: 8 functions { } functions { node { attribute { g { } } } }",
        "ir_version: 8 training_info { } training_info { algorithm { } initialization { } }",
        "ir_version: 8 graph { node { op_type: \"If\" attribute { type: GRAPH } } "
        "node { op_type: \"Loop\" attribute { g { node { op_type: \"Scan\" } } } } }"}) {
    INFO(text);
    const auto model = Model::parse(text, "hollow.textproto", ModelFormat::textproto);
    REQUIRE(model.has_value());
    CheckOptions all;
    all.select = {"all"};
    CHECK_FALSE(run_checks(*model, all).findings.empty());
  }
}

TEST_CASE("a model with many faults yields all of them in one run") {
  const auto path = std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata" / "cli" /
                    "check-many-faults.textproto";
  std::ifstream in(path);
  std::set<std::string> marked;  // comments name the rule that the line breaks
  static const std::regex kRule("OC[A-Z][0-9]{3}");
  for (std::string line; std::getline(in, line);) {
    const std::size_t comment = line.find('#');
    if (comment == std::string::npos) continue;
    for (auto at = std::sregex_iterator(line.begin() + static_cast<std::ptrdiff_t>(comment),
                                        line.end(), kRule);
         at != std::sregex_iterator(); ++at) {
      marked.insert(at->str());
    }
  }
  CHECK(marked.size() >= 75);
  const auto model = Model::load(path);
  REQUIRE(model.has_value());
  for (const Finding& f : check(*model)) marked.erase(f.rule);
  CHECK(marked == std::set<std::string>{});
}

TEST_CASE("time grows with the size of a model, not faster") {
  using Clock = std::chrono::steady_clock;
  const auto time_of = [](int nodes) {
    const Model model = model_of(chain(nodes));
    const auto start = Clock::now();
    CHECK(run_checks(model).findings.empty());
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  time_of(1000);  // warm
  const double small = time_of(5'000);
  const double large = time_of(50'000);
  INFO("5,000 nodes: " << small << " ms, 50,000 nodes: " << large << " ms");
  CHECK(large < 40 * small + 100);
}
