#include "cli/external_files.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "model/external_data.h"
#include "model/walk.h"
#include "support/atomic_file.h"
#include "support/mapped_file.h"

namespace onnxcompat::cli {
namespace {

namespace fs = std::filesystem;

void add_location(std::set<std::string>& locations, const TensorView& tensor) {
  if (!tensor.is_external()) return;
  for (const EntryView entry : tensor.external_data()) {
    if (entry.key() == "location") locations.insert(entry.value());
  }
}

std::set<std::string> external_locations(const Model& model) {
  std::set<std::string> locations;
  const auto add_sparse = [&](const SparseTensorView& tensor) {
    add_location(locations, tensor.values());
    add_location(locations, tensor.indices());
  };
  each_body(model, [&](const Body& body) {
    if (body.graph) {
      for (const TensorView tensor : body.graph->initializers()) add_location(locations, tensor);
      for (const SparseTensorView tensor : body.graph->sparse_initializers()) add_sparse(tensor);
    }
    for (const NodeView node : body.nodes()) {
      for (const AttributeView attribute : node.attributes()) {
        add_location(locations, attribute.t());
        for (const TensorView tensor : attribute.tensors()) add_location(locations, tensor);
        add_sparse(attribute.sparse_tensor());
        for (const SparseTensorView tensor : attribute.sparse_tensors()) add_sparse(tensor);
      }
    }
  });
  return locations;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

bool same_content(const MappedFile& a, const fs::path& path) {
  const auto b = MappedFile::open(path);
  return b && a.bytes().size() == b->bytes().size() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b->bytes().begin());
}

Result<void> bring(const fs::path& from, const std::string& location, const fs::path& to,
                   ExternalFilePolicy policy) {
  const auto source = map_beneath(from, location);
  if (!source) return std::unexpected(source.error());
  const fs::path target = to / location;
  std::error_code error;
  if (fs::exists(target, error)) {
    if (same_content(*source, target)) return {};
    return fail(ExitCode::usage, fmt::format("{}: is in the way of the model's external data, with "
                                             "another content",
                                             target.string()));
  }
  fs::create_directories(target.parent_path(), error);
  if (policy == ExternalFilePolicy::link) {
    fs::create_hard_link(from / location, target, error);
    if (!error) return {};
    return fail(ExitCode::usage,
                fmt::format("{}: cannot be linked: {}", target.string(), error.message()));
  }
  auto out = AtomicFile::create(target);
  if (!out) return std::unexpected(out.error());
  if (const auto copied = out->append_from(*source, source->bytes()); !copied) return copied;
  return out->commit();
}

}  // namespace

Result<void> bring_external_files(const Model& model, const fs::path& output,
                                  ExternalFilePolicy policy) {
  const fs::path from = folder_of(model.path());
  const fs::path to = folder_of(output);
  std::error_code error;
  if (policy == ExternalFilePolicy::leave || fs::equivalent(from, to, error)) return {};
  for (const std::string& location : external_locations(model)) {
    if (const auto fault = location_fault(location); fault != LocationFault::none) {
      return fail(ExitCode::unreadable,
                  fmt::format("external data \"{}\" {}", location, describe(fault)));
    }
    if (const auto brought = bring(from, location, to, policy); !brought) return brought;
  }
  return {};
}

}  // namespace onnxcompat::cli
