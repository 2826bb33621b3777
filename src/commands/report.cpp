#include "bn/report.hpp"

#include <cstdio>

#include "commands/commands.hpp"
#include "commands/outputs.hpp"
#include "commands/tensorboard.hpp"

namespace bn {

void add_report_command(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  auto events = std::make_shared<TensorBoardRequest>();
  CLI::App* command =
      app.add_subcommand("report", "Compare runs: the paper's Figures 2 and 3 and which of its claims held");
  command->add_option("runs", options->inputs, "Folders of sweeps, of runs, or of a kept study")->required();
  command->add_option("--out", options->out, "Folder of the report: index.html, report.md, figures/");
  CLI::Option* baseline =
      command->add_option("--baseline", options->baseline, "Arm to compare with [the sweep's, else the first]");
  CLI::Option* keep =
      command->add_flag("--keep", options->keep,
                        "Write what a repository keeps, and this command reads again: study.yaml, curves.csv, and "
                        "report.md with --figures");
  command
      ->add_option("--figures", options->figures,
                   "With --keep: the figures to draw, such as accuracy,effects [those of the kept study that is read, "
                   "else none]")
      ->delimiter(',')
      ->needs(keep);
  CLI::Option* tensorboard =
      command->add_option("--tensorboard", events->folder,
                          "Folder for TensorBoard: the runs' logs as its event files, of runs that train too");
  command
      ->add_flag_callback(
          "--follow", [events] { events->following = Following::kUntilAllHaveEnded; },
          "With --tensorboard: go on while the runs train, until all have ended")
      ->needs(tensorboard);
  baseline->needs("--out");
  keep->needs("--out");
  command->footer(
      "In a list of runs, those that differ in their seed alone form one arm, named after the folder:\n"
      "runs/bn_x5/seed_3 and runs/bn_x5_seed3 belong to bn_x5. Runs that have not ended are named and left out;\n"
      "diverged ones are results. KEPT/bn_x5/seed_3 is one run of the kept study KEPT, and KEPT/bn_x5 all its seeds.");
  command->callback([options, events, &exit_code] {
    if (options->out.empty() && events->folder.empty()) {
      throw CLI::ValidationError("report needs --out FOLDER or --tensorboard FOLDER");
    }
    exit_code = ExitCode::kSuccess;
    if (!options->out.empty()) {
      if (!options->keep) expect_own_page("--out", options->out, "bninception report");
      for (const std::string& line : write_report(*options)) std::printf("%s\n", line.c_str());
      std::printf("%s/%s\n", options->out.c_str(), options->keep ? "report.md" : "index.html");
    }
    if (!events->folder.empty()) {
      events->inputs = options->inputs;
      exit_code = write_tensorboard(*events);
    }
  });
}

}  // namespace bn
