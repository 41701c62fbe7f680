// Sequences of tensors, and optionals.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "executor/kernels/body.h"
#include "executor/kernels/numeric.h"
#include "executor/movement.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

/// So many elements are copied, or moved to another place, in the time that a node takes: work that
/// the budget of nodes would not see otherwise.
constexpr std::int64_t kCopiesPerNode = 2;
constexpr std::int64_t kMovesPerNode = 16;

/// The sequence at input i. Error if the input is anything else, or one of anything but tensors;
/// only the first is looked at, as no kernel makes sequences of several kinds.
Result<const Sequence*> sequence_input(const KernelContext& c, int i) {
  const Sequence* sequence = c.has(i) ? c.value(i).sequence() : nullptr;
  if (sequence == nullptr) return c.fail(fmt::format("input {} is not a sequence", i));
  if (!sequence->elements.empty() && sequence->elements[0].tensor() == nullptr) {
    return c.fail(fmt::format("input {} holds no tensors", i));
  }
  return sequence;
}

/// Type of the tensors of a sequence, undefined if that cannot be known.
DataType elem_of(const Sequence& sequence) {
  return sequence.elements.empty() ? sequence.elem : sequence.elements[0].tensor()->type();
}

/// Bytes of that many elements, without those of their tensors.
std::uint64_t bytes_of(std::size_t length) {
  std::uint64_t bytes = 0;
  const bool overflows = __builtin_mul_overflow(length, sizeof(Value), &bytes);
  return overflows ? std::numeric_limits<std::uint64_t>::max() : bytes;
}

/// Makes room for that many elements, which then count as memory in use.
Status reserve(const KernelContext& c, Sequence& sequence, std::size_t length) {
  ONNXCOMPAT_TRY(auto charge, c.runner().charge(bytes_of(length)));
  sequence.elements.reserve(length);
  sequence.charge = std::move(charge);
  return {};
}

/// The sequence at input 0 to be changed, with room for so many more: itself where nobody else
/// holds it, so that a sequence grows in time that is proportional to its length, else a copy.
Result<Sequence> take_sequence(KernelContext& c, std::size_t more) {
  Value value = c.take(0);
  auto& shared = std::get<SharedSequence>(value.content);
  const std::size_t count = shared.get()->elements.size();
  if (Sequence* own = shared.sole()) {
    if (own->elements.capacity() < count + more) {
      ONNXCOMPAT_CHECK(reserve(c, *own, 2 * count + more));
    }
    return std::move(*own);
  }
  ONNXCOMPAT_CHECK(c.runner().spend(static_cast<std::int64_t>(count) / kCopiesPerNode));
  Sequence copy{.elements = {}, .elem = shared.get()->elem};
  ONNXCOMPAT_CHECK(reserve(c, copy, count + more));
  copy.elements = shared.get()->elements;
  return copy;
}

/// The place, at most `last`, that input i names in `count` elements, counted from the back if
/// negative; `last` if the input is left out.
Result<std::int64_t> position_input(const KernelContext& c, int i, std::int64_t count,
                                    std::int64_t last) {
  auto read = c.ints_input(i);
  if (!read) return std::unexpected(read.error());
  if (!*read) return last;
  if ((*read)->size() != 1) return c.fail("position is not one number");
  const std::int64_t given = (*read)->front();
  const std::int64_t position = given < 0 ? given + count : given;
  if (position < 0 || position > last) {
    return c.fail(fmt::format("position {} is outside a sequence of {}", given, count));
  }
  return position;
}

// [SequenceConstruct-11]
Status construct(KernelContext& c) {
  ONNXCOMPAT_CHECK(require_inputs(c, c.input_count()));
  if (c.input_count() == 0) return c.fail("has no inputs");
  Sequence out{.elements = {}, .elem = c.input(0).type()};
  ONNXCOMPAT_CHECK(c.runner().spend(c.input_count() / kCopiesPerNode));
  ONNXCOMPAT_CHECK(reserve(c, out, static_cast<std::size_t>(c.input_count())));
  for (int i = 0; i < c.input_count(); ++i) {
    if (c.input(i).type() != out.elem) {
      return c.fail(fmt::format("element types {} and {} do not go into one sequence",
                                name_of(out.elem), name_of(c.input(i).type())));
    }
    out.elements.push_back(c.value(i));
  }
  c.set(0, Value{std::move(out)});
  return {};
}

// [SequenceEmpty-11]
Status empty(KernelContext& c) {
  const std::int64_t type = c.int_attr("dtype", static_cast<std::int64_t>(DataType::float32));
  if (type <= 0 || type >= kDataTypeCount) return c.fail(fmt::format("dtype {} is unknown", type));
  c.set(0, Value{Sequence{.elements = {}, .elem = static_cast<DataType>(type)}});
  return {};
}

// [SequenceAt-11]
Status at(KernelContext& c) {
  ONNXCOMPAT_TRY(const Sequence* const in, sequence_input(c, 0));
  const auto count = std::ssize(in->elements);
  if (!c.has(1)) return c.fail("position is missing");
  ONNXCOMPAT_TRY(const std::int64_t position, position_input(c, 1, count, count - 1));
  c.set(0, in->elements[static_cast<std::size_t>(position)]);
  return {};
}

// [SequenceInsert-11]
Status insert(KernelContext& c) {
  ONNXCOMPAT_TRY(const Sequence* const in, sequence_input(c, 0));
  const Tensor* tensor = c.has(1) ? c.value(1).tensor() : nullptr;
  if (tensor == nullptr) return c.fail("input 1 is not a tensor");
  const DataType elem = elem_of(*in);
  if (elem != DataType::undefined && elem != tensor->type()) {
    return c.fail(fmt::format("a tensor of {} does not go into a sequence of {}",
                              name_of(tensor->type()), name_of(elem)));
  }
  const auto count = std::ssize(in->elements);
  ONNXCOMPAT_TRY(const std::int64_t position, position_input(c, 2, count, count));
  ONNXCOMPAT_CHECK(c.runner().spend((count - position) / kMovesPerNode));
  ONNXCOMPAT_TRY(Sequence out, take_sequence(c, 1));
  out.elem = tensor->type();
  out.elements.insert(out.elements.begin() + position, c.value(1));
  c.set(0, Value{std::move(out)});
  return {};
}

// [SequenceErase-11]
Status erase(KernelContext& c) {
  ONNXCOMPAT_TRY(const Sequence* const in, sequence_input(c, 0));
  const auto count = std::ssize(in->elements);
  if (count == 0) return c.fail("the sequence is empty");
  ONNXCOMPAT_TRY(const std::int64_t position, position_input(c, 1, count, count - 1));
  ONNXCOMPAT_CHECK(c.runner().spend((count - position) / kMovesPerNode));
  ONNXCOMPAT_TRY(Sequence out, take_sequence(c, 0));
  out.elem = elem_of(out);
  out.elements.erase(out.elements.begin() + position);
  c.set(0, Value{std::move(out)});
  return {};
}

// [SequenceLength-11]
Status length(KernelContext& c) {
  const Sequence* sequence = c.value(0).sequence();
  if (sequence == nullptr) return c.fail("the input is not a sequence");
  c.set(0, Tensor::scalar<std::int64_t>(std::ssize(sequence->elements)));
  return {};
}

/// Lengths of the parts that SplitToSequence cuts a dim into: ones, chunks of one length and a
/// rest, or a list.
Result<std::vector<std::int64_t>> part_lengths(const KernelContext& c, std::int64_t dim) {
  std::int64_t chunk = 1;
  if (c.has(1)) {
    auto split = c.ints_input(1);
    if (!split) return std::unexpected(split.error());
    if (c.input(1).rank() > 1) return c.fail("split has a rank above 1");
    if (c.input(1).rank() == 1) {
      std::int64_t sum = 0;
      for (const std::int64_t part : **split) {
        if (part < 0 || __builtin_add_overflow(sum, part, &sum)) {
          return c.fail(fmt::format("split holds {}", part));
        }
      }
      if (sum != dim) return c.fail(fmt::format("split sums to {}, the axis is {}", sum, dim));
      return **std::move(split);
    }
    chunk = (*split)->front();
    if (chunk <= 0) return c.fail(fmt::format("split is {}", chunk));
  }
  const std::int64_t count = dim / chunk + (dim % chunk != 0 ? 1 : 0);
  ONNXCOMPAT_CHECK(c.check_memory(bytes_of(static_cast<std::size_t>(count))));
  std::vector<std::int64_t> parts(static_cast<std::size_t>(count), chunk);
  if (dim % chunk != 0) parts.back() = dim % chunk;
  return parts;
}

// [SplitToSequence-11] [SplitToSequence-24] bfloat16
Status split_to_sequence(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", 0), in.rank()));
  ONNXCOMPAT_TRY(const auto parts, part_lengths(c, in.dim(axis)));
  const bool keeps = c.has(1) || c.int_attr("keepdims", 1) != 0;
  const Dims strides = strides_of(in.dims());
  ONNXCOMPAT_CHECK(c.runner().spend(std::ssize(parts)));
  Sequence out{.elements = {}, .elem = in.type()};
  ONNXCOMPAT_CHECK(reserve(c, out, parts.size()));
  std::int64_t offset = 0;
  for (const std::int64_t part : parts) {
    Dims dims = in.dims();
    dims[static_cast<std::size_t>(axis)] = part;
    ONNXCOMPAT_TRY(Tensor piece, c.allocate(in.type(), dims));
    copy_window(in, {offset * strides[static_cast<std::size_t>(axis)], strides}, piece,
                {0, strides_of(dims)}, dims);
    if (!keeps) {
      dims.erase(dims.begin() + axis);
      piece = piece.reshaped(std::move(dims));
    }
    out.elements.push_back({std::move(piece)});
    offset += part;
  }
  c.set(0, Value{std::move(out)});
  return {};
}

// [ConcatFromSequence-11] along an axis, or stacked on a new one
Status concat_from_sequence(KernelContext& c) {
  ONNXCOMPAT_TRY(const Sequence* const in, sequence_input(c, 0));
  if (in->elements.empty()) return c.fail("the sequence is empty");
  ONNXCOMPAT_CHECK(c.runner().spend(std::ssize(in->elements)));
  const Tensor& first = *in->elements[0].tensor();
  const bool stacks = c.int_attr("new_axis", 0) != 0;
  ONNXCOMPAT_TRY(const int axis,
                 resolve_axis(c, c.int_attr("axis"), first.rank() + (stacks ? 1 : 0)));
  std::vector<Tensor> pieces;
  Dims dims = first.dims();
  if (stacks) dims.insert(dims.begin() + axis, 1);
  const auto a = static_cast<std::size_t>(axis);
  dims[a] = 0;
  for (const Value& element : in->elements) {
    if (element.tensor() == nullptr) return c.fail("input 0 holds no tensors");
    const Tensor& tensor = *element.tensor();
    Dims own = tensor.dims();
    if (stacks && own == first.dims()) own.insert(own.begin() + axis, 1);
    Dims expected = dims;
    if (own.size() == dims.size()) expected[a] = own[a];
    if (own != expected || tensor.type() != first.type()) {
      return c.fail(fmt::format("{} {} does not fit {} {}", name_of(tensor.type()),
                                to_string(tensor.dims()), name_of(first.type()),
                                to_string(first.dims())));
    }
    if (__builtin_add_overflow(dims[a], own[a], &dims[a])) return c.fail("the axis overflows");
    pieces.push_back(tensor.reshaped(std::move(own)));
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(first.type(), dims));
  const Dims strides = strides_of(dims);
  std::int64_t offset = 0;
  for (const Tensor& piece : pieces) {
    copy_window(piece, {0, strides_of(piece.dims())}, out, {offset * strides[a], strides},
                piece.dims());
    offset += piece.dim(axis);
  }
  c.set(0, std::move(out));
  return {};
}

/// Element type of the sequence that SequenceMap makes of a body's output.
DataType declared_elem(const GraphView& body, int output) {
  const TypeView type = body.outputs()[output].type();
  return type.kind() == TypeView::Kind::tensor ? type.elem_type() : DataType::undefined;
}

// [SequenceMap-17] sequences give their element of that place, tensors themselves
Status sequence_map(KernelContext& c) {
  ONNXCOMPAT_TRY(const GraphView body, graph_attr(c, "body"));
  ONNXCOMPAT_TRY(const Sequence* const first, sequence_input(c, 0));
  for (int i = 1; i < c.input_count(); ++i) {
    const Sequence* other = c.value(i).sequence();
    if (other != nullptr && other->elements.size() != first->elements.size()) {
      return c.fail(fmt::format("sequences of {} and {} elements", first->elements.size(),
                                other->elements.size()));
    }
  }
  const auto count = static_cast<std::size_t>(c.output_count());
  if (body.outputs().size() < c.output_count()) return c.fail("the body has too few outputs");
  std::vector<Sequence> outputs(count);
  for (Sequence& output : outputs) ONNXCOMPAT_CHECK(reserve(c, output, first->elements.size()));
  for (std::size_t i = 0; i < first->elements.size(); ++i) {
    std::vector<Value> inputs;
    for (int k = 0; k < c.input_count(); ++k) {
      const Sequence* sequence = c.value(k).sequence();
      inputs.push_back(sequence != nullptr ? sequence->elements[i] : c.value(k));
    }
    ONNXCOMPAT_TRY(std::vector<Value> results, run_body(c, body, std::move(inputs), count));
    for (std::size_t k = 0; k < count; ++k) {
      const Tensor* tensor = results[k].tensor();
      if (tensor == nullptr) return c.fail(fmt::format("output {} of the body is no tensor", k));
      if (i > 0 && tensor->type() != outputs[k].elem) {
        return c.fail(fmt::format("output {} of the body changes its type", k));
      }
      outputs[k].elem = tensor->type();
      outputs[k].elements.push_back(std::move(results[k]));
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    const int output = static_cast<int>(k);
    if (outputs[k].elements.empty()) outputs[k].elem = declared_elem(body, output);
    c.set(output, Value{std::move(outputs[k])});
  }
  return {};
}

// ---- optionals

// [Optional-15]
Status optional(KernelContext& c) {
  if (c.has(0)) {
    c.set(0, Value{OptionalValue{std::make_shared<const Value>(c.value(0))}});
    return {};
  }
  if (!c.has_attribute("type")) return c.fail("has neither an input nor a type");
  c.set(0, Value{OptionalValue{}});
  return {};
}

// [OptionalHasElement-15]; [OptionalHasElement-18] tensors and sequences, or no input
Status has_element(KernelContext& c) {
  const OptionalValue* optional = c.has(0) ? c.value(0).optional() : nullptr;
  const bool holds = optional != nullptr ? optional->content != nullptr : c.has(0);
  c.set(0, Tensor::scalar<bool>(holds));
  return {};
}

// [OptionalGetElement-15]; [OptionalGetElement-18] tensors and sequences are their own element
Status get_element(KernelContext& c) {
  const OptionalValue* optional = c.value(0).optional();
  if (optional != nullptr && optional->content == nullptr) return c.fail("the optional is empty");
  c.set(0, optional != nullptr ? *optional->content : c.value(0));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "ConcatFromSequence", 11, kUnbounded, concat_from_sequence},
    {"", "Optional", 15, kUnbounded, optional},
    {"", "OptionalGetElement", 15, kUnbounded, get_element},
    {"", "OptionalHasElement", 15, kUnbounded, has_element},
    {"", "SequenceAt", 11, kUnbounded, at},
    {"", "SequenceConstruct", 11, kUnbounded, construct},
    {"", "SequenceEmpty", 11, kUnbounded, empty},
    {"", "SequenceErase", 11, kUnbounded, erase},
    {"", "SequenceInsert", 11, kUnbounded, insert},
    {"", "SequenceLength", 11, kUnbounded, length},
    {"", "SequenceMap", 17, kUnbounded, sequence_map},
    {"", "SplitToSequence", 11, kUnbounded, split_to_sequence},
};

}  // namespace

std::span<const KernelRow> sequence_kernels() { return kRows; }

}  // namespace onnxcompat::executor
