#include "model/writer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <variant>

#include <fmt/format.h>

#include "model/detach.h"
#include "model/each_tensor.h"
#include "model/model_impl.h"
#include "model/output.h"
#include "model/protobuf.h"
#include "model/tensor_stream.h"

namespace onnxcompat {
namespace {

namespace fs = std::filesystem;

void set_entry(pb::TensorProto& tensor, std::string_view key, std::string value) {
  auto* entry = tensor.add_external_data();
  entry->set_key(std::string(key));
  entry->set_value(std::move(value));
}

void clear_data(pb::TensorProto& tensor) {
  tensor.clear_float_data();
  tensor.clear_int32_data();
  tensor.clear_int64_data();
  tensor.clear_uint64_data();
  tensor.clear_double_data();
  tensor.clear_raw_data();
  tensor.clear_external_data();
  tensor.clear_data_location();
}

/// A file name that every platform takes, with as much of the tensor's as can be kept.
std::string file_name_of(std::size_t index, std::string_view tensor) {
  constexpr std::size_t kMost = 100;
  std::string name = fmt::format("{:05}-", index);
  for (const char c : tensor.substr(0, kMost)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    name += plain ? c : '_';
  }
  return name;
}

/// Writes tensors one after the other into the new file, or files.
class DataFiles {
 public:
  DataFiles(const fs::path& folder, std::string location, const SaveOptions& options,
            const Source* source, FileSet& files)
      : folder_(folder),
        location_(std::move(location)),
        options_(options),
        source_(source),
        files_(files) {}

  Result<void> move(pb::TensorProto& tensor, const TensorView& view, std::uint64_t size) {
    if (file_ == nullptr || options_.weights == WeightPlace::file_each) {
      if (const auto opened = open(tensor.name()); !opened) return opened;
    }
    if (const auto aligned = file_->align(options_.alignment); !aligned) return aligned;
    const std::uint64_t offset = file_->size();
    const auto put = [&](std::span<const std::byte> piece) {
      const MappedFile* mapped = source_ != nullptr ? source_->file() : nullptr;
      return mapped != nullptr && mapped->contains(piece) ? file_->append_from(*mapped, piece)
                                                          : file_->append(piece);
    };
    if (const auto written = each_raw_piece(view, put); !written) return written;
    clear_data(tensor);
    tensor.set_data_location(pb::TensorProto::EXTERNAL);
    set_entry(tensor, "location", written_.back().location);
    set_entry(tensor, "offset", std::to_string(offset));
    set_entry(tensor, "length", std::to_string(size));
    written_.back().tensors.push_back(&tensor);
    ++total_.tensors;
    total_.bytes += size;
    return {};
  }

  Result<SavedWeights> finish() {
    if (options_.checksum) {
      for (const Written& one : written_) {
        if (const auto flushed = one.file->flush_to_disk(); !flushed) {
          return std::unexpected(flushed.error());
        }
        const auto digest = one.file->sha1();
        if (!digest) return std::unexpected(digest.error());
        for (pb::TensorProto* tensor : one.tensors) set_entry(*tensor, "checksum", *digest);
      }
    }
    if (total_.tensors > 0) total_.location = location_;
    return total_;
  }

 private:
  struct Written {
    std::string location;
    AtomicFile* file;
    std::vector<pb::TensorProto*> tensors;
  };

  Result<void> open(std::string_view tensor) {
    std::string location = location_;
    if (options_.weights == WeightPlace::file_each) {
      location += "/" + file_name_of(written_.size(), tensor);
    }
    const auto file = files_.add(folder_ / location, AtomicFile::Existing::keep);
    if (!file) return std::unexpected(file.error());
    file_ = *file;
    written_.push_back({std::move(location), file_, {}});
    return {};
  }

  fs::path folder_;
  std::string location_;
  const SaveOptions& options_;
  const Source* source_;
  FileSet& files_;
  AtomicFile* file_ = nullptr;
  std::vector<Written> written_;
  SavedWeights total_;
};

}  // namespace

Result<SavedWeights> ModelWriter::externalize(Model& model, const fs::path& path,
                                              const SaveOptions& options, FileSet& files) {
  const std::string location =
      options.location.empty() ? path.filename().string() + ".data" : options.location;
  if (const auto fault = location_fault(location); fault != LocationFault::none) {
    return fail(ExitCode::usage, fmt::format("the data file \"{}\" {}; it stands beside the model",
                                             location, describe(fault)));
  }
  Model::Impl& impl = *model.impl_;
  DataFiles data(path.parent_path(), location, options, impl.payload_source.get(), files);
  const auto moved =
      each_tensor(impl.changing(), [&](pb::TensorProto& tensor, TensorPlace place) -> Result<void> {
        const TensorView view(&tensor, impl.payloads.get());
        if (place != TensorPlace::initializer || view.is_external() ||
            view.data_type() == DataType::string) {
          return {};
        }
        const auto size = view.byte_size();
        // What has no size that can be told stays where it is; so do small tensors.
        if (!size || *size < std::max<std::uint64_t>(options.threshold, 1)) return {};
        return data.move(tensor, view, *size);
      });
  if (!moved) return std::unexpected(moved.error());
  return data.finish();
}

Result<SavedWeights> ModelWriter::embed(Model& model) {
  Model::Impl& impl = *model.impl_;
  SavedWeights total;
  total.embedded = true;
  auto payloads = std::make_shared<Payloads>(*impl.payloads);
  const auto embedded =
      each_tensor(impl.changing(), [&](pb::TensorProto& tensor, TensorPlace) -> Result<void> {
        const TensorView view(&tensor, impl.payloads.get());
        if (!view.is_external()) return {};
        std::vector<std::byte> scratch;
        const auto bytes = model.tensor_bytes(view, scratch);
        if (!bytes) return std::unexpected(bytes.error());
        clear_data(tensor);
        if (bytes->size() > kDetachAbove) {
          const auto index = payloads->add({TensorField::raw_data, *bytes});
          set_entry(tensor, Payloads::kMarkerKey, std::to_string(index));
        } else {
          tensor.set_raw_data(bytes->data(), bytes->size());
        }
        ++total.tensors;
        total.bytes += bytes->size();
        return {};
      });
  if (!embedded) return std::unexpected(embedded.error());
  impl.payloads = std::move(payloads);
  return total;
}

Result<SavedWeights> ModelWriter::save(const Model& model, const fs::path& path,
                                       const SaveOptions& options, FileSet& files) {
  SavedWeights weights;
  std::optional<Model> changed;
  switch (options.weights) {
    case WeightPlace::keep:
      break;
    case WeightPlace::automatic: {
      const auto output = ModelOutput::of(model, path);
      if (output || output.error().code != ExitCode::limit) break;
      SaveOptions one_file = options;
      one_file.weights = WeightPlace::one_file;
      return save(model, path, one_file, files);
    }
    case WeightPlace::one_file:
    case WeightPlace::file_each: {
      changed.emplace(model.clone());
      auto moved = externalize(*changed, path, options, files);
      if (!moved) return moved;
      weights = *std::move(moved);
      break;
    }
    case WeightPlace::embed: {
      changed.emplace(model.clone());
      auto moved = embed(*changed);
      if (!moved) return moved;
      weights = *std::move(moved);
      break;
    }
  }
  const auto output = ModelOutput::of(changed ? *changed : model, path);
  if (!output) return std::unexpected(output.error());
  const auto file = files.add(path, AtomicFile::Existing::replace);
  if (!file) return std::unexpected(file.error());
  if (const auto written = output->write(**file); !written) {
    return std::unexpected(written.error());
  }
  if (const auto same = verify_unchanged(model); !same) return std::unexpected(same.error());
  return weights;
}

Result<void> ModelWriter::verify_unchanged(const Model& model) {
  const Model::Impl& impl = *model.impl_;
  const auto changed = [](const Source* source) {
    return source != nullptr && source->file() != nullptr && source->file()->changed();
  };
  std::string name;
  if (changed(impl.payload_source.get()) || changed(impl.unmodified.get())) {
    name = impl.path.string();
  } else if (impl.external_files != nullptr) {
    name = impl.external_files->changed();
  }
  if (name.empty()) return {};
  return fail(ExitCode::unreadable, fmt::format("{}: was changed while it was read", name));
}

}  // namespace onnxcompat
