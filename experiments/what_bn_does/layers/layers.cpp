// Trains a network without batch normalisation, with it, and with noise behind it, and watches the layers: how far the
// moments of each nonlinearity's input move from step to step, how long the weights are, and what happens in the
// trained network when a layer's weights are multiplied by a number, or when it is evaluated by the statistics of the
// very images that it is evaluated on. Prints tables in Markdown, and with --csv every value.
//
// The noise moves each channel's mean and spread in every training step anew: a step computes with beta + noise * a and
// gamma * exp(noise * b), where a and b are drawn from N(0, 1) for each channel. The gradients found there update beta
// and gamma themselves, and evaluation has no noise.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <ranges>
#include <span>

#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/loader.hpp"
#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "bn/schedule.hpp"
#include "bn/training_step.hpp"

namespace bn {
namespace {

struct Arm {
  std::string name;
  std::string normalization;
  double noise = 0;
};

struct Settings {
  std::string config, csv;
  std::vector<std::string> overrides;
  double noise = 1;
  int64_t seeds = 5, every = 100, images = 1000;
};

// The moments of each channel of one op's output.
struct Moments {
  std::vector<double> mean, deviation;
};

Moments moments_of(const Tensor& x) {
  const int64_t channels = x.shape.c, rows = x.shape.elements() / channels;
  Moments moments{std::vector<double>(channels), std::vector<double>(channels)};
  const auto* values = static_cast<const float*>(x.data);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < channels; ++c) moments.mean[c] += values[row * x.row_stride + c];
  }
  for (double& mean : moments.mean) mean /= static_cast<double>(rows);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < channels; ++c) {
      moments.deviation[c] += std::pow(values[row * x.row_stride + c] - moments.mean[c], 2);
    }
  }
  for (double& deviation : moments.deviation) deviation = std::sqrt(deviation / static_cast<double>(rows));
  return moments;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// How far a layer's moments move: medians over the channels. Dead channels, which never vary, have no part.
struct Move {
  double mean = 0;    // |difference of the means| / deviation
  double spread = 0;  // |difference of the deviations| / deviation
};
Move move(const Moments& before, const Moments& after) {
  std::vector<double> means, spreads;
  for (size_t c = 0; c < before.mean.size(); ++c) {
    if (before.deviation[c] == 0) continue;
    means.push_back(std::abs(after.mean[c] - before.mean[c]) / before.deviation[c]);
    spreads.push_back(std::abs(after.deviation[c] - before.deviation[c]) / before.deviation[c]);
  }
  return {.mean = median(std::move(means)), .spread = median(std::move(spreads))};
}

// What was seen of a layer, named by its nonlinearity, over a training.
struct Layer {
  Move move{};             // mean over the measured steps
  double weights = 0;      // |W| at the end, over |W| at the start
  double rate_growth = 0;  // the effective rate, learning rate / |W|^2, at the end, over that at the start
};

// Images in a batch whose own statistics evaluate it.
constexpr std::array<int64_t, 4> kOwnImages{2, 10, 100, 1000};

struct Outcome {
  double early = 0, last = 0;  // validation top-1 after a tenth of the training, and at its end
  std::map<std::string, Layer> layers{};
  // In the trained network with one layer's weights times 10, the largest over the layers: the distance of the logits
  // from those before, and of ten times the weights' gradient from the gradient before, over their lengths.
  double logits_change = 0, gradient_change = 0;
  std::vector<double> own{};  // validation top-1 at the end by batches of kOwnImages; empty where that has no meaning
};

class Training {
 public:
  Training(const Config& config, Backend& backend, const Arm& arm, const Settings& settings)
      : config_(config),
        backend_(backend),
        settings_(settings),
        arm_(arm),
        set_(open_dataset(config.data, Split::kTrain)),
        validation_set_(open_dataset(config.data, Split::kValidation)),
        net_(build_network(config.model)),
        parameters_(net_, backend, config.train.l2_scope, false),
        normalization_(normalization_of(config.data)),
        loader_(*set_, config.data, {.batch = config.train.batch, .seed = config.train.seed}),
        plan_(compile(net_, parameters_, backend, {.batch = config.train.batch})),
        watching_(compile(net_, parameters_, backend, watching_options())),
        statistics_(
            compile(net_, parameters_, backend, {.batch = config.train.batch, .purpose = Purpose::kStatistics})),
        evaluation_(compile(net_, parameters_, backend,
                            {.batch = config.train.evaluate_batch, .purpose = Purpose::kEvaluateFolded})),
        step_(
            plan_, parameters_, backend,
            {.sgd = {.momentum = static_cast<float>(config.train.momentum), .l2 = static_cast<float>(config.train.l2)},
             .statistics = false}) {
    parameters_.initialize(config.train.seed, config.train.init);
    plan_.pack();
    Loader first(*set_, config.data, {.batch = settings.images, .seed = 1});
    Batch batch;
    first.next(batch);
    backend.load_images(watching_.images(), batch.images, normalization_);
  }

  Outcome run(std::ostream* csv) {
    const RunLength length = this->length();
    Outcome outcome;
    const std::map<std::string, double> first_weights = weight_lengths();
    const double first_rate = learning_rate(config_.train.learning_rate, 0, length);
    double rate = first_rate;
    for (int64_t step = 0; step < length.steps; ++step) {
      rate = learning_rate(config_.train.learning_rate, step, length);
      const bool is_watched = (step + 1) % settings_.every == 0;
      std::map<std::string, Moments> before;
      if (is_watched) before = look(step);
      train_step(step, rate);
      if (is_watched) compare(step, rate, before, outcome, csv);
      if (step + 1 == length.steps / 10) outcome.early = evaluate_now();
    }
    outcome.last = evaluate_now();
    outcome.own = evaluate_by_own_statistics();
    const int64_t looks = length.steps / settings_.every;
    const auto measured = static_cast<double>(looks);
    const std::map<std::string, double> weights = weight_lengths();
    for (auto& [name, layer] : outcome.layers) {
      layer.move.mean /= measured;
      layer.move.spread /= measured;
      layer.weights = weights.at(weight_before(name)) / first_weights.at(weight_before(name));
      layer.rate_growth = rate / first_rate / (layer.weights * layer.weights);
    }
    scale_weights(outcome);
    return outcome;
  }

 private:
  RunLength length() const {
    const int64_t steps_per_epoch = loader_.batches_per_epoch();
    return {.steps_per_epoch = steps_per_epoch, .steps = config_.train.steps_of_run(steps_per_epoch)};
  }

  std::vector<const Node*> nonlinearities() const {
    std::vector<const Node*> nodes;
    for (const Node& node : net_.nodes()) {
      if (std::holds_alternative<Activate>(node.spec)) nodes.push_back(&node);
    }
    return nodes;
  }
  const std::string& input_of(const Node& node) const {
    return net_.values()[static_cast<size_t>(node.inputs[0].index)].name;
  }
  PlanOptions watching_options() const {
    PlanOptions options{.batch = settings_.images,
                        .purpose = Purpose::kStatistics,
                        .passes = {.fuse_activation = false, .eliminate_concat = false},
                        .keep = {"images"}};
    for (const Node* node : nonlinearities()) options.keep.push_back(input_of(*node));
    return options;
  }

  // The weights whose products a nonlinearity gets: "hidden1/linear/w" for "hidden1/act".
  std::string weight_before(const std::string& nonlinearity) const {
    const std::string row = nonlinearity.substr(0, nonlinearity.rfind('/') + 1);
    for (const ParameterInfo& parameter : net_.parameters()) {
      if (parameter.spec.role == ParameterRole::kWeight && parameter.name.rfind(row, 0) == 0 &&
          parameter.name.find('/', row.size()) == parameter.name.rfind('/')) {
        return parameter.name;
      }
    }
    throw ConfigError(nonlinearity + " follows no weights");
  }
  std::map<std::string, double> weight_lengths() const {
    std::map<std::string, double> lengths;
    for (size_t i = 0; i < net_.parameters().size(); ++i) {
      if (net_.parameters()[i].spec.role != ParameterRole::kWeight) continue;
      const std::span<float> values = values_of(parameters_.value(static_cast<int>(i)));
      double sum = 0;
      for (const float value : values) sum += static_cast<double>(value) * value;
      lengths[net_.parameters()[i].name] = std::sqrt(sum);
    }
    return lengths;
  }
  static std::span<float> values_of(const Tensor& tensor) {
    return {static_cast<float*>(tensor.data), static_cast<size_t>(tensor.shape.elements())};
  }

  void load_next() {
    Batch batch;
    loader_.next(batch);
    backend_.load_images(plan_.images(), batch.images, normalization_);
    plan_.set_labels(batch.labels);
  }

  void train_step(int64_t step, double rate) {
    load_next();
    const StepScalars scalars{.step = static_cast<uint64_t>(step), .learning_rate = static_cast<float>(rate)};
    const std::vector<std::vector<float>> kept = make_noise(step);
    step_.run_part(scalars);
    restore(kept);
    step_.run_update();
    if (plan_.first_bad_step() >= 0) throw DivergedError(fmt::format("{} diverged at step {}", arm_.name, step));
  }

  // The values without the noise.
  std::vector<std::vector<float>> make_noise(int64_t step) {
    std::vector<std::vector<float>> kept;
    if (arm_.noise == 0) return kept;
    RandomStream random(config_.train.seed ^ 0x4e4f495345ULL, static_cast<uint64_t>(step));
    for (size_t i = 0; i < net_.parameters().size(); ++i) {
      const ParameterRole role = net_.parameters()[i].spec.role;
      if (role != ParameterRole::kGamma && role != ParameterRole::kBeta) continue;
      const std::span<float> values = values_of(parameters_.value(static_cast<int>(i)));
      kept.emplace_back(values.begin(), values.end());
      for (float& value : values) {
        const auto drawn = static_cast<float>(arm_.noise * random.normal());
        value = role == ParameterRole::kGamma ? value * std::exp(drawn) : value + drawn;
      }
    }
    return kept;
  }
  void restore(const std::vector<std::vector<float>>& kept) {
    size_t next = 0;
    for (size_t i = 0; i < net_.parameters().size() && !kept.empty(); ++i) {
      const ParameterRole role = net_.parameters()[i].spec.role;
      if (role != ParameterRole::kGamma && role != ParameterRole::kBeta) continue;
      std::ranges::copy(kept[next++], values_of(parameters_.value(static_cast<int>(i))).begin());
    }
  }

  // The moments that the layers' inputs have in this step, over the same images each time.
  std::map<std::string, Moments> look(int64_t step) {
    const std::vector<std::vector<float>> kept = make_noise(step);
    watching_.pack();
    watching_.begin({.step = static_cast<uint64_t>(step)});
    watching_.forward();
    restore(kept);
    std::map<std::string, Moments> moments;
    for (const Node* node : nonlinearities()) moments[node->name] = moments_of(watching_.output(input_of(*node)));
    return moments;
  }

  // How far the moments have moved in the step, with the noise of each time.
  void compare(int64_t step, double rate, const std::map<std::string, Moments>& before, Outcome& outcome,
               std::ostream* csv) {
    const std::map<std::string, double> weights = weight_lengths();
    for (const auto& [name, after] : look(step + 1)) {
      const Move moved = move(before.at(name), after);
      outcome.layers[name].move.mean += moved.mean;
      outcome.layers[name].move.spread += moved.spread;
      const double weight = weights.at(weight_before(name));
      if (csv != nullptr) {
        fmt::print(*csv, "{},{},{},{},{:.6g},{:.6g},{:.6g},{:.6g}\n", arm_.name, config_.train.seed, step + 1, name,
                   moved.mean, moved.spread, weight, rate / (weight * weight));
      }
    }
  }

  double evaluate_now() {
    estimate_population(statistics_, parameters_, backend_, *set_, config_.data, config_.train.statistics_batches,
                        config_.train.seed);
    return evaluate(evaluation_, backend_, *validation_set_, config_.data).top1;
  }

  // Dropout would be at work in such a plan, and each batch must be whole.
  std::vector<double> evaluate_by_own_statistics() {
    std::vector<double> scores;
    const bool drops =
        std::ranges::any_of(net_.nodes(), [](const Node& node) { return std::holds_alternative<Dropout>(node.spec); });
    if (arm_.normalization == "none" || drops) return scores;
    for (const int64_t images : kOwnImages) {
      if (validation_set_->size() % images != 0) return {};
      Plan plan = compile(net_, parameters_, backend_, {.batch = images, .purpose = Purpose::kStatistics});
      scores.push_back(evaluate(plan, backend_, *validation_set_, config_.data).top1);
    }
    return scores;
  }

  // Logits and a weight's gradient over the batch that was loaded last.
  std::pair<std::vector<float>, std::vector<float>> compute(int weight) {
    plan_.pack();
    plan_.begin({});
    plan_.forward();
    plan_.backward();
    const std::span<float> logits = values_of(plan_.logits()), gradient = values_of(parameters_.gradient(weight));
    return {{logits.begin(), logits.end()}, {gradient.begin(), gradient.end()}};
  }

  // Paper: sec. 3.3, BN(Wu) = BN((aW)u), and the gradient of aW is 1/a of W's.
  void scale_weights(Outcome& outcome) {
    constexpr float kFactor = 10;
    for (const Node* node : nonlinearities()) {
      const std::string name = weight_before(node->name);
      const auto found = std::ranges::find(net_.parameters(), name, &ParameterInfo::name);
      const auto weight = static_cast<int>(found - net_.parameters().begin());
      const auto [logits, gradient] = compute(weight);
      const std::span<float> values = values_of(parameters_.value(weight));
      const std::vector<float> kept(values.begin(), values.end());
      for (float& value : values) value *= kFactor;
      auto [scaled_logits, scaled_gradient] = compute(weight);
      std::ranges::copy(kept, values.begin());
      for (float& value : scaled_gradient) value *= kFactor;
      outcome.logits_change = std::max(outcome.logits_change, distance(logits, scaled_logits));
      outcome.gradient_change = std::max(outcome.gradient_change, distance(gradient, scaled_gradient));
    }
    plan_.pack();
  }
  // Relative to the first.
  static double distance(const std::vector<float>& first, const std::vector<float>& second) {
    double difference = 0, length = 0;
    for (size_t i = 0; i < first.size(); ++i) {
      difference += std::pow(static_cast<double>(second[i]) - first[i], 2);
      length += std::pow(static_cast<double>(first[i]), 2);
    }
    return std::sqrt(difference / length);
  }

  const Config& config_;
  Backend& backend_;
  const Settings& settings_;
  Arm arm_;
  std::unique_ptr<Dataset> set_, validation_set_;
  Net net_;
  Parameters parameters_;
  ImageNormalization normalization_;
  Loader loader_;
  Plan plan_, watching_, statistics_, evaluation_;
  TrainingStep step_;
};

// "1.23 [1.20, 1.26]": the mean and its 95 % interval by Student's t.
std::string interval(const std::vector<double>& values, int digits) {
  constexpr std::array kQuantiles{0.0, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  const auto count = static_cast<double>(values.size());
  double mean = 0, sum = 0;
  for (const double value : values) mean += value / count;
  for (const double value : values) sum += (value - mean) * (value - mean);
  if (values.size() < 2) return fmt::format("{:.{}f}", mean, digits);
  const double half = kQuantiles.at(values.size() - 1) * std::sqrt(sum / (count - 1) / count);
  return fmt::format("{:.{}f} [{:.{}f}, {:.{}f}]", mean, digits, mean - half, digits, mean + half, digits);
}

template <typename Get>
std::string interval_of(const std::vector<Outcome>& outcomes, Get get, int digits) {
  std::vector<double> values;
  for (const Outcome& outcome : outcomes) values.push_back(get(outcome));
  return interval(values, digits);
}

void print_tables(const std::vector<std::pair<Arm, std::vector<Outcome>>>& arms) {
  fmt::print(
      "| network | top-1 after a tenth of the training, % | at the end, % | with one layer's weights times 10 the "
      "logits change by, % | 10 times its gradient, % |\n|---|---|---|---|---|\n");
  for (const auto& [arm, outcomes] : arms) {
    fmt::print("| {} | {} | {} | {} | {} |\n", arm.name,
               interval_of(
                   outcomes, [](const Outcome& o) { return 100 * o.early; }, 1),
               interval_of(
                   outcomes, [](const Outcome& o) { return 100 * o.last; }, 1),
               interval_of(
                   outcomes, [](const Outcome& o) { return 100 * o.logits_change; }, 2),
               interval_of(
                   outcomes, [](const Outcome& o) { return 100 * o.gradient_change; }, 2));
  }
  fmt::print(
      "\n| network | layer | its input's mean moves in a step, in deviations | its deviation, in deviations | "
      "weights' length, end / start | effective rate, end / start |\n|---|---|---|---|---|---|\n");
  for (const auto& [arm, outcomes] : arms) {
    for (const auto& [name, first] : outcomes.front().layers) {
      const auto layer = [&wanted = name](const Outcome& outcome) { return outcome.layers.at(wanted); };
      fmt::print("| {} | {} | {} | {} | {} | {} |\n", arm.name, name,
                 interval_of(
                     outcomes, [&](const Outcome& o) { return layer(o).move.mean; }, 5),
                 interval_of(
                     outcomes, [&](const Outcome& o) { return layer(o).move.spread; }, 5),
                 interval_of(
                     outcomes, [&](const Outcome& o) { return layer(o).weights; }, 2),
                 interval_of(
                     outcomes, [&](const Outcome& o) { return layer(o).rate_growth; }, 4));
    }
  }
  const auto has_own = [](const auto& arm) { return !arm.second.front().own.empty(); };
  if (std::ranges::none_of(arms, has_own)) return;
  fmt::print("\n| network | images whose own statistics evaluate them | top-1 at the end, % |\n|---|---|---|\n");
  for (const auto& [arm, outcomes] : arms) {
    for (size_t i = 0; i < outcomes.front().own.size(); ++i) {
      fmt::print("| {} | {} | {} |\n", arm.name, kOwnImages[i],
                 interval_of(
                     outcomes, [i](const Outcome& o) { return 100 * o.own[i]; }, 1));
    }
  }
}

void run(const Settings& settings) {
  const std::array arms{Arm{.name = "plain", .normalization = "none"}, Arm{.name = "bn", .normalization = "batch"},
                        Arm{.name = "bn_noise", .normalization = "batch", .noise = settings.noise}};
  std::ofstream csv;
  if (!settings.csv.empty()) {
    csv.open(settings.csv);
    fmt::print(csv, "arm,seed,step,layer,mean_move,spread_move,weights,effective_rate\n");
  }
  std::vector<std::pair<Arm, std::vector<Outcome>>> outcomes;
  for (const Arm& arm : arms) {
    outcomes.emplace_back(arm, std::vector<Outcome>());
    for (int64_t seed = 1; seed <= settings.seeds; ++seed) {
      std::vector<std::string> overrides = settings.overrides;
      overrides.push_back("model.normalization=" + arm.normalization);
      overrides.push_back(fmt::format("train.seed={}", seed));
      const Config config = load_config(settings.config, overrides);
      if (config.precision != DType::kF32) throw ConfigError("precision: this program reads f32 only");
      CpuOptions cpu = config.cpu;
      cpu.threads = config.threads == 0 ? 1 : static_cast<int>(config.threads);
      const std::unique_ptr<Backend> backend = make_cpu_backend(cpu);
      outcomes.back().second.push_back(Training(config, *backend, arm, settings).run(csv.is_open() ? &csv : nullptr));
      fmt::print(stderr, "{} seed {}: {:.2f} %\n", arm.name, seed, 100 * outcomes.back().second.back().last);
    }
  }
  if (csv.is_open() && !csv.flush()) throw StorageError("cannot write " + settings.csv);
  print_tables(outcomes);
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  bn::Settings settings;
  CLI::App app{
      "Watches the layers of a network in training: plain, with batch normalisation, and with noise behind it"};
  app.add_option("config", settings.config, "An experiment in f32 on the CPU")->required();
  app.add_option("--set", settings.overrides, "Override one value: key.path=value; may be repeated");
  app.add_option("--csv", settings.csv, "A file for every value");
  app.add_option("--noise", settings.noise, "Its deviation")->capture_default_str();
  app.add_option("--seeds", settings.seeds)->check(CLI::Range(1, 10))->capture_default_str();
  app.add_option("--every", settings.every, "Steps between two looks")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--images", settings.images, "Images to look with")->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    bn::run(settings);
    return 0;
  } catch (const bn::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
