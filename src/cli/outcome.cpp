#include "cli/outcome.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <type_traits>

#include <fmt/format.h>

#include "cli/output.h"

namespace onnxcompat::cli {
namespace {

template <class T, class U>
concept Like = std::same_as<std::remove_const_t<T>, U>;
template <class T>
concept Plain = std::integral<T> || std::floating_point<T> || std::is_enum_v<T>;

/// A word of ours, which reports print as it is: who answers is not trusted with that.
template <class T>
struct Word {
  T& text;
};
template <class T>
Word<T> word(T& text) {
  return {text};
}

class Encoder {
 public:
  template <class... T>
  void operator()(const T&... parts) {
    (put(parts), ...);
  }
  std::string take() { return std::move(out_); }

 private:
  template <Plain T>
  void put(const T& value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& text) {
    put(text.size());
    out_ += text;
  }
  template <class T>
  void put(const Word<T>& value) {
    put(value.text);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(list.size());
    for (const T& element : list) put(element);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class T>
  void put(const T& part) {
    fields(*this, part);
  }

  std::string out_;
};

/// Once something is wrong nothing more is read.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}
  template <class... T>
  void operator()(T&&... parts) {
    (get(parts), ...);
  }
  bool good() const { return good_ && in_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > in_.size()) {
      good_ = false;
      in_ = {};
      return {};
    }
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  template <Plain T>
  void get(T& value) {
    const std::string_view bytes = take(sizeof value);
    if (bytes.size() != sizeof value) return;
    if constexpr (std::same_as<T, bool>) {
      value = bytes[0] != 0;
    } else {
      std::memcpy(&value, bytes.data(), sizeof value);
    }
  }
  void get(Severity& value) {
    std::uint8_t number = 0;
    get(number);
    good_ = good_ && number <= static_cast<std::uint8_t>(Severity::error);
    value = good_ ? static_cast<Severity>(number) : Severity::error;
  }
  void get(std::string& text) {
    std::size_t size = 0;
    get(size);
    text = take(size);
  }
  void get(Word<std::string>& value) {
    get(value.text);
    value.text = printable(value.text);
  }
  template <class T>
  void get(std::vector<T>& list) {
    std::size_t size = 0;
    get(size);
    // Every element has at least a byte: what is promised beyond that is a lie.
    if (size > in_.size()) good_ = false;
    for (std::size_t i = 0; good_ && i < size; ++i) get(list.emplace_back());
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool there = false;
    get(there);
    if (good_ && there) get(value.emplace());
  }
  template <class T>
  void get(T& part) {
    fields(*this, part);
  }

  std::string_view in_;
  bool good_ = true;
};

// Each type's parts, once for both directions.
void fields(auto& a, Like<DomainVersion> auto& x) { a(x.domain, x.version); }
void fields(auto& a, Like<Location> auto& x) {
  a(x.path, x.graph, x.node_index, x.node_name, x.op_type, x.attribute, x.value);
}
void fields(auto& a, Like<Finding> auto& x) {
  a(x.rule, word(x.name), x.severity, x.message, x.location, x.hint, x.upstream);
}
void fields(auto& a, Like<TargetFinding> auto& x) {
  a(x.rule, word(x.name), x.severity, x.message, x.location, x.hint, x.upstream, word(x.evidence));
}
void fields(auto& a, Like<TargetReport> auto& x) {
  a(x.target, word(x.evidence), x.compatible, x.blockers, x.convertible, x.convert_note,
    word(x.confidence), x.source, x.note, x.advice);
}
void fields(auto& a, Like<SuppressedFinding> auto& x) { a(x.finding, x.target, x.reason); }
void fields(auto& a, Like<MinimumReport> auto& x) {
  a(x.onnx, x.onnxruntime, x.onnxruntime_measured, x.ir_version);
}
void fields(auto& a, Like<StepReport> auto& x) {
  a(x.path, x.op_type, x.from, x.to, word(x.kind), x.note, x.nodes);
}
void fields(auto& a, Like<PlanReport> auto& x) {
  a(x.nodes, x.relabelled, x.rewritten, x.expanded, x.blocked, x.nearest, x.nearest_runs_in);
}
void fields(auto& a, Like<OutputDifference> auto& x) {
  a(x.name, x.equal, x.exact, x.max_abs, x.max_rel, x.max_ulp, x.note);
}
void fields(auto& a, Like<ProofReport> auto& x) {
  a(word(x.mode), word(x.verdict), x.reason, x.cases, x.seed, x.regions, x.regions_skipped,
    x.outputs);
}
void fields(auto& a, Like<ConversionReport> auto& x) {
  a(x.from, x.to, x.output, x.steps, x.blockers, x.plan, x.proof);
}
void fields(auto& a, Like<ModelReport> auto& x) {
  a(x.path, x.ir_version, x.opset_imports, x.producer, word(x.verdict), x.error, word(x.stopped),
    x.findings, x.targets, x.minimum, x.conversion, x.comparison, x.findings_left_out,
    x.suppressed);
}
void fields(auto& a, Like<Outcome> auto& x) { a(x.report, x.code, x.errors, x.notes); }

constexpr std::array kByGravity = {
    ExitCode::internal_error, ExitCode::limit,   ExitCode::unreadable, ExitCode::usage,
    ExitCode::differs,        ExitCode::refused, ExitCode::findings,   ExitCode::ok};

}  // namespace

std::string encode(const Outcome& outcome) {
  Encoder encoder;
  encoder(outcome);
  return encoder.take();
}

Result<Outcome> decode(std::string_view bytes) {
  Decoder decoder(bytes);
  Outcome outcome;
  decoder(outcome);
  if (!decoder.good() || std::ranges::count(kByGravity, outcome.code) == 0) {
    return fail(ExitCode::internal_error, "a worker process answered what is no answer");
  }
  return outcome;
}

ExitCode graver(ExitCode a, ExitCode b) {
  return std::ranges::find(kByGravity, a) < std::ranges::find(kByGravity, b) ? a : b;
}

void tell(const Outcome& outcome) {
  for (const std::string& line : outcome.errors) {
    fmt::print(stderr, "onnxcompat: error: {}\n", printable(line));
  }
  for (const std::string& line : outcome.notes) {
    fmt::print(stderr, "onnxcompat: note: {}\n", printable(line));
  }
}

}  // namespace onnxcompat::cli
