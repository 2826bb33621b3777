#include "bn/evaluate.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bn/train.hpp"
#include "commands/commands.hpp"

namespace bn {
namespace {

struct EvaluateArguments {
  std::string path;
  std::vector<std::string> data;
  std::string which = "best";
  bool unfolded = false;
  bool json = false;
};

std::string checkpoint_of(const EvaluateArguments& arguments) {
  if (!std::filesystem::exists(arguments.path)) throw CheckpointError(arguments.path + ": no such file or folder");
  if (!std::filesystem::is_directory(arguments.path)) return arguments.path;
  const RunFolder folder(arguments.path);
  if (arguments.which == "best" && std::filesystem::exists(folder.best_path())) return folder.best_path();
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  if (steps.empty()) throw CheckpointError(arguments.path + ": the run folder holds no checkpoint");
  return folder.checkpoint_path(steps.back());
}

ExitCode run_evaluate(const EvaluateArguments& arguments) {
  const std::string checkpoint = checkpoint_of(arguments);
  Config config = parse_config(read_checkpoint_info(checkpoint).config, checkpoint);
  if (!arguments.data.empty()) {
    config.data.validation = arguments.data;
    check(config);
  }
  const std::unique_ptr<Backend> backend = make_backend(config);
  const bool averaged = config.train.average == AverageKind::kPolyak;
  const Net net = build_network(config.model);
  Parameters parameters(net, *backend, config.train.l2_scope, averaged);
  const CheckpointInfo info = load_checkpoint(checkpoint, parameters);
  const std::unique_ptr<Dataset> dataset = open_dataset(config.data, Split::kValidation);
  Plan plan = compile(net, parameters, *backend,
                      {.batch = config.train.evaluate_batch,
                       .purpose = arguments.unfolded ? Purpose::kEvaluate : Purpose::kEvaluateFolded,
                       .activations = config.precision,
                       .weights = averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
                       .passes = config.passes,
                       .keep = {}});
  const EvaluationResult result = evaluate(plan, *backend, *dataset, config.data);
  if (arguments.json) {
    const nlohmann::json object = {{"checkpoint", checkpoint},
                                   {"step", info.progress.step},
                                   {"images", result.images},
                                   {"skipped", result.skipped},
                                   {"skipped_names", result.skipped_names},
                                   {"loss", result.loss},
                                   {"top1", result.top1},
                                   {"top5", result.top5},
                                   {"seconds", result.seconds},
                                   {"backend", backend->name()}};
    std::printf("%s\n", object.dump().c_str());
  } else {
    std::printf("%s, step %ld: top-1 %.2f %%, top-5 %.2f %%, loss %.4f over %ld images (%ld skipped), %.0f images/s\n",
                checkpoint.c_str(), static_cast<long>(info.progress.step), 100 * result.top1, 100 * result.top5,
                result.loss, static_cast<long>(result.images), static_cast<long>(result.skipped),
                static_cast<double>(result.images) / result.seconds);
  }
  return ExitCode::kSuccess;
}

}  // namespace

void add_evaluate_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<EvaluateArguments>();
  CLI::App* command = app.add_subcommand("evaluate", "Validation accuracy of a run or checkpoint");
  command->add_option("run", arguments->path, "A run folder or a .safetensors checkpoint")->required();
  command->add_option("--data", arguments->data,
                      "Validation data instead of the run's own: paths as in data.validation");
  command->add_option("--checkpoint", arguments->which, "Of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  command->add_flag("--unfolded", arguments->unfolded, "Do not fold batch normalisation into the weights");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->footer("Fails unless every image of the set was scored exactly once.");
  command->callback([arguments, &exit_code] { exit_code = run_evaluate(*arguments); });
}

}  // namespace bn
