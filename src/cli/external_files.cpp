#include "cli/external_files.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>

#include "model/external_data.h"
#include "model/walk.h"
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

bool on_one_file_system(const MappedFile& file, const fs::path& folder) {
  struct stat a {};
  struct stat b {};
  fs::path there = folder;
  while (!there.empty() && ::stat(there.c_str(), &b) != 0) there = there.parent_path();
  return ::fstat(file.descriptor(), &a) == 0 &&
         ::stat(there.empty() ? "." : there.c_str(), &b) == 0 && a.st_dev == b.st_dev;
}

/// True if the file is to be brought, false if it is there already.
Result<bool> bring(const fs::path& from, const std::string& location, const fs::path& to,
                   ExternalFilePolicy policy, FileSet& files) {
  auto source = map_beneath(from, location);
  if (!source) return std::unexpected(source.error());
  const fs::path target = to / location;
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error))) {
    if (same_content(*source, target)) return false;
    return fail(ExitCode::usage, fmt::format("{}: is in the way of the model's external data, with "
                                             "another content",
                                             target.string()));
  }
  // What is moved within a file system is a second name until the first one is removed.
  const bool link =
      policy == ExternalFilePolicy::link ||
      (policy == ExternalFilePolicy::move && on_one_file_system(*source, target.parent_path()));
  if (link) {
    const auto linked = files.add_link(*std::move(source), target);
    if (!linked) return std::unexpected(linked.error());
    return true;
  }
  const auto out = files.add(target, AtomicFile::Existing::keep);
  if (!out) return std::unexpected(out.error());
  if (const auto copied = (*out)->append_from(*source, source->bytes()); !copied) {
    return std::unexpected(copied.error());
  }
  if (source->changed()) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: was changed while it was read", (from / location).string()));
  }
  return true;
}

}  // namespace

Result<std::vector<fs::path>> bring_external_files(const Model& model, const fs::path& output,
                                                   ExternalFilePolicy policy, FileSet& files) {
  const fs::path from = folder_of(model.path());
  const fs::path to = folder_of(output);
  std::vector<fs::path> moved;
  std::error_code error;
  if (policy == ExternalFilePolicy::leave || fs::equivalent(from, to, error)) return moved;
  for (const std::string& location : external_locations(model)) {
    if (const auto fault = location_fault(location); fault != LocationFault::none) {
      return fail(ExitCode::unreadable,
                  fmt::format("external data \"{}\" {}", location, describe(fault)));
    }
    const auto brought = bring(from, location, to, policy, files);
    if (!brought) return std::unexpected(brought.error());
    if (*brought && policy == ExternalFilePolicy::move) moved.push_back(from / location);
  }
  return moved;
}

}  // namespace onnxcompat::cli
