// RoiAlign, GridSample, DFT.

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [GridSample-20] volumes.
void volumes_down(NodeEdit& e) {
  const auto rank = e.need_rank(0);
  if (rank && *rank != 4) {
    e.refuse("GridSample-16 takes four dimensions only", "convert to opset 20 or newer");
  }
}

/// [DFT-20] the axis is an input, and by default the last one before the complex parts.
void axis_input_up(NodeEdit& e) {
  if (const auto reference = e.reference("axis")) {
    e.set_input(2, e.constant(*reference, "axis"));
  } else {
    e.set_input(2, e.scalar(e.int_or("axis", 1), "axis"));
  }
  e.drop("axis");
}

void axis_input_down(NodeEdit& e) {
  std::int64_t axis = -2;
  if (e.has_input(2)) {
    const auto known = e.need_ints(2);
    if (!known) return;
    if (known->size() != 1) return e.refuse("its axis (input 2) is not one number");
    axis = known->front();
    e.fold_input(2);
  }
  e.set({"axis", axis});
}

}  // namespace

void register_vision(Registry& t) {
  t.at("RoiAlign", 10, 16)
      .added("coordinate_transformation_mode", was("output_half_pixel"))
      .note("the default of 16 is not the behaviour of 10");
  t.at("GridSample", 16, 20)
      .renamed_values("mode", {{"bilinear", "linear"}, {"bicubic", "cubic"}})
      .down(volumes_down);
  t.at("DFT", 17, 20).up(axis_input_up).down(axis_input_down);
}

}  // namespace onnxcompat::adapters
