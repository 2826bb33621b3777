#include "bn/report.hpp"

#include <cstdio>

#include "commands/commands.hpp"

namespace bn {

void add_report_command(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command =
      app.add_subcommand("report", "Compare runs: the paper's Figures 2 and 3 and which of its claims held");
  command->add_option("runs", options->inputs, "Folders of sweeps, of runs, or of a kept study")->required();
  command->add_option("--out", options->out, "Folder of the report: index.html, report.md, figures/")->required();
  command->add_option("--baseline", options->baseline, "Arm to compare with [the sweep's, else the first]");
  command->add_flag("--keep", options->keep,
                    "Write what a repository keeps, and this command reads again: report.md with its first figures, "
                    "study.json, configs.yaml, curves.csv");
  command->footer(
      "In a list of runs, those that differ in their seed alone form one arm, named after the folder:\n"
      "runs/bn_x5/seed_3 and runs/bn_x5_seed3 belong to bn_x5. Runs that have not ended are named and left out;\n"
      "diverged ones are results. KEPT/bn_x5/seed_3 is one run of the kept study KEPT, and KEPT/bn_x5 all its seeds.");
  command->callback([options, &exit_code] {
    for (const std::string& line : write_report(*options)) std::printf("%s\n", line.c_str());
    std::printf("%s/%s\n", options->out.c_str(), options->keep ? "report.md" : "index.html");
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
