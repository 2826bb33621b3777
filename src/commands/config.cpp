#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bn/dataset.hpp"
#include "bn/models.hpp"
#include "bn/schedule.hpp"
#include "commands/commands.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

void show(const Config& config) {
  const Net net = build_network(config.model);
  print(fmt::format("# {} parameters ({} convolution and linear weights), {:.3f} G multiply-adds per image\n{}",
                    net.parameter_count(), net.weight_count(), static_cast<double>(net.multiply_adds()) / 1e9,
                    to_yaml(config)));
}

void show_shapes(const Config& config) {
  const Net net = build_network(config.model);
  for (const Node& node : net.nodes()) {
    const Shape& shape = net.values()[static_cast<size_t>(node.output.index)].shape;
    print(fmt::format("{:<40} {:<36} {}x{}x{}\n", node.name, describe(node.spec), shape.h, shape.w, shape.c));
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

constexpr int64_t kRows = 12;
constexpr int64_t kLabel = 9;  // characters of a rate beside the chart

double epoch_of(int64_t step, const RunLength& length) {
  return static_cast<double>(step) / static_cast<double>(length.steps_per_epoch);
}

// The rate of each column's first step, so that the chart begins with the run.
std::vector<double> sample(const LearningRateOptions& options, const RunLength& length, int64_t count) {
  std::vector<double> rates;
  for (int64_t i = 0; i < count; ++i) rates.push_back(learning_rate(options, i * length.steps / count, length));
  return rates;
}

// "0" at the left, the epochs of the run at the right, and a unit between them.
std::string axis_labels(const RunLength& length, int64_t width) {
  const std::string last = fmt::format("{:.4g}", epoch_of(length.steps, length));
  const int64_t between = width - 1 - static_cast<int64_t>(last.size());
  return fmt::format("{:>{}}{:^{}}{}\n", "0", kLabel + 3, "epochs", between, last);
}

// The first and the last step, the first one after the warm-up, and quarters of the run: enough to check by hand.
std::string table(const LearningRateOptions& options, const RunLength& length) {
  const double warmup = options.warmup_epochs * static_cast<double>(length.steps_per_epoch);
  const int64_t last = length.steps - 1, warm = std::min(static_cast<int64_t>(std::ceil(warmup)), last);
  const std::set<int64_t> steps{0, warm, length.steps / 4, length.steps / 2, length.steps * 3 / 4, last};
  std::string text = fmt::format("{:>12} {:>9} {:>12}\n", "step", "epoch", "rate");
  for (const int64_t step : steps) {
    text +=
        fmt::format("{:>12} {:>9.2f} {:>12.4g}\n", step, epoch_of(step, length), learning_rate(options, step, length));
  }
  return text;
}

// Lines of at most `columns` characters: a chart of the rate against the step, and the rates of some steps as numbers.
std::string schedule_chart(const LearningRateOptions& options, const RunLength& length, int64_t columns) {
  const int64_t width = std::clamp<int64_t>(columns - kLabel - 2, 10, 200);
  const std::vector<double> rates = sample(options, length, std::min(width, length.steps));
  const double highest = *std::ranges::max_element(rates);
  std::string text = fmt::format("{} steps, {} an epoch\n", length.steps, length.steps_per_epoch);
  for (int64_t row = kRows; row > 0; --row) {
    const bool is_labelled = row == kRows || row == kRows / 2;
    const double level = highest * static_cast<double>(row) / kRows;
    std::string line = is_labelled ? fmt::format("{:>{}.3g} |", level, kLabel) : fmt::format("{:>{}} |", "", kLabel);
    for (int64_t column = 0; column < width; ++column) {
      const double rate = rates[static_cast<size_t>(column * static_cast<int64_t>(rates.size()) / width)];
      line += std::lround(rate / highest * kRows) >= row ? '#' : ' ';
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  text += fmt::format("{:>{}} +{:-<{}}\n", 0, kLabel, "", width);
  return text + axis_labels(length, width) + table(options, length);
}

void show_schedule(const Config& config, int64_t images) {
  const RunLength length = length_of(config, images);
  expect_schedule_fits(config.train.learning_rate, length);
  print(schedule_chart(config.train.learning_rate, length, output_columns(80)));
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
    expect_open_output();
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
    expect_open_output();
    for (const std::string& line : diff(load_config(pair->first), load_config(pair->second))) print(line + "\n");
  });

  CLI::App* keys_command =
      command->add_subcommand("keys", "List every key with what it expects, its default and meaning");
  auto prefixes = std::make_shared<std::vector<std::string>>();
  keys_command->add_option("prefixes", *prefixes, "Only these keys and those inside them, such as train.learning_rate");
  keys_command->callback([prefixes] {
    expect_open_output();
    print(config_help(*prefixes));
  });

  CLI::App* schema_command = command->add_subcommand(
      "schema", "Print a JSON Schema of the keys, for editors; configs/schema.json is this one");
  schema_command->callback([] {
    expect_open_output();
    print(config_schema());
  });

  auto checked = std::make_shared<std::vector<std::string>>();
  CLI::App* check_command = command->add_subcommand("check", "Read configurations and build their networks");
  check_command->add_option("configs", *checked, "YAML files")->required();
  check_command->callback([checked, &exit_code] {
    expect_open_output();
    for (const std::string& path : *checked) {
      try {
        build_network(load_config(path).model);
        print(path + ": fine\n");
      } catch (const Error& error) {
        tell(fmt::format("error: {}\n", error.what()));
        if (exit_code == ExitCode::kSuccess) exit_code = error.exit_code();
      }
    }
  });
}

}  // namespace bn
