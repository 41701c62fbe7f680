#include "mutate.h"

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "proto/onnx.pb.h"
#include "versiontable/schema.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace onnxcompat::fuzz {
namespace {

namespace gp = google::protobuf;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t bound) {
  return bound == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}
bool one_in(Random& random, std::size_t n) { return below(random, n) == 0; }

/// Everything in a model: its messages, and the strings that it says.
struct Inventory {
  std::vector<gp::Message*> messages;
  std::vector<std::string> strings;

  explicit Inventory(gp::Message& root) { add(root, 0); }

 private:
  void add(gp::Message& message, int depth) {
    constexpr std::size_t kMost = 20'000;
    if (depth > 600 || messages.size() > kMost) return;
    messages.push_back(&message);
    const auto* reflection = message.GetReflection();
    std::vector<const gp::FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const auto* field : fields) {
      const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        if (field->cpp_type() == gp::FieldDescriptor::CPPTYPE_MESSAGE) {
          add(field->is_repeated() ? *reflection->MutableRepeatedMessage(&message, field, i)
                                   : *reflection->MutableMessage(&message, field),
              depth + 1);
        } else if (field->cpp_type() == gp::FieldDescriptor::CPPTYPE_STRING) {
          auto text = field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                           : reflection->GetString(message, field);
          if (text.size() < 200) strings.push_back(std::move(text));
        }
      }
    }
  }
};

std::int64_t number(Random& random, std::int64_t old) {
  constexpr std::array<std::int64_t, 26> kOdd = {
      0,   1,    2,      3,          4,           5,          7,         8,        9,
      13,  21,   24,     64,         -1,          -2,         -3,        127,      255,
      256, -128, 65'536, 2147483647, -2147483648, 4294967296, INT64_MAX, INT64_MIN};
  switch (below(random, 4)) {
    case 0:
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(old) + 1);
    case 1:
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(old) - 1);
    default:
      return kOdd[below(random, kOdd.size())];
  }
}

std::string text(Random& random, const Inventory& inventory, const gp::FieldDescriptor* field,
                 const std::string& old) {
  if (field->name() == "op_type" && !one_in(random, 4)) {
    const auto schemas = all_schemas();
    return std::string(schemas[below(random, schemas.size())].name);
  }
  if (!inventory.strings.empty() && !one_in(random, 4)) {
    return inventory.strings[below(random, inventory.strings.size())];
  }
  constexpr std::array<const char*, 14> kOdd = {
      "",         "x",      "../x", "/etc/passwd",          "ai.onnx",    "\xff", "\x1b[2J",
      "location", "offset", "-1",   "18446744073709551616", "ai.onnx.ml", "NCHW", "a,b->ab"};
  if (!one_in(random, 3)) return kOdd[below(random, kOdd.size())];
  std::string out = old;
  out.resize(old.size() + 16);
  out.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(out.data()), old.size(), out.size()));
  return out;
}

/// Sets, or appends, one value of a field that is no message.
void set_value(Random& random, const Inventory& inventory, gp::Message& message,
               const gp::FieldDescriptor* field, int at) {
  const auto* r = message.GetReflection();
  const auto put = [&](auto get, auto set, auto get_one, auto set_one, auto add, auto change) {
    if (!field->is_repeated()) {
      (r->*set)(&message, field, change((r->*get)(message, field)));
    } else if (at < r->FieldSize(message, field)) {
      (r->*set_one)(&message, field, at, change((r->*get_one)(message, field, at)));
    } else {
      (r->*add)(&message, field, change(decltype((r->*get_one)(message, field, 0)){}));
    }
  };
  const auto whole = [&](auto old) {
    return static_cast<decltype(old)>(number(random, static_cast<std::int64_t>(old)));
  };
  const auto real = [&](auto old) {
    constexpr std::array<double, 8> kOdd = {0, 1, -1, 0.5, 1e30, 1e-40, 65504, 3.5};
    if (one_in(random, 6)) return static_cast<decltype(old)>(0.0 / 0.0);
    return static_cast<decltype(old)>(kOdd[below(random, kOdd.size())]);
  };
  using R = gp::Reflection;
  switch (field->cpp_type()) {
    case gp::FieldDescriptor::CPPTYPE_INT32:
      return put(&R::GetInt32, &R::SetInt32, &R::GetRepeatedInt32, &R::SetRepeatedInt32,
                 &R::AddInt32, whole);
    case gp::FieldDescriptor::CPPTYPE_INT64:
      return put(&R::GetInt64, &R::SetInt64, &R::GetRepeatedInt64, &R::SetRepeatedInt64,
                 &R::AddInt64, whole);
    case gp::FieldDescriptor::CPPTYPE_UINT64:
      return put(&R::GetUInt64, &R::SetUInt64, &R::GetRepeatedUInt64, &R::SetRepeatedUInt64,
                 &R::AddUInt64, whole);
    case gp::FieldDescriptor::CPPTYPE_UINT32:
      return put(&R::GetUInt32, &R::SetUInt32, &R::GetRepeatedUInt32, &R::SetRepeatedUInt32,
                 &R::AddUInt32, whole);
    case gp::FieldDescriptor::CPPTYPE_FLOAT:
      return put(&R::GetFloat, &R::SetFloat, &R::GetRepeatedFloat, &R::SetRepeatedFloat,
                 &R::AddFloat, real);
    case gp::FieldDescriptor::CPPTYPE_DOUBLE:
      return put(&R::GetDouble, &R::SetDouble, &R::GetRepeatedDouble, &R::SetRepeatedDouble,
                 &R::AddDouble, real);
    case gp::FieldDescriptor::CPPTYPE_BOOL:
      return put(&R::GetBool, &R::SetBool, &R::GetRepeatedBool, &R::SetRepeatedBool, &R::AddBool,
                 [](bool old) { return !old; });
    case gp::FieldDescriptor::CPPTYPE_ENUM: {
      const int value = static_cast<int>(below(random, 28));
      if (!field->is_repeated()) {
        r->SetEnumValue(&message, field, value);
      } else {
        r->AddEnumValue(&message, field, value);
      }
      return;
    }
    case gp::FieldDescriptor::CPPTYPE_STRING: {
      if (!field->is_repeated()) {
        const std::string old = r->GetString(message, field);
        r->SetString(&message, field, text(random, inventory, field, old));
      } else if (at < r->FieldSize(message, field)) {
        const std::string old = r->GetRepeatedString(message, field, at);
        r->SetRepeatedString(&message, field, at, text(random, inventory, field, old));
      } else {
        r->AddString(&message, field, text(random, inventory, field, {}));
      }
      return;
    }
    case gp::FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

/// A copy, since the original may contain what it is copied to, or be part of it, or of a oneof
/// that goes when another member is touched. Null if there is none.
std::unique_ptr<gp::Message> pick(Random& random, const Inventory& donors,
                                  const gp::Descriptor* type) {
  std::vector<const gp::Message*> same;
  for (const gp::Message* message : donors.messages) {
    if (message->GetDescriptor() == type) same.push_back(message);
  }
  if (same.empty()) return nullptr;
  const gp::Message& chosen = *same[below(random, same.size())];
  std::unique_ptr<gp::Message> copy(chosen.New());
  copy->CopyFrom(chosen);
  return copy;
}

void change(Random& random, gp::Message& root) {
  const Inventory inventory(root);
  gp::Message& message = *inventory.messages[below(random, inventory.messages.size())];
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  if (descriptor->field_count() == 0) return;
  std::vector<const gp::FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  // What is there is more telling than what is not.
  const auto* field = !set.empty() && !one_in(random, 3)
                          ? set[below(random, set.size())]
                          : descriptor->field(static_cast<int>(below(
                                random, static_cast<std::size_t>(descriptor->field_count()))));
  if (one_in(random, 12)) return reflection->ClearField(&message, field);
  const bool is_message = field->cpp_type() == gp::FieldDescriptor::CPPTYPE_MESSAGE;
  if (!field->is_repeated()) {
    if (!is_message) return set_value(random, inventory, message, field, 0);
    const auto donor = pick(random, inventory, field->message_type());
    gp::Message* into = reflection->MutableMessage(&message, field);
    if (donor) into->CopyFrom(*donor);
    return;
  }
  const int size = reflection->FieldSize(message, field);
  const int at = static_cast<int>(below(random, static_cast<std::size_t>(size) + 1));
  switch (below(random, 5)) {
    case 0:
      if (size > 0) {
        reflection->SwapElements(&message, field, at % size, size - 1);
        reflection->RemoveLast(&message, field);
      }
      return;
    case 1:
      if (size > 1) {
        const auto other = below(random, static_cast<std::size_t>(size));
        reflection->SwapElements(&message, field, at % size, static_cast<int>(other));
      }
      return;
    default:
      if (!is_message) return set_value(random, inventory, message, field, at);
      const auto donor = pick(random, inventory, field->message_type());
      gp::Message* into = at < size && one_in(random, 2)
                              ? reflection->MutableRepeatedMessage(&message, field, at)
                              : reflection->AddMessage(&message, field);
      if (donor) into->CopyFrom(*donor);
  }
}

/// Bytes written, or 0 if the message does not fit.
std::size_t put(const gp::Message& message, std::uint8_t* out, std::size_t max_size) {
  const std::size_t size = message.ByteSizeLong();
  if (size == 0 || size > max_size) return 0;
  const std::string bytes = message.SerializePartialAsString();
  std::ranges::copy(bytes, out);
  return bytes.size();
}

}  // namespace

std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t max_size,
                         unsigned seed) {
  Random random(seed);
  pb::ModelProto model;
  if (one_in(random, 8) || !model.ParseFromArray(data, static_cast<int>(size))) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  for (std::size_t i = 1 + below(random, 4); i > 0; --i) change(random, model);
  const std::size_t written = put(model, data, max_size);
  return written != 0 ? written : size;
}

std::size_t cross_models(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                         std::size_t b_size, std::uint8_t* out, std::size_t max_size,
                         unsigned seed) {
  Random random(seed);
  pb::ModelProto into;
  pb::ModelProto from;
  if (!into.ParseFromArray(a, static_cast<int>(a_size)) ||
      !from.ParseFromArray(b, static_cast<int>(b_size))) {
    return 0;
  }
  const Inventory places(into);
  gp::Message& place = *places.messages[below(random, places.messages.size())];
  if (const auto donor = pick(random, Inventory(from), place.GetDescriptor())) {
    place.CopyFrom(*donor);
  }
  return put(into, out, max_size);
}

}  // namespace onnxcompat::fuzz
