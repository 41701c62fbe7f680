// Scan: a body run over the pieces of tensors.

#include <algorithm>

#include <fmt/format.h>

#include "executor/kernels/body.h"
#include "executor/kernels/numeric.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

using Values = std::vector<Value>;

/// A Scan's inputs, sorted out.
struct ScanPlan {
  GraphView body;
  int first_state = 0;  ///< input index
  int states = 0;
  int scans = 0;
  int outputs = 0;  ///< scan outputs of the body
  std::vector<std::int64_t> directions;
};

/// A list attribute of one number each, all 0 if it is left out.
Result<std::vector<std::int64_t>> list_for(const KernelContext& c, std::string_view name,
                                           int count) {
  if (!c.has_attribute(name)) return std::vector<std::int64_t>(static_cast<std::size_t>(count));
  auto list = c.ints_attr(name);
  if (list.size() != static_cast<std::size_t>(count)) {
    return c.fail(fmt::format("{} has {} elements, not {}", name, list.size(), count));
  }
  return list;
}

Result<std::vector<std::int64_t>> flags_for(const KernelContext& c, std::string_view name,
                                            int count) {
  auto flags = list_for(c, name, count);
  if (flags && std::ranges::any_of(*flags, [](std::int64_t f) { return f != 0 && f != 1; })) {
    return c.fail(fmt::format("{} holds something other than 0 and 1", name));
  }
  return flags;
}

Result<ScanPlan> plan_scan(const KernelContext& c, int first_state,
                           std::string_view directions_name) {
  ONNXCOMPAT_TRY(const GraphView body, graph_attr(c, "body"));
  ScanPlan plan{.body = body, .first_state = first_state, .directions = {}};
  const std::int64_t scans = c.int_attr("num_scan_inputs");
  if (scans < 1 || scans > c.input_count() - first_state) {
    return c.fail(
        fmt::format("num_scan_inputs is {} of {} inputs", scans, c.input_count() - first_state));
  }
  plan.scans = static_cast<int>(scans);
  plan.states = c.input_count() - first_state - plan.scans;
  plan.outputs = body.outputs().size() - plan.states;
  if (plan.outputs < 0 || c.output_count() > body.outputs().size()) {
    return c.fail(
        fmt::format("the body has {} outputs; the node has {} state variables and {} "
                    "outputs",
                    body.outputs().size(), plan.states, c.output_count()));
  }
  for (int i = first_state; i < c.input_count(); ++i) {
    if (!c.has(i) || c.value(i).tensor() == nullptr) {
      return c.fail(fmt::format("input {} is not a tensor", i));
    }
  }
  ONNXCOMPAT_TRY(plan.directions, flags_for(c, directions_name, plan.scans));
  return plan;
}

/// Runs the body over `length` pieces of the scanned tensors; states come in and go out. The shape
/// of a state stays what it is.
Status scan_pieces(const KernelContext& c, const ScanPlan& plan, std::vector<Tensor>& states,
                   const std::vector<Tensor>& scanned, std::span<const int> axes,
                   std::int64_t length, std::vector<Collected>& collected) {
  for (std::int64_t t = 0; t < length; ++t) {
    Values inputs;
    for (const Tensor& state : states) inputs.push_back({state});
    for (std::size_t k = 0; k < scanned.size(); ++k) {
      const std::int64_t at = plan.directions[k] != 0 ? length - 1 - t : t;
      ONNXCOMPAT_TRY(Tensor piece, piece_of(c, scanned[k], axes[k], at));
      inputs.push_back({std::move(piece)});
    }
    ONNXCOMPAT_TRY(const Values outputs,
                   run_body(c, plan.body, std::move(inputs), states.size() + collected.size()));
    for (std::size_t k = 0; k < states.size(); ++k) {
      const Tensor* next = outputs[k].tensor();
      if (next == nullptr || next->dims() != states[k].dims() || next->type() != states[k].type()) {
        return c.fail(fmt::format("state variable {} changes its type or shape", k));
      }
      states[k] = *next;
    }
    for (std::size_t k = 0; k < collected.size(); ++k) {
      ONNXCOMPAT_CHECK(collected[k].add(c, outputs[states.size() + k]));
    }
  }
  return {};
}

// [Scan-9] axes and directions of inputs and outputs; [Scan-11] negative axes; [Scan-16] bfloat16,
// [Scan-19] [Scan-21] [Scan-23] more types
Status scan(KernelContext& c) {
  ONNXCOMPAT_TRY(const ScanPlan plan, plan_scan(c, 0, "scan_input_directions"));
  ONNXCOMPAT_TRY(const auto input_axes, list_for(c, "scan_input_axes", plan.scans));
  ONNXCOMPAT_TRY(const auto output_axes, list_for(c, "scan_output_axes", plan.outputs));
  ONNXCOMPAT_TRY(const auto prepend, flags_for(c, "scan_output_directions", plan.outputs));
  const auto negative = [](std::int64_t axis) { return axis < 0; };
  if (c.since_version() < 11 &&
      (std::ranges::any_of(input_axes, negative) || std::ranges::any_of(output_axes, negative))) {
    return c.fail("an axis is negative");
  }
  std::vector<Tensor> states;
  for (int i = 0; i < plan.states; ++i) states.push_back(c.input(i));
  std::vector<Tensor> scanned;
  std::vector<int> axes;
  std::int64_t length = 0;
  for (int k = 0; k < plan.scans; ++k) {
    scanned.push_back(c.input(plan.states + k));
    ONNXCOMPAT_TRY(const int axis,
                   resolve_axis(c, input_axes[static_cast<std::size_t>(k)], scanned.back().rank()));
    axes.push_back(axis);
    if (k == 0) length = scanned[0].dim(axis);
    if (scanned.back().dim(axis) != length) {
      return c.fail(
          fmt::format("scan inputs have {} and {} pieces", length, scanned.back().dim(axis)));
    }
  }
  std::vector<Collected> collected(static_cast<std::size_t>(plan.outputs));
  ONNXCOMPAT_CHECK(scan_pieces(c, plan, states, scanned, axes, length, collected));
  for (int i = 0; i < c.output_count(); ++i) {
    if (!c.wants(i)) continue;
    if (i < plan.states) {
      c.set(i, states[static_cast<std::size_t>(i)]);
      continue;
    }
    const auto k = static_cast<std::size_t>(i - plan.states);
    ONNXCOMPAT_TRY(Tensor stacked, collected[k].stacked(c, output_axes[k], prepend[k] != 0,
                                                        plan.body, static_cast<std::size_t>(i)));
    c.set(i, std::move(stacked));
  }
  return {};
}

/// One output of a batched Scan: the rows of every batch, zeros after the last one.
Result<Tensor> batched(const KernelContext& c, std::span<const Collected> batches,
                       std::int64_t length, const GraphView& body, std::size_t output) {
  Tensor like;
  const auto ran = std::ranges::find_if(batches, [](const auto& b) { return b.size() > 0; });
  if (ran == batches.end()) {
    ONNXCOMPAT_TRY(like, declared_piece(c, body, output));
  } else {
    like = ran->pieces()[0];
  }
  Dims dims{static_cast<std::int64_t>(batches.size()), length};
  dims.insert(dims.end(), like.dims().begin(), like.dims().end());
  ONNXCOMPAT_TRY(Tensor out, c.allocate(like.type(), dims));
  for (std::size_t b = 0; b < batches.size(); ++b) {
    std::int64_t row = static_cast<std::int64_t>(b) * length;
    for (const Tensor& piece : batches[b].pieces()) {
      if (piece.dims() != like.dims() || piece.type() != like.type()) {
        return c.fail(fmt::format("scan output {} changes its type or shape", output));
      }
      copy_run(piece, 0, out, row++ * like.size(), like.size());
    }
  }
  return out;
}

Result<std::vector<std::int64_t>> sequence_lengths(const KernelContext& c, std::int64_t batch_size,
                                                   std::int64_t longest) {
  auto lengths = c.ints_input(0);
  if (!lengths) return std::unexpected(lengths.error());
  if (!*lengths) return std::vector(static_cast<std::size_t>(batch_size), longest);
  if (std::ssize(**lengths) != batch_size)
    return c.fail("sequence_lens has not one length a batch");
  for (const std::int64_t length : **lengths) {
    if (length < 0 || length > longest) {
      return c.fail(fmt::format("sequence length {} is outside 0 … {}", length, longest));
    }
  }
  return **std::move(lengths);
}

// [Scan-8] axis 0 is the batch, axis 1 is scanned; sequences may be shorter than their tensor.
Status batched_scan(KernelContext& c) {
  ONNXCOMPAT_TRY(const ScanPlan plan, plan_scan(c, 1, "directions"));
  const Tensor& first = c.input(1 + plan.states);
  if (first.rank() < 2) return c.fail("a scan input has no batch and sequence axis");
  const std::int64_t batch_size = first.dim(0);
  const std::int64_t length = first.dim(1);
  for (int i = 1; i < c.input_count(); ++i) {
    const Tensor& in = c.input(i);
    const bool is_scanned = i > plan.states;
    if (in.rank() < (is_scanned ? 2 : 1) || in.dim(0) != batch_size ||
        (is_scanned && in.dim(1) != length)) {
      return c.fail(fmt::format("input {} of shape {} does not fit a batch of {} and {} pieces", i,
                                to_string(in.dims()), batch_size, length));
    }
  }
  // No batch is free, even of pieces without elements.
  ONNXCOMPAT_CHECK(c.check_memory(static_cast<std::uint64_t>(batch_size) * sizeof(Collected)));
  ONNXCOMPAT_TRY(const auto lengths, sequence_lengths(c, batch_size, length));
  const std::vector<int> axes(static_cast<std::size_t>(plan.scans), 0);
  std::vector<Collected> finals(static_cast<std::size_t>(plan.states));
  std::vector<std::vector<Collected>> scans(static_cast<std::size_t>(plan.outputs));
  for (std::int64_t b = 0; b < batch_size; ++b) {
    std::vector<Tensor> states;
    std::vector<Tensor> scanned;
    for (int i = 1; i < c.input_count(); ++i) {
      ONNXCOMPAT_TRY(Tensor own, piece_of(c, c.input(i), 0, b));
      (i <= plan.states ? states : scanned).push_back(std::move(own));
    }
    std::vector<Collected> collected(scans.size());
    ONNXCOMPAT_CHECK(scan_pieces(c, plan, states, scanned, axes,
                                 lengths[static_cast<std::size_t>(b)], collected));
    for (std::size_t k = 0; k < states.size(); ++k) {
      ONNXCOMPAT_CHECK(finals[k].add(c, {std::move(states[k])}));
    }
    for (std::size_t k = 0; k < scans.size(); ++k) scans[k].push_back(std::move(collected[k]));
  }
  for (int i = 0; i < c.output_count(); ++i) {
    if (!c.wants(i)) continue;
    const auto k = static_cast<std::size_t>(i);
    if (i < plan.states) {
      // An empty batch leaves the states as they came.
      auto final_state = batch_size == 0 ? Result<Tensor>(c.input(1 + i))
                                         : finals[k].stacked(c, 0, false, plan.body, k);
      ONNXCOMPAT_TRY(Tensor state, std::move(final_state));
      c.set(i, std::move(state));
    } else {
      const auto& batches = scans[k - static_cast<std::size_t>(plan.states)];
      ONNXCOMPAT_TRY(Tensor out, batched(c, batches, length, plan.body, k));
      c.set(i, std::move(out));
    }
  }
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Scan", 8, 8, batched_scan},
    {"", "Scan", 9, kUnbounded, scan},
};

}  // namespace

std::span<const KernelRow> scan_kernels() { return kRows; }

}  // namespace onnxcompat::executor
