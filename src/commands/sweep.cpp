#include "bn/sweep.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "command_line/command_line.hpp"
#include "commands/commands.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"
#include "system/usable_cores.hpp"

namespace bn {
namespace {

struct SweepArguments {
  std::string path;
  std::vector<std::string> overrides;
  std::string out;
  int64_t jobs = 1;
  std::optional<int64_t> run;
  bool dry_run = false, list = false, status = false;
};

// This process becomes the run: signals reach it, and its exit code is the scheduler's.
[[noreturn]] void become_run(const std::vector<std::vector<std::string>>& commands, int64_t number) {
  if (number < 0 || number >= static_cast<int64_t>(commands.size())) {
    throw Error(ExitCode::kUsage, fmt::format("--run {}: the sweep has the runs 0 to {}; --list prints their commands",
                                              number, commands.size() - 1));
  }
  std::vector<std::string> words = commands[static_cast<size_t>(number)];
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(arguments.front(), arguments.data());
  throw Error(ExitCode::kFailure, fmt::format("cannot start '{}': {}", words.front(), errno_text(errno)));
}

// A sweep has a folder for each of its runs.
void expect_no_run(const std::string& folder) {
  namespace fs = std::filesystem;
  if (!fs::exists(folder + "/checkpoints") || !fs::exists(RunFolder(folder).config_path())) return;
  throw ConfigError(fmt::format("--out: '{}' is the folder of a run: name another one for the sweep", folder));
}

ExitCode run_sweep_command(const SweepArguments& arguments) {
  if (arguments.dry_run || arguments.list || arguments.status) expect_open_output();
  Sweep sweep = load_sweep(arguments.path, arguments.overrides);
  SweepOptions options{.folder = arguments.out.empty() ? "runs/" + sweep.name : arguments.out,
                       // The runs start this process's own program: one that was rebuilt meanwhile does not mix into
                       // the sweep.
                       .program = {fmt::format("/proc/{}/exe", getpid())},
                       .jobs = arguments.jobs,
                       .cores = default_threads().count};
  for (const std::string& problem : problems_of_openmp_variables()) tell("warning: " + problem + "\n");
  if (arguments.dry_run) {
    print(describe_plan(sweep, options));
    return ExitCode::kSuccess;
  }
  if (arguments.list || arguments.run) {
    // Other machines find the program and the files where they lie here.
    options.folder = std::filesystem::absolute(options.folder).lexically_normal().string();
    options.program = {std::filesystem::read_symlink("/proc/self/exe").string()};
    const std::vector<std::vector<std::string>> commands = train_commands(sweep, options);
    if (arguments.run) become_run(commands, *arguments.run);
    for (const std::vector<std::string>& command : commands) {
      std::vector<std::string> words;
      for (const std::string& word : command) words.push_back(shell_word(word));
      print(fmt::format("{}\n", fmt::join(words, " ")));
    }
    return ExitCode::kSuccess;
  }
  if (arguments.status) {
    print(describe_progress(sweep, options));
    return ExitCode::kSuccess;
  }
  expect_no_run(options.folder);
  options.stop = stop_on_signals();
  const SweepResult result = run_sweep(sweep, options);
  print(fmt::format("{}: {} finished, {} diverged, {} crashed, {} left; {}/sweep.json names them\n", sweep.name,
                    result.finished, result.diverged, result.crashed, result.left, options.folder));
  if (result.interrupted) return ExitCode::kInterrupted;
  if (result.crashed == 0) return ExitCode::kSuccess;
  return result.storage_failed ? ExitCode::kStorage : ExitCode::kFailure;
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
  auto* list = command->add_flag("--list", arguments->list,
                                 "Print a command for each run instead, for GNU parallel or another scheduler");
  auto* run = command->add_option("--run", arguments->run,
                                  "Train or continue this line of --list only, from 0: for an array of Slurm");
  auto* status =
      command->add_flag("--status", arguments->status, "Print how the runs stand, whichever machine trains them");
  list->excludes(run)->excludes(status);
  run->excludes(status);
  command->footer(
      "Keys of the file: name; configs: [FILE or {config, arm, set}]; seeds: [1, 2]; set: {train.l2: 0} for all runs;\n"
      "overrides: [{arm, set}], one arm each; grid: {KEY: [VALUES]}, all combinations; baseline: ARM;\n"
      "images: {train, validation} for --dry-run without the data. The same command continues a sweep that was\n"
      "stopped (Ctrl-C saves first; a second one, half a second later, does not wait) or killed. A diverged run is a\n"
      "result; a crashed one is tried once more.");
  command->callback([arguments, &exit_code] { exit_code = run_sweep_command(*arguments); });
}

}  // namespace bn
