#include "bn/report.hpp"

#include <cstdio>

#include "commands/commands.hpp"

namespace bn {

void add_report_command(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command =
      app.add_subcommand("report", "Compare runs: the paper's Figures 2 and 3 and which of its claims held");
  command->add_option("runs", options->inputs, "Folders of sweeps, or of runs")->required();
  command->add_option("--out", options->out, "Folder of the report: index.html, report.md, figures/")->required();
  command->add_option("--baseline", options->baseline, "Arm to compare with [the sweep's, else the first]");
  command->footer(
      "Of a list of runs, those that differ in their seed alone are one arm, named after the folder: "
      "runs/bn_x5/seed_3\n"
      "and runs/bn_x5_seed3 are of bn_x5. Runs that have not ended are named and left out; diverged ones are results.");
  command->callback([options, &exit_code] {
    for (const std::string& line : write_report(*options)) std::printf("%s\n", line.c_str());
    std::printf("%s/index.html\n", options->out.c_str());
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
