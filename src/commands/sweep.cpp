#include "bn/sweep.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "commands/commands.hpp"
#include "core/usable_cores.hpp"

namespace bn {
namespace {

struct SweepArguments {
  std::string path;
  std::vector<std::string> overrides;
  std::string out;
  int64_t jobs = 1;
  bool dry_run = false;
};

ExitCode run_sweep_command(const SweepArguments& arguments) {
  Sweep sweep = load_sweep(arguments.path, arguments.overrides);
  SweepOptions options{.folder = arguments.out.empty() ? "runs/" + sweep.name : arguments.out,
                       // The runs start this process's own program: one that was rebuilt meanwhile does not mix into
                       // the sweep.
                       .program = {fmt::format("/proc/{}/exe", getpid())},
                       .jobs = arguments.jobs,
                       .cores = default_threads().count};
  if (arguments.dry_run) {
    std::printf("%s", describe_plan(sweep, options).c_str());
    return ExitCode::kSuccess;
  }
  options.stop = stop_on_signals();
  const SweepResult result = run_sweep(sweep, options);
  std::printf("%s\n",
              fmt::format("{}: {} finished, {} diverged, {} crashed, {} left; {}/sweep.json names them", sweep.name,
                          result.finished, result.diverged, result.crashed, result.left, options.folder)
                  .c_str());
  if (result.interrupted) return ExitCode::kInterrupted;
  return result.crashed > 0 ? ExitCode::kFailure : ExitCode::kSuccess;
}

}  // namespace

void add_sweep_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<SweepArguments>();
  CLI::App* command = app.add_subcommand("sweep", "Train configurations x overrides x seeds, each in its own process");
  command->add_option("sweep", arguments->path, "The sweep: a YAML file")->required();
  command->add_option("--set", arguments->overrides, "Override one value of every run; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--jobs", arguments->jobs, "Runs at a time; the cores are divided among them")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--out", arguments->out, "Folder of the sweep [runs/NAME-OF-SWEEP]");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Print the plan with the time it takes, from a few measured steps");
  command->footer(
      "Keys of the file: name; configs: [FILE or {config, arm, set}]; seeds: [1, 2]; set: {train.l2: 0} for all runs;\n"
      "overrides: [{arm, set}], one arm each; grid: {KEY: [VALUES]}, all combinations; baseline: ARM;\n"
      "images: {train, validation} for --dry-run without the data. The same command continues a sweep that was\n"
      "stopped (Ctrl-C saves first) or killed. A diverged run is a result; a crashed one is tried once more.");
  command->callback([arguments, &exit_code] { exit_code = run_sweep_command(*arguments); });
}

}  // namespace bn
