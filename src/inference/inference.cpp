#include "inference/inference.h"

#include <array>

#include <fmt/format.h>

#include "inference/engine.h"

namespace onnxcompat {

using Kind = TypeView::Kind;

ValueType ValueType::tensor(DataType elem, std::optional<Shape> shape) {
  ValueType out;
  out.kind = Kind::tensor;
  out.elem = elem;
  out.shape = std::move(shape);
  return out;
}

std::optional<int> ValueType::rank() const {
  return shape ? std::optional(static_cast<int>(shape->size())) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> ValueType::static_shape() const {
  if (!shape) return std::nullopt;
  std::vector<std::int64_t> out;
  for (const Dim& d : *shape) {
    if (!d.value) return std::nullopt;
    out.push_back(*d.value);
  }
  return out;
}

namespace {

/// "tensor(float)" by element type: asked for with every input and output of a model.
const std::string& tensor_spelling(DataType elem) {
  static const auto spellings = [] {
    std::array<std::string, kDataTypeCount> all;
    for (int i = 0; i < kDataTypeCount; ++i) {
      const auto type = static_cast<DataType>(i);
      if (is_known(type))
        all[static_cast<std::size_t>(i)] = fmt::format("tensor({})", name_of(type));
    }
    return all;
  }();
  return spellings[static_cast<std::size_t>(elem)];
}

}  // namespace

bool ValueType::is_known() const {
  switch (kind) {
    case Kind::tensor:
    case Kind::sparse_tensor:
      return onnxcompat::is_known(elem);
    case Kind::map:
      return onnxcompat::is_known(key) && inner && inner->is_known();
    case Kind::sequence:
    case Kind::optional:
      return inner && inner->is_known();
    case Kind::opaque:
    case Kind::none:
      break;
  }
  return false;
}

std::string ValueType::str() const {
  if (!is_known()) return {};
  if (kind == Kind::tensor) return tensor_spelling(elem);
  if (kind == Kind::sparse_tensor) return fmt::format("sparse_tensor({})", name_of(elem));
  const std::string within = inner->str();
  switch (kind) {
    case Kind::sequence:
      return fmt::format("seq({})", within);
    case Kind::optional:
      return fmt::format("optional({})", within);
    case Kind::map:
      // Schemas leave out "tensor()" here.
      return fmt::format("map({}, {})", name_of(key),
                         inner->kind == Kind::tensor ? name_of(inner->elem) : within);
    case Kind::tensor:
    case Kind::sparse_tensor:
    case Kind::opaque:
    case Kind::none:
      break;
  }
  return {};
}

struct Inference::Impl {
  std::unordered_map<const void*, infer::Table> tables;
  std::vector<TypeConflict> conflicts;

  const infer::Table* table_of(const Body& body) const {
    const auto table = tables.find(infer::key_of(body));
    return table == tables.end() ? nullptr : &table->second;
  }
  const infer::Fact* find(const Body& body, std::string_view value) const {
    for (const Body* b = &body; b != nullptr; b = b->outer) {
      const infer::Table* table = table_of(*b);
      if (table == nullptr) continue;
      if (const infer::Fact* fact = table->find(value)) return fact;
    }
    return nullptr;
  }
};

Inference::Inference(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Inference::Inference(Inference&&) noexcept = default;
Inference& Inference::operator=(Inference&&) noexcept = default;
Inference::~Inference() = default;

Inference Inference::run(const Model& model, const InferenceOptions& options) {
  infer::Engine engine(model, options);
  engine.run();
  auto impl = std::make_unique<Impl>();
  impl->tables = std::move(engine.tables);
  impl->conflicts = std::move(engine.conflicts);
  return Inference(std::move(impl));
}

namespace {

const ValueType* type_of(const infer::Fact* fact) {
  return fact != nullptr && fact->type.kind != Kind::none ? &fact->type : nullptr;
}

}  // namespace

const ValueType* Inference::type_of(const Body& body, std::string_view value) const {
  return onnxcompat::type_of(impl_->find(body, value));
}

struct Inference::View::Tables {
  std::vector<const infer::Table*> innermost_first;
};

Inference::View Inference::seen_from(const Body& body) const {
  auto tables = std::make_shared<View::Tables>();
  for (const Body* b = &body; b != nullptr; b = b->outer) {
    if (const infer::Table* table = impl_->table_of(*b)) tables->innermost_first.push_back(table);
  }
  View view;
  view.tables_ = std::move(tables);
  return view;
}

const ValueType* Inference::View::type_of(std::string_view value) const {
  for (const infer::Table* table : tables_->innermost_first) {
    if (const infer::Fact* fact = table->find(value)) return onnxcompat::type_of(fact);
  }
  return nullptr;
}

std::optional<std::vector<std::int64_t>> Inference::ints_of(const Body& body,
                                                            std::string_view value) const {
  const infer::Fact* fact = impl_->find(body, value);
  if (fact == nullptr) return std::nullopt;
  switch (fact->type.elem) {
    case DataType::boolean:
    case DataType::int8:
    case DataType::int16:
    case DataType::int32:
    case DataType::int64:
    case DataType::uint8:
    case DataType::uint16:
    case DataType::uint32:
      break;
    default:
      return std::nullopt;
  }
  infer::DataPtr data = fact->data;
  if (!data && fact->tensor) data = infer::read_data(*fact->tensor);
  if (!data || !data->all_known()) return std::nullopt;
  std::vector<std::int64_t> out;
  out.reserve(data->elems.size());
  for (const Dim& d : data->elems) out.push_back(*d.value);
  return out;
}

const std::vector<TypeConflict>& Inference::conflicts() const { return impl_->conflicts; }

}  // namespace onnxcompat
