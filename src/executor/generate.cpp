#include "executor/generate.h"

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "model/walk.h"

namespace onnxcompat::executor {
namespace {

// Of all sequences together: those in each other have 2^depth.
constexpr std::int64_t kMaxSequenceElements = 10'000;

/// Sizes tried for open dims, attempt after attempt: models with windows or fixed products inside
/// need large or particular ones.
constexpr std::array<std::int64_t, 12> kSizes = {2, 1, 3, 4, 8, 16, 32, 5, 64, 7, 128, 224};

/// Integers a value may hold, as far as its uses say.
struct Range {
  std::int64_t low = 0;
  std::int64_t high = 1;
  bool known = false;
  void narrow(std::int64_t to_low, std::int64_t to_high) {
    low = known ? std::max(low, to_low) : to_low;
    high = known ? std::min(high, to_high) : to_high;
    known = true;
  }
};

/// How operators use integers that they are given.
class Uses {
 public:
  Uses(const Model& model, const Inference& inference) : inference_(inference) {
    body_.model = &model;
    body_.graph = model.graph();
    body_.root = "graph";
    for (const NodeView node : model.graph().nodes()) {
      for (const std::string& input : node.inputs()) readers_[input].push_back(node);
    }
  }

  Range of(const std::string& value) const {
    Range range;
    follow(value, range, 0);
    if (range.known && range.low > range.high) range.high = range.low;
    return range;
  }

 private:
  std::optional<std::int64_t> dim(const std::string& value, std::int64_t axis) const {
    const ValueType* type = inference_.type_of(body_, value);
    if (type == nullptr || !type->shape) return std::nullopt;
    const auto rank = static_cast<std::int64_t>(type->shape->size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return std::nullopt;
    return (*type->shape)[static_cast<std::size_t>(axis)].value;
  }

  /// Indices into an axis of `data`: 0 … size-1, or only 0 where the size is open.
  void index(Range& range, const std::string& data, std::int64_t axis) const {
    range.narrow(0, std::max<std::int64_t>(dim(data, axis).value_or(1) - 1, 0));
  }

  void follow(const std::string& value, Range& range, int depth) const {
    const auto found = readers_.find(value);
    if (found == readers_.end() || depth > 6) return;
    for (const NodeView& node : found->second) use(node, value, range, depth);
  }

  void use(const NodeView& node, const std::string& value, Range& range, int depth) const {
    static const std::set<std::string_view> kPassThrough = {
        "Cast",   "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose",
        "Concat", "Expand",   "Slice",   "Tile",    "Dropout",   "Gather",  "Split"};
    static const std::set<std::string_view> kShapes = {"Reshape", "Expand", "Tile",
                                                       "ConstantOfShape"};
    const std::string& op = node.op_type();
    const auto inputs = node.inputs();
    for (int i = 0; i < inputs.size(); ++i) {
      if (inputs[i] != value) continue;
      if (op == "Gather" || op == "GatherElements" || op == "ScatterElements" || op == "Scatter") {
        if (i == 1) {
          index(range, inputs[0], node.int_or("axis", 0));
          continue;
        }
      } else if (op == "GatherND" || op == "ScatterND") {
        if (i == 1) index(range, inputs[0], node.int_or("batch_dims", 0));
      } else if (op == "EmbedLayerNormalization") {
        if (i == 0) index(range, inputs.size() > 2 ? inputs[2] : inputs[0], 0);
        if (i == 1) index(range, inputs.size() > 4 ? inputs[4] : inputs[0], 0);
      } else if (kShapes.contains(op) && (i == 1 || op == "ConstantOfShape")) {
        range.narrow(1, 3);
      } else if (op == "OneHot" && i == 1) {
        range.narrow(2, 4);
      } else if (op == "Range") {
        range.narrow(i == 2 ? 1 : 0, i == 0 ? 0 : i == 1 ? 4 : 1);
      } else if (op == "TopK" || op == "Loop") {
        range.narrow(1, op == "TopK" ? 1 : 3);
      } else if ((op == "LSTM" || op == "GRU" || op == "RNN") && i == 4) {
        range.narrow(1, std::max<std::int64_t>(dim(inputs[0], 0).value_or(1), 1));
      } else if (op == "ReverseSequence" && i == 1) {
        range.narrow(1, 1);
      }
      if (kPassThrough.contains(op) && (i == 0 || op == "Concat")) {
        for (const std::string& output : node.outputs()) {
          if (!output.empty()) follow(output, range, depth + 1);
        }
      }
    }
  }

  const Inference& inference_;
  Body body_;
  std::unordered_map<std::string, std::vector<NodeView>> readers_;
};

class Generator {
 public:
  Generator(const Model& model, const Inference& inference, const GenerateOptions& options)
      : uses_(model, inference),
        options_(options),
        engine_(options.seed * 0x9e3779b97f4a7c15ULL + 1) {}

  Result<Value> draw(const std::string& name, const TypeView& type) {
    switch (type.kind()) {
      case TypeView::Kind::tensor:
        return tensor(name, type);
      case TypeView::Kind::sequence: {
        const auto elem = type.elem();
        Sequence sequence;
        for (int i = 0; elem && i < 2; ++i) {
          if (--elements_left_ < 0) return too_large(name);
          auto element = draw(name, *elem);
          if (!element) return element;
          sequence.elements.push_back(*std::move(element));
        }
        return Value{std::move(sequence)};
      }
      case TypeView::Kind::optional: {
        const auto elem = type.elem();
        if (!elem) break;
        auto content = draw(name, *elem);
        if (!content) return content;
        return Value{OptionalValue{std::make_shared<const Value>(*std::move(content))}};
      }
      default:
        break;
    }
    return fail(ExitCode::refused, fmt::format("no value can be drawn for input \"{}\" of type {}",
                                               name, type.str().empty() ? "unknown" : type.str()));
  }

 private:
  /// The size of an open dim in this attempt. The first attempts give all open dims one size, later
  /// ones draw each.
  std::int64_t open_size(const std::string& symbol) {
    const auto attempt = static_cast<std::size_t>(options_.attempt);
    if (symbol.empty()) return kSizes[attempt % kSizes.size()];
    const auto known = symbols_.find(symbol);
    if (known != symbols_.end()) return known->second;
    std::int64_t size = kSizes[attempt % kSizes.size()];
    if (attempt % 3 == 2) size = 1 + static_cast<std::int64_t>(engine_() % 8);
    return symbols_.emplace(symbol, size).first->second;
  }

  Result<Value> tensor(const std::string& name, const TypeView& type) {
    Dims dims;
    if (type.has_shape()) {
      for (const DimView dim : type.dims()) {
        // A negative or zero size is how some exporters say "open".
        const bool open = !dim.has_value() || dim.value() < 0;
        dims.push_back(open ? open_size(dim.has_param() ? dim.param() : "") : dim.value());
      }
    } else {
      dims.assign(static_cast<std::size_t>((options_.attempt + 2) % 5), open_size(""));
    }
    const auto count = element_count(dims);
    const std::uint64_t width = type.elem_type() == DataType::string
                                    ? sizeof(std::string)
                                    : std::max<std::size_t>(element_bytes(type.elem_type()), 1);
    if (!count || static_cast<std::uint64_t>(*count) > bytes_left_ / width) return too_large(name);
    bytes_left_ -= static_cast<std::uint64_t>(*count) * width;
    return fill(name, type.elem_type(), std::move(dims));
  }

  static std::unexpected<Error> too_large(const std::string& name) {
    return fail(ExitCode::limit, fmt::format("input \"{}\" is too large to draw", name));
  }

  Result<Value> fill(const std::string& name, DataType type, Dims dims) {
    Tensor out(type, std::move(dims));
    if (type == DataType::string) {
      for (std::string& s : out.mutable_strings())
        s = std::string(1, static_cast<char>('a' + engine_() % 4));
      return Value{std::move(out)};
    }
    const Range range = uses_.of(name);
    bool drawn = dispatch(Floats{}, type, [&]<class T>(std::type_identity<T>) {
      for (T& x : out.mutable_data<T>()) {
        x = range.known ? static_cast<T>(static_cast<float>(integer(range.low, range.high)))
                        : static_cast<T>(static_cast<float>(real()));
      }
    });
    drawn = drawn || dispatch(Ints{}, type, [&]<class T>(std::type_identity<T>) {
              // Bytes are most often quantized data; wider integers are most often counts or
              // indices.
              const bool byte = sizeof(T) == 1 && !range.known;
              const std::int64_t low = byte ? std::numeric_limits<T>::min() : range.low;
              const std::int64_t high = byte ? std::numeric_limits<T>::max() : range.high;
              for (T& x : out.mutable_data<T>()) x = static_cast<T>(integer(low, high));
            });
    drawn = drawn || dispatch(Types<std::complex<float>, std::complex<double>>{}, type,
                              [&]<class T>(std::type_identity<T>) {
                                using Part = typename T::value_type;
                                for (T& x : out.mutable_data<T>()) {
                                  x = {static_cast<Part>(real()), static_cast<Part>(real())};
                                }
                              });
    if (!drawn && type == DataType::boolean) {
      for (bool& x : out.mutable_data<bool>()) x = (engine_() & 1) != 0;
      drawn = true;
    }
    if (!drawn && is_known(type)) {
      for (auto& x : out.mutable_data<std::uint8_t>()) x = small(type);
      drawn = true;
    }
    if (!drawn) {
      return fail(ExitCode::refused, fmt::format("input \"{}\" has no known element type", name));
    }
    return Value{std::move(out)};
  }

  /// A pattern of a type below one byte, or of an eight-bit float.
  std::uint8_t small(DataType type) {
    const int bits = bits_of(type);
    if (bits < 8) return static_cast<std::uint8_t>(engine_() & ((1U << bits) - 1));
    return from_float(type, static_cast<float>(real()));
  }

  double real() {
    return static_cast<double>(engine_() >> 11) * 0x1p-53 * 2.0 - 0.75;  // [-0.75, 1.25)
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }

  Uses uses_;
  const GenerateOptions& options_;
  std::mt19937_64 engine_;
  std::uint64_t bytes_left_ = options_.max_bytes;
  std::int64_t elements_left_ = kMaxSequenceElements;
  std::map<std::string, std::int64_t, std::less<>> symbols_;
};

}  // namespace

Result<NamedValues> generate_inputs(const Model& model, const Inference& inference,
                                    const GenerateOptions& options) {
  std::set<std::string_view> initialized;
  for (const TensorView tensor : model.graph().initializers()) initialized.insert(tensor.name());
  for (const SparseTensorView tensor : model.graph().sparse_initializers()) {
    initialized.insert(tensor.values().name());
  }
  Generator generator(model, inference, options);
  NamedValues inputs;
  for (const ValueInfoView input : model.graph().inputs()) {
    if (initialized.contains(input.name())) continue;
    auto value = generator.draw(input.name(), input.type());
    if (!value) return std::unexpected(value.error());
    inputs.emplace(input.name(), *std::move(value));
  }
  return inputs;
}

}  // namespace onnxcompat::executor
