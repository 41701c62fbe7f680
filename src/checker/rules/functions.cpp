#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "checker/rules.h"
#include "support/version.h"

namespace onnxcompat::rules {
namespace {

std::string called(const FunctionView& f) {
  std::string name = fmt::format("{}:{}", display_domain(f.domain()), f.name());
  if (!f.overload().empty()) name += ":" + f.overload();
  return name;
}

/// The function of a body that is one; nullopt for graphs, those in functions too.
std::optional<FunctionView> function_of(const BodyScope& b) { return b.body.function; }

/// Reports names that a list has twice.
void report_repeats(const BodyScope& b, Strings list, std::string_view what, Sink& out) {
  std::set<std::string_view> seen;
  for (const std::string& name : list) {
    if (name.empty() || seen.insert(name).second) continue;
    out.add(in_body(b), "{} \"{}\" is listed twice", what, name);
  }
}

/// The version of each domain that the model stands for as a whole: its own imports, then those
/// that functions add, the first of a domain.
OpsetImports merged_imports(const ModelScope& m) {
  OpsetImports merged = m.opsets;
  for (const FunctionView f : m.model.functions()) {
    for (const OpsetImportView import : f.opset_imports()) {
      merged.try_emplace(import.domain(), clamp_version(import.version()));
    }
  }
  return merged;
}

}  // namespace

const Rule function_id_duplicate{
    .id = "OCF001",
    .name = "function-id-duplicate",
    .min_ir = 8,
    .purpose = "Checks that no two functions have the same domain, name and overload",
    .citation = "[IR.md#functions] [onnx.proto#FunctionProto]",
    .why =
        "A call names its function by these; with two of them it is open which one runs. The "
        "overload counts from IR version 10 on.",
    .bad = "two functions com.acme:F",
    .good = "functions com.acme:F and com.acme:G",
    .fix = "Rename one of the functions, or give it an overload",
    .check = once([](const ModelScope& m, Sink& out) {
      std::map<FunctionKey, int> first;
      int index = 0;
      for (const BodyScope* root : m.roots) {
        if (!root->body.function) continue;
        const FunctionView& f = *root->body.function;
        const std::string_view overload = m.ir_version >= 10 ? f.overload() : std::string_view{};
        const auto [at, inserted] = first.try_emplace({f.domain(), f.name(), overload}, index++);
        if (inserted) continue;
        out.add(in_body(*root), "Function {} of the model is called {} too", at->second, called(f));
      }
    })};

const Rule function_name_or_domain_missing{
    .id = "OCF002",
    .name = "function-name-or-domain-missing",
    .min_ir = 8,
    .purpose = "Checks that every function has a name and a domain",
    .citation = "[onnx.proto#FunctionProto]",
    .upstream = "ONNX026",
    .why =
        "Calls find their function by name and domain. An empty domain is that of the standard "
        "operators.",
    .bad = "a FunctionProto whose name is empty",
    .good = "a function com.acme:F",
    .fix = "Name the function, in a domain of yours",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto f = function_of(b);
      if (!f) return;
      if (f->name().empty()) {
        out.add(in_body(b), "The function has no name");
      } else if (f->raw_domain().empty()) {
        out.add(in_body(b), "Function {} has no domain of its own", f->name()).as(Severity::info);
      }
    })};

const Rule function_io_duplicate{
    .id = "OCF003",
    .name = "function-io-duplicate",
    .min_ir = 8,
    .purpose = "Checks that inputs, outputs and attributes of a function have different names",
    .citation = "[IR.md#functions]",
    .upstream = "ONNX028",
    .why = "Two parameters of one name cannot be told apart in the body.",
    .bad = "F (a, a) => (b) { b = Neg (a) }",
    .good = "F (a, c) => (b) { b = Add (a, c) }",
    .fix = "Rename one of the two",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto f = function_of(b);
      if (!f) return;
      report_repeats(b, f->inputs(), "Input", out);
      report_repeats(b, f->outputs(), "Output", out);
      report_repeats(b, f->attributes(), "Attribute", out);
    })};

const Rule function_attr_twice{
    .id = "OCF004",
    .name = "function-attr-twice",
    .min_ir = 9,
    .purpose = "Checks that a function's parameter has a default or none, not both",
    .citation = "[IR.md#functions]",
    .why =
        "Parameters without a default are in attribute, those with one in attribute_proto; in "
        "both, a call without it may or may not be an error.",
    .bad = "F <alpha, alpha: float = 1.0> (a) => (b) {…}",
    .good = "F <alpha: float = 1.0> (a) => (b) {…}",
    .fix = "Keep one of the entries",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto f = function_of(b);
      if (!f) return;
      const std::set<std::string_view> plain(f->attributes().begin(), f->attributes().end());
      std::set<std::string_view> with_default;
      const auto list = f->attribute_protos();
      for (int i = 0; i < list.size(); ++i) {
        const std::string& name = list[i].name();
        const Place place = in_body(b, Section::attribute, i, name);
        if (plain.contains(name)) {
          out.add(place, "\"{}\" is listed with a default and without one", name);
        } else if (!name.empty() && !with_default.insert(name).second) {
          out.add(place, "\"{}\" has two defaults", name);
        }
      }
    })};

const Rule function_output_not_produced{
    .id = "OCF005",
    .name = "function-output-not-produced",
    .min_ir = 8,
    .purpose = "Checks that each output of a function is made by a node or is an input",
    .citation = "[IR.md#functions]",
    .why = "An output that nothing defines has no value.",
    .bad = "F (a) => (c) { b = Neg (a) }",
    .good = "F (a) => (b) { b = Neg (a) }",
    .fix = "Name a value of the function",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto f = function_of(b);
      if (!f) return;
      for (const std::string& name : f->outputs()) {
        if (b.find(name) != nullptr) continue;
        out.add(in_body(b), "Output \"{}\" of {} is not produced", name, called(*f));
      }
    })};

const Rule function_not_topological{
    .id = "OCF006",
    .name = "function-not-topological",
    .min_ir = 8,
    .purpose = "Checks that values in a function are defined once, before use, and in it",
    .citation = "[IR.md#functions] [IR.md#nodes]",
    .upstream = "ONNX031",
    .why =
        "A function is a world of its own: it sees its inputs and what its nodes made before, "
        "nothing of its caller.",
    .bad = "F (a) => (b) { b = Neg (c) c = Abs (a) }",
    .good = "F (a) => (b) { c = Abs (a) b = Neg (c) }",
    .fix = "Sort the nodes, rename what is defined twice, and pass what is missing as an input",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.in_function()) return;
      for (const Redefinition& r : b.redefinitions) {
        if (r.again.kind != Definition::Kind::node_output) continue;
        out.add(at_node_output(b, r.again.index, r.again.slot, r.name), "\"{}\" is defined already",
                r.name);
      }
      for (const Unresolved& u : b.unresolved) {
        const Place place = at_node_input(b, u.node, u.slot, u.name);
        switch (u.kind) {
          case Unresolved::Kind::undefined: {
            const BodyScope* main = b.model->main();
            if (main != nullptr && main->find(u.name) != nullptr) {
              out.add(place, "\"{}\" is a value of the main graph, which a function cannot see",
                      u.name)
                  .hint("Pass the value as an input of the function");
            } else {
              out.add(place, "\"{}\" is not defined in the function", u.name);
            }
            break;
          }
          case Unresolved::Kind::late:
          case Unresolved::Kind::late_capture:
            out.add(place, "\"{}\" is only defined later", u.name);
            break;
          case Unresolved::Kind::in_cycle:
            break;  // OCG019 names the loop
        }
      }
    })};

const Rule function_cycle{
    .id = "OCF007",
    .name = "function-cycle",
    .min_ir = 8,
    .purpose = "Checks that no function calls itself, directly or through others",
    .citation = "[onnx.proto#ModelProto]",
    .why = "Functions are inlined; a recursive one never ends.",
    .bad = "a function com.acme:F with a node com.acme.F",
    .good = "a function com.acme:F that calls com.acme:G, which calls neither",
    .fix = "Write the repetition as a Loop",
    .check = once([](const ModelScope& m, Sink& out) {
      std::map<FunctionKey, std::vector<FunctionKey>> calls;
      std::map<FunctionKey, const BodyScope*> bodies;
      const auto key = [](const FunctionView& f) {
        return FunctionKey{f.domain(), f.name(), f.overload()};
      };
      for (const auto& body : m.bodies) {
        if (!body->in_function()) continue;
        const FunctionView& f = *body->body.outermost().function;
        auto& callees = calls[key(f)];
        if (body->body.function) bodies.try_emplace(key(f), body.get());
        for (const NodeView node : body->body.nodes()) {
          if (const auto callee = m.function(node)) callees.push_back(key(*callee));
        }
      }
      // Depth first with a stack of our own; what is on the path when met again closes a circle.
      std::map<FunctionKey, int> state;  // 1: on the path, 2: done
      std::vector<std::pair<FunctionKey, std::size_t>> path;
      for (const auto& [start, unused] : calls) {
        if (state[start] != 0) continue;
        path.emplace_back(start, 0);
        state[start] = 1;
        while (!path.empty()) {
          auto& [at, next] = path.back();
          const auto& callees = calls[at];
          if (next == callees.size()) {
            state[at] = 2;
            path.pop_back();
            continue;
          }
          const FunctionKey callee = callees[next++];
          if (state[callee] == 0) {
            state[callee] = 1;
            path.emplace_back(callee, 0);
          } else if (state[callee] == 1) {
            std::string loop;
            const auto begin =
                std::ranges::find(path, callee, [](const auto& p) { return p.first; });
            for (auto step = begin; step != path.end(); ++step) {
              loop +=
                  fmt::format("{}:{} -> ", display_domain(step->first.domain), step->first.name);
            }
            out.add(in_body(*bodies[callee]), "The function calls itself: {}{}:{}", loop,
                    display_domain(callee.domain), callee.name);
          }
        }
      }
    })};

const Rule function_opset_missing{
    .id = "OCF008",
    .name = "function-opset-missing",
    .min_ir = 8,
    .purpose = "Checks that a function imports every domain that its nodes use, once",
    .citation = "[onnx.proto#FunctionProto] [IR.md#functions]",
    .why = "A function's nodes mean what the function's own imports say, not the model's.",
    .bad = "<domain: \"com.acme\"> F (a) => (b) { b = Neg (a) }",
    .good = "<domain: \"com.acme\", opset_import: [\"\": 17]> F (a) => (b) { b = Neg (a) }",
    .fix = "Add the domain to the function's opset_import",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.in_function()) return;
      if (const auto f = function_of(b)) {
        std::set<std::string_view> seen;
        const auto imports = f->opset_imports();
        for (int i = 0; i < imports.size(); ++i) {
          if (seen.insert(imports[i].domain()).second) continue;
          out.add(in_body(b, Section::opset_import, i), "Domain {} is imported twice",
                  display_domain(imports[i].domain()));
        }
      }
      std::set<std::string_view> reported;
      const auto nodes = b.body.nodes();
      for (int i = 0; i < nodes.size(); ++i) {
        const std::string_view domain = nodes[i].domain();
        if (b.imports->contains(domain) || !reported.insert(domain).second) continue;
        out.add(at_node(b, i), "The function does not import domain {} of {}",
                display_domain(domain), nodes[i].op_type());
      }
    })};

const Rule function_opset_incompatible{
    .id = "OCF009",
    .name = "function-opset-incompatible",
    .min_ir = 8,
    .purpose = "Checks that a function's nodes mean the same at the model's opset",
    .citation = "[onnx.proto#ModelProto]",
    .upstream = "ONNX033",
    .why =
        "Functions are inlined into the model. Where the two import different versions of a "
        "domain, every operator in use must have the same schema at both.",
    .bad = "a model of ai.onnx 17 with a function of ai.onnx 9 that has a Softmax",
    .good = "a model of ai.onnx 17 with a function of ai.onnx 16 that has a Softmax",
    .fix = "Convert the function to the model's opset",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.functions().empty()) return;
      const OpsetImports merged = merged_imports(m);
      for (const auto& body : m.bodies) {
        if (!body->in_function()) continue;
        std::set<std::pair<std::string_view, std::string_view>> reported;
        const auto nodes = body->body.nodes();
        for (int i = 0; i < nodes.size(); ++i) {
          const NodeView node = nodes[i];
          const int own = body->opset(node.domain());
          const auto at = merged.find(node.domain());
          if (own < 1 || at == merged.end() || at->second == own || m.function(node)) continue;
          const OpSchema* here = find_schema(node.domain(), node.op_type(), own);
          const OpSchema* there = find_schema(node.domain(), node.op_type(), at->second);
          if (here == there || !reported.emplace(node.domain(), node.op_type()).second) continue;
          if (here == nullptr) continue;  // OCN003's
          out.add(at_node(*body, i),
                  "{} is of version {} here (import {}), and {} where the model imports {}",
                  node.op_type(), here->since_version, own,
                  there == nullptr ? std::string("unknown")
                                   : fmt::format("of version {}", there->since_version),
                  at->second);
        }
      }
    })};

const Rule function_value_info{
    .id = "OCF010",
    .name = "function-value-info",
    .min_ir = 10,
    .purpose = "Checks that a function's value_info speaks of each of its values once",
    .citation = "[onnx.proto#FunctionProto] [IR.md#functions]",
    .why =
        "Two entries may contradict each other, and one for a value that is not there is a "
        "leftover that some tools trip over.",
    .bad = "a function with a value_info entry for \"z\" and no value \"z\"",
    .good = "a function with value_info entries for its own values",
    .fix = "Remove the entry",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto f = function_of(b);
      if (!f) return;
      std::unordered_set<std::string_view> seen;
      const auto list = f->value_infos();
      for (int i = 0; i < list.size(); ++i) {
        const std::string& name = list[i].name();
        const Place place = in_body(b, Section::value_info, i, name);
        if (!seen.insert(name).second) {
          out.add(place, "value_info has two entries for \"{}\"", name);
        } else if (b.find(name) == nullptr) {
          out.add(place, "value_info names \"{}\", which is no value of the function", name);
        }
      }
    })};

const Rule functions_before_ir8{
    .id = "OCF011",
    .name = "functions-before-ir8",
    .max_ir = 7,
    .purpose = "Checks that a model older than IR version 8 has no functions",
    .citation = "[onnx.proto#Version]",
    .why = "Readers of those versions do not know functions and look for operators of their name.",
    .bad = "<ir_version: 7, …> with a function com.acme:F",
    .good = "<ir_version: 8, …> with a function com.acme:F",
    .fix = "Set ir_version to 8 or later",
    .check = once([](const ModelScope& m, Sink& out) {
      const auto functions = m.model.functions();
      if (functions.empty()) return;
      out.add(in_model(Section::function, 0), "The model has {} function{} under IR version {}",
              functions.size(), functions.size() == 1 ? "" : "s", m.ir_version);
    })};

const Rule function_unused{
    .id = "OCF012",
    .name = "function-unused",
    .severity = Severity::info,
    .min_ir = 8,
    .purpose = "Checks that every function is called",
    .citation = "[IR.md#functions]",
    .upstream = "SIM001",
    .why =
        "A function that nobody calls is dead weight, or its caller lost the overload or domain.",
    .bad = "a function com.acme:F and no node com.acme.F",
    .good = "a function com.acme:F and a node com.acme.F",
    .fix = "Remove the function",
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<FunctionKey> called_ones;
      for (const auto& body : m.bodies) {
        for (const NodeView node : body->body.nodes()) {
          called_ones.insert({node.domain(), node.op_type(), node.overload()});
        }
      }
      for (const BodyScope* root : m.roots) {
        if (!root->body.function) continue;
        const FunctionView& f = *root->body.function;
        if (called_ones.contains({f.domain(), f.name(), f.overload()})) continue;
        out.add(in_body(*root), "Function {} is never called", called(f));
      }
    })};

const Rule function_domain_not_imported{
    .id = "OCF013",
    .name = "function-domain-not-imported",
    .min_ir = 8,
    .purpose = "Checks that the model imports the domain of every function its graphs call",
    .citation = "[IR.md#operator-sets] [IR.md#functions]",
    .why =
        "Functions are operators: their version is the one that the model imports of their "
        "domain.",
    .bad = "opset_import: [\"\": 17], a function com.acme:F and a node com.acme.F",
    .good = "opset_import: [\"\": 17, \"com.acme\": 1] with both",
    .fix = "Add the function's domain to opset_import",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (!n.function || n.body.in_function()) return;  // OCF008's
      if (n.body.imports->empty() || n.body.imports->contains(n.node.domain())) return;
      out.add(n.place(), "Domain {} of function {} is not imported",
              display_domain(n.node.domain()), n.node.op_type());
    })};

}  // namespace onnxcompat::rules
