// onnx_witness_types FOLDER < list of model files
//
// What the system's libonnx infers of each model: one line of JSON a file,
//   {"file": …, "error": …, "values": {name: {"type": "tensor(float)", "dims": [2, "N", null]}}}
// ("dims" is null where the rank is unknown; main graph only). Both sides shall infer rather than
// read, so value_info and the shapes of outputs are removed first; the model without them is left
// in FOLDER as <line number>.onnx. A program of its own, as libonnx brings a protobuf of its own;
// one process a file, as it does not survive them all.

#include <fstream>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>
#include <onnx/defs/data_type_utils.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Json = nlohmann::ordered_json;

Json dims(const onnx::TensorShapeProto& shape) {
  Json out = Json::array();
  for (const auto& d : shape.dim()) {
    if (d.has_dim_value()) {
      out.push_back(d.dim_value());
    } else {
      out.push_back(d.has_dim_param() ? Json(d.dim_param()) : Json(nullptr));
    }
  }
  return out;
}

bool complete(const onnx::TypeProto& type) {
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType:
      return type.tensor_type().elem_type() != onnx::TensorProto::UNDEFINED;
    case onnx::TypeProto::kSparseTensorType:
      return type.sparse_tensor_type().elem_type() != onnx::TensorProto::UNDEFINED;
    case onnx::TypeProto::kSequenceType:
      return complete(type.sequence_type().elem_type());
    case onnx::TypeProto::kOptionalType:
      return complete(type.optional_type().elem_type());
    case onnx::TypeProto::kMapType:
      return complete(type.map_type().value_type());
    default:
      return false;
  }
}

Json described(const onnx::TypeProto& type) {
  const bool shaped = type.tensor_type().has_shape();
  return {{"type", complete(type) ? *onnx::Utils::DataTypeUtils::ToType(type) : ""},
          {"dims", shaped ? dims(type.tensor_type().shape()) : Json(nullptr)}};
}

Json inferred(const std::string& file, const std::string& stripped_file) {
  Json out = {{"file", file}, {"error", ""}, {"values", Json::object()}};
  onnx::ModelProto model;
  std::ifstream in(file, std::ios::binary);
  if (!model.ParseFromIstream(&in)) {
    out["error"] = "does not parse";
    return out;
  }
  model.mutable_graph()->clear_value_info();
  for (auto& output : *model.mutable_graph()->mutable_output()) {
    if (output.type().has_tensor_type()) {
      output.mutable_type()->mutable_tensor_type()->clear_shape();
    }
  }
  std::ofstream(stripped_file, std::ios::binary) << model.SerializeAsString();
  try {
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions(false, 0, true));
  } catch (const std::exception& e) {
    out["error"] = e.what();
  }
  for (const auto& value : model.graph().value_info()) {
    out["values"][value.name()] = described(value.type());
  }
  for (const auto& value : model.graph().output()) {
    out["values"][value.name()] = described(value.type());
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::string file;
  for (int line = 0; std::getline(std::cin, file); ++line) {
    std::cout.flush();
    const pid_t child = fork();
    if (child == 0) {
      const std::string stripped = std::string(argv[1]) + "/" + std::to_string(line) + ".onnx";
      std::cout << inferred(file, stripped).dump(-1, ' ', false, Json::error_handler_t::replace)
                << "\n";
      std::cout.flush();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
      std::cout << Json{{"file", file}, {"error", "crashed"}, {"values", Json::object()}}.dump()
                << "\n";
    }
  }
}
