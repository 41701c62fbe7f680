#include "executor/kernel.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include "executor/runner.h"

namespace onnxcompat::executor {

#define X(family) std::span<const KernelRow> family##_kernels();
#include "executor/kernels.inc"
#undef X

namespace {

using FamilyFn = std::span<const KernelRow> (*)();

constexpr FamilyFn kFamilies[] = {
#define X(family) &family##_kernels,
#include "executor/kernels.inc"
#undef X
};

bool same_operator(const KernelRow& row, std::string_view domain, std::string_view op) {
  return row.op == op && row.domain == domain;
}

/// All rows, sorted by operator and first version.
const std::vector<KernelRow>& table() {
  static const std::vector<KernelRow> rows = [] {
    std::vector<KernelRow> all;
    for (const FamilyFn family : kFamilies) {
      const auto some = family();
      all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, [](const KernelRow& a, const KernelRow& b) {
      return std::tie(a.domain, a.op, a.first) < std::tie(b.domain, b.op, b.first);
    });
    return all;
  }();
  return rows;
}

}  // namespace

const KernelRow* find_kernel(std::string_view domain, std::string_view op, int since_version) {
  const auto& rows = table();
  auto it = std::ranges::lower_bound(rows, std::tie(domain, op), {}, [](const KernelRow& row) {
    return std::tie(row.domain, row.op);
  });
  for (; it != rows.end() && same_operator(*it, domain, op); ++it) {
    if (it->first <= since_version && since_version <= it->last) return &*it;
  }
  return nullptr;
}

std::vector<KernelRow> all_kernels() { return table(); }

KernelContext::KernelContext(NodeView node, const OpSchema* schema, std::span<Value> inputs,
                             std::span<Value> outputs, Runner& runner)
    : node_(node), schema_(schema), inputs_(inputs), outputs_(outputs), runner_(runner) {}

const Tensor& KernelContext::input(int i) const {
  static const Tensor kNone;
  const Tensor* tensor = has(i) ? value(i).tensor() : nullptr;
  return tensor != nullptr ? *tensor : kNone;
}

Result<std::optional<std::vector<std::int64_t>>> KernelContext::ints_input(int i) const {
  if (!has(i)) return std::nullopt;
  const Tensor& t = input(i);
  std::vector<std::int64_t> out;
  if (t.type() == DataType::int64) {
    const auto values = t.data<std::int64_t>();
    out.assign(values.begin(), values.end());
  } else if (t.type() == DataType::int32) {
    const auto values = t.data<std::int32_t>();
    out.assign(values.begin(), values.end());
  } else {
    return fail(fmt::format("input {} must hold int32 or int64, not {}", i, name_of(t.type())));
  }
  return out;
}

Result<std::int64_t> KernelContext::int_input(int i) const {
  if (!has(i) || input(i).size() != 1) {
    return fail(fmt::format("input {} must hold one number", i));
  }
  const auto values = ints_input(i);
  if (!values) return std::unexpected(values.error());
  return (*values)->front();
}

std::optional<AttributeView> KernelContext::attribute(std::string_view name) const {
  auto found = node_.attribute(name);
  if (found && found->is_reference()) return runner_.resolve_reference(found->ref_attr_name());
  return found;
}

bool KernelContext::has_attribute(std::string_view name) const {
  return attribute(name).has_value();
}

namespace {

/// The schema's default of an attribute; null if it has none of that type.
const AttributeDefault* default_of(const OpSchema* schema, std::string_view name,
                                   AttributeType type) {
  const AttributeSchema* attribute = schema == nullptr ? nullptr : schema->attribute(name);
  if (attribute == nullptr || attribute->default_value.type != type) return nullptr;
  return &attribute->default_value;
}

}  // namespace

std::int64_t KernelContext::int_attr(std::string_view name, std::int64_t otherwise) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::int_) return found->i();
  const auto* value = default_of(schema_, name, AttributeType::int_);
  return value != nullptr ? value->i : otherwise;
}

float KernelContext::float_attr(std::string_view name, float otherwise) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::float_) return found->f();
  const auto* value = default_of(schema_, name, AttributeType::float_);
  return value != nullptr ? value->f : otherwise;
}

std::string KernelContext::string_attr(std::string_view name, std::string_view otherwise) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::string) return found->s();
  const auto* value = default_of(schema_, name, AttributeType::string);
  return std::string(value != nullptr ? value->s : otherwise);
}

std::vector<std::int64_t> KernelContext::ints_attr(std::string_view name) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::ints) {
    return {found->ints().begin(), found->ints().end()};
  }
  const auto* value = default_of(schema_, name, AttributeType::ints);
  if (value == nullptr) return {};
  return {value->ints.begin(), value->ints.end()};
}

std::vector<float> KernelContext::floats_attr(std::string_view name) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::floats) {
    return {found->floats().begin(), found->floats().end()};
  }
  const auto* value = default_of(schema_, name, AttributeType::floats);
  if (value == nullptr) return {};
  return {value->floats.begin(), value->floats.end()};
}

std::vector<std::string> KernelContext::strings_attr(std::string_view name) const {
  const auto found = attribute(name);
  if (found && found->type() == AttributeType::strings) {
    const Strings strings = found->strings();
    return {strings.begin(), strings.end()};
  }
  const auto* value = default_of(schema_, name, AttributeType::strings);
  if (value == nullptr) return {};
  return {value->strings.begin(), value->strings.end()};
}

Result<std::optional<Tensor>> KernelContext::tensor_attr(std::string_view name) const {
  const auto found = attribute(name);
  if (!found || found->type() != AttributeType::tensor) return std::nullopt;
  auto loaded = runner_.load(found->t());
  if (!loaded) return std::unexpected(loaded.error());
  return *std::move(loaded);
}

bool KernelContext::wants(int i) const { return i < output_count() && node_.has_output(i); }

Result<Tensor> KernelContext::allocate(DataType type, Dims dims) const {
  const auto count = element_count(dims);
  const std::size_t width = type == DataType::string ? sizeof(std::string) : element_bytes(type);
  std::int64_t bytes = 0;
  if (!count || width == 0 ||
      __builtin_mul_overflow(*count, static_cast<std::int64_t>(width), &bytes)) {
    return fail(fmt::format("an output of type {} and dims [{}] cannot be", name_of(type),
                            fmt::join(dims, ",")));
  }
  auto charge = runner_.charge(static_cast<std::uint64_t>(bytes));
  if (!charge) {
    return std::unexpected(
        Error{charge.error().code, fmt::format("{}: {}", node_.op_type(), charge.error().message)});
  }
  try {
    Tensor tensor(type, std::move(dims));
    tensor.set_charge(*std::move(charge));
    return tensor;
  } catch (const std::bad_alloc&) {
    return onnxcompat::fail(ExitCode::limit, fmt::format("{}: no memory for an output of {} bytes",
                                                         node_.op_type(), bytes));
  }
}

Status KernelContext::check_memory(std::uint64_t bytes) const { return runner_.reserve(bytes); }

void KernelContext::set(int i, Tensor tensor) { set(i, Value{std::move(tensor)}); }

void KernelContext::set(int i, Value value) {
  if (i < output_count()) outputs_[static_cast<std::size_t>(i)] = std::move(value);
}

std::unexpected<Error> KernelContext::fail(std::string message) const {
  return onnxcompat::fail(ExitCode::unreadable, fmt::format("{}: {}", node_.op_type(), message));
}

std::unexpected<Error> KernelContext::unsupported_type(DataType type) const {
  return fail(fmt::format("element type {} is not served", name_of(type)));
}

}  // namespace onnxcompat::executor
