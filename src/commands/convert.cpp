#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "bn/pytorch.hpp"
#include "commands/commands.hpp"
#include "commands/outputs.hpp"
#include "commands/trained_model.hpp"

namespace bn {
namespace {

struct ConvertArguments {
  std::string in, out, names, config;
  std::string which = "best";
};

// The header's length, then its JSON.
bool is_safetensors(const std::string& beginning) { return beginning.size() > 8 && beginning[8] == '{'; }

void to_pytorch(const ConvertArguments& arguments) {
  TrainedModel model = read_model(arguments.in, arguments.which);
  expect_replaceable("OUT", arguments.out, {model.checkpoint}, is_safetensors);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  load_parameters(model, *backend);
  const DataOptions& data = model.config.data;
  // In the order of the file's channels.
  const std::vector<double> mean(data.mean.rbegin(), data.mean.rend()), std(data.std.rbegin(), data.std.rend());
  write_pytorch(arguments.out, *model.parameters, model.averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
                {{"format", "pt"},
                 {"input_space", "BGR"},
                 {"input_range", "0 1"},
                 {"mean", fmt::format("{}", fmt::join(mean, " "))},
                 {"std", fmt::format("{}", fmt::join(std, " "))},
                 {"eps", fmt::to_string(model.config.model.batch_norm.eps)},
                 {"classes", fmt::format("{}", fmt::join(data.trained_classes, "\n"))},
                 {"config", model.info.config}});
}

void to_bninception(const ConvertArguments& arguments) {
  if (arguments.config.empty()) {
    throw ConfigError(
        "--names bninception needs --config FILE, the experiment that describes the network, such as "
        "imagenet/public_bn_inception.yaml");
  }
  expect_replaceable("OUT", arguments.out, {arguments.in}, is_safetensors);
  const Config config = load_config(arguments.config);
  const Net net = build_network(config.model);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  Parameters parameters(net, *backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak);
  read_pytorch(arguments.in, parameters);
  save_checkpoint(arguments.out, parameters, {}, to_yaml(config));
}

}  // namespace

void add_convert_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<ConvertArguments>();
  CLI::App* command = app.add_subcommand("convert", "Weights from PyTorch and to it, in the names of its BN-Inception");
  command->add_option("in", arguments->in, "A safetensors file; for --names pytorch a run folder or checkpoint")
      ->required();
  command->add_option("out", arguments->out, "The safetensors file to write")->required();
  command->add_option("--names", arguments->names, "Of the tensors in OUT: pytorch, or bninception for a checkpoint")
      ->check(CLI::IsMember({"pytorch", "bninception"}))
      ->required();
  command->add_option("--config", arguments->config, "For --names bninception: the experiment with the network");
  command->add_option("--checkpoint", arguments->which, "Of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  command->footer(
      "PyTorch's names are those of the public BN-Inception (Cadene's pretrained-models.pytorch): it reads BGR, and "
      "its\n"
      "convolutions have biases, which become part of the means. F32, F16, BF16 and F64 are read; F32 is written.");
  command->callback([arguments, &exit_code] {
    if (arguments->names == "pytorch") {
      to_pytorch(*arguments);
    } else {
      to_bninception(*arguments);
    }
    std::printf("%s\n", arguments->out.c_str());
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
