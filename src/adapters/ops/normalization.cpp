// BatchNormalization and GroupNormalization.

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// The outputs with names for all of the first `count`.
std::vector<Value> all_named(NodeEdit& e, int count) {
  std::vector<Value> names;
  for (int i = 0; i < count; ++i) {
    names.push_back(e.has_output(i) ? e.output(i) : e.fresh("statistics"));
  }
  return names;
}

void name_outputs(NodeEdit& e, int count) {
  const auto names = all_named(e, count);
  for (int i = 0; i < count; ++i) e.set_output(i, names[static_cast<std::size_t>(i)]);
}

void keep_one_output(NodeEdit& e) {
  for (int i = e.output_count() - 1; i >= 1; --i) {
    if (e.output_used(i)) return e.refuse("a statistic is read that it does not give in test mode");
    e.drop_output(i);
  }
}

/// [BatchNormalization-7] trains where it has all five outputs.
void is_test_up(NodeEdit& e) {
  const bool test = e.int_or("is_test", 0) != 0;
  if (e.refused()) return;
  e.drop("is_test");
  if (test) {
    keep_one_output(e);
  } else {
    name_outputs(e, 5);
  }
}

void is_test_down(NodeEdit& e) { e.set({"is_test", e.output_count() > 1 ? 0 : 1}); }

/// [BatchNormalization-9] no spatial=0, statistics for each element: spelled out.
void spatial_up(NodeEdit& e) {
  const bool spatial = e.int_or("spatial", 1) != 0;
  if (e.refused()) return;
  e.drop("spatial");
  if (spatial) return;
  if (e.output_count() > 1) return e.refuse("spatial=0 in training mode");
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Value epsilon = e.number(e.float_or("epsilon", 1e-5F), type, "epsilon");
  const Value centred = binary(e, "Sub", e.input(0), e.input(3));
  const Value deviation = unary(e, "Sqrt", binary(e, "Add", e.input(4), epsilon));
  const Value scaled = binary(e, "Mul", binary(e, "Div", centred, deviation), e.input(1));
  e.rounds();
  e.replace({binary(e, "Add", scaled, e.input(2))});
}

/// [BatchNormalization-14] training_mode; the batch's own statistics are no outputs any more.
void training_mode_up(NodeEdit& e) {
  if (e.output_count() <= 1) return;
  if (e.output_used(3) || e.output_used(4)) {
    return e.refuse("saved_mean or saved_var is read; BatchNormalization-14 does not give them");
  }
  e.set_output(4, {});
  e.set_output(3, {});
  name_outputs(e, 3);
  e.set({"training_mode", 1});
}

void training_mode_down(NodeEdit& e) {
  const bool trains = e.int_or("training_mode", 0) != 0;
  if (e.refused()) return;
  e.drop("training_mode");
  if (trains) {
    name_outputs(e, 5);
  } else {
    keep_one_output(e);
  }
  const DataType type = e.dtype(0);
  for (int i = 3; i <= 4; ++i) {
    const DataType own = e.dtype(i);
    if (type == own || type == DataType::undefined || own == DataType::undefined) continue;
    e.rounds("statistics cast to the type of the input");
    e.set_input(i, cast(e, e.input(i), type));
  }
}

/// [BatchNormalization-15] scale and bias, mean and variance may be of other types than X.
void mixed_types_down(NodeEdit& e) {
  const DataType type = e.dtype(0);
  bool mixed = false;
  for (int i = 1; i <= 4; ++i) {
    const DataType own = e.dtype(i);
    mixed = mixed || (own != type && own != DataType::undefined && type != DataType::undefined);
  }
  if (!mixed) return;
  if (e.output_count() > 1) return e.refuse("mixed element types in training mode");
  const DataType wide = [&] {
    for (int i = 0; i <= 4; ++i) {
      if (e.dtype(i) == DataType::float64) return DataType::float64;
    }
    return DataType::float32;
  }();
  for (int i = 0; i <= 4; ++i) e.set_input(i, cast(e, e.input(i), wide));
  e.rounds();
  const Value y = e.detach_output(0);
  e.set_type(y, wide, e.rank(0));
  e.produce(0, cast(e, y, type));
}

/// A value for each group, [G], repeated for its channels, [C].
Value per_channel(Emitter& e, const Value& per_group, const Value& channels, std::int64_t groups) {
  const Value each = binary(e, "Div", channels, e.ints({groups}, "groups"));
  const Value wide =
      expand(e, unsqueeze(e, per_group, {1}), concat(e, {e.ints({groups}, "groups"), each}, 0));
  return reshape(e, wide, Ints{-1});
}

/// [GroupNormalization-21] scale and bias are per channel; statistics in stash_type.
void group_up(NodeEdit& e) {
  const std::int64_t groups = e.int_or("num_groups", 1);
  const DataType type = e.need_dtype(0);
  if (groups < 1) e.refuse("num_groups is no number of groups");
  if (e.refused()) return;
  const Value channels = dim_of(e, e.input(0), 1);
  for (int i = 1; i <= 2; ++i) e.set_input(i, per_channel(e, e.input(i), channels, groups));
  // 18 computes in the type of X.
  if (type != DataType::float32) e.set({"stash_type", type});
}

void group_spelled_out(NodeEdit& e, bool scale_per_group) {
  const std::int64_t groups = e.int_or("num_groups", 1);
  const DataType type = e.need_dtype(0);
  const auto stash = scale_per_group ? type : static_cast<DataType>(e.int_or("stash_type", 1));
  const float epsilon = e.float_or("epsilon", 1e-5F);
  if (e.refused()) return;
  const Value x = cast(e, e.input(0), stash);
  const Value grouped =
      reshape(e, x, concat(e, {dim_of(e, e.input(0), 0), e.ints({groups, -1}, "groups")}, 0));
  const Value mean = reduce(e, "ReduceMean", grouped, {2}, true);
  const Value centred = binary(e, "Sub", grouped, mean);
  const Value variance = reduce(e, "ReduceMean", binary(e, "Mul", centred, centred), {2}, true);
  const Value deviation =
      unary(e, "Sqrt", binary(e, "Add", variance, e.number(epsilon, stash, "epsilon")));
  const Value shape = shape_of(e, e.input(0));
  const Value normal = cast(e, reshape_to(e, binary(e, "Div", centred, deviation), shape), type);
  const Value channels = dim_of(e, e.input(0), 1);
  // [C] against [N, C, spatial…]: seen as [N, C, the rest].
  const Value flat = reshape(e, normal, Ints{0, 0, -1});
  const auto parameter = [&](int i) {
    const Value own = scale_per_group ? per_channel(e, e.input(i), channels, groups) : e.input(i);
    return unsqueeze(e, own, {1});
  };
  const Value scaled = binary(e, "Add", binary(e, "Mul", flat, parameter(1)), parameter(2));
  e.rounds();
  e.replace({reshape_to(e, scaled, shape)});
}

}  // namespace

void register_normalization(Registry& t) {
  t.at("BatchNormalization", 6, 7).up(is_test_up).down(is_test_down);
  t.at("BatchNormalization", 7, 9).up(spatial_up);
  t.at("BatchNormalization", 9, 14).up(training_mode_up).down(training_mode_down);
  t.at("BatchNormalization", 14, 15).down(mixed_types_down);
  t.at("GroupNormalization", 18, 21).up(group_up).down([](NodeEdit& e) {
    group_spelled_out(e, false);
  });
  t.expand(
      "GroupNormalization", [](NodeEdit& e) { group_spelled_out(e, true); },
      "mean and variance over each group");
}

}  // namespace onnxcompat::adapters
