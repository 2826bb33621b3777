// The subcommands of bn-data. Each registers itself and sets exit_code when it runs.
#pragma once

#include <CLI/App.hpp>

#include "bn/error.hpp"

namespace bn {

void add_shapes_command(CLI::App& app, ExitCode& exit_code);
void add_pack_command(CLI::App& app, ExitCode& exit_code);
void add_verify_command(CLI::App& app, ExitCode& exit_code);
void add_stats_command(CLI::App& app, ExitCode& exit_code);
void add_throughput_command(CLI::App& app, ExitCode& exit_code);

}  // namespace bn
