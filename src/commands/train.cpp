#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "bn/trainer.hpp"
#include "bn/version.hpp"
#include "commands/commands.hpp"
#include "cpu/bounded_spin.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct TrainArguments {
  ConfigArguments config;
  std::string out;
  bool resume = false;
  bool allow_different_bits = false;
  bool quiet = false;
  bool json = false;
};

// The newest sound checkpoint holds the configuration by which the run was trained. Before the first checkpoint this is
// config.yaml's, which a text editor can change.
std::optional<Config> configuration_of(const RunFolder& folder) {
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string path = folder.checkpoint_path(*step);
    try {
      return parse_config(read_checkpoint_info(path).config, path);
    } catch (const CheckpointError&) {
      continue;  // load_latest() will say so
    }
  }
  const std::optional<std::string> stored = folder.stored_config();
  if (!stored) return std::nullopt;
  return parse_config(*stored, folder.config_path());
}

bool is_threads(const std::string& change) { return change.starts_with("threads:"); }

// A run may be started anew by the configuration that its folder holds, which then stays as it is.
void expect_input_stays(const std::string& input, const Config& config, const RunFolder& folder) {
  std::error_code error;
  const bool is_input = std::filesystem::equivalent(input, folder.config_path(), error) && !error;
  if (!is_input || folder.holds_run() || folder.stored_config() == to_yaml(config)) return;
  throw ConfigError(
      fmt::format("--out: '{}' holds the configuration that is read, {}, which a run would replace: give another --out",
                  folder.path(), input));
}

void expect_same_experiment(const Config& config, const std::string& folder, bool allow_different_bits) {
  if (!RunFolder(folder).holds_run()) return;  // a start that failed may have been of any configuration
  const std::optional<Config> before = configuration_of(RunFolder(folder));
  if (!before) return;
  for (const std::string& change : diff(*before, config)) {
    if (change.starts_with("train.steps:") || change.starts_with("train.epochs:")) {
      tell(fmt::format("this run was started with another length: {}\n", change));
    }
  }
  std::vector<std::string> changes = experiment_diff(*before, config);
  if (allow_different_bits) std::erase_if(changes, is_threads);
  if (changes.empty()) return;
  const char* remedy = std::ranges::any_of(changes, is_threads)
                           ? "\nthe bits depend on the number of threads; --allow-different-bits goes on with another"
                           : "";
  throw ConfigError(fmt::format("--resume: {} was started with another configuration:\n  {}{}", folder,
                                fmt::join(changes, "\n  "), remedy));
}

// In a folder of images a run folder would be a class.
void expect_outside_of_images(const std::string& out, const DataOptions& data) {
  namespace fs = std::filesystem;
  if (data.kind != DatasetKind::kFolder) return;
  std::vector<std::string> sets = data.train;
  sets.insert(sets.end(), data.validation.begin(), data.validation.end());
  std::error_code error;  // a set that is not there is named when it is opened
  const fs::path place = fs::weakly_canonical(fs::absolute(out, error), error);
  for (const std::string& set : sets) {
    if (set.empty()) continue;
    const fs::path root = fs::weakly_canonical(resolve_data_path(set) + "/", error);
    const auto end = std::mismatch(root.begin(), root.end(), place.begin(), place.end()).first;
    if (end != root.end() && !end->empty()) continue;  // the last part of "images/" is empty
    throw ConfigError(fmt::format(
        "--out: '{}' lies in the folder of the images, '{}', whose folders are its classes: name a folder elsewhere",
        out, resolve_data_path(set)));
  }
}

// The number of threads that the run in the folder has computed with; 0: there is none.
int64_t threads_of_run(Group& group, const std::string& folder) {
  std::array<int64_t, 1> threads{0};
  in_first(group, [&] {
    const std::optional<Config> before = configuration_of(RunFolder(folder));
    if (before) threads[0] = before->threads;
  });
  group.broadcast(std::as_writable_bytes(std::span(threads)));
  return threads[0];
}

struct OutcomeWords {
  const char* name;
  ExitCode exit_code;
};
const OutcomeWords& words_of(TrainOutcome outcome) {
  static constexpr OutcomeWords kWords[] = {
      {"finished", ExitCode::kSuccess}, {"diverged", ExitCode::kDiverged}, {"interrupted", ExitCode::kInterrupted}};
  return kWords[static_cast<size_t>(outcome)];
}

void print_result(const TrainResult& result, const RunFolder& folder, bool json) {
  const char* outcome = words_of(result.outcome).name;
  if (json) {
    const bool was_evaluated = result.progress.best_top1 >= 0;
    const nlohmann::json none;
    const nlohmann::json object = {{"outcome", outcome},
                                   {"step", result.progress.step},
                                   {"best_top1", was_evaluated ? nlohmann::json(result.progress.best_top1) : none},
                                   {"best_step", was_evaluated ? nlohmann::json(result.progress.best_step) : none},
                                   {"skipped", result.skipped.count},
                                   {"skipped_names", result.skipped.names},
                                   {"validation_skipped", result.last_evaluation.skipped},
                                   {"validation_skipped_names", result.last_evaluation.skipped_names},
                                   {"left_out", result.left_out.count},
                                   {"left_out_names", result.left_out.names},
                                   {"run", folder.path()}};
    return print(json_text(object) + "\n");
  }
  std::string line = fmt::format("{} at step {}", outcome, result.progress.step);
  if (result.progress.best_top1 >= 0) {
    line += fmt::format("; best validation top-1 {:.2f} % at step {}", 100 * result.progress.best_top1,
                        result.progress.best_step);
  }
  print(fmt::format("{}; run folder {}\n", line, folder.path()));
}

// runs/<folder>/<name>: configurations of several data sets share their names.
std::string default_out(const std::string& config) {
  const std::filesystem::path path = std::filesystem::absolute(config).lexically_normal();
  return (std::filesystem::path("runs") / path.parent_path().filename() / path.stem()).string();
}

// The first difference names the key. Whatever it is, the processes' parameters would part.
void expect_same_configuration(Group& group, const Config& config) {
  const std::vector<std::string> all = group.gather(to_yaml(config)), hosts = group.gather(group.place().host);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    const std::vector<std::string> changes =
        diff(parse_config(all[0], "process 0"), parse_config(all[rank], "another"));
    throw AgreedError(
        ExitCode::kConfig,
        fmt::format("the processes must have one configuration, but from process 0 on {} to process {} on "
                    "{} it changes:\n  {}",
                    hosts[0], rank, hosts[rank], fmt::join(changes, "\n  ")));
  }
}

void expect_same_program(Group& group, const Backend& backend) {
  expect_agreement(group,
                   {{.name = "the program's sources", .value = source_version(), .exit_code = ExitCode::kUnsupported},
                    {.name = "what computes", .value = backend.computation(), .exit_code = ExitCode::kUnsupported}});
}

ExitCode run_train(const TrainArguments& arguments, Group& group) {
  const std::function<bool()> stop = stop_on_signals();
  Config config;
  std::unique_ptr<Backend> backend;
  together(group, [&] { config = arguments.config.load(); });
  group.wait_at_most(std::chrono::seconds(config.distributed.timeout_seconds));
  const std::string out = arguments.out.empty() ? default_out(arguments.config.path) : arguments.out;
  // A resumed run keeps its own number of threads, on any machine, unless the user names another.
  const bool is_named = config.threads > 0 || std::getenv("OMP_NUM_THREADS") != nullptr;
  if (arguments.resume && !arguments.allow_different_bits && !is_named) config.threads = threads_of_run(group, out);
  config.threads = shared_threads(group, config.threads);
  warn_of_separate_tasks(group, config.train.parts);
  together(group, [&] { backend = make_backend(config, group); });
  expect_same_configuration(group, config);
  expect_same_program(group, *backend);
  RunFolder folder(out);  // the other processes' knows its name only
  in_first(group, [&] {
    expect_outside_of_images(out, config.data);
    expect_input_stays(arguments.config.path, config, folder);
    if (arguments.resume) expect_same_experiment(config, out, arguments.allow_different_bits);
    folder = RunFolder::create(out, to_yaml(config), arguments.resume);
    if (arguments.resume && folder.checkpoint_steps().empty()) {
      tell(fmt::format("{} holds no checkpoint to resume from, so training begins anew\n", out));
    }
  });
  const TrainResult result = train(config, *backend, folder,
                                   {.resume = arguments.resume,
                                    .allow_different_bits = arguments.allow_different_bits,
                                    .quiet = arguments.quiet,
                                    .warnings = arguments.config.warnings(),
                                    .stop = stop,
                                    .group = &group});
  if (group.is_first()) print_result(result, folder, arguments.json);
  return words_of(result.outcome).exit_code;
}

}  // namespace

void add_train_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<TrainArguments>();
  CLI::App* command = app.add_subcommand("train", "Train a network from one YAML file");
  arguments->config.add_to(*command);
  command->add_option("--out", arguments->out, "Run folder [runs/FOLDER-OF-CONFIG/NAME-OF-CONFIG]");
  command->add_flag("--resume", arguments->resume,
                    "Continue the run in the folder from its last checkpoint, bit for bit; may change train.steps or "
                    "epochs, data.on_corrupt, workers and slots, and how often it logs and saves");
  command->add_flag("--allow-different-bits", arguments->allow_different_bits,
                    "Resume also with another library, instruction set or number of threads; the log records it");
  command->add_flag("--quiet", arguments->quiet, "No progress line");
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  command->footer(
      "The run folder receives config.yaml (every value resolved), git.txt, log.jsonl (one JSON object a line) and\n"
      "checkpoints/ (safetensors: the last ones and the best). Ctrl-C writes a checkpoint first; a second one,\n"
      "half a second later or more, does not wait for it.");
  command->callback([arguments, &exit_code] {
    cpu::bound_spinning();
    exit_code = run_in_group([&](Group& group) { return run_train(*arguments, group); });
  });
}

}  // namespace bn
