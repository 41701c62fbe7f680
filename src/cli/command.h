#pragma once

#include <functional>
#include <span>
#include <string_view>

#include <CLI/CLI.hpp>

#include "support/error.h"

namespace onnxcompat::cli {

/// A subcommand: one file src/cli/<name>.cpp that defines `extern const Command <name>_command`,
/// and one line in commands.inc.
struct Command {
  std::string_view name;
  std::string_view purpose;  ///< one line for the list of commands
  std::string_view help;     ///< what it does, examples, exit status: shown below the options
  /// Adds the options to `app` and returns what runs the command once they are parsed.
  std::function<ExitCode()> (*add)(CLI::App& app);
};

/// Every command, in the order of commands.inc.
std::span<const Command* const> all_commands();

}  // namespace onnxcompat::cli
