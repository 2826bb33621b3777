#include <fmt/format.h>

#include <cstdio>

#include "bn/dataset.hpp"
#include "bn/models.hpp"
#include "commands/commands.hpp"
#include "commands/config_arguments.hpp"
#include "commands/schedule_chart.hpp"
#include "core/messages.hpp"
#include "core/terminal.hpp"

namespace bn {
namespace {

void show(const Config& config) {
  const Net net = build_network(config.model);
  std::printf("# %ld parameters (%ld convolution and linear weights), %.3f G multiply-adds per image\n",
              static_cast<long>(net.parameter_count()), static_cast<long>(net.weight_count()),
              static_cast<double>(net.multiply_adds()) / 1e9);
  std::printf("%s", to_yaml(config).c_str());
}

void show_shapes(const Config& config) {
  const Net net = build_network(config.model);
  for (const Node& node : net.nodes()) {
    const Shape& shape = net.values()[static_cast<size_t>(node.output.index)].shape;
    std::printf("%-40s %-36s %ldx%ldx%ld\n", node.name.c_str(), describe(node.spec).c_str(), static_cast<long>(shape.h),
                static_cast<long>(shape.w), static_cast<long>(shape.c));
  }
}

// The training set tells how long an epoch is; `images`, where it is above 0, stands in for it.
RunLength length_of(const Config& config, int64_t images) {
  if (images == 0) {
    DataOptions files = config.data;
    files.cache = Cache::kNone;  // the images are counted, not read
    images = open_dataset(files, Split::kTrain)->size();
  }
  const TrainOptions& train = config.train;
  RunLength length{.steps_per_epoch = train.steps_per_epoch(images)};
  if (length.steps_per_epoch < 1) {
    throw ConfigError(fmt::format("train.batch: a batch of {} is larger than the {} training images",
                                  train.parts * train.batch, images));
  }
  length.steps = std::max<int64_t>(train.steps_of_run(length.steps_per_epoch), 1);
  return length;
}

void show_schedule(const Config& config, int64_t images) {
  const RunLength length = length_of(config, images);
  expect_schedule_fits(config.train.learning_rate, length);
  std::printf("%s", schedule_chart(config.train.learning_rate, length, output_columns(80)).c_str());
}

}  // namespace

void add_config_command(CLI::App& app, ExitCode& exit_code) {
  CLI::App* command = app.add_subcommand("config", "Show, compare and check configurations; list their keys");
  command->require_subcommand(1);

  auto shown = std::make_shared<ConfigArguments>();
  auto shapes = std::make_shared<bool>(false);
  CLI::App* show_command = command->add_subcommand("show", "Print the resolved whole, with the network's counts");
  shown->add_to(*show_command);
  show_command->add_flag("--ops", *shapes, "List every op of the network with its output size instead");
  auto schedule = std::make_shared<bool>(false);
  auto images = std::make_shared<int64_t>(0);
  CLI::Option* schedule_flag =
      show_command->add_flag("--schedule", *schedule, "Draw the learning rate over the run instead");
  show_command->add_option("--images", *images, "With --schedule: training images, where the data are not at hand")
      ->check(CLI::PositiveNumber)
      ->needs(schedule_flag);
  show_command->callback([shown, shapes, schedule, images] {
    const Config config = shown->load();
    if (*schedule) return show_schedule(config, *images);
    *shapes ? show_shapes(config) : show(config);
    for (const std::string& warning : shown->warnings()) tell(fmt::format("warning: {}\n", warning));
  });

  auto pair = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* diff_command = command->add_subcommand("diff", "Print what differs between two configurations");
  diff_command->add_option("a", pair->first)->required();
  diff_command->add_option("b", pair->second)->required();
  diff_command->callback([pair] {
    for (const std::string& line : diff(load_config(pair->first), load_config(pair->second))) {
      std::printf("%s\n", line.c_str());
    }
  });

  CLI::App* keys_command =
      command->add_subcommand("keys", "List every key with what it expects, its default and meaning");
  auto prefixes = std::make_shared<std::vector<std::string>>();
  keys_command->add_option("prefixes", *prefixes, "Only these keys and those inside them, such as train.learning_rate");
  keys_command->callback([prefixes] { std::printf("%s", config_help(*prefixes).c_str()); });

  CLI::App* schema_command = command->add_subcommand(
      "schema", "Print a JSON Schema of the keys, for editors; configs/schema.json is this one");
  schema_command->callback([] { std::printf("%s", config_schema().c_str()); });

  auto checked = std::make_shared<std::vector<std::string>>();
  CLI::App* check_command = command->add_subcommand("check", "Read configurations and build their networks");
  check_command->add_option("configs", *checked, "YAML files")->required();
  check_command->callback([checked, &exit_code] {
    for (const std::string& path : *checked) {
      try {
        build_network(load_config(path).model);
        std::printf("%s: fine\n", path.c_str());
      } catch (const Error& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        if (exit_code == ExitCode::kSuccess) exit_code = error.exit_code();
      }
    }
  });
}

}  // namespace bn
