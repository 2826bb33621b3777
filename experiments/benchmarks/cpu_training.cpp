// How near training on the CPU comes to the time that its convolutions alone take, what the loader adds, and how the
// time of a step grows with the batch. For cpu_training.sh; prints lines of "NAME VALUE", times in milliseconds. Things
// to be compared are measured in turns, so that noise on the machine meets both.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "benchmark.hpp"
#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/evaluate.hpp"
#include "bn/loader.hpp"
#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "bn/training_step.hpp"
#include "convolutions_alone.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void print(const std::string& name, double value) { fmt::print("{} {:.4g}\n", name, value); }

// Network, parameters and a plan to train it, as `bninception train` has them.
class Training {
 public:
  Training(const Config& config, Backend& backend)
      : config_(config),
        backend_(backend),
        net_(build_network(config.model)),
        parameters_(net_, backend, config.train.l2_scope, false),
        normalization_(normalization_of(config.data)),
        plan_(compile(net_, parameters_, backend, options(Purpose::kTrain))),
        step_(plan_, parameters_, backend, {.sgd = {.momentum = 0.9F, .l2 = static_cast<float>(config.train.l2)}}) {
    parameters_.initialize(config.train.seed, config.train.init);
    plan_.pack();
    const Shape shape = plan_.images().shape;
    RandomStream random(1, 1);
    pixels_.resize(static_cast<size_t>(shape.elements()));
    for (uint8_t& pixel : pixels_) pixel = static_cast<uint8_t>(random.next());
    labels_.resize(static_cast<size_t>(shape.n));
    for (int32_t& label : labels_) label = static_cast<int32_t>(random.uniform_index(net_.classes()));
    load(dense(pixels_.data(), DType::kU8, shape), labels_.data());
  }

  const Net& net() const { return net_; }
  double megabytes() const {
    const PlanMemory& memory = plan_.memory();
    return 1e-6 * static_cast<double>(memory.activations + memory.scratch + memory.packed);
  }
  PlanOptions options(Purpose purpose) const {
    return {.batch = config_.train.batch,
            .purpose = purpose,
            .activations = config_.precision,
            .passes = config_.passes,
            .keep = {"images"}};  // one batch serves many steps
  }
  Plan evaluation_plan() {
    Plan plan = compile(net_, parameters_, backend_, options(Purpose::kEvaluateFolded));
    backend_.load_images(plan.images(), dense(pixels_.data(), DType::kU8, plan.images().shape), normalization_);
    plan.pack();
    return plan;
  }
  void step() {
    plan_.begin({.step = 1, .learning_rate = 1e-6F, .statistics_weight = 0.01F});
    step_.compute();
  }
  void step(Loader& loader) {
    Batch batch;
    loader.next(batch);
    load(batch.images, batch.labels);
    step();
  }

 private:
  void load(const Tensor& images, const int32_t* labels) {
    backend_.load_images(plan_.images(), images, normalization_);
    plan_.set_labels(labels);
  }

  const Config& config_;
  Backend& backend_;
  Net net_;
  Parameters parameters_;
  ImageNormalization normalization_;
  Plan plan_;
  TrainingStep step_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
};

struct Arguments {
  std::string config{};
  std::vector<std::string> overrides{};
  int64_t rounds = 8;
  bool with_loader = false;
  bool with_rows = false;
  std::string against{};  // an override
  std::vector<int64_t> batches{1, 2, 4, 8, 16, 32, 64, 128, 256};
  std::vector<int64_t> threads{1, 2};

  Config load() const { return load_config(config, overrides); }
};

std::unique_ptr<Backend> make_backend(const Config& config) {
  CpuOptions options = config.cpu;
  options.threads = static_cast<int>(config.threads);
  return make_cpu_backend(options);
}

// How much quicker the 1x1 convolutions' weight gradients are in another form than as a convolution of images, which is
// how the library is usually asked.
void print_weight_gradients(const ConvolutionsAlone& convolutions, Form form, const std::string& name) {
  double least = INFINITY, images = 0, other = 0;
  for (const TimedDirection& direction : convolutions.backward_directions()) {
    if (direction.direction != Direction::kWeightGradient || !direction.is_1x1) continue;
    const double usual = direction.quickest_seconds(Form::kImages), changed = direction.quickest_seconds(form);
    least = std::min(least, usual / changed);
    images += usual;
    other += changed;
  }
  print(name + "_least", least);
  print(name + "_all", images / other);
}

// Every implementation of every direction of every convolution: its least time.
void print_rows(const ConvolutionsAlone& convolutions) {
  for (const auto* directions : {&convolutions.forward_directions(), &convolutions.backward_directions()}) {
    for (const TimedDirection& direction : *directions) {
      for (const Candidate& candidate : direction.candidates) {
        fmt::print("row {} {} {} {} {:.3f}\n", direction.convolution, name_of(direction.direction),
                   name_of(candidate.form), candidate.name, 1e3 * candidate.seconds);
      }
    }
  }
}

// The quickest run of each convolution, repeated on its own so that its data are in cache where they fit: no network
// runs so.
double repeated_seconds(const ConvolutionsAlone& convolutions) {
  double sum = 0;
  for (const auto* directions : {&convolutions.forward_directions(), &convolutions.backward_directions()}) {
    for (const TimedDirection& direction : *directions) sum += direction.candidates[direction.best].seconds;
  }
  return sum;
}

void measure_step(const Arguments& arguments, Backend& backend, const Config& config) {
  Training training(config, backend);
  Plan evaluation = training.evaluation_plan();
  ConvolutionsAlone convolutions(training.net(), backend, config.train.batch, config.precision);
  convolutions.choose(3);
  std::vector<double> steps, forwards, alone, evaluations, step_quotients, evaluation_quotients;
  for (int64_t round = -1; round < arguments.rounds; ++round) {
    const double step = seconds_of([&] { training.step(); });
    const double forward = seconds_of([&] { convolutions.forward(); });
    const double backward = seconds_of([&] { convolutions.backward(); });
    const double evaluated = seconds_of([&] { evaluation.forward(); });
    if (round < 0) continue;  // the first loads code and touches memory
    steps.push_back(step);
    forwards.push_back(forward);
    alone.push_back(forward + backward);
    evaluations.push_back(evaluated);
    step_quotients.push_back(step / alone.back());
    evaluation_quotients.push_back(evaluated / forward);
  }
  print("batch", static_cast<double>(config.train.batch));
  print("step_ms", 1e3 * median(steps));
  print("convolutions_ms", 1e3 * median(alone));
  print("step_quotient", median(step_quotients));
  print("repeated_convolutions_ms", 1e3 * repeated_seconds(convolutions));
  print("forward_convolutions_ms", 1e3 * median(forwards));
  print("evaluation_ms", 1e3 * median(evaluations));
  print("evaluation_quotient", median(evaluation_quotients));
  // Training takes the former on maps of at most 16 pixels, the latter nowhere.
  print_weight_gradients(convolutions, Form::kOneImage, "weight_gradient_one_image");
  print_weight_gradients(convolutions, Form::kProduct, "weight_gradient_product");
  if (arguments.with_rows) print_rows(convolutions);
}

// Blocks of steps on one batch and of steps fed by the loader in turns; no worker is alive during the former.
void measure_loader(const Arguments& arguments, Backend& backend, const Config& config) {
  Training training(config, backend);
  const std::unique_ptr<Dataset> images = open_dataset(config.data, Split::kTrain);
  training.step();
  std::vector<double> resident, loaded, quotients;
  int64_t first_batch = 0;
  for (int64_t round = 0; round < arguments.rounds; ++round) {
    const int64_t count = config.data.slots;
    const auto block = [&](const std::function<void()>& step) {
      return seconds_of([&] {
               for (int64_t i = 0; i < count; ++i) step();
             }) /
             static_cast<double>(count);
    };
    resident.push_back(block([&] { training.step(); }));
    Loader loader(*images, config.data,
                  {.batch = config.train.batch, .split = Split::kTrain, .seed = 1, .first_batch = first_batch});
    block([&] { training.step(loader); });  // uses up the batches made before the first was asked for
    loaded.push_back(block([&] { training.step(loader); }));
    first_batch += 2 * count;
    quotients.push_back(loaded.back() / resident.back());
  }
  print("resident_ms", 1e3 * median(resident));
  print("loaded_ms", 1e3 * median(loaded));
  print("loader_quotient", median(quotients));
}

// The effect of an override: steps with and without it in turns.
void measure_against(const Arguments& arguments, Backend& backend, const Config& config) {
  Arguments changed = arguments;
  changed.overrides.push_back(arguments.against);
  const Config other_config = changed.load();
  if (other_config.threads != config.threads)
    throw Error(ExitCode::kUsage, "--against: a process has one number of threads");
  const std::unique_ptr<Backend> other_backend = make_backend(other_config);
  Training training(config, backend), other(other_config, *other_backend);
  std::vector<double> steps, others, quotients;
  for (int64_t round = -1; round < arguments.rounds; ++round) {
    const double step = seconds_of([&] { training.step(); });
    const double against = seconds_of([&] { other.step(); });
    if (round < 0) continue;
    steps.push_back(step);
    others.push_back(against);
    quotients.push_back(step / against);
  }
  print("step_ms", 1e3 * median(steps));
  print("against_ms", 1e3 * median(others));
  print("quotient", median(quotients));
}

void run_step(const Arguments& arguments) {
  const Config config = arguments.load();
  const std::unique_ptr<Backend> backend = make_backend(config);
  if (!arguments.against.empty()) {
    measure_against(arguments, *backend, config);
  } else {
    arguments.with_loader ? measure_loader(arguments, *backend, config) : measure_step(arguments, *backend, config);
  }
}

// Lines of: threads, batch, ms a step, MB of the plan.
void run_scaling(const Arguments& arguments) {
  for (const int64_t threads : arguments.threads) {
    CpuOptions options = arguments.load().cpu;
    options.threads = static_cast<int>(threads);
    const std::unique_ptr<Backend> backend = make_cpu_backend(options);
    for (const int64_t batch : arguments.batches) {
      Config config = arguments.load();
      config.train.batch = batch;
      Training training(config, *backend);
      training.step();
      std::vector<double> steps;
      for (int64_t round = 0; round < arguments.rounds; ++round) {
        steps.push_back(seconds_of([&] { training.step(); }));
      }
      fmt::print("{} {} {:.4g} {:.0f}\n", threads, batch, 1e3 * median(steps), training.megabytes());
    }
  }
}

void add_config(CLI::App& command, Arguments& arguments) {
  command.add_option("config", arguments.config, "The experiment: a YAML file")->required();
  command.add_option("--set", arguments.overrides, "Override one value")->take_all()->allow_extra_args(false);
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  CLI::App app{"Measures training on the CPU; see cpu_training.sh."};
  app.require_subcommand(1);
  bn::Arguments arguments;
  CLI::App* step = app.add_subcommand("step", "A training step against its convolutions, or with the loader");
  CLI::App* scaling = app.add_subcommand("scaling", "Time of a step by batch and threads");
  for (CLI::App* command : {step, scaling}) bn::add_config(*command, arguments);
  step->add_flag("--rows", arguments.with_rows, "Also the time of every implementation of every convolution");
  step->add_flag("--loader", arguments.with_loader, "Resident data against the loader");
  step->add_option("--against", arguments.against, "An override to measure against: plan.passes.fuse_activation=false");
  scaling->add_option("--batch", arguments.batches, "Batch sizes")->capture_default_str();
  scaling->add_option("--threads", arguments.threads, "Numbers of threads")->capture_default_str();
  for (CLI::App* command : {step, scaling}) {
    command->add_option("--rounds", arguments.rounds, "Measurements to take the median of")->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);
  return bn::exit_code_of([&] {
    if (*step) bn::run_step(arguments);
    if (*scaling) bn::run_scaling(arguments);
  });
}
