#include "cli/request.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "adapters/domain_map.h"
#include "cli/summary.h"
#include "model/view.h"
#include "support/version.h"

namespace onnxcompat::cli {
namespace {

/// An `--opset` word as a target: "13" is opset=13.
std::string target_word(const std::string& opset) {
  return opset.find('=') == std::string::npos ? "opset=" + opset : opset;
}

/// Is this `--opset` word about a domain that the user maps?
bool is_mapped(const RequestOptions& options, const std::string& opset) {
  const std::string domain = opset.substr(0, opset.find('='));
  return domain.size() < opset.size() &&
         std::ranges::any_of(options.domain_maps, [&](const std::string& spec) {
           return spec.starts_with(domain + "=");
         });
}

Result<std::vector<Target>> all_targets(const RequestOptions& options, const VersionTable& table) {
  std::vector<std::string> words = options.targets;
  bool mapped = false;
  for (const std::string& opset : options.opsets) {
    if (is_mapped(options, opset)) {
      mapped = true;
    } else {
      words.push_back(target_word(opset));
    }
  }
  if (options.ir_version != 0) words.push_back(fmt::format("ir={}", options.ir_version));
  if (words.empty() && mapped) return std::vector<Target>{};
  if (words.empty()) {
    return fail(ExitCode::usage, "say where to go: --opset N, --ir-version N or --target T");
  }
  return parse_targets(table, words);
}

/// The version a domain is to end at; 0 leaves it.
void ask(std::vector<DomainVersion>& opsets, const std::string& domain, int version) {
  for (DomainVersion& entry : opsets) {
    if (entry.domain == domain) {
      entry.version = version;
      return;
    }
  }
  opsets.push_back({domain, version});
}

int asked(const std::vector<DomainVersion>& opsets, std::string_view domain) {
  for (const DomainVersion& entry : opsets) {
    if (entry.domain == domain) return entry.version;
  }
  return 0;
}

}  // namespace

void RequestOptions::add_to(CLI::App& app) {
  app.add_option("--target", targets, "Where the result must run: opset=13, onnxruntime=1.14, …")
      ->type_name("T")
      ->allow_extra_args(false);
  app.add_option("--opset", opsets, "Opset version to end at, for ai.onnx or the named domain")
      ->type_name("[DOMAIN=]N")
      ->allow_extra_args(false);
  app.add_option("--ir-version", ir_version, "IR version to end at")->type_name("N");
  add_versions_file(app, versions_file);
  app.add_flag("--allow-loss", conversion.allow_loss,
               "Drop what the target cannot hold and no result depends on, as listed changes");
  app.add_flag("--strict-text", conversion.strict_text,
               "Follow the specification's text where every runtime does otherwise");
  app.add_flag("--freeze-initializers", conversion.freeze_initializers,
               "Take initializers that are also inputs for constants");
  app.add_option("--domain-map", domain_maps,
                 "How operators of a domain of your own change (docs/domain-map.md)")
      ->type_name("DOMAIN=FILE")
      ->allow_extra_args(false);
}

Result<void> validate(const RequestOptions& options, const VersionTable& table) {
  const auto targets = all_targets(options, table);
  if (!targets) return std::unexpected(targets.error());
  // Two exact destinations for one domain cannot both be meant.
  std::vector<DomainVersion> exact;
  for (const Target& target : *targets) {
    if (!target.product.empty()) continue;
    for (const DomainVersion& want : target.ceilings.opsets) {
      const int before = asked(exact, want.domain);
      if (before != 0 && before != want.version) {
        return fail(ExitCode::usage,
                    fmt::format("{} is asked to end at both {} and {}", display_domain(want.domain),
                                before, want.version));
      }
      exact.push_back(want);
    }
  }
  return {};
}

Result<Request> conversion_request(const RequestOptions& options, const VersionTable& table,
                                   const Model& model) {
  const auto targets = all_targets(options, table);
  if (!targets) return std::unexpected(targets.error());
  Request request = conversion_request(*targets, model);
  request.conversion.options = options.conversion;
  for (const std::string& opset : options.opsets) {
    if (!is_mapped(options, opset)) continue;
    const auto equals = opset.find('=');
    int version = 0;
    const char* end = opset.data() + opset.size();
    const auto [stop, error] = std::from_chars(opset.data() + equals + 1, end, version);
    if (error != std::errc{} || stop != end || version < 1) {
      return fail(ExitCode::usage, fmt::format("--opset {}: is no version", opset));
    }
    ask(request.conversion.opsets, opset.substr(0, equals), version);
  }
  for (const std::string& spec : options.domain_maps) {
    const auto equals = spec.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ExitCode::usage, "--domain-map takes DOMAIN=FILE");
    }
    auto map = DomainMap::load(spec.substr(equals + 1), spec.substr(0, equals));
    if (!map) return std::unexpected(map.error());
    request.conversion.maps.push_back(std::make_shared<const DomainMap>(*std::move(map)));
  }
  return request;
}

Request conversion_request(const std::vector<Target>& targets, const Model& model) {
  Request request;
  request.targets = targets;
  ConversionRequest& conversion = request.conversion;
  for (const Target& target : targets) {
    if (!target.product.empty()) continue;
    for (const DomainVersion& want : target.ceilings.opsets) {
      ask(conversion.opsets, want.domain, want.version);
    }
    if (target.ceilings.ir_version != 0) conversion.ir_version = target.ceilings.ir_version;
  }
  // Where the model (and each function) stands, unless an exact destination replaces it.
  std::vector<DomainVersion> now;
  const auto note = [&](std::string_view domain, int version) {
    const std::string name(canonical_domain(domain));
    if (const int exact = asked(conversion.opsets, name); exact != 0) version = exact;
    if (version > asked(now, name)) ask(now, name, version);
  };
  for (const OpsetImportView import : model.opset_imports()) {
    note(import.domain(), clamp_version(import.version()));
  }
  for (const FunctionView function : model.functions()) {
    for (const OpsetImportView import : function.opset_imports()) {
      note(import.domain(), clamp_version(import.version()));
    }
  }
  if (now.empty()) note("", model.opset(""));
  for (const Target& target : targets) {
    if (target.product.empty()) continue;
    for (DomainVersion& entry : now) {
      const auto ceiling = target.ceilings.opset(entry.domain);
      int version = entry.version;
      if (ceiling) version = std::min(version, *ceiling);
      if (entry.domain.empty()) version = std::max(version, target.ceilings.min_ai_onnx);
      if (version != entry.version) {
        entry.version = version;
        ask(conversion.opsets, entry.domain, version);
      }
    }
    if (target.ceilings.ir_version != 0) {
      conversion.max_ir_version =
          std::min(conversion.max_ir_version.value_or(target.ceilings.ir_version),
                   target.ceilings.ir_version);
    }
  }
  return request;
}

std::string request_line(const Request& request, const Model& model) {
  const auto& conversion = request.conversion;
  std::string line = conversion.ir_version ? fmt::format("ir {}", *conversion.ir_version)
                     : conversion.max_ir_version
                         ? fmt::format("ir {} at most", *conversion.max_ir_version)
                         : fmt::format("ir {} or as needed", model.ir_version());
  for (const DomainVersion& entry : conversion.opsets) {
    line += fmt::format(", {} {}", display_domain(entry.domain), entry.version);
  }
  return line;
}

}  // namespace onnxcompat::cli
