// RNN, GRU, LSTM; ReverseSequence.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/ops/gru_spelled_out.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [LSTM-7] Y is given where it is named; before, output_sequence says so too.
void output_sequence_up(NodeEdit& e) {
  const bool wanted = e.int_or("output_sequence", 0) != 0;
  if (e.refused()) return;
  e.drop("output_sequence");
  if (!wanted && e.has_output(0) && !e.output_used(0)) e.set_output(0, {});
}

void output_sequence_down(NodeEdit& e) { e.set({"output_sequence", e.has_output(0) ? 1 : 0}); }

/// [LSTM-14] layout=1: batch first.
void layout_down(NodeEdit& e) {
  e.drop("layout");
  const Ints swap{1, 0, 2};
  const auto swap_input = [&](int i) {
    if (e.has_input(i)) e.set_input(i, transpose(e, e.input(i), swap));
  };
  swap_input(0);
  swap_input(5);
  if (e.op() == "LSTM") swap_input(6);
  const auto move_output = [&](int i, const Ints& perm) {
    if (!e.has_output(i)) return;
    const Value inner = e.detach_output(i, static_cast<int>(perm.size()));
    e.produce(i, transpose(e, inner, perm));
  };
  move_output(0, {2, 0, 1, 3});
  move_output(1, swap);
  if (e.op() == "LSTM") move_output(2, swap);
}

void direction_up(NodeEdit& e) {
  // The default of GRU-1 is misspelt.
  if (e.has("direction") && e.string_or("direction", "forward") == "foward") {
    e.set({"direction", "forward"});
  }
}

/// [ReverseSequence-10] Gather from the data with time and batch joined.
void reverse_sequence(NodeEdit& e) {
  const std::int64_t time = e.int_or("time_axis", 0);
  const std::int64_t batch = e.int_or("batch_axis", 1);
  if (e.refused()) return;
  if (std::min(time, batch) != 0 || std::max(time, batch) != 1) {
    return e.refuse("its time_axis and batch_axis are not 0 and 1");
  }
  const Value x = e.input(0);
  const auto shape = e.shape(0);
  if (shape && shape->size() < 2) return e.refuse("its input has no time and batch");
  if (shape && std::ranges::find(*shape, 0) != shape->end()) return e.replace({x});
  const Value times = dim_scalar(e, x, time);
  const Value steps = arange(e, times);
  const Value step = unsqueeze(e, steps, {batch});
  const Value length = unsqueeze(e, e.input(1), {time});
  // Less takes integers from 9 on.
  const auto comparable = [&](const Value& v) {
    return e.target() < 9 ? cast(e, v, DataType::float64) : v;
  };
  const Value inside =
      cast(e, binary(e, "Less", comparable(step), comparable(length)), DataType::int64);
  // Step t of the first n comes from n - 1 - t, which lies n - 1 - 2t further on.
  const Value odd =
      unsqueeze(e, binary(e, "Add", binary(e, "Add", steps, steps), e.scalar(1, "one")), {batch});
  const Value source =
      binary(e, "Add", step, binary(e, "Mul", inside, binary(e, "Sub", length, odd)));
  const Value sequences = dim_scalar(e, x, batch);
  const Value sequence = unsqueeze(e, arange(e, sequences), {time});
  const Value place = time == 0 ? binary(e, "Add", binary(e, "Mul", source, sequences), sequence)
                                : binary(e, "Add", binary(e, "Mul", sequence, times), source);
  const Value joined = concat(e, {product(e, dims_of(e, x, 0, 2)), dims_of(e, x, 2, kEnd)}, 0);
  e.replace({gather(e, reshape_to(e, x, joined), place, 0)});
}

}  // namespace

void register_recurrent(Registry& t) {
  t.at("RNN", 1, 7).up(output_sequence_up).down(output_sequence_down);
  t.at("LSTM", 1, 7).up(output_sequence_up).down(output_sequence_down);
  t.at("GRU", 3, 7).up(output_sequence_up).down(output_sequence_down);
  t.at("GRU", 1, 3)
      .up(direction_up)
      .added("linear_before_reset", was(0), spell_out_gru)
      .down([](NodeEdit& e) {
        if (!e.has("direction")) e.set({"direction", "forward"});
        if (!e.has_output(1)) e.set_output(1, e.fresh("Y_h"));
      })
      .note("linear_before_reset: a Loop over the steps");
  for (const auto& [op, from] : {std::pair{"RNN", 7}, std::pair{"GRU", 7}, std::pair{"LSTM", 7}}) {
    t.at(op, from, 14).added("layout", was(0), layout_down);
  }
  t.expand("ReverseSequence", reverse_sequence, "Gather from computed places");
}

}  // namespace onnxcompat::adapters
