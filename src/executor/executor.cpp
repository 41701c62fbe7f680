#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <new>
#include <unordered_map>

#include <fmt/format.h>

#include "executor/movement.h"
#include "executor/parallel.h"
#include "executor/plan.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

constexpr int kMaxCallDepth = 200;
constexpr std::uint64_t kWorthKeeping = 1 << 16;  ///< bytes of a copied weight

/// Bytes alive; each charge takes its own back.
class Account {
 public:
  explicit Account(std::uint64_t budget)
      : used_(std::make_shared<std::atomic<std::uint64_t>>(0)), budget_(budget) {}

  Status fits(std::uint64_t bytes) const {
    const std::uint64_t used = used_->load();
    if (bytes > budget_ || used > budget_ - bytes) {
      return fail(ExitCode::limit,
                  fmt::format("{} bytes more than the {} in use pass the memory budget of {}",
                              bytes, used, budget_));
    }
    return {};
  }

  Result<std::shared_ptr<const void>> charge(std::uint64_t bytes) const {
    if (const auto room = fits(bytes); !room) return std::unexpected(room.error());
    struct Charge {
      std::shared_ptr<std::atomic<std::uint64_t>> used;
      std::uint64_t bytes;
      Charge(std::shared_ptr<std::atomic<std::uint64_t>> counter, std::uint64_t amount)
          : used(std::move(counter)), bytes(amount) {
        used->fetch_add(bytes);
      }
      Charge(const Charge&) = delete;
      Charge& operator=(const Charge&) = delete;
      ~Charge() { used->fetch_sub(bytes); }
    };
    return std::make_shared<Charge>(used_, bytes);
  }

 private:
  std::shared_ptr<std::atomic<std::uint64_t>> used_;
  std::uint64_t budget_;
};

struct Frame {
  GraphPlan* plan = nullptr;
  Frame* outer = nullptr;
  std::vector<Value> values;
};

/// A call of a model-local function that is being evaluated.
struct Call {
  NodePlan* node = nullptr;
  Frame* frame = nullptr;  ///< the caller's
  const Call* outer = nullptr;
};

/// Copies what lies in the mapped file, which the value may outlive.
void own_elements(Value& value) {
  if (auto* tensor = std::get_if<Tensor>(&value.content)) {
    if (tensor->is_borrowed()) *tensor = tensor->clone();
  } else if (const Sequence* sequence = value.sequence()) {
    Sequence own = *sequence;
    for (Value& element : own.elements) own_elements(element);
    value = Value{std::move(own)};
  } else if (auto* optional = std::get_if<OptionalValue>(&value.content)) {
    if (optional->content == nullptr) return;
    Value content = *optional->content;
    own_elements(content);
    optional->content = std::make_shared<const Value>(std::move(content));
  }
}

bool fits_declared(const Value& value, const TypeView& type) {
  if (type.kind() == TypeView::Kind::none) return true;
  const auto declared = TypeSet::named(type.str());
  return !declared.meets(declared) || declared.meets(TypeSet::of(value));
}

}  // namespace

struct Executor::Impl final : Runner {
  Impl(const Model& run_model, RunOptions run_options)
      : model(run_model), options(std::move(run_options)), account(options.memory_budget) {}

  // ---- Runner
  Result<std::vector<Value>> run_graph(const GraphView& graph, std::vector<Value> inputs) override;
  std::optional<AttributeView> resolve_reference(std::string_view name) const override {
    return resolve_in(call, name);
  }
  Result<Tensor> load(const TensorView& tensor) const override;
  Result<Tensor> load(const SparseTensorView& sparse) const override;
  Status spend(std::int64_t executions) override {
    nodes_run += executions;
    if (nodes_run <= options.node_budget) return {};
    return fail(ExitCode::limit, fmt::format("more than {} node executions", options.node_budget));
  }
  Status reserve(std::uint64_t bytes) override { return account.fits(bytes); }
  Result<std::shared_ptr<const void>> charge(std::uint64_t bytes) override {
    return account.charge(bytes);
  }
  std::mt19937_64 random_engine(const KernelContext& context) override;
  int threads() const override { return ThreadScope::current(); }

  // ---- running
  Result<std::vector<Value>> run_main(const NamedValues& inputs);
  Result<std::vector<Value>> run_plan(GraphPlan& plan, std::vector<Value> inputs, Frame* outer);
  Status run_node(Frame& in, NodePlan& node);
  Status compute(NodePlan& node, std::span<Value> inputs, std::span<Value> outputs);
  Status call_function(NodePlan& node, std::span<Value> inputs, std::span<Value> outputs);
  Status check_references(const NodePlan& node) const;
  Result<Value> fetch(Frame& in, const ValueRef& ref) const;
  Result<Value> load_initializer(Frame& in, int slot) const;
  static std::optional<AttributeView> resolve_in(const Call* where, std::string_view name);

  const Model& model;
  RunOptions options;
  Account account;
  std::unique_ptr<Plan> plan;
  std::int64_t nodes_run = 0;
  int depth = 0;
  Frame* frame = nullptr;       ///< of the node being run
  NodePlan* current = nullptr;  ///< the node being run
  const Call* call = nullptr;   ///< the function it is in
  std::unordered_map<std::string, std::uint64_t> draws;
};

Executor::Executor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;
Executor::~Executor() = default;

Result<Executor> Executor::prepare(const Model& model, RunOptions options) {
  auto impl = std::make_unique<Impl>(model, std::move(options));
  auto plan = Plan::make(model);
  if (!plan) return std::unexpected(plan.error());
  impl->plan = *std::move(plan);
  return Executor(std::move(impl));
}

const std::vector<MissingKernel>& Executor::missing_kernels() const { return impl_->plan->missing; }

Result<std::vector<Value>> Executor::run(const NamedValues& inputs) {
  const ThreadScope threads(impl_->options.threads);
  impl_->nodes_run = 0;
  impl_->draws.clear();
  return impl_->run_main(inputs);
}

Result<std::vector<Value>> Executor::Impl::run_main(const NamedValues& inputs) {
  const auto formal = model.graph().inputs();
  std::vector<Value> bound(plan->main.inputs.size());
  std::size_t used = 0;
  for (int i = 0; i < formal.size(); ++i) {
    const ValueInfoView input = formal[i];
    const auto it = inputs.find(input.name());
    if (it == inputs.end()) {
      const auto slot = static_cast<std::size_t>(plan->main.inputs[static_cast<std::size_t>(i)]);
      if (plan->main.initializer_of[slot] >= 0) continue;
      return fail(ExitCode::unreadable, fmt::format("input \"{}\" is not given", input.name()));
    }
    ++used;
    if (!fits_declared(it->second, input.type())) {
      return fail(ExitCode::unreadable,
                  fmt::format("input \"{}\" is {}, declared is {}", input.name(),
                              describe(it->second), input.type().str()));
    }
    bound[static_cast<std::size_t>(i)] = it->second;
  }
  if (used != inputs.size()) {
    return fail(ExitCode::unreadable, "a value is given for a name that is no input of the graph");
  }
  auto outputs = run_plan(plan->main, std::move(bound), nullptr);
  if (!outputs) return outputs;
  for (Value& value : *outputs) own_elements(value);
  return outputs;
}

Result<std::vector<Value>> Executor::Impl::run_plan(GraphPlan& graph, std::vector<Value> inputs,
                                                    Frame* outer) {
  if (depth >= kMaxCallDepth) {
    return fail(ExitCode::limit, fmt::format("{}: graphs run within graphs deeper than {}",
                                             graph.path, kMaxCallDepth));
  }
  if (const auto allowed = spend(1); !allowed) return std::unexpected(allowed.error());
  if (inputs.size() != graph.inputs.size()) {
    return fail(ExitCode::unreadable, fmt::format("{}: takes {} inputs, is given {}", graph.path,
                                                  graph.inputs.size(), inputs.size()));
  }
  Frame own{&graph, outer, std::vector<Value>(graph.slot_names.size())};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    own.values[static_cast<std::size_t>(graph.inputs[i])] = std::move(inputs[i]);
  }
  ++depth;
  Status status;
  for (NodePlan& node : graph.nodes) {
    status = run_node(own, node);
    if (!status) break;
  }
  --depth;
  if (!status) return std::unexpected(status.error());
  std::vector<Value> outputs;
  outputs.reserve(graph.outputs.size());
  for (const ValueRef& ref : graph.outputs) {
    auto value = fetch(own, ref);
    if (!value) return std::unexpected(value.error());
    outputs.push_back(*std::move(value));
  }
  return outputs;
}

Status Executor::Impl::run_node(Frame& in, NodePlan& node) {
  if (const auto allowed = spend(1); !allowed) return allowed;
  std::vector<Value> inputs(node.inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (node.inputs[i].slot < 0) continue;
    auto value = fetch(in, node.inputs[i]);
    if (!value) return std::unexpected(value.error());
    inputs[i] = *std::move(value);
  }
  // Before the node runs, so that it may change in place what only it holds.
  for (const int slot : node.takes) in.values[static_cast<std::size_t>(slot)] = {};
  std::vector<Value> outputs(node.outputs.size());

  Frame* const outer_frame = std::exchange(frame, &in);
  NodePlan* const outer_node = std::exchange(current, &node);
  Status status = compute(node, inputs, outputs);
  frame = outer_frame;
  current = outer_node;
  if (!status) {
    Error error = std::move(status.error());
    // The innermost place is the one that tells most.
    if (!error.message.starts_with(in.plan->path + "/node[") &&
        error.message.find("/node[") == std::string::npos) {
      error.message = fmt::format("{}/node[{}]: {}", in.plan->path, node.index, error.message);
    }
    return std::unexpected(std::move(error));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] < 0) continue;
    const auto slot = static_cast<std::size_t>(node.outputs[i]);
    if (!outputs[i].present() && node.function == nullptr) {
      return fail(ExitCode::unreadable,
                  fmt::format("{}/node[{}]: {}: output {} (\"{}\") is not computed", in.plan->path,
                              node.index, node.node.op_type(), i, in.plan->slot_names[slot]));
    }
    if (options.trace) options.trace(in.plan->path, in.plan->slot_names[slot], outputs[i]);
    in.values[slot] = std::move(outputs[i]);
  }
  for (const int slot : node.frees) in.values[static_cast<std::size_t>(slot)] = {};
  return {};
}

Status Executor::Impl::compute(NodePlan& node, std::span<Value> inputs, std::span<Value> outputs) {
  if (node.has_references) {
    if (const auto fine = check_references(node); !fine) return fine;
  }
  if (node.kernel == nullptr) {
    if (node.function != nullptr) return call_function(node, inputs, outputs);
    return fail(
        ExitCode::unreadable,
        fmt::format("{}: there is no kernel for {} of domain {}", node.node.op_type(),
                    node.schema != nullptr ? fmt::format("version {}", node.schema->since_version)
                                           : std::string("it"),
                    display_domain(node.node.domain())));
  }
  KernelContext context(node.node, node.schema, inputs, outputs, *this);
  if (!node.has_references) context.keep_in(&node.prepared);
  if (node.rules != nullptr) {  // null without a schema: such kernels look at types themselves
    if (const std::string fault = node.rules->check(inputs); !fault.empty()) {
      return context.fail(fault);
    }
  }
  try {
    return node.kernel->run(context);
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::limit, fmt::format("{}: out of memory", node.node.op_type()));
  } catch (const std::exception& e) {
    return fail(ExitCode::internal_error, fmt::format("{}: {}", node.node.op_type(), e.what()));
  }
}

Status Executor::Impl::call_function(NodePlan& node, std::span<Value> inputs,
                                     std::span<Value> outputs) {
  GraphPlan& body = node.function->body;
  if (inputs.size() > body.inputs.size() || outputs.size() > body.outputs.size()) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: the function has {} inputs and {} outputs, the call {} and {}",
                            node.node.op_type(), body.inputs.size(), body.outputs.size(),
                            inputs.size(), outputs.size()));
  }
  std::vector<Value> bound(std::move_iterator(inputs.begin()), std::move_iterator(inputs.end()));
  bound.resize(body.inputs.size());
  const Call own{&node, frame, call};
  const Call* const outer = std::exchange(call, &own);
  auto results = run_plan(body, std::move(bound), nullptr);
  call = outer;
  if (!results) return std::unexpected(results.error());
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = std::move((*results)[i]);
  return {};
}

Result<std::vector<Value>> Executor::Impl::run_graph(const GraphView& graph,
                                                     std::vector<Value> inputs) {
  const auto find_in = [&](NodePlan* node) -> GraphPlan* {
    for (auto& [view, planned] : node->graphs) {
      if (view.same_as(graph)) return planned.get();
    }
    return nullptr;
  };
  NodePlan* const node = current;
  Frame* const own_frame = frame;
  if (GraphPlan* planned = find_in(node)) {
    auto result = run_plan(*planned, std::move(inputs), own_frame);
    frame = own_frame;
    current = node;
    return result;
  }
  // A graph that a call passed to a function sees the names of the caller.
  const Call* const own_call = call;
  for (const Call* c = call; c != nullptr; c = c->outer) {
    GraphPlan* planned = find_in(c->node);
    if (planned == nullptr) continue;
    call = c->outer;
    auto result = run_plan(*planned, std::move(inputs), c->frame);
    call = own_call;
    frame = own_frame;
    current = node;
    return result;
  }
  return fail(ExitCode::unreadable, "a graph that no node in force holds cannot be run");
}

std::optional<AttributeView> Executor::Impl::resolve_in(const Call* where, std::string_view name) {
  if (where == nullptr) return std::nullopt;
  if (const auto given = where->node->node.attribute(name)) {
    return given->is_reference() ? resolve_in(where->outer, given->ref_attr_name()) : given;
  }
  for (const AttributeView parameter : where->node->function->function.attribute_protos()) {
    if (parameter.name() == name) return parameter;
  }
  return std::nullopt;
}

Status Executor::Impl::check_references(const NodePlan& node) const {
  if (node.schema == nullptr) return {};
  for (const AttributeView attribute : node.node.attributes()) {
    if (!attribute.is_reference()) continue;
    const AttributeSchema* expected = node.schema->attribute(attribute.name());
    const auto resolved = resolve_in(call, attribute.ref_attr_name());
    if (expected == nullptr) continue;
    if (!resolved && expected->required) {
      return fail(ExitCode::unreadable,
                  fmt::format("{}: attribute {} refers to {}, which the call leaves open",
                              node.node.op_type(), attribute.name(), attribute.ref_attr_name()));
    }
    if (resolved && resolved->type() != expected->type) {
      return fail(ExitCode::unreadable,
                  fmt::format("{}: attribute {} refers to {} of type {}, not {}",
                              node.node.op_type(), attribute.name(), attribute.ref_attr_name(),
                              name_of(resolved->type()), name_of(expected->type)));
    }
  }
  return {};
}

Result<Value> Executor::Impl::fetch(Frame& in, const ValueRef& ref) const {
  Frame* at = &in;
  for (int i = 0; i < ref.hops; ++i) at = at->outer;
  const auto slot = static_cast<std::size_t>(ref.slot);
  if (!at->values[slot].present() && at->plan->initializer_of[slot] >= 0) {
    return load_initializer(*at, ref.slot);
  }
  return at->values[slot];
}

Result<Value> Executor::Impl::load_initializer(Frame& in, int slot) const {
  InitializerPlan& initializer = in.plan->initializers[static_cast<std::size_t>(
      in.plan->initializer_of[static_cast<std::size_t>(slot)])];
  Value& held = in.values[static_cast<std::size_t>(slot)];
  if (initializer.kept.present()) return held = initializer.kept;
  auto tensor = initializer.dense ? load(*initializer.dense) : load(*initializer.sparse);
  if (!tensor) return std::unexpected(tensor.error());
  const bool keep = options.keep_weights || tensor->is_borrowed() || !in.plan->is_main ||
                    tensor->byte_size() <= kWorthKeeping;
  held = Value{*std::move(tensor)};
  if (keep) initializer.kept = held;
  return held;
}

Result<Tensor> Executor::Impl::load(const TensorView& tensor) const {
  const DataType type = tensor.data_type();
  Dims dims(tensor.dims().begin(), tensor.dims().end());
  const auto count = element_count(dims);
  if (!count || !is_known(type)) {
    return fail(ExitCode::unreadable,
                fmt::format("tensor \"{}\" has an unknown type or impossible dims", tensor.name()));
  }
  if (type == DataType::string) {
    const Strings strings = tensor.strings();
    if (strings.size() != *count) {
      return fail(ExitCode::unreadable, fmt::format("tensor \"{}\" holds {} strings, its dims {}",
                                                    tensor.name(), strings.size(), *count));
    }
    return Tensor::of_strings(std::move(dims), {strings.begin(), strings.end()});
  }
  std::vector<std::byte> scratch;
  const auto bytes = model.tensor_bytes(tensor, scratch);
  if (!bytes) return std::unexpected(bytes.error());
  const bool in_memory_form = bits_of(type) >= 8 && type != DataType::boolean &&
                              reinterpret_cast<std::uintptr_t>(bytes->data()) %
                                      std::min<std::size_t>(element_bytes(type), 8) ==
                                  0;
  if (in_memory_form && scratch.empty()) {
    return Tensor::borrow(type, std::move(dims), *bytes, nullptr);
  }
  auto charged = account.charge(static_cast<std::uint64_t>(*count) * element_bytes(type));
  if (!charged) return std::unexpected(charged.error());
  auto copied = Tensor::from_packed(type, std::move(dims), *bytes);
  if (copied) copied->set_charge(*std::move(charged));
  return copied;
}

// [IR.md#sparse-tensor-values] indices are linear [nnz] or coordinates [nnz, rank].
Result<Tensor> Executor::Impl::load(const SparseTensorView& sparse) const {
  const auto wrong = [&](std::string_view what) {
    return fail(ExitCode::unreadable,
                fmt::format("sparse tensor \"{}\": {}", sparse.values().name(), what));
  };
  const auto values = load(sparse.values());
  if (!values) return values;
  const auto places = sparse.indices().ints();
  if (!places) return std::unexpected(places.error());
  Dims dims(sparse.dims().begin(), sparse.dims().end());
  const auto count = element_count(dims);
  if (!count) return wrong("impossible dims");
  const auto index_dims = sparse.indices().dims();
  const bool linear = index_dims.size() == 1;
  const std::size_t per_value = linear ? 1 : dims.size();
  const bool fits = values->rank() == 1 && (linear || index_dims.size() == 2) &&
                    places->size() == static_cast<std::size_t>(values->size()) * per_value;
  if (!fits) return wrong("indices do not fit its values");
  const std::size_t width =
      values->type() == DataType::string ? sizeof(std::string) : element_bytes(values->type());
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, static_cast<std::int64_t>(width), &bytes)) {
    return wrong("impossible dims");
  }
  auto charged = account.charge(static_cast<std::uint64_t>(bytes));
  if (!charged) return std::unexpected(charged.error());
  const Dims strides = strides_of(dims);
  Tensor dense(values->type(), dims);
  dense.set_charge(*std::move(charged));
  for (std::int64_t i = 0; i < values->size(); ++i) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < per_value; ++k) {
      const std::int64_t place = (*places)[static_cast<std::size_t>(i) * per_value + k];
      if (place < 0 || place >= (linear ? *count : dims[k])) return wrong("an index is outside");
      at += linear ? place : place * strides[k];
    }
    copy_run(*values, i, dense, at, 1);
  }
  return dense;
}

std::mt19937_64 Executor::Impl::random_engine(const KernelContext& context) {
  const auto seed = context.attribute("seed");
  // Without a seed of their own operators draw by turns, whatever the names: what one draws, so
  // does one that takes its place.
  std::string place;
  std::uint64_t origin = options.seed * 0x9e3779b97f4a7c15U;
  if (seed) {
    const bool real = seed->type() == AttributeType::float_;
    origin = std::bit_cast<std::uint32_t>(real ? seed->f() : static_cast<float>(seed->i()));
    for (const std::string& name : context.node().outputs()) {
      if (place.empty()) place = name;
    }
  }
  const std::uint64_t draw = draws[place]++;
  return std::mt19937_64(origin + draw * 0xbf58476d1ce4e5b9U);
}

}  // namespace onnxcompat::executor
