// libonnx's own printer and parser against ours, over the test models that come with it. libonnx
// 1.12 knows an older, smaller syntax: what it cannot say is taken from the models first.

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "model/text_compare.h"
#include "support/shared.h"
#include "support/temp_dir.h"
#include "support/witness.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::vector<std::filesystem::path> official_models() {
  return files_below("/usr/share/libonnx-testdata/data", ".onnx");
}

pb::ModelProto load(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  pb::ModelProto out;
  REQUIRE(out.ParseFromString(content.str()));
  return out;
}

/// An identifier for each name; no quotes are known to libonnx 1.12.
void make_identifier(std::string& name) {
  if (name.empty() || (is_text_identifier(name) && !is_text_type_word(name))) return;
  name.insert(0, "v_");
  for (char& c : name) {
    if (!is_text_identifier(std::string_view(&c, 1)) && (c < '0' || c > '9')) c = '_';
  }
}

/// Leaves out what libonnx 1.12 has no words for: names of nodes, notes, odd names.
void simplify(Message& message) {
  if (auto* node = dynamic_cast<pb::NodeProto*>(&message)) {
    node->clear_name();
    node->clear_doc_string();
    for (auto& name : *node->mutable_input()) make_identifier(name);
    for (auto& name : *node->mutable_output()) make_identifier(name);
    // A name left out at the end is none to libonnx.
    while (node->input_size() > 0 && node->input(node->input_size() - 1).empty()) {
      node->mutable_input()->RemoveLast();
    }
  } else if (auto* graph = dynamic_cast<pb::GraphProto*>(&message)) {
    graph->clear_doc_string();
    make_identifier(*graph->mutable_name());
  } else if (auto* value = dynamic_cast<pb::ValueInfoProto*>(&message)) {
    value->clear_doc_string();
    make_identifier(*value->mutable_name());
  } else if (auto* tensor = dynamic_cast<pb::TensorProto*>(&message)) {
    tensor->clear_doc_string();
    if (tensor->has_name()) make_identifier(*tensor->mutable_name());
  } else if (auto* attribute = dynamic_cast<pb::AttributeProto*>(&message)) {
    attribute->clear_doc_string();
  } else if (auto* dim = dynamic_cast<pb::TensorShapeProto::Dimension*>(&message)) {
    dim->clear_denotation();
    if (dim->has_dim_param()) make_identifier(*dim->mutable_dim_param());
  } else if (auto* type = dynamic_cast<pb::TypeProto*>(&message)) {
    type->clear_denotation();
  }
}

float six_digits(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
  return std::stof(text);
}

double six_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return std::stod(text);
}

/// What libonnx 1.12 prints: no initializers, value infos and domains of nodes; six digits of a
/// number, and no point after a whole one.
void coarsen(Message& message) {
  if (auto* graph = dynamic_cast<pb::GraphProto*>(&message)) {
    graph->clear_initializer();
    graph->clear_value_info();
  } else if (auto* node = dynamic_cast<pb::NodeProto*>(&message)) {
    node->clear_domain();
  } else if (auto* tensor = dynamic_cast<pb::TensorProto*>(&message)) {
    normalise_tensor(*tensor);
    const auto round = [&](auto zero) {
      for (std::size_t at = 0; at + sizeof zero <= tensor->raw_data().size(); at += sizeof zero) {
        auto value = zero;
        std::memcpy(&value, tensor->raw_data().data() + at, sizeof value);
        value = six_digits(value);
        std::memcpy(tensor->mutable_raw_data()->data() + at, &value, sizeof value);
      }
    };
    if (tensor->data_type() == pb::TensorProto::FLOAT) round(0.0f);
    if (tensor->data_type() == pb::TensorProto::DOUBLE) round(0.0);
  } else if (auto* attribute = dynamic_cast<pb::AttributeProto*>(&message)) {
    const auto is_whole = [](float v) { return six_digits(v) == std::floor(v) && v < 1e5f; };
    if (attribute->has_f()) attribute->set_f(six_digits(attribute->f()));
    for (float& v : *attribute->mutable_floats()) v = six_digits(v);
    if (attribute->has_f() && is_whole(attribute->f())) {
      attribute->set_i(static_cast<std::int64_t>(attribute->f()));
      attribute->set_type(pb::AttributeProto::INT);
      attribute->clear_f();
    }
    if (attribute->floats_size() > 0 &&
        std::all_of(attribute->floats().begin(), attribute->floats().end(), is_whole)) {
      for (const float v : attribute->floats()) attribute->add_ints(static_cast<std::int64_t>(v));
      attribute->set_type(pb::AttributeProto::INTS);
      attribute->clear_floats();
    }
  }
}

pb::ModelProto simple(pb::ModelProto model) {
  model.clear_metadata_props();
  each_message(model, simplify);
  return model;
}

}  // namespace

TEST_CASE("what libonnx prints is read as the model it printed") {
  if (!has_witness()) {
    WARN("skipped: the system has no libonnx");
    return;
  }
  const TempDir dir;
  std::set<std::string> unread;
  std::set<std::string> different;
  int equal = 0;
  for (const auto& path : official_models()) {
    const std::string name = path.parent_path().filename();
    pb::ModelProto model = simple(load(path));
    const auto printed = ask_witness({"print", dir.write("m.onnx", model.SerializeAsString())});
    each_message(model, coarsen);
    pb::ModelProto read;
    if (!parse_text(printed.output, name, read)) {
      unread.insert(name);
    } else if (same(model, read)) {
      ++equal;
    } else {
      different.insert(name);
    }
  }
  CHECK(unread == std::set<std::string>{"test_if_opt"});  // its type_proto is printed as nothing
  CHECK(different == std::set<std::string>{});
  CHECK(equal > 1000);
}

TEST_CASE("libonnx reads what is printed as the model that it is") {
  if (!has_witness()) {
    WARN("skipped: the system has no libonnx");
    return;
  }
  const TempDir dir;
  std::set<std::string> unread;
  std::set<std::string> different;
  int equal = 0;
  for (const auto& path : official_models()) {
    const std::string name = path.parent_path().filename();
    const pb::ModelProto model = simple(load(path));
    const std::string text = text_of(model);
    const auto has = [&](std::string_view part) {
      return text.find(part, text.find('>')) != std::string::npos;
    };
    // libonnx 1.12 knows tensor types only, and nothing in place of a first or last name.
    const bool is_newer = has("seq(") || has("optional(") || has("\"\"");
    const auto out = dir / "out.onnx";
    if (ask_witness({"parse", dir.write("m.onnxtxt", text), out}).status != 0) {
      if (!is_newer) unread.insert(name);
    } else if (same(model, load(out))) {
      ++equal;
    } else {
      different.insert(name);
    }
  }
  CHECK(unread == std::set<std::string>{});
  CHECK(different == std::set<std::string>{});
  CHECK(equal > 1000);
}
