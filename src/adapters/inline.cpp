#include <fmt/format.h>

#include "adapters/ir_version.h"
#include "adapters/rename.h"

namespace onnxcompat::adapters {
namespace {

/// Functions that call each other in a circle have no end; real ones are not this deep.
constexpr int kMaxDepth = 64;
constexpr int kMaxCalls = 100'000;

class Inliner {
 public:
  Inliner(Context& context, Model& model)
      : context_(context), library_(model.clone()), editor_(model) {}

  void run() {
    if (library_.functions().empty()) return;
    body(editor_.graph(), 0);
    for (int i = 0; i < editor_.training_count(); ++i) {
      const TrainingInfoView training = library_.training_infos()[i];
      if (training.has_initialization()) body(editor_.initialization(i), 0);
      if (training.has_algorithm()) body(editor_.algorithm(i), 0);
    }
    if (context_.blockers.size() > blocked_) return;
    editor_.drop_functions();
    ConversionStep step;
    step.op = "IR";
    step.authority = Authority::written;
    step.note = fmt::format("{} calls of model-local functions replaced by their nodes", calls_);
    context_.steps.push_back(std::move(step));
  }

 private:
  void body(BodyEditor editor, int depth) {
    std::vector<OwnedNode> out;
    for (OwnedNode& node : editor.take_nodes()) place(std::move(node), out, depth);
    editor.put_nodes(std::move(out));
  }

  void place(OwnedNode node, std::vector<OwnedNode>& out, int depth) {
    for (const BodyEditor& graph : node.graphs()) body(graph, depth);
    const NodeView view = node.view();
    const auto function = library_.function(view.domain(), view.op_type(), view.overload());
    if (!function) {
      out.push_back(std::move(node));
      return;
    }
    if (depth > kMaxDepth || calls_ > kMaxCalls) {
      block(*function, "calls itself, or is called too often");
      out.push_back(std::move(node));
      return;
    }
    for (const OpsetImportView import : function->opset_imports()) {
      const int own = library_.opset(import.domain());
      if (own == 0 && !library_.function(import.domain(), view.op_type())) {
        editor_.set_opset(import.raw_domain(), import.version());
      } else if (own != import.version() && is_standard_domain(import.domain())) {
        block(*function, fmt::format("imports opset {} of {}, and the model imports {}",
                                     import.version(), display_domain(import.domain()), own));
        out.push_back(std::move(node));
        return;
      }
    }
    ++calls_;
    NameMap names;
    const auto bind = [&](const Strings& formal, const Strings& actual, bool fresh) {
      for (int i = 0; i < formal.size(); ++i) {
        const bool given = i < actual.size() && !actual[i].empty();
        names[formal[i]] = given ? actual[i] : fresh ? fresh_name(view, formal[i]) : "";
      }
    };
    bind(function->inputs(), view.inputs(), false);
    bind(function->outputs(), view.outputs(), true);
    for (const NodeView inner : function->nodes()) {
      for (const std::string& name : inner.outputs()) {
        if (!name.empty() && !names.contains(name)) names[name] = fresh_name(view, name);
      }
    }
    // An output that is an input as well is passed on.
    for (int i = 0; i < function->outputs().size(); ++i) {
      const std::string& name = function->outputs()[i];
      for (int k = 0; k < function->inputs().size(); ++k) {
        if (function->inputs()[k] != name || i >= view.outputs().size()) continue;
        OwnedNode pass({}, "Identity");
        pass.set_inputs({k < view.inputs().size() ? view.inputs()[k] : ""});
        pass.set_outputs({view.outputs()[i]});
        out.push_back(std::move(pass));
        names[name] = k < view.inputs().size() ? view.inputs()[k] : "";
      }
    }
    for (const NodeView inner : function->nodes()) {
      OwnedNode copy = OwnedNode::copy(inner);
      rewrite(copy, names, view, *function);
      place(std::move(copy), out, depth + 1);
    }
  }

  std::string fresh_name(const NodeView& call, const std::string& inner) {
    std::string base = call.name();
    for (const std::string& output : call.outputs()) {
      if (base.empty()) base = output;
    }
    return context_.fresh_name(fmt::format("{}_{}", base, inner));
  }

  /// Values and attributes of a copied node as they are at this call, with names of its own.
  void rewrite(OwnedNode& node, const NameMap& names, const NodeView& call,
               const FunctionView& function) {
    const auto fresh = [&](const std::string& name) { return fresh_name(call, name); };
    rename_within(node, names, fresh, [&](OwnedNode& each) { bind(each, call, function); });
  }

  void bind(OwnedNode& node, const NodeView& call, const FunctionView& function) {
    if (!node.view().name().empty()) node.set_name(fresh_name(call, node.view().name()));
    std::vector<std::pair<std::string, std::string>> references;
    for (const AttributeView a : node.view().attributes()) {
      if (a.is_reference()) references.emplace_back(a.name(), a.ref_attr_name());
    }
    for (const auto& [attribute, parameter] : references) {
      std::optional<AttributeView> value = call.attribute(parameter);
      for (const AttributeView d : function.attribute_protos()) {
        if (!value && d.name() == parameter) value = d;
      }
      if (value) {
        node.set_copy(attribute, *value);
      } else {
        node.drop(attribute);
      }
    }
  }

  void block(const FunctionView& function, std::string_view why) {
    if (context_.blockers.size() > blocked_) return;
    Finding finding;
    finding.rule = fmt::format(
        "IR-{}-{}", context_.source.ir_version(),
        context_.request.ir_version.value_or(context_.request.max_ir_version.value_or(7)));
    finding.name = "conversion-refused";
    finding.location.path = path_of(function);
    finding.message = fmt::format("{} cannot be inlined: it {}", finding.location.path, why);
    context_.blockers.push_back(std::move(finding));
  }

  Context& context_;
  Model library_;
  ModelEditor editor_;
  std::size_t blocked_ = context_.blockers.size();
  int calls_ = 0;
};

}  // namespace

void inline_functions(Context& context, Model& result) { Inliner(context, result).run(); }

}  // namespace onnxcompat::adapters
