#include "model/model.h"

#include <fmt/format.h>

#include "model/model_impl.h"
#include "support/version.h"

namespace onnxcompat {

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::clone() const { return Model(std::make_unique<Impl>(*impl_)); }

Result<std::span<const std::byte>> Model::tensor_bytes(const TensorView& tensor,
                                                       std::vector<std::byte>& scratch) const {
  if (!tensor.is_external()) return tensor.bytes(scratch);
  if (impl_->external_files == nullptr) {
    return fail(ExitCode::unreadable,
                fmt::format("tensor \"{}\": its data are external and the model is not in a file",
                            tensor.name()));
  }
  return impl_->external_files->bytes(tensor);
}

const std::filesystem::path& Model::path() const { return impl_->path; }
std::int64_t Model::ir_version() const { return impl_->proto.ir_version(); }
const std::string& Model::producer_name() const { return impl_->proto.producer_name(); }
const std::string& Model::producer_version() const { return impl_->proto.producer_version(); }
const std::string& Model::domain() const { return impl_->proto.domain(); }
std::int64_t Model::model_version() const { return impl_->proto.model_version(); }
const std::string& Model::doc_string() const { return impl_->proto.doc_string(); }

ListOf<OpsetImportView> Model::opset_imports() const {
  const auto& field = impl_->proto.opset_import();
  return {field.data(), field.size(), impl_->payloads.get()};
}

int Model::opset(std::string_view domain) const {
  const std::string_view wanted = canonical_domain(domain);
  int version = wanted.empty() && ir_version() < 3 ? 1 : 0;
  for (const OpsetImportView import : opset_imports()) {
    if (import.domain() == wanted) version = clamp_version(import.version());
  }
  return version;
}

bool Model::has_graph() const { return impl_->proto.has_graph(); }
GraphView Model::graph() const { return {&impl_->proto.graph(), impl_->payloads.get()}; }

ListOf<FunctionView> Model::functions() const {
  const auto& field = impl_->proto.functions();
  return {field.data(), field.size(), impl_->payloads.get()};
}
ListOf<TrainingInfoView> Model::training_infos() const {
  const auto& field = impl_->proto.training_info();
  return {field.data(), field.size(), impl_->payloads.get()};
}
ListOf<EntryView> Model::metadata_props() const {
  const auto& field = impl_->proto.metadata_props();
  return {field.data(), field.size(), impl_->payloads.get()};
}
int Model::device_configuration_count() const { return impl_->proto.configuration_size(); }
ListOf<DeviceConfigurationView> Model::device_configurations() const {
  const auto& field = impl_->proto.configuration();
  return {field.data(), field.size(), impl_->payloads.get()};
}

std::optional<FunctionView> Model::function(std::string_view domain, std::string_view name,
                                            std::string_view overload) const {
  for (const FunctionView f : functions()) {
    if (f.name() == name && f.domain() == canonical_domain(domain) && f.overload() == overload) {
      return f;
    }
  }
  return std::nullopt;
}

}  // namespace onnxcompat
