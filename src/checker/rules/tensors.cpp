#include <algorithm>

#include "checker/checker.h"
#include "checker/finite.h"
#include "checker/rules.h"
#include "checker/rules/tensor_form.h"
#include "support/utf8.h"

namespace onnxcompat::rules {
namespace {

std::string called(const TensorAt& t) {
  return t.tensor.name().empty() ? std::string("The tensor")
                                 : fmt::format("Tensor \"{}\"", t.tensor.name());
}

/// "[2, 3]"
std::string shape_of(const TensorView& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.dims(), ", "));
}

}  // namespace

const Rule data_type_invalid{.id = "OCT001",
                             .name = "data-type-invalid",
                             .purpose = "Checks that every tensor has an element type that exists",
                             .citation = "[onnx.proto#TensorProto] [IR.md#tensor-element-types]",
                             .upstream = "ONNX020",
                             .why = "Without it the bytes of the tensor mean nothing.",
                             .bad = "a TensorProto with data_type 0 or 99",
                             .good = "float[2] {1, 2}",
                             .fix = "Set data_type to the number of the type",
                             .check = each_tensor([](const TensorAt& t, Sink& out) {
                               if (is_known(t.tensor.data_type())) return;
                               const int number = static_cast<int>(t.tensor.data_type());
                               if (number == 0) {
                                 out.add(t.place, "{} has no element type", called(t));
                               } else {
                                 out.add(t.place, "{} is of element type {}, which does not exist",
                                         called(t), number);
                               }
                             })};

const Rule dims_overflow{
    .id = "OCT002",
    .name = "dims-overflow",
    .purpose = "Checks that a tensor's dims are sizes, and its own size a number of 63 bits",
    .citation = "[IR.md#tensor-definition]",
    .why =
        "A size that overflows is how a file makes a reader allocate too little and write past "
        "the end.",
    .bad = "a TensorProto with dims [-1] or [4294967296, 4294967296]",
    .good = "a TensorProto with dims [2, 3]",
    .fix = "Correct the dims",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const auto dims = t.tensor.dims();
      if (std::ranges::any_of(dims, [](std::int64_t d) { return d < 0; })) {
        out.add(t.place, "{} has a negative dimension: {}", called(t), shape_of(t.tensor));
      } else if (!t.tensor.element_count()) {
        out.add(t.place, "{} has more elements than 63 bits can count: {}", called(t),
                shape_of(t.tensor));
      } else if (bits_of(t.tensor.data_type()) > 0 && !t.tensor.byte_size()) {
        out.add(t.place, "{} has more bytes than 63 bits can count: {}", called(t),
                shape_of(t.tensor));
      }
    })};

const Rule several_data_fields{
    .id = "OCT003",
    .name = "several-data-fields",
    .purpose = "Checks that one field holds a tensor's elements",
    .citation = "[onnx.proto#TensorProto]",
    .upstream = "PB007",
    .why = "Which of two fields counts depends on the reader.",
    .bad = "a TensorProto with both float_data and raw_data",
    .good = "a TensorProto with raw_data",
    .fix = "Keep one of the fields",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const auto fields = t.tensor.fields();
      if (fields.size() < 2 || t.tensor.is_external()) return;  // OCX007's
      std::string names;
      for (const TensorField field : fields) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(field));
      }
      out.add(t.place, "{} holds data in several fields: {}", called(t), names);
    })};

const Rule wrong_data_field{
    .id = "OCT004",
    .name = "wrong-data-field",
    .purpose = "Checks that a tensor's elements are in the field of their type",
    .citation = "[onnx.proto#TensorProto]",
    .upstream = "PB005",
    .why = "Readers look for the elements of a type in one field and find it empty.",
    .bad = "a TensorProto of INT64 with its elements in int32_data",
    .good = "a TensorProto of INT64 with its elements in int64_data",
    .fix = "Move the elements to the field of their type, or to raw_data",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.field == TensorField::none || form.field == TensorField::raw_data) return;
      if (!is_known(form.type) || form.field == typed_field(form.type)) return;
      out.add(t.place, "{} is of type {} and has its elements in {} instead of {}", called(t),
              name_of(form.type), name_of(form.field), name_of(typed_field(form.type)));
    })};

const Rule string_in_raw{
    .id = "OCT005",
    .name = "string-in-raw",
    .purpose = "Checks that strings are not in raw_data",
    .citation = "[onnx.proto#TensorProto]",
    .upstream = "PB008",
    .why = "raw_data has elements of fixed width; where one string ends cannot be told.",
    .bad = "a TensorProto of STRING with raw_data",
    .good = "a TensorProto of STRING with string_data",
    .fix = "Move the strings to string_data",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.type != DataType::string || form.field != TensorField::raw_data) return;
      out.add(t.place, "{} holds strings in raw_data", called(t));
    })};

const Rule raw_size_short{.id = "OCT006",
                          .name = "raw-size-short",
                          .purpose = "Checks that raw_data holds all of a tensor's elements",
                          .citation = "[IR.md#tensor-definition] [onnx.proto#TensorProto]",
                          .why = "Readers that trust the dims read past the end of the data.",
                          .bad = "a TensorProto of FLOAT with dims [2] and 4 bytes of raw_data",
                          .good = "a TensorProto of FLOAT with dims [2] and 8 bytes of raw_data",
                          .fix = "Export the tensor again: data are missing, or dims are wrong",
                          .check = each_tensor([](const TensorAt& t, Sink& out) {
                            const TensorForm form(t.tensor);
                            if (form.field != TensorField::raw_data || !form.is_short()) return;
                            out.add(t.place, "{} has {} bytes of raw_data, {} {} needs {}",
                                    called(t), form.found, name_of(form.type), shape_of(t.tensor),
                                    form.least);
                          })};

const Rule raw_size_long{
    .id = "OCT007",
    .name = "raw-size-long",
    .purpose = "Checks that raw_data holds no more than a tensor's elements",
    .citation = "[IR.md#tensor-definition] [onnx.proto#TensorProto]",
    .why =
        "Dims, type or data are wrong: the elements that readers see are likely not the ones "
        "that were meant.",
    .bad = "a TensorProto of FLOAT with dims [2] and 12 bytes of raw_data",
    .good = "a TensorProto of FLOAT with dims [2] and 8 bytes of raw_data",
    .fix = "Correct the dims or the type, or cut the data",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.field != TensorField::raw_data || !form.is_long()) return;
      out.add(t.place, "{} has {} bytes of raw_data, {} {} needs {}", called(t), form.found,
              name_of(form.type), shape_of(t.tensor), form.most);
    })};

const Rule typed_size_short{
    .id = "OCT008",
    .name = "typed-size-short",
    .purpose = "Checks that a typed field holds all of a tensor's elements",
    .citation = "[IR.md#tensor-definition] [onnx.proto#TensorProto]",
    .why = "Readers that trust the dims read past the end of the data.",
    .bad = "a TensorProto of FLOAT with dims [2] and one number in float_data",
    .good = "a TensorProto of FLOAT with dims [2] and two numbers in float_data",
    .fix = "Export the tensor again: data are missing, or dims are wrong",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.field == TensorField::raw_data || !form.is_short()) return;
      out.add(t.place, "{} has {} entries in {}, {} {} needs {}", called(t), form.found,
              name_of(form.field), name_of(form.type), shape_of(t.tensor), form.least);
    })};

const Rule typed_size_long{
    .id = "OCT009",
    .name = "typed-size-long",
    .purpose = "Checks that a typed field holds no more than a tensor's elements",
    .citation = "[IR.md#tensor-definition] [onnx.proto#TensorProto]",
    .why =
        "Dims, type or data are wrong: the elements that readers see are likely not the ones "
        "that were meant.",
    .bad = "a TensorProto of FLOAT with dims [2] and three numbers in float_data",
    .good = "a TensorProto of FLOAT with dims [2] and two numbers in float_data",
    .fix = "Correct the dims or the type, or cut the data",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.field == TensorField::raw_data || !form.is_long()) return;
      out.add(t.place, "{} has {} entries in {}, {} {} needs {}", called(t), form.found,
              name_of(form.field), name_of(form.type), shape_of(t.tensor), form.most);
    })};

const Rule data_missing{
    .id = "OCT010",
    .name = "data-missing",
    .purpose = "Checks that a tensor has data if, and only if, it has elements",
    .citation = "[IR.md#tensor-definition]",
    .upstream = "PB006",
    .why =
        "A tensor with elements and no data has lost its weights, often to a tool that stripped "
        "them; one with data and no elements has wrong dims.",
    .bad = "a TensorProto of FLOAT with dims [2] and no data",
    .good = "a TensorProto of FLOAT with dims [0] and no data",
    .fix = "Restore the data, or correct the dims",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (t.tensor.is_external() || t.tensor.has_segment()) return;
      const auto count = t.tensor.element_count();
      if (!count) return;  // OCT002's
      const bool has_data = !t.tensor.fields().empty();
      if (*count == 0 && has_data) {
        out.add(t.place, "{} has no elements {}, but holds data", called(t), shape_of(t.tensor));
      } else if (*count > 0 && !has_data) {
        out.add(t.place, "{} has {} element{} {}, but no data", called(t), *count,
                *count == 1 ? "" : "s", shape_of(t.tensor));
      }
    })};

const Rule int32_value_out_of_range{
    .id = "OCT011",
    .name = "int32-value-out-of-range",
    .severity = Severity::warning,
    .purpose = "Checks that entries of int32_data fit the width of their type",
    .citation = "[onnx.proto#TensorProto]",
    .why =
        "Narrow types are stored in wider numbers; what does not fit is cut off by some readers "
        "and refused by others.",
    .bad = "a TensorProto of INT8 with 300 in int32_data",
    .good = "a TensorProto of INT8 with -1 in int32_data",
    .fix = "Store the values that the type can hold",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (!form.well_formed || form.field != TensorField::int32_data) return;
      const int bits = form.type == DataType::boolean ? 1 : std::max(bits_of(form.type), 8);
      if (bits >= 32) return;
      const bool is_signed = form.type == DataType::int8 || form.type == DataType::int16;
      // Readers take the low bits, so a pattern above the sign bit is as good as a negative number.
      const std::int64_t least = is_signed ? -(std::int64_t{1} << (bits - 1)) : 0;
      const std::int64_t most = (std::int64_t{1} << bits) - 1;
      const bool packed = bits_of(form.type) < 8 && form.type != DataType::boolean &&
                          form.found < form.most;  // four bytes an entry
      const auto range = t.tensor.int32_data_range();
      if (packed || !range || (range->first >= least && range->second <= most)) return;
      out.add(t.place, "{} holds {}, which is no value of {}", called(t),
              range->first < least ? range->first : range->second, name_of(form.type));
    })};

const Rule bool_byte{
    .id = "OCT012",
    .name = "bool-byte",
    .severity = Severity::warning,
    .purpose = "Checks that raw booleans are 0 or 1",
    .citation = "[onnx.proto#TensorProto]",
    .why = "A byte of another value is true to some kernels and neither to others.",
    .bad = "a TensorProto of BOOL with the raw byte 02",
    .good = "a TensorProto of BOOL with the raw byte 01",
    .fix = "Write 1 for true",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      if (form.type != DataType::boolean || form.field != TensorField::raw_data) return;
      std::vector<std::byte> scratch;
      const auto bytes = t.tensor.bytes(scratch);
      if (!bytes) return;
      for (const std::byte b : *bytes) {
        if (b <= std::byte{1}) continue;
        out.add(t.place, "{} holds the byte {} as a boolean", called(t), static_cast<int>(b));
        return;
      }
    })};

const Rule padding_bits_set{
    .id = "OCT013",
    .name = "padding-bits-set",
    .severity = Severity::warning,
    .min_ir = 10,
    .purpose = "Checks that the unused bits of the last byte of packed elements are 0",
    .citation = "[onnx.proto#TensorProto]",
    .why =
        "Tools that compare or hash tensors see a difference where there is none, and the dims "
        "may be wrong.",
    .bad = "a TensorProto of UINT4 with dims [1] and the raw byte 21",
    .good = "a TensorProto of UINT4 with dims [1] and the raw byte 01",
    .fix = "Clear the unused bits",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      const TensorForm form(t.tensor);
      const int bits = bits_of(form.type);
      if (!form.well_formed || form.field != TensorField::raw_data || bits == 0 || bits >= 8)
        return;
      std::vector<std::byte> scratch;
      const auto bytes = t.tensor.bytes(scratch);
      const auto used = static_cast<unsigned>((*form.count * bits) % 8);
      if (!bytes || bytes->empty() || used == 0) return;
      if ((static_cast<unsigned>(bytes->back()) >> used) == 0) return;
      out.add(t.place, "{} has bits set beyond its last element", called(t));
    })};

const Rule segment_used{.id = "OCT014",
                        .name = "segment-used",
                        .severity = Severity::warning,
                        .purpose = "Checks that no tensor is split into segments",
                        .citation = "[onnx.proto#TensorProto]",
                        .why = "The format has the field, but no reader joins the pieces.",
                        .bad = "a TensorProto with segment { begin: 0 end: 1 }",
                        .good = "a TensorProto with all of its data, or external data",
                        .fix = "Store the tensor in one piece; large ones as external data",
                        .check = each_tensor([](const TensorAt& t, Sink& out) {
                          if (t.tensor.has_segment())
                            out.add(t.place, "{} is a segment of a tensor", called(t));
                        })};

const Rule nan_or_inf_weights{
    .id = "OCT015",
    .name = "nan-or-inf-weights",
    .severity = Severity::info,
    .purpose = "Checks that weights are finite",
    .citation = "[IR.md#tensor-element-types]",
    .why =
        "A NaN spreads to every output that it reaches; infinities may be meant, as in masks. "
        "Reading all weights takes time.",
    .bad = "a float initializer with a NaN",
    .good = "a float initializer of finite numbers",
    .fix = "Find out where training or conversion went wrong, unless it is a mask",
    .default_on = false,
    .reads_weights = true,
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      std::vector<std::byte> scratch;
      const auto bytes = t.model.model.tensor_bytes(t.tensor, scratch);
      if (!bytes) return;
      const auto [nan, inf] = not_finite(t.tensor.data_type(), *bytes, t.model.options->threads);
      if (nan + inf == 0) return;
      out.add(t.place, "{} has {} NaN and {} infinite of {} elements", called(t), nan, inf,
              t.tensor.element_count().value_or(0));
    })};

const Rule initializer_vs_input{
    .id = "OCT016",
    .name = "initializer-vs-input",
    .purpose = "Checks that an initializer has the type and shape of the input it is a default of",
    .citation = "[IR.md#nodes]",
    .why = "With the default the graph computes on other types or shapes than it declares.",
    .bad = "g (float[1] x, float[2] w = {1, 2, 3} …) where the tensor has dims [3]",
    .good = "g (float[1] x, float[3] w = {1, 2, 3})",
    .fix = "Make the input's type that of the initializer",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (t.role != TensorAt::Role::initializer) return;
      const BodyScope& b = *t.place.body;
      const Definition* d = b.find(t.tensor.name());
      if (d == nullptr || d->kind != Definition::Kind::input || !b.body.graph) return;
      const TypeView declared = b.body.graph->inputs()[d->index].type();
      if (declared.kind() != TypeView::Kind::tensor || !is_known(declared.elem_type())) return;
      if (declared.elem_type() != t.tensor.data_type()) {
        out.add(t.place, "Input \"{}\" is declared {}, its initializer is {}", t.tensor.name(),
                name_of(declared.elem_type()), name_of(t.tensor.data_type()));
        return;
      }
      if (!declared.has_shape()) return;
      const auto dims = declared.dims();
      const auto actual = t.tensor.dims();
      bool agrees = dims.size() == static_cast<int>(actual.size());
      for (int i = 0; agrees && i < dims.size(); ++i) {
        agrees = !dims[i].has_value() || dims[i].value() == actual[static_cast<std::size_t>(i)];
      }
      if (agrees) return;
      out.add(t.place,
              "Input \"{}\" is declared with another shape than that of its initializer, {}",
              t.tensor.name(), shape_of(t.tensor));
    })};

const Rule string_tensor_utf8{
    .id = "OCT017",
    .name = "string-tensor-utf8",
    .purpose = "Checks that elements of string tensors are UTF-8 without BOM or trailing NUL",
    .citation = "[onnx.proto#TensorProto] [IR.md#tensor-element-types]",
    .why = "Strings are text; readers in other languages fail to decode anything else.",
    .bad = "a string tensor with an element of the single byte FF",
    .good = "a string tensor with the element \"größe\" in UTF-8",
    .fix = "Encode the text in UTF-8, or hold bytes in a uint8 tensor",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (t.tensor.data_type() != DataType::string) return;
      const Strings list = t.tensor.strings();
      for (int i = 0; i < list.size(); ++i) {
        const std::string& text = list[i];
        const std::string_view fault = !is_utf8(text)                         ? "is not UTF-8"
                                       : text.starts_with("\xEF\xBB\xBF")     ? "starts with a BOM"
                                       : !text.empty() && text.back() == '\0' ? "ends in a NUL"
                                                                              : "";
        if (fault.empty()) continue;
        out.add(t.place, "Element {} of {} {}", i, called(t), fault);
        return;  // one is enough: vocabularies have thousands
      }
    })};

}  // namespace onnxcompat::rules
