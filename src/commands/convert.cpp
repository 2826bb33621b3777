#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "bn/cpu_backend.hpp"
#include "bn/exchange.hpp"
#include "bn/models.hpp"
#include "commands/commands.hpp"
#include "commands/trained_model.hpp"
#include "run/safetensors.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

struct ConvertArguments {
  std::string in, out, names, config;
  std::string which = "best";
};

// The names of the classes, and their words, are metadata of a line each, by index.
constexpr const char *kClasses = "classes", *kClassWords = "class_words";

std::string to_lines(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, "\n")); }

std::vector<std::string> from_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

// Returns nothing where the file has no names, or, with a message, where it does not have one for each class.
std::vector<std::string> names_in(const PytorchMetadata& metadata, const char* key, int64_t classes,
                                  const std::string& path) {
  const auto found = std::ranges::find_if(metadata, [&](const auto& item) { return item.first == key; });
  if (found == metadata.end() || found->second.empty()) return {};
  std::vector<std::string> names = from_lines(found->second);
  if (static_cast<int64_t>(names.size()) == classes) return names;
  tell(fmt::format("{}: its metadata '{}' has {} lines, and the network has {} classes: they are left out\n", path, key,
                   names.size(), classes));
  return {};
}

// PyTorch's file does not say what else a checkpoint records, such as the images of the training.
Provenance made_of(const PytorchMetadata& metadata, int64_t classes, const std::string& path) {
  Provenance made_of{.classes = names_in(metadata, kClasses, classes, path)};
  if (!made_of.classes.empty()) {
    made_of.class_words = names_in(metadata, kClassWords, classes, path);
  } else {
    tell(path + ": it names no classes, so the checkpoint has numbers alone\n");
  }
  return made_of;
}

void to_pytorch(const ConvertArguments& arguments) {
  TrainedModel model = read_model(arguments.in, arguments.which);
  expect_replaceable("OUT", arguments.out, {model.checkpoint}, is_safetensors_of_ours);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  load_parameters(model, *backend);
  const DataOptions& data = model.config.data;
  // The file has its channels in the opposite order.
  const std::vector<double> mean(data.mean.rbegin(), data.mean.rend()), std(data.std.rbegin(), data.std.rend());
  PytorchMetadata metadata{{"format", "pt"},
                           {"input_space", "BGR"},
                           {"input_range", "0 1"},
                           {"mean", fmt::format("{}", fmt::join(mean, " "))},
                           {"std", fmt::format("{}", fmt::join(std, " "))},
                           {"eps", fmt::to_string(model.config.model.batch_norm.eps)},
                           {"config", model.info.config}};
  if (data.trained_classes.empty()) {
    tell(model.checkpoint + ": it names no classes, so the file has numbers alone\n");
  } else {
    metadata.emplace_back(kClasses, to_lines(data.trained_classes));
    const std::vector<std::string>& words = model.info.provenance->class_words;
    if (!words.empty()) metadata.emplace_back(kClassWords, to_lines(words));
  }
  write_pytorch(arguments.out, *model.parameters, model.weights, metadata);
}

void to_bninception(const ConvertArguments& arguments) {
  if (arguments.config.empty()) {
    throw ConfigError(
        "--names bninception needs --config FILE, the experiment that describes the network, such as "
        "imagenet/public_bn_inception.yaml");
  }
  expect_replaceable("OUT", arguments.out, {arguments.in}, is_safetensors_of_ours);
  const Config config = load_config(arguments.config);
  const Net net = build_network(config.model);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  Parameters parameters(net, *backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak);
  const PytorchMetadata metadata = read_pytorch(arguments.in, parameters);
  save_checkpoint(arguments.out, parameters, {}, to_yaml(config), made_of(metadata, net.classes(), arguments.in));
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
  add_checkpoint_option(*command, arguments->which);
  command->footer(
      "PyTorch's names are those of the public BN-Inception (Cadene's pretrained-models.pytorch): it reads BGR, and "
      "its\n"
      "convolutions have biases, which become part of the means. F32, F16, BF16 and F64 are read; F32 is written.\n"
      "The metadata 'classes' and 'class_words' hold the names of the classes, a line each, both ways. A program that\n"
      "changes the file should keep them, and leave 'checksum' out.");
  command->callback([arguments, &exit_code] {
    expect_open_output();
    arguments->names == "pytorch" ? to_pytorch(*arguments) : to_bninception(*arguments);
    // Where it is standard output, a line would be part of the file.
    if (!is_descriptor(arguments->out)) print(arguments->out + "\n");
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
