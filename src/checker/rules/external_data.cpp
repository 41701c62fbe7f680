#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "checker/rules.h"
#include "checker/rules/external_tensor.h"

namespace onnxcompat::rules {
namespace {

std::string called(const TensorAt& t) {
  return t.tensor.name().empty() ? std::string("the tensor")
                                 : fmt::format("tensor \"{}\"", t.tensor.name());
}

}  // namespace

const Rule location_missing{
    .id = "OCX001",
    .name = "location-missing",
    .purpose = "Checks that an external tensor names its file",
    .citation = "[ExternalData.md#external_data-field]",
    .upstream = "ONNX022",
    .why = "Without the location there is nowhere to look.",
    .bad = "a TensorProto with data_location EXTERNAL and no key \"location\"",
    .good = "a TensorProto with data_location EXTERNAL and location \"weights.bin\"",
    .fix = "State the file, relative to the model's folder",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      if (ExternalTensor(t).fault != LocationFault::missing) return;
      out.add(t.place, "No location is given for {}", called(t));
    })};

const Rule location_absolute{
    .id = "OCX002",
    .name = "location-absolute",
    .purpose = "Checks that external locations are relative POSIX paths",
    .citation = "[ExternalData.md] [IR.md#external-tensor-data]",
    .upstream = "ONNX021",
    .why =
        "An absolute path is right on one machine at best, and a way to make a reader open any "
        "file of its user. Drive letters, UNC paths and backslashes count on every platform.",
    .bad = "location \"C:\\\\weights.bin\" or \"/home/me/weights.bin\"",
    .good = "location \"weights/part0.bin\"",
    .fix = "Put the file beneath the model's folder and name it relative to that, with slashes",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (e.fault != LocationFault::absolute && e.fault != LocationFault::not_posix) return;
      out.add(t.place, "Location \"{}\" of {} {}", e.location, called(t), describe(e.fault));
    })};

const Rule location_escapes{
    .id = "OCX003",
    .name = "location-escapes",
    .purpose = "Checks that external locations do not climb out of the model's folder",
    .citation = "[ExternalData.md] [ExternalDataSecurity.md#threat-model]",
    .upstream = "ONNX023",
    .why = "A path with \"..\" is a way to make a reader open any file of its user.",
    .bad = "location \"../../etc/passwd\"",
    .good = "location \"weights/part0.bin\"",
    .fix = "Put the file beneath the model's folder",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (e.fault != LocationFault::escapes) return;
      out.add(t.place, "Location \"{}\" of {} {}", e.location, called(t), describe(e.fault));
    })};

const Rule location_symlink{
    .id = "OCX004",
    .name = "location-symlink",
    .purpose = "Checks that external files are not reached through symbolic links",
    .citation = "[ExternalDataSecurity.md#defense-layers]",
    .why =
        "A link leads out of the model's folder as well as a path with \"..\" does; readers "
        "refuse it.",
    .bad = "location \"weights.bin\", which is a symbolic link",
    .good = "location \"weights.bin\", which is a file",
    .fix = "Replace the link by the file",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.through_link) return;
      out.add(t.place, "Location \"{}\" of {} is, or passes, a symbolic link", e.location,
              called(t));
    })};

const Rule location_hardlink{
    .id = "OCX005",
    .name = "location-hardlink",
    .severity = Severity::warning,
    .purpose = "Checks that external files have one name only",
    .citation = "[ExternalDataSecurity.md#defense-layers]",
    .why =
        "The official checker refuses files with more than one hard link. Package and model "
        "caches that link instead of copying trip over that.",
    .bad = "location \"weights.bin\", with a link count of 2",
    .good = "location \"weights.bin\", with a link count of 1",
    .fix = "Copy the file",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.file_size) return;
      std::error_code error;
      const auto links = std::filesystem::hard_link_count(*e.file, error);
      if (error || links < 2) return;
      out.add(t.place, "File \"{}\" of {} has {} hard links", e.location, called(t), links);
    })};

const Rule file_missing{
    .id = "OCX006",
    .name = "file-missing",
    .purpose = "Checks that external files are there",
    .citation = "[ExternalData.md]",
    .upstream = "ONNX024",
    .why =
        "Without its weights the model cannot be run; mostly the file was left behind when the "
        "model was copied.",
    .bad = "location \"weights.bin\" beside which there is no such file",
    .good = "location \"weights.bin\" with the file beside the model",
    .fix = "Put the file where the location says, relative to the model",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.file || e.through_link || e.file_size) return;
      std::error_code error;
      if (std::filesystem::exists(*e.file, error)) {
        out.add(t.place, "\"{}\" of {} is no regular file", e.location, called(t));
      } else {
        out.add(t.place, "File \"{}\" of {} is not there", e.location, called(t));
      }
    })};

const Rule inline_data_too{
    .id = "OCX007",
    .name = "inline-data-too",
    .purpose = "Checks that an external tensor holds no data in the model as well",
    .citation = "[IR.md#external-tensor-data]",
    .upstream = "PB009",
    .why = "Which of the two counts depends on the reader.",
    .bad = "a TensorProto with data_location EXTERNAL and float_data",
    .good = "a TensorProto with data_location EXTERNAL and no data field",
    .fix = "Remove the data field, or set data_location to DEFAULT",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external() || t.tensor.fields().empty()) return;
      out.add(t.place, "{} is external and holds data in the model as well", called(t));
    })};

const Rule external_key_unknown{
    .id = "OCX008",
    .name = "key-unknown",
    .severity = Severity::warning,
    .purpose = "Checks that external_data has the keys that are defined",
    .citation = "[ExternalData.md] [ExternalDataSecurity.md#attribute-validation]",
    .why = "Readers skip a key they do not know: a misspelt offset means offset 0.",
    .bad = "external_data with the key \"ofset\"",
    .good = "external_data with the keys location, offset and length",
    .fix = "Use location, offset, length and checksum",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      static constexpr std::array<std::string_view, 5> kKeys{"location", "offset", "length",
                                                             "checksum", "basepath"};
      for (const EntryView entry : t.tensor.external_data()) {
        if (std::ranges::find(kKeys, entry.key()) != kKeys.end()) continue;
        out.add(t.place, "external_data of {} has the key \"{}\"", called(t), entry.key());
      }
    })};

const Rule external_key_duplicate{
    .id = "OCX009",
    .name = "key-duplicate",
    .purpose = "Checks that external_data has each key once",
    .citation = "[onnx.proto#StringStringEntryProto]",
    .why = "Which of two locations or offsets counts depends on the reader.",
    .bad = "external_data with two locations",
    .good = "external_data with one",
    .fix = "Keep one entry for the key",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      std::set<std::string_view> seen;
      for (const EntryView entry : t.tensor.external_data()) {
        if (seen.insert(entry.key()).second) continue;
        out.add(t.place, "external_data of {} has the key \"{}\" twice", called(t), entry.key());
      }
    })};

const Rule offset_or_length_invalid{
    .id = "OCX010",
    .name = "offset-or-length-invalid",
    .purpose = "Checks that offset and length of external data are byte counts",
    .citation = "[ExternalData.md] [ExternalDataSecurity.md]",
    .why =
        "They are numbers in text: what is not one, or passes 63 bits, makes readers read "
        "something else.",
    .bad = "offset \"-1\", or length \"0x100\"",
    .good = "offset \"4096\", length \"256\"",
    .fix = "Write decimal numbers, not negative",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (e.numbers_valid) return;
      if (!e.offset) {
        out.add(t.place, "The offset of {} is no number of bytes", called(t));
      } else if (e.has_length && !e.length) {
        out.add(t.place, "The length of {} is no number of bytes", called(t));
      } else {
        out.add(t.place, "Offset and length of {} pass 63 bits together", called(t));
      }
    })};

const Rule out_of_file{
    .id = "OCX011",
    .name = "out-of-file",
    .purpose = "Checks that external data lie within their file",
    .citation = "[ExternalDataSecurity.md#layer-3]",
    .why = "The file was cut short, or the offset is wrong; readers fail or read past its end.",
    .bad = "offset \"8\" and length \"16\" in a file of 16 bytes",
    .good = "offset \"8\" and length \"8\" in a file of 16 bytes",
    .fix = "Restore the whole file, or correct offset and length",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.file_size || !e.numbers_valid) return;
      const std::uint64_t wanted = e.length ? *e.length : e.needed.value_or(0);
      if (*e.offset <= *e.file_size && wanted <= *e.file_size - *e.offset) return;
      out.add(t.place, "{} bytes at offset {} of {} are not in \"{}\" of {} bytes", wanted,
              *e.offset, called(t), e.location, *e.file_size);
    })};

const Rule length_vs_shape{
    .id = "OCX012",
    .name = "length-vs-shape",
    .purpose = "Checks that external data are as long as dims and type need",
    .citation = "[IR.md#tensor-definition] [ExternalData.md]",
    .why =
        "Dims, type or length are wrong: the elements that readers see are likely not the ones "
        "that were meant.",
    .bad = "length \"12\" for float[2]",
    .good = "length \"8\" for float[2]",
    .fix = "Correct the length, the dims or the type",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.numbers_valid || !e.length || !e.needed || *e.length == *e.needed) return;
      out.add(t.place, "{} has {} bytes of external data, {} [{}] needs {}", called(t), *e.length,
              name_of(t.tensor.data_type()), fmt::join(t.tensor.dims(), ", "), *e.needed);
    })};

const Rule offset_unaligned{
    .id = "OCX013",
    .name = "offset-unaligned",
    .severity = Severity::info,
    .purpose = "Checks that external data start at a multiple of 4096",
    .citation = "[ExternalData.md] [onnx.proto#TensorProto]",
    .why = "Only then can a reader map the data as they are; Windows maps at multiples of 65536.",
    .bad = "offset \"100\"",
    .good = "offset \"65536\"",
    .fix = "Write the data with alignment",
    .default_on = false,
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external()) return;
      const ExternalTensor e(t);
      if (!e.offset || *e.offset % 4096 == 0) return;
      out.add(t.place, "Offset {} of {} is no multiple of 4096", *e.offset, called(t));
    })};

const Rule regions_overlap{
    .id = "OCX016",
    .name = "regions-overlap",
    .severity = Severity::warning,
    .purpose = "Checks that no two tensors share a part of their external data",
    .citation = "[ExternalData.md]",
    .why =
        "Tensors may share one region as a whole; regions that overlap in part come from wrong "
        "offsets.",
    .bad = "offset \"0\" length \"8\" and offset \"4\" length \"8\" of one file",
    .good = "offset \"0\" length \"8\" and offset \"8\" length \"8\" of one file",
    .fix = "Correct the offsets",
    .check = once([](const ModelScope& m, Sink& out) {
      struct Region {
        std::uint64_t begin, end;
        Place place;
        std::string name;
      };
      std::map<std::string, std::vector<Region>> files;
      for (const auto& body : m.bodies) {
        if (!body->body.graph) continue;
        const auto tensors = body->body.graph->initializers();
        for (int i = 0; i < tensors.size(); ++i) {
          if (!tensors[i].is_external()) continue;
          const TensorAt at{m, tensors[i], TensorAt::Role::initializer,
                            in_body(*body, Section::initializer, i, tensors[i].name())};
          const ExternalTensor e(at);
          const auto size = e.length ? e.length : e.needed;
          if (e.fault != LocationFault::none || !e.numbers_valid || !size || *size == 0) continue;
          files[e.location].push_back({*e.offset, *e.offset + *size, at.place, tensors[i].name()});
        }
      }
      for (auto& [location, regions] : files) {
        std::ranges::stable_sort(regions, {},
                                 [](const Region& r) { return std::pair(r.begin, r.end); });
        for (std::size_t i = 1; i < regions.size(); ++i) {
          const Region& before = regions[i - 1];
          const Region& r = regions[i];
          if (r.begin >= before.end || (r.begin == before.begin && r.end == before.end)) continue;
          out.add(r.place, "Tensors \"{}\" and \"{}\" share {} bytes of \"{}\"", before.name,
                  r.name, std::min(before.end, r.end) - r.begin, location);
        }
      }
    })};

const Rule external_string{
    .id = "OCX017",
    .name = "external-string",
    .purpose = "Checks that string tensors are not external",
    .citation = "[onnx.proto#TensorProto]",
    .why = "External data are elements of fixed width; where one string ends cannot be told.",
    .bad = "a TensorProto of STRING with data_location EXTERNAL",
    .good = "a TensorProto of STRING with string_data",
    .fix = "Move the strings into the model",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external() || t.tensor.data_type() != DataType::string) return;
      out.add(t.place, "{} holds strings outside of the model", called(t));
    })};

const Rule stray_external_fields{
    .id = "OCX018",
    .name = "stray-external-fields",
    .severity = Severity::warning,
    .purpose = "Checks that only external tensors have external_data",
    .citation = "[onnx.proto#TensorProto]",
    .why = "data_location decides, so the entries mean nothing; or data_location was forgotten.",
    .bad = "a TensorProto with external_data and no data_location",
    .good = "a TensorProto with external_data and data_location EXTERNAL",
    .fix = "Set data_location to EXTERNAL, or remove the entries",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (t.tensor.is_external() || t.tensor.external_data().empty()) return;
      out.add(t.place, "{} has external_data, but is not external", called(t));
    })};

const Rule external_in_sparse_or_attr{
    .id = "OCX019",
    .name = "external-in-sparse-or-attr",
    .severity = Severity::warning,
    .min_ir = 6,
    .purpose = "Tells where external data stand in sparse tensors or attributes",
    .citation = "[onnx.proto#SparseTensorProto] [ExternalData.md]",
    .why = "It is allowed, but runtimes check such paths badly or do not read the data at all.",
    .bad = "a Constant node whose value is external",
    .good = "an initializer that is external",
    .fix = "Make the tensor an initializer, or keep its data in the model",
    .check = each_tensor([](const TensorAt& t, Sink& out) {
      if (!t.tensor.is_external() || t.role == TensorAt::Role::initializer) return;
      out.add(t.place, "{} is external in {}", called(t),
              t.role == TensorAt::Role::attribute ? "an attribute" : "a sparse tensor");
    })};

}  // namespace onnxcompat::rules
