// If, Loop, Scan, SequenceMap: what their subgraphs say, under the types they are given.

#include <algorithm>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

using Kind = TypeView::Kind;

constexpr int kMaxTries = 4;

/// The iteration number or the condition. A body may declare it with shape [1] instead of [].
Actual loop_scalar(Context& c, DataType elem, int formal) {
  const auto body = c.attribute("body");
  const bool says = body && body->type() == AttributeType::graph &&
                    formal < body->g().inputs().size() &&
                    body->g().inputs()[formal].type().has_shape();
  return {ValueType::tensor(elem, says ? std::nullopt : std::optional(Shape{})), nullptr, false};
}

/// Every iteration's output stacked on a new axis. Sizes that the body makes up are its own.
ValueType stacked(ValueType each, const Dim& count, int axis) {
  if (each.kind != Kind::tensor || !each.shape) return each;
  each.shape->insert(each.shape->begin() + axis, count);
  return each;
}

/// What a body that carries values from one iteration to the next comes to.
struct Settled {
  std::vector<Actual> carried;
  std::vector<Actual> made;  ///< all that the body makes under these
};

/// Types of values that a body carries from one iteration to the next: what holds of the first
/// ones and of all that the body makes of them. `run(carried, trial)` runs the body; from `offset`
/// on its results are the carried ones, in the same order.
template <class Run>
Settled settle(Context& c, std::vector<Actual> carried, std::size_t offset, const Run& run) {
  for (Actual& a : carried) a.data = nullptr;
  std::vector<bool> mixed(carried.size());  // kinds that change on the way stay unknown
  for (int tries = 0; tries < kMaxTries; ++tries) {
    if (tries + 1 == kMaxTries || !c.may_try_again()) {
      for (Actual& a : carried) a.type = without_shapes(a.type);
      break;
    }
    const std::int64_t watermark = c.symbols().watermark();
    std::vector<Actual> made = run(carried, true);
    bool settled = made.size() >= offset + carried.size();
    for (std::size_t i = 0; i < carried.size() && offset + i < made.size(); ++i) {
      ValueType& before = carried[i].type;
      ValueType after = made[offset + i].type;
      forget_symbols_since(after, watermark);
      ValueType joined;
      if (mixed[i]) {
        continue;
      } else if (before.kind == Kind::none || after.kind == Kind::none) {
        // Where one is unknown the type is the other's, as it does not change; the shape may.
        joined = without_shapes(before.kind == Kind::none ? after : before);
      } else {
        joined = meet(before, after);
        mixed[i] = before.kind != after.kind;
      }
      settled = settled && equal(joined, before);
      before = std::move(joined);
    }
    if (!settled) continue;
    // Within a trial this was the run: another would double the work with every level.
    if (c.is_trial()) return {std::move(carried), std::move(made)};
    break;
  }
  auto made = run(carried, c.is_trial());
  return {std::move(carried), std::move(made)};
}

int checked_axis(Context& c, const std::optional<std::vector<std::int64_t>>& axes, std::size_t i,
                 int rank) {
  if (!axes || i >= axes->size()) return 0;
  return c.axis((*axes)[i], rank).value_or(-1);
}

}  // namespace

void if_(Context& c) {
  const auto yes = c.run("then_branch", {});
  const auto no = c.run("else_branch", {});
  const auto condition = c.int_of(0);
  for (int i = 0; i < c.output_count(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (k >= yes.size() || k >= no.size()) return;
    bool mixed = false;
    ValueType joined = meet(yes[k].type, no[k].type, &mixed);
    if (mixed) {
      c.conflict(
          fmt::format("the branches give {} and {}", describe(yes[k].type), describe(no[k].type)),
          false);
    }
    // A branch of which nothing is known still has the other one's type [If-11], not its shape.
    if (yes[k].type.kind == Kind::none) joined = without_shapes(no[k].type);
    if (no[k].type.kind == Kind::none) joined = without_shapes(yes[k].type);
    if (condition) {
      const Actual& taken = *condition != 0 ? yes[k] : no[k];
      c.set_type(i, taken.type);
      c.set_data(i, taken.data);
      continue;
    }
    if (yes[k].data && no[k].data && *yes[k].data == *no[k].data) c.set_data(i, yes[k].data);
    c.set_type(i, std::move(joined));
  }
}

/// [Loop-11]: body(iteration, condition, carried…) -> condition, carried…, scan outputs….
void loop(Context& c) {
  const auto carried_count = static_cast<std::size_t>(std::max(0, c.input_count() - 2));
  std::vector<Actual> first;
  for (std::size_t i = 0; i < carried_count; ++i)
    first.push_back(c.actual(static_cast<int>(i) + 2));

  const auto condition = c.int_of(1);
  const bool always = !c.has_input(1) || (condition && *condition != 0);
  const auto arguments = [&](const std::vector<Actual>& carried) {
    std::vector<Actual> out{loop_scalar(c, DataType::int64, 0),
                            loop_scalar(c, DataType::boolean, 1)};
    if (always) out[1].data = scalar_of(dim(1));
    out.insert(out.end(), carried.begin(), carried.end());
    return out;
  };
  const std::int64_t watermark = c.symbols().watermark();
  auto [carried, made] = settle(c, first, 1, [&](const std::vector<Actual>& now, bool trial) {
    return c.run("body", arguments(now), trial);
  });

  // The trip count is the whole one if the condition never changes.
  const bool goes_on = always && !made.empty() && made[0].data && made[0].data->elems.size() == 1 &&
                       made[0].data->elems[0].value.value_or(0) != 0;
  Dim trips;
  if (condition == 0) {
    trips = dim(0);
  } else if (goes_on) {
    const Dim wanted = c.elem_of(0);
    trips = wanted.value && *wanted.value < 0 ? dim(0) : wanted;
    if (!c.symbols().is_size(trips)) trips = {};
  }
  for (int i = 0; i < c.output_count(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (k < carried_count) {
      c.set_type(i, carried[k].type);
      continue;
    }
    if (k + 1 >= made.size()) break;
    ValueType each = std::move(made[k + 1].type);
    forget_symbols_since(each, watermark);
    c.set_type(i, stacked(std::move(each), trips, 0));
  }
}

/// [Scan-9]: body(states…, one element of each scan input) -> states…, one of each scan output.
void scan(Context& c) {
  const std::int64_t scanned = c.integer_or("num_scan_inputs", 0);
  if (scanned < 1 || scanned > c.input_count()) return;
  const auto states = static_cast<std::size_t>(c.input_count() - scanned);
  const auto in_axes = c.integers("scan_input_axes");
  const auto out_axes = c.integers("scan_output_axes");
  std::vector<Actual> first;
  std::vector<Actual> elements;
  Dim length;
  for (int i = 0; i < c.input_count(); ++i) {
    Actual a = c.actual(i);
    a.data = nullptr;
    const auto k = static_cast<std::size_t>(i);
    if (k < states) {
      first.push_back(std::move(a));
      continue;
    }
    if (a.type.shape) {
      const auto rank = static_cast<int>(a.type.shape->size());
      if (rank == 0) return c.conflict(fmt::format("scan input {} has rank 0", k - states));
      const int axis = checked_axis(c, in_axes, k - states, rank);
      if (axis < 0) return;
      length = c.same(length, (*a.type.shape)[static_cast<std::size_t>(axis)], "scan lengths");
      a.type.shape->erase(a.type.shape->begin() + axis);
    }
    elements.push_back(std::move(a));
  }
  const auto arguments = [&](std::vector<Actual> now) {
    now.insert(now.end(), elements.begin(), elements.end());
    return now;
  };
  const std::int64_t watermark = c.symbols().watermark();
  auto [carried, made] = settle(c, first, 0, [&](const std::vector<Actual>& now, bool trial) {
    return c.run("body", arguments(now), trial);
  });
  for (int i = 0; i < c.output_count(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (k < states) {
      c.set_type(i, carried[k].type);
      continue;
    }
    if (k >= made.size()) break;
    ValueType each = std::move(made[k].type);
    forget_symbols_since(each, watermark);
    const int rank = each.shape ? static_cast<int>(each.shape->size()) + 1 : 0;
    const int axis = rank > 0 ? checked_axis(c, out_axes, k - states, rank) : 0;
    c.set_type(i,
               axis < 0 ? without_shapes(std::move(each)) : stacked(std::move(each), length, axis));
  }
}

/// [Scan-8]: the first input may be sequence lengths; every other one has a batch axis in front,
/// scan inputs and outputs a sequence axis behind it. Bodies see neither.
void scan_batched(Context& c) {
  const std::int64_t scanned = c.integer_or("num_scan_inputs", 0);
  const int given = c.input_count() - 1;
  if (scanned < 1 || scanned > given) return;
  const int states = given - static_cast<int>(scanned);
  Dim batch;
  Dim length;
  std::vector<Actual> arguments;
  for (int i = 0; i < given; ++i) {
    Actual a = c.actual(i + 1);
    a.data = nullptr;
    const std::size_t outer = i < states ? 1 : 2;
    if (a.type.shape && a.type.shape->size() >= outer) {
      batch = c.same(batch, (*a.type.shape)[0], "batch sizes");
      if (outer == 2) length = c.same(length, (*a.type.shape)[1], "scan lengths");
      a.type.shape->erase(a.type.shape->begin(),
                          a.type.shape->begin() + static_cast<std::ptrdiff_t>(outer));
    } else {
      a.type.shape.reset();
    }
    arguments.push_back(std::move(a));
  }
  const std::int64_t watermark = c.symbols().watermark();
  auto made = c.run("body", arguments);
  for (int i = 0; i < c.output_count() && static_cast<std::size_t>(i) < made.size(); ++i) {
    // State variables keep their shape [Scan-8].
    ValueType each = i < states ? arguments[static_cast<std::size_t>(i)].type
                                : std::move(made[static_cast<std::size_t>(i)].type);
    forget_symbols_since(each, watermark);
    if (i >= states) each = stacked(std::move(each), length, 0);
    c.set_type(i, stacked(std::move(each), batch, 0));
  }
}

/// [SequenceMap-17]: the body sees one element of each sequence, and the tensors as they are.
void sequence_map(Context& c) {
  std::vector<Actual> arguments;
  for (int i = 0; i < c.input_count(); ++i) {
    Actual a = c.actual(i);
    if (a.type.kind == Kind::sequence) {
      a.type = a.type.inner ? *a.type.inner : ValueType{};
      a.data = nullptr;
    }
    arguments.push_back(std::move(a));
  }
  const std::int64_t watermark = c.symbols().watermark();
  auto made = c.run("body", arguments);
  for (int i = 0; i < c.output_count(); ++i) {
    ValueType each;
    if (static_cast<std::size_t>(i) < made.size()) each = made[static_cast<std::size_t>(i)].type;
    forget_symbols_since(each, watermark);
    c.set_type(i, sequence_of(std::move(each)));
  }
}

}  // namespace onnxcompat::infer
