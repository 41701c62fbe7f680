#include "executor/kernels/body.h"

#include <fmt/format.h>

#include "executor/kernels/numeric.h"
#include "executor/movement.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

Dims without(Dims dims, int axis) {
  dims.erase(dims.begin() + axis);
  return dims;
}

}  // namespace

Result<GraphView> graph_attr(const KernelContext& c, std::string_view name) {
  const auto found = c.attribute(name);
  if (!found || found->type() != AttributeType::graph) {
    return c.fail(fmt::format("attribute {} holds no graph", name));
  }
  return found->g();
}

Result<std::vector<Value>> run_body(const KernelContext& c, const GraphView& body,
                                    std::vector<Value> inputs, std::size_t least_outputs) {
  auto outputs = c.runner().run_graph(body, std::move(inputs));
  if (outputs && outputs->size() < least_outputs) {
    return c.fail(
        fmt::format("the body has {} outputs, {} are needed", outputs->size(), least_outputs));
  }
  return outputs;
}

Result<Tensor> piece_of(const KernelContext& c, const Tensor& in, int axis, std::int64_t at) {
  const Dims strides = strides_of(in.dims());
  const Dims dims = without(in.dims(), axis);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
  copy_window(in, {at * strides[static_cast<std::size_t>(axis)], without(strides, axis)}, out,
              {0, strides_of(dims)}, dims);
  return out;
}

Result<Tensor> declared_piece(const KernelContext& c, const GraphView& body, std::size_t output) {
  const TypeView type = body.outputs()[static_cast<int>(output)].type();
  if (type.kind() != TypeView::Kind::tensor || !is_known(type.elem_type())) {
    return c.fail(
        fmt::format("output {} of a body that never ran has no declared tensor type", output));
  }
  Dims dims;
  for (const DimView dim : type.dims()) dims.push_back(dim.has_value() ? dim.value() : 0);
  return c.allocate(type.elem_type(), std::move(dims));
}

Status Collected::add(const KernelContext& c, const Value& value) {
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr) return c.fail("a scan output is not a tensor");
  if (!pieces_.empty() &&
      (tensor->dims() != pieces_[0].dims() || tensor->type() != pieces_[0].type())) {
    return c.fail(fmt::format("a scan output changes from {} {} to {} {}",
                              name_of(pieces_[0].type()), to_string(pieces_[0].dims()),
                              name_of(tensor->type()), to_string(tensor->dims())));
  }
  ONNXCOMPAT_CHECK(c.check_memory((pieces_.size() + 1) * sizeof(Tensor)));
  pieces_.push_back(*tensor);
  return {};
}

Result<Tensor> Collected::stacked(const KernelContext& c, std::int64_t new_axis, bool reverse,
                                  const GraphView& body, std::size_t output) const {
  Tensor like;
  if (pieces_.empty()) {
    ONNXCOMPAT_TRY(like, declared_piece(c, body, output));
  } else {
    like = pieces_[0];
  }
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, new_axis, like.rank() + 1));
  Dims dims = like.dims();
  dims.insert(dims.begin() + axis, static_cast<std::int64_t>(pieces_.size()));
  const Dims strides = strides_of(dims);
  const std::int64_t step = strides[static_cast<std::size_t>(axis)];
  ONNXCOMPAT_TRY(Tensor out, c.allocate(like.type(), dims));
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const auto place = static_cast<std::int64_t>(reverse ? pieces_.size() - 1 - i : i);
    copy_window(pieces_[i], {0, strides_of(like.dims())}, out,
                {place * step, without(strides, axis)}, like.dims());
  }
  return out;
}

}  // namespace onnxcompat::executor
