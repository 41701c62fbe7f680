// GRU with linear_before_reset, in what opset 1 has: operators that compute with floating-point
// numbers only, no Where, and no Reshape to a computed shape.

#include "adapters/ops/gru_spelled_out.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {
namespace {

/// Places and lengths: what computes with integers is younger.
constexpr DataType kPlace = DataType::float64;
constexpr std::int64_t kLargestHidden = 1 << 20;
constexpr std::int64_t kMostZeros = 1 << 20;

/// [GRU-3] the functions of `activations`, with the defaults of the operators of the same name.
struct Activation {
  std::string_view name;
  bool takes_alpha = false, takes_beta = false;
  float alpha = 0, beta = 0;
};

constexpr Activation kActivations[] = {
    {"Relu"},
    {"Tanh"},
    {"Sigmoid"},
    {"Affine", true, true, 1, 0},
    {"LeakyRelu", true, false, 0.01F},
    {"ThresholdedRelu", true, false, 1},
    {"ScaledTanh", true, true, 1, 1},
    {"HardSigmoid", true, true, 0.2F, 0.5F},
    {"Elu", true, false, 1},
    {"Softsign"},
    {"Softplus"},
};

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// What the attributes say, and the inputs' dims say of it.
struct Form {
  std::int64_t hidden = 0;
  std::vector<bool> backward;         ///< of each direction
  std::vector<Activation> functions;  ///< f and g of each direction
  float clip = 0;                     ///< 0: none
};

/// Alphas and betas go in order to the functions that take one. False if the node was refused.
bool read_functions(NodeEdit& e, Form& form) {
  const auto names = e.attribute("activations");
  const auto alphas = e.attribute("activation_alpha");
  const auto betas = e.attribute("activation_beta");
  if (e.refused()) return false;
  std::vector<std::string> given;
  if (names) given.assign(names->strings().begin(), names->strings().end());
  const std::size_t count = 2 * form.backward.size();
  if (given.empty()) {
    while (given.size() < count) given.insert(given.end(), {"Sigmoid", "Tanh"});
  }
  if (given.size() != count) {
    e.refuse(fmt::format("it has {} activations, not {}", given.size(), count));
    return false;
  }
  std::size_t alpha = 0, beta = 0;
  const auto take = [](const auto& list, std::size_t& next, float& value) {
    if (list && next < list->floats().size()) value = list->floats()[next++];
  };
  for (const std::string& name : given) {
    const auto* known = std::ranges::find_if(
        kActivations, [&](const Activation& a) { return same_word(a.name, name); });
    if (known == std::end(kActivations)) {
      e.refuse(fmt::format("its activation \"{}\" is not known", name));
      return false;
    }
    form.functions.push_back(*known);
    if (known->takes_alpha) take(alphas, alpha, form.functions.back().alpha);
    if (known->takes_beta) take(betas, beta, form.functions.back().beta);
  }
  return true;
}

/// Nothing if the node was refused.
std::optional<Form> form_of(NodeEdit& e) {
  const auto refuse = [&](std::string reason, std::string hint = {}) {
    e.refuse(std::move(reason), std::move(hint));
    return std::nullopt;
  };
  Form form;
  form.hidden = e.int_or("hidden_size", e.dim(e.input(2), 2).value_or(0));
  const std::string direction = e.string_or("direction", "forward");
  form.clip = e.float_or("clip", 0);
  if (e.refused()) return std::nullopt;
  if (form.hidden == 0) {
    return refuse("its hidden_size is not known", "declare the shapes of the graph's inputs");
  }
  if (form.hidden < 0 || form.hidden > kLargestHidden) {
    return refuse("its hidden_size is out of range");
  }
  if (!(form.clip >= 0)) return refuse("its clip is negative");
  if (e.dim(e.input(0), 0) == 0) return refuse("it has no steps, and a Loop of none tells no dims");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return refuse(fmt::format("its direction \"{}\" is not known", direction));
  }
  form.backward = {direction == "reverse"};
  if (direction == "bidirectional") form.backward.push_back(true);
  if (!read_functions(e, form)) return std::nullopt;
  return form;
}

class GruSteps {
 public:
  GruSteps(NodeEdit& e, Form form) : e_(e), form_(std::move(form)) {}

  void write() {
    const DataType type = e_.need_dtype(0);
    if (e_.refused()) return;
    if (!is_float(type)) return e_.refuse("it is of no floating-point numbers");
    if (std::ranges::count(form_.functions, "ThresholdedRelu", &Activation::name) > 0) {
      e_.remark("its ThresholdedRelu keeps a NaN, of which the GRU makes 0");
    }
    work_ = at_least_float32(type);
    steps_ = dim_of_x(0, "steps"), batch_ = dim_of_x(1, "batch");
    for (int i = 0; i < 2; ++i) {
      if (!e_.output_used(i)) e_.drop_output(i);
    }
    for (int i = 0; i < 6; ++i) {
      inputs_[i] = i != 4 && e_.has_input(i) ? cast(e_, e_.input(i), work_) : Value{};
    }
    one_ = e_.number(1, work_, "one");
    if (e_.has_input(4)) prepare_lengths();

    std::vector<Value> sequences, states;
    for (std::size_t d = 0; d < form_.backward.size(); ++d) {
      const auto [sequence, state] = run(d);
      if (e_.has_output(0)) sequences.push_back(unsqueeze(e_, sequence, {1}));
      if (e_.has_output(1)) states.push_back(unsqueeze(e_, state, {0}));
    }
    const auto joined = [&](const std::vector<Value>& parts, std::int64_t axis) {
      return parts.empty() ? Value{} : cast(e_, concat(e_, parts, axis), type);
    };
    const Value y = joined(sequences, 1);
    const Value last = joined(states, 0);
    e_.rounds();
    e_.replace({y, last});
  }

 private:
  static Dim known(std::int64_t size) { return {.value = size, .symbol = {}}; }
  Dim hidden(std::int64_t times = 1) const { return known(times * form_.hidden); }
  /// Sizes that are not known have a name: they are the same wherever they come up.
  Dim dim_of_x(int axis, std::string_view name) const {
    const auto size = e_.dim(e_.input(0), axis);
    return size ? known(*size) : Dim{.value = std::nullopt, .symbol = e_.fresh(name)};
  }
  Value typed(const Value& x, Shape dims) {
    e_.set_type(x, ValueType::tensor(work_, std::move(dims)));
    return x;
  }

  /// Items of the batch whose sequence is over keep their state, and their Y is 0: rows of the next
  /// states, the states so far and one of zeros, laid end to end, are picked.
  void prepare_lengths() {
    const auto of_items = [&](const Value& x) {
      const Value places = cast(e_, x, kPlace);
      e_.set_type(places, ValueType::tensor(kPlace, Shape{batch_}));
      return places;
    };
    const Value batch = dim_scalar(e_, e_.input(0), 1);
    lengths_ = of_items(e_.input(4));
    items_ = of_items(arange(e_, batch));
    to_state_ = cast(e_, batch, kPlace);
    const Value zeros = binary(e_, "Add", to_state_, to_state_);
    to_zeros_ = binary(e_, "Add", unary(e_, "Neg", items_), zeros);
    zero_row_ = e_.constant(TensorLiteral::zeros(work_, {1, form_.hidden}), "nothing");
  }

  /// What input i has for direction d.
  Value part(int i, std::size_t d) {
    Value x = inputs_[i];
    const auto at = static_cast<std::int64_t>(d);
    if (form_.backward.size() > 1) x = slice(e_, x, Ints{at}, Ints{at + 1}, Ints{0});
    return squeeze(e_, x, {0});
  }

  /// Gates [first, last) of x, whose last of `rank` dims holds three or six of them.
  Value gates(Emitter& e, const Value& x, std::int64_t rank, std::int64_t first,
              std::int64_t last) const {
    return slice(e, x, Ints{first * form_.hidden}, Ints{last * form_.hidden}, Ints{rank - 1});
  }

  Value initial_state(std::size_t d) {
    if (!inputs_[5].empty()) return typed(part(5, d), {batch_, hidden()});
    if (!zero_state_.empty()) return zero_state_;
    const Ints dims{batch_.value.value_or(-1), form_.hidden};
    if (elements_of(dims).value_or(kEnd) <= kMostZeros) {
      return zero_state_ = e_.constant(TensorLiteral::zeros(work_, dims), "start");
    }
    Subgraph item = e_.subgraph("item");
    item.input("number", DataType::int64, 0);
    item.output(item.input("go", DataType::boolean, 0));
    item.output(item.constant(TensorLiteral::zeros(work_, {form_.hidden}), "start"));
    const Value count = dim_scalar(e_, e_.input(0), 1);
    zero_state_ = counted_loop(e_, count, {}, 1, {"body", item}).front();
    return typed(zero_state_, {batch_, hidden()});
  }

  struct Results {
    Value sequence;  ///< [steps, batch, hidden]
    Value state;     ///< [batch, hidden]
  };
  Results run(std::size_t d) {
    // All steps' products with W, and the biases that only add to them.
    const Value w = transpose(e_, part(1, d), {1, 0});
    Value inputs = typed(product(e_, inputs_[0], w), {steps_, batch_, hidden(3)});
    Value reset_bias;
    if (!inputs_[3].empty()) {
      const Value b = typed(part(3, d), {hidden(6)});
      const Value of_w = gates(e_, b, 1, 0, 2);
      const Value both = binary(e_, "Add", of_w, gates(e_, b, 1, 3, 5));
      inputs = binary(e_, "Add", inputs, concat(e_, {both, gates(e_, b, 1, 2, 3)}, 0));
      reset_bias = gates(e_, b, 1, 5, 6);
    }
    const Value r = transpose(e_, part(2, d), {1, 0});
    const Value start = initial_state(d);
    const Value count = dim_scalar(e_, e_.input(0), 0);
    const bool turned = form_.backward[d];
    Value last;
    if (turned) {
      last = binary(e_, "Sub", cast(e_, count, kPlace), e_.number(1, kPlace, "one"));
    }

    Subgraph step = e_.subgraph("step");
    Value number = step.input("number", DataType::int64, 0);
    const Value go = step.input("go", DataType::boolean, 0);
    const Value state = typed(step.input("state", work_, 2), {batch_, hidden()});
    Value time;
    if (turned || !lengths_.empty()) time = cast(step, number, kPlace);
    if (turned) {
      // From the last step of all: up to its own last one a sequence keeps its state.
      time = binary(step, "Sub", last, time);
      number = cast(step, time, DataType::int64);
    }
    const Value xw = gather(step, inputs, number, 0);
    const Value hr = typed(product(step, state, r), {batch_, hidden(3)});
    const Value next = cell(step, d, xw, hr, reset_bias, state);
    step.output(go);
    const bool shows = e_.has_output(0);
    for (const Value& value : within_lengths(step, time, next, state)) step.output(value);
    if (shows && turned) step.output(number);

    const int outputs = !shows ? 1 : turned ? 3 : 2;
    std::vector<Value> results = counted_loop(e_, count, {start}, outputs, {"body", step});
    typed(results[0], {batch_, hidden()});
    if (!shows) return {{}, results[0]};
    typed(results[1], {steps_, batch_, hidden()});
    if (!turned) return {results[1], results[0]};
    // The steps that the rounds were at lead back as well.
    e_.set_type(results[2], ValueType::tensor(DataType::int64, Shape{steps_}));
    return {gather(e_, results[1], results[2], 0), results[0]};
  }

  /// The state after a step and, if Y is asked for, what that has of it.
  std::vector<Value> within_lengths(Emitter& step, const Value& time, const Value& next,
                                    const Value& state) const {
    const bool shows = e_.has_output(0);
    if (lengths_.empty()) return std::vector<Value>(shows ? 2 : 1, next);
    const Value goes_on = binary(step, "Greater", lengths_, time);
    const Value over = cast(step, unary(step, "Not", goes_on), kPlace);
    const Value rows = concat(step, {next, state, zero_row_}, 0);
    const auto picked = [&](const Value& away) {
      const Value row = binary(step, "Add", items_, binary(step, "Mul", over, away));
      return gather(step, rows, cast(step, row, DataType::int64), 0);
    };
    std::vector<Value> values{picked(to_state_)};
    if (shows) values.push_back(picked(to_zeros_));
    return values;
  }

  /// [GRU-3] the next state, from the products [batch, 3 * hidden] with W and with R.
  Value cell(Emitter& e, std::size_t d, const Value& xw, const Value& hr, const Value& reset_bias,
             const Value& state) const {
    const Value gates_x = gates(e, xw, 2, 0, 2);
    const Value sums = binary(e, "Add", gates_x, gates(e, hr, 2, 0, 2));
    const Value both = activated(e, form_.functions[2 * d], clipped(e, sums));
    const Value z = gates(e, both, 2, 0, 1);
    const Value r = gates(e, both, 2, 1, 2);
    Value linear = gates(e, hr, 2, 2, 3);
    if (!reset_bias.empty()) linear = binary(e, "Add", linear, reset_bias);
    linear = binary(e, "Mul", r, linear);
    const Value sum = binary(e, "Add", linear, gates(e, xw, 2, 2, 3));
    const Value candidate = activated(e, form_.functions[2 * d + 1], clipped(e, sum));
    const Value rest = binary(e, "Add", unary(e, "Neg", z), one_);
    const Value taken = binary(e, "Mul", rest, candidate);
    return binary(e, "Add", taken, binary(e, "Mul", z, state));
  }

  Value clipped(Emitter& e, const Value& x) const {
    if (form_.clip == 0) return x;
    return e.emit_in({}, 1, "Clip", {x}, 1, {{"max", form_.clip}, {"min", -form_.clip}}).front();
  }

  Value activated(Emitter& e, const Activation& f, const Value& x) const {
    const auto number = [&](float value) {
      return e.number(static_cast<double>(value), work_, "factor");
    };
    const auto times = [&](const Value& v, float by) { return binary(e, "Mul", v, number(by)); };
    if (f.name == "Affine") {
      const Value scaled = times(x, f.alpha);
      return binary(e, "Add", scaled, number(f.beta));
    }
    if (f.name == "ScaledTanh") return times(unary(e, "Tanh", times(x, f.beta)), f.alpha);
    if (f.name == "ThresholdedRelu") {
      // Other than in the operator alpha itself stays. What is below may be an infinity, of which a
      // product with 0 would make NaN.
      const Value stays = cast(e, unary(e, "Not", binary(e, "Less", x, number(f.alpha))), work_);
      const Value held = e.emit_in({}, 1, "Clip", {x}, 1, {{"min", f.alpha}}).front();
      return binary(e, "Mul", stays, held);
    }
    Attrs attributes;
    if (f.takes_alpha) attributes.push_back({"alpha", f.alpha});
    if (f.takes_beta) attributes.push_back({"beta", f.beta});
    const Value y = e.emit_in({}, 1, f.name, {x}, 1, attributes).front();
    if (const ValueType* same = e.type(x)) e.set_type(y, *same);
    return y;
  }

  static Value product(Emitter& e, const Value& a, const Value& b) {
    return e.emit_in({}, 1, "MatMul", {a, b}, 1, {}).front();
  }

  NodeEdit& e_;
  Form form_;
  DataType work_ = DataType::undefined;
  Dim steps_, batch_;
  Value inputs_[6];  ///< in the type to compute in; not sequence_lens
  Value one_, zero_state_;
  // With sequence_lens: [batch], and how far each item's row is from its next state's.
  Value lengths_, items_, to_state_, to_zeros_, zero_row_;
};

}  // namespace

void spell_out_gru(NodeEdit& e) {
  auto form = form_of(e);
  if (form) GruSteps(e, *std::move(form)).write();
}

}  // namespace onnxcompat::adapters
