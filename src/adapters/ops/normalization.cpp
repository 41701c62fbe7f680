// BatchNormalization and GroupNormalization.

#include <fmt/format.h>

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

/// Statistics for each element, spelled out.
void per_element(NodeEdit& e) {
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

/// [BatchNormalization-9] has no spatial=0.
void spatial_up(NodeEdit& e) {
  const bool spatial = e.int_or("spatial", 1) != 0;
  if (e.refused()) return;
  if (!spatial) return per_element(e);
  e.drop("spatial");
}

/// [BatchNormalization-6] takes vectors of one element a channel, whatever `spatial` is.
void is_test_down(NodeEdit& e) {
  const bool spatial = e.int_or("spatial", 1) != 0;
  if (e.refused()) return;
  if (!spatial) return per_element(e);
  e.set({"is_test", e.output_count() > 1 ? 0 : 1});
}

/// Everything in the widest of the input's types, which an older form takes one of only.
void in_one_type(NodeEdit& e) {
  DataType wide = DataType::undefined;
  bool mixed = false;
  for (int i = 0; i <= 4; ++i) {
    const DataType own = e.dtype(i);
    if (own == DataType::undefined) return;
    mixed = mixed || own != e.dtype(0);
    if (own == DataType::float64 || wide == DataType::undefined) wide = own;
    if (wide != DataType::float64 && own != wide) wide = DataType::float32;
  }
  if (!mixed) return;
  e.rounds(fmt::format("computed in {}", name_of(wide)));
  const auto rank = e.rank(0);
  const DataType types[] = {e.dtype(0), e.dtype(3), e.dtype(3)};
  for (int i = 0; i <= 4; ++i) e.set_input(i, cast(e, e.input(i), wide));
  for (int i = 0; i <= 2; ++i) {
    if (!e.has_output(i) || types[i] == wide) continue;
    const Value inner = e.detach_output(i);
    e.set_type(inner, wide, i == 0 ? rank : 1);
    e.produce(i, cast(e, inner, types[i]));
  }
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
  if (!e.refused()) in_one_type(e);
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
  const DataType first = at_least_float32(stash), second = at_least_float32(type);
  const Value x = cast(e, e.input(0), first);
  const Value grouped =
      reshape(e, x, concat(e, {dim_of(e, e.input(0), 0), e.ints({groups, -1}, "groups")}, 0));
  const Value mean = reduce(e, "ReduceMean", grouped, {2}, true);
  const Value centred = binary(e, "Sub", grouped, mean);
  const Value variance = reduce(e, "ReduceMean", binary(e, "Mul", centred, centred), {2}, true);
  const Value deviation =
      unary(e, "Sqrt", binary(e, "Add", variance, e.number(epsilon, first, "epsilon")));
  const Value shape = shape_of(e, e.input(0));
  const Value normal = cast(e, reshape_to(e, binary(e, "Div", centred, deviation), shape), second);
  const Value channels = dim_of(e, e.input(0), 1);
  // [C] against [N, C, spatial…]: seen as [N, C, the rest].
  const Value flat = reshape(e, normal, Ints{0, 0, -1});
  const auto parameter = [&](int i) {
    const Value given = cast(e, e.input(i), second);
    const Value own = scale_per_group ? per_channel(e, given, channels, groups) : given;
    return unsqueeze(e, own, {1});
  };
  const Value scaled = binary(e, "Add", binary(e, "Mul", flat, parameter(1)), parameter(2));
  e.rounds({}, first);
  e.replace({reshape_to(e, cast(e, scaled, type), shape)});
}

}  // namespace

void register_normalization(Registry& t) {
  t.at("BatchNormalization", 6, 7).up(is_test_up).down(is_test_down);
  t.at("BatchNormalization", 7, 9).up(spatial_up);
  t.at("BatchNormalization", 9, 14).up(training_mode_up).down(training_mode_down);
  t.at("BatchNormalization", 14, 15).down(in_one_type);
  t.at("GroupNormalization", 18, 21).up(group_up).down([](NodeEdit& e) {
    group_spelled_out(e, false);
  });
  t.expand(
      "GroupNormalization", [](NodeEdit& e) { group_spelled_out(e, true); },
      "mean and variance over each group");
}

}  // namespace onnxcompat::adapters
