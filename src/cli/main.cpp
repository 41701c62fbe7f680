#include <array>
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/output.h"
#include "support/interrupt.h"
#include "support/strings.h"

namespace onnxcompat::cli {

#define X(name) extern const Command name##_command;
#include "cli/commands.inc"
#undef X

std::span<const Command* const> all_commands() {
  static constexpr std::array kCommands = {
#define X(name) &name##_command,
#include "cli/commands.inc"
#undef X
  };
  return kCommands;
}

namespace {

constexpr std::string_view kFooter = R"(
Examples:
  onnxcompat check model.onnx --target onnxruntime=1.14
  onnxcompat convert model.onnx --opset 13 -o model-13.onnx
  onnxcompat verify model.onnx model-13.onnx
  onnxcompat explain OCG018

Exit status:
  0 fine                              4 conversion refused, nothing written
  1 findings, or a target not met     5 numbers differ
  2 usage or configuration            6 a resource limit was reached
  3 unreadable, or not an ONNX model  70 a fault of onnxcompat itself

'onnxcompat COMMAND --help' teaches each command.)";

/// A mistyped command gets a suggestion; CLI11's own message only says that one is missing.
std::string unknown_command_message(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command* command : all_commands()) names.push_back(command->name);
  const auto nearest = did_you_mean(word, names);
  std::string message = fmt::format("unknown command '{}'", word);
  if (nearest) message += fmt::format("; did you mean '{}'?", *nearest);
  return message;
}

ExitCode dispatch(int argc, char** argv) {
  CLI::App app{
      "Checks ONNX models against their specification and against the releases that must "
      "load them,\nconverts them to another opset, IR version or runtime release, and "
      "proves that the numbers stay the same."};
  app.name("onnxcompat");
  app.set_version_flag("--version", fmt::format("onnxcompat {}", tool_version()));
  app.footer(std::string(kFooter));
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);

  const std::string_view asked = argc > 1 ? argv[1] : "";
  std::function<ExitCode()> run;
  for (const Command* command : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->purpose));
    if (command->name != asked) continue;  // only listed; its options would cost time
    sub->footer("\n" + std::string(command->help));
    sub->get_formatter()->column_width(34);
    run = command->add(*sub);
  }
  if (!run && !asked.empty() && asked.front() != '-') {
    return complain({ExitCode::usage, unknown_command_message(argv[1])});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    complain({ExitCode::usage, error.what()});
    std::string_view command;
    for (const CLI::App* sub : app.get_subcommands()) command = sub->get_name();
    fmt::print(stderr, "try 'onnxcompat {}{}--help'\n", command, command.empty() ? "" : " ");
    return ExitCode::usage;
  }
  return run ? run() : ExitCode::usage;
}

}  // namespace
}  // namespace onnxcompat::cli

int main(int argc, char** argv) {
  using onnxcompat::ExitCode;
  onnxcompat::handle_signals();
  try {
    return static_cast<int>(onnxcompat::cli::dispatch(argc, argv));
  } catch (const std::bad_alloc&) {
    return static_cast<int>(onnxcompat::cli::complain({ExitCode::limit, "out of memory"}));
  } catch (const std::exception& fault) {
    return static_cast<int>(onnxcompat::cli::complain(
        {ExitCode::internal_error,
         fmt::format("internal fault, please report it: {}", fault.what())}));
  }
}
