// Dropout: test mode as an attribute, the mask's type, ratio and training mode as inputs.

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Dropout-6] is_test=0, the default, trains; [Dropout-7] leaves the mode to the runtime;
/// [Dropout-12] has an input for it.
void test_mode_up(NodeEdit& e) {
  const bool trains = e.int_or("is_test", 0) == 0;
  if (e.refused()) return;
  e.drop("is_test");
  if (!trains) return;
  if (e.target() < 12) {
    return e.refuse("is_test=0 asks for training, which Dropout-7 to 11 cannot say",
                    "convert to opset 12 or newer, or set is_test=1");
  }
  const Value ratio = e.number(e.float_or("ratio", 0.5F), DataType::float32, "ratio");
  const double yes = 1;
  const Value training =
      e.constant(TensorLiteral::of(DataType::boolean, {}, {&yes, 1}), "training");
  const auto y = e.emit_in({}, 12, "Dropout", {e.input(0), ratio, training}, e.output_count(), {});
  std::vector<Value> results = y;
  if (e.has_output(1)) results[1] = cast(e, y[1], e.need_dtype(0));
  e.replace(results);
}

/// [Dropout-10] the mask is bool.
void mask_to(NodeEdit& e, bool boolean) {
  if (!e.output_used(1)) return e.drop_output(1);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Value mask = e.detach_output(1);
  e.set_type(mask, boolean ? DataType::boolean : type, e.rank(0));
  e.produce(1, cast(e, mask, boolean ? type : DataType::boolean));
}

void ratio_up(NodeEdit& e) {
  if (const auto reference = e.reference("ratio")) {
    e.set_input(1, e.constant(*reference, "ratio"));
  } else if (e.has("ratio")) {
    e.set_input(1, e.number(e.float_or("ratio", 0.5F), DataType::float32, "ratio"));
  }
  e.drop("ratio");
}

/// What training drops, or may drop as the run tells: without it nothing is below the ratio.
void draw_what_goes(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const std::int64_t seed = e.int_or("seed", 0);
  if (e.refused()) return;
  const Value x = e.input(0);
  const auto ratio_in = [&](DataType real) {
    const Value given = e.has_input(1) ? cast(e, e.input(1), real) : e.number(0.5, real, "ratio");
    return binary(e, "Mul", given, cast(e, e.input(2), real));
  };
  Attrs how{{"dtype", DataType::float32}};
  if (e.has("seed")) how.emplace_back("seed", static_cast<float>(seed));
  const Value draw = e.emit_in({}, 1, "RandomUniformLike", {x}, 1, how).front();
  const Value kept = unary(e, "Not", binary(e, "Less", draw, ratio_in(DataType::float32)));
  const DataType work = at_least_float32(type);
  const Value one = e.number(1, DataType::float64, "one");
  const Value share = binary(e, "Sub", one, ratio_in(DataType::float64));
  const Value scale = cast(e, binary(e, "Div", one, share), work);
  const Value y = cast(e, binary(e, "Mul", cast(e, x, work), scale), type);
  e.note("a runtime may draw other numbers");
  e.replace({where(e, kept, y, e.number(0, type, "dropped")), kept});
}

void ratio_down(NodeEdit& e) {
  if (e.has_input(2)) {
    const auto training = e.const_ints(2);
    if (!training || training->size() != 1 || training->front() != 0) return draw_what_goes(e);
    e.fold_input(2);
  }
  e.drop("seed");
  if (e.has_input(1)) {
    const auto ratio = e.constant(1);
    const auto values = ratio ? ratio->doubles() : std::nullopt;
    // Without training the ratio has no effect, so one that is computed may go.
    if (values && values->size() == 1) e.set({"ratio", static_cast<float>(values->front())});
    e.fold_input(1);
  }
}

}  // namespace

void register_dropout(Registry& t) {
  t.at("Dropout", 6, 7).up(test_mode_up).down([](NodeEdit& e) { e.set({"is_test", 1}); });
  t.at("Dropout", 7, 10).up([](NodeEdit& e) { mask_to(e, true); }).down([](NodeEdit& e) {
    mask_to(e, false);
  });
  t.at("Dropout", 10, 12).up(ratio_up).down(ratio_down);
}

}  // namespace onnxcompat::adapters
