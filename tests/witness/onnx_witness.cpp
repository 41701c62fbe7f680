// A second opinion: what the system's libonnx says of a model. A program of its own, because
// libonnx brings the shared libprotobuf and onnxcompat links the static one.
//
//   onnx_witness parse FILE.onnxtxt OUT.onnx   libonnx's text parser
//   onnx_witness print FILE.onnx               libonnx's text printer, on standard output
//   onnx_witness check FILE.onnx…              a line each: "ok", or what its checker says
//   onnx_witness fullcheck FILE.onnx…          the same with strict shape inference after it
//   onnx_witness convert FILE.onnx OUT.onnx OPSET   libonnx's version converter
//
// Exit status: 0, 1 if libonnx refuses (its message is on standard error), 2 for a wrong call.

#include <fstream>
#include <iostream>
#include <sstream>

#include "onnx/checker.h"
#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"
#include "onnx/defs/schema.h"
#include "onnx/shape_inference/implementation.h"
#include "onnx/version_converter/convert.h"

namespace {

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be opened");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

onnx::ModelProto load(const std::string& path) {
  onnx::ModelProto model;
  if (!model.ParseFromString(content_of(path))) throw std::runtime_error(path + ": not a model");
  return model;
}

int parse(const std::string& from, const std::string& to) {
  const std::string text = content_of(from);
  onnx::ModelProto model;
  onnx::OnnxParser parser(text.c_str());
  const auto status = parser.Parse(model);
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage());
  if (!parser.EndOfInput()) throw std::runtime_error("text goes on after the model");
  std::ofstream out(to, std::ios::binary);
  out << model.SerializeAsString();
  return out.good() ? 0 : 1;
}

void print_imports(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  std::cout << "opset_import: [";
  for (int i = 0; i < imports.size(); ++i) {
    std::cout << (i > 0 ? ", " : "") << '"' << imports[i].domain()
              << "\" : " << imports[i].version();
  }
  std::cout << ']';
}

/// libonnx 1.12 prints graphs and functions; a model's header is ours.
int print(const std::string& path) {
  const onnx::ModelProto model = load(path);
  std::cout << "<ir_version: " << model.ir_version() << ", ";
  print_imports(model.opset_import());
  const auto text = [](const char* key, const std::string& value) {
    if (!value.empty()) std::cout << ", " << key << ": \"" << value << '"';
  };
  text("producer_name", model.producer_name());
  text("producer_version", model.producer_version());
  text("domain", model.domain());
  if (model.has_model_version()) std::cout << ", model_version: " << model.model_version();
  text("doc_string", model.doc_string());
  std::cout << ">\n" << model.graph() << '\n';
  for (const auto& function : model.functions()) std::cout << function << '\n';
  return 0;
}

int check(int count, char** paths, bool full) {
  for (int i = 0; i < count; ++i) {
    std::string verdict = "ok";
    try {
      onnx::ModelProto model = load(paths[i]);
      onnx::checker::check_model(model);
      if (full) {
        onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                           onnx::ShapeInferenceOptions(true, 1, false));
      }
    } catch (const std::exception& e) {
      verdict = e.what();
      for (char& c : verdict) {
        if (c == '\n') c = ' ';
      }
    }
    std::cout << verdict << '\n';
  }
  return 0;
}

int convert(const std::string& from, const std::string& to, int opset) {
  const onnx::ModelProto model = onnx::version_conversion::ConvertVersion(load(from), opset);
  std::ofstream out(to, std::ios::binary);
  out << model.SerializeAsString();
  return out.good() ? 0 : 1;
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "parse" && argc == 4) return parse(argv[2], argv[3]);
  if (command == "print" && argc == 3) return print(argv[2]);
  if (command == "check" && argc > 2) return check(argc - 2, argv + 2, false);
  if (command == "fullcheck" && argc > 2) return check(argc - 2, argv + 2, true);
  if (command == "convert" && argc == 5) return convert(argv[2], argv[3], std::stoi(argv[4]));
  std::cerr << "usage: onnx_witness parse FILE.onnxtxt OUT.onnx | print FILE.onnx | "
               "check FILE.onnx... | fullcheck FILE.onnx... | convert FILE.onnx OUT.onnx OPSET\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
