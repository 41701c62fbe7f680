#pragma once

#include <filesystem>
#include <memory>

#include "model/model.h"
#include "model/payload.h"
#include "proto/onnx.pb.h"

namespace onnxcompat {

struct Model::Impl {
  std::filesystem::path path;
  pb::ModelProto proto;
  std::shared_ptr<const Payloads> payloads = std::make_shared<Payloads>();
};

}  // namespace onnxcompat
