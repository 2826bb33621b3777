#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "bn/training_step.hpp"
#include "commands/commands.hpp"
#include "cpu/bounded_spin.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct ProfileArguments {
  ConfigArguments config;
  int64_t steps = 10;
  bool evaluation = false;
  bool json = false;
  std::string plan_only;  // a description of a GPU
  int64_t processes = 0;  // 0: no model of several
  std::string network = "10GbE";
};

struct OpTime {
  StepInfo info;
  double forward = 0, backward = 0;  // seconds, summed over the steps
};

struct Profile {
  bool evaluation = false;  // forward alone
  std::vector<OpTime> ops;
  double seconds_per_step = 0;                       // whole step on resident data, recorded as in training
  double seconds_per_unrecorded_step = 0;            // the same, op by op
  double update_seconds = 0;                         // statistics, SGD, average and packing of one training step
  double sum_seconds = 0;                            // summing the gradients of two parts
  int64_t gradient_bytes = 0, statistics_bytes = 0;  // that processes exchange
  PlanMemory memory;
};

// Random images and labels: the time of a step does not depend on what they show.
void fill_inputs(Backend& backend, Plan& plan, int64_t classes) {
  const Shape shape = plan.images().shape;
  std::vector<uint8_t> pixels(static_cast<size_t>(shape.elements()));
  RandomStream random(1, 1);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.next());
  std::vector<int32_t> labels(static_cast<size_t>(shape.n));
  for (int32_t& label : labels) label = static_cast<int32_t>(random.uniform_index(classes));
  const auto channels = static_cast<size_t>(shape.c);
  backend.load_images(plan.images(), dense(pixels.data(), DType::kU8, shape),
                      {.mean = std::vector<float>(channels, 127.5F), .scale = std::vector<float>(channels, 1 / 64.0F)});
  plan.set_labels(labels.data());
}

// Counts the bytes that processes exchange, and times the addition of one set of gradients to another, which a process
// does for each part after its first.
void measure_exchanged(const Parameters& parameters, Backend& backend, int64_t steps, Profile& profile) {
  const Tensor slab = parameters.gradient_slab();
  profile.gradient_bytes = slab.bytes();
  profile.statistics_bytes = parameters.batch_state_slab().bytes();
  const std::unique_ptr<Buffer> memory = backend.allocate(slab.bytes());
  const Tensor other = dense(memory->data(), slab.dtype, slab.shape);
  backend.zero(memory->data(), slab.bytes());
  backend.sum(slab, {other, slab});
  backend.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < steps; ++i) backend.sum(slab, {other, slab});
  backend.synchronize();
  profile.sum_seconds = seconds_since(start) / static_cast<double>(steps);
}

// A step of evaluation is the forward pass alone, with batch normalisation folded.
Profile measure(const Config& config, Backend& backend, int64_t steps, bool evaluation) {
  const Net net = build_network(config.model);
  const bool averages = config.train.average == AverageKind::kPolyak;
  Parameters parameters(net, backend, config.train.l2_scope, averages);
  parameters.initialize(config.train.seed, config.train.init);
  Plan plan = compile(net, parameters, backend,
                      {.batch = config.train.batch,
                       .purpose = evaluation ? Purpose::kEvaluateFolded : Purpose::kTrain,
                       .activations = config.precision,
                       .passes = config.passes,
                       .keep = {"images"}});
  fill_inputs(backend, plan, net.classes());
  plan.pack();

  const auto now = [&] {
    backend.synchronize();
    return std::chrono::steady_clock::now();
  };
  const auto seconds = [](auto a, auto b) { return std::chrono::duration<double>(b - a).count(); };
  Profile profile;
  profile.evaluation = evaluation;
  profile.memory = plan.memory();
  TrainingStep step(plan, parameters, backend, {.sgd = {.momentum = 0.9F}, .average = averages});
  const auto compute = [&] { evaluation ? plan.forward() : step.compute(); };
  const auto time_steps = [&](auto&& one_step) {
    const auto start = now();
    for (int64_t i = 0; i < steps; ++i) {
      plan.begin({.step = static_cast<uint64_t>(i),
                  .learning_rate = 1e-6F,
                  .statistics_weight = 0.01F,
                  .average_weight = 0.001F});
      one_step();
    }
    return seconds(start, now()) / static_cast<double>(steps);
  };
  plan.begin({});
  for (int i = 0; i < 2; ++i) compute();
  const std::function<void()> replay = backend.record(compute);
  replay();
  profile.seconds_per_step = time_steps(replay);
  profile.seconds_per_unrecorded_step = time_steps(compute);

  for (const StepInfo& info : plan.steps()) profile.ops.push_back({.info = info});
  plan.set_observer([&](int op, bool is_backward, double time) {
    OpTime& entry = profile.ops[static_cast<size_t>(op)];
    (is_backward ? entry.backward : entry.forward) += time / static_cast<double>(steps);
  });
  time_steps([&] {
    plan.forward();
    if (evaluation) return;
    plan.backward();
    const auto start = now();
    step.update(Gradients::kInParameters);  // as for a step of several parts
    profile.update_seconds += seconds(start, now()) / static_cast<double>(steps);
  });
  if (!evaluation) measure_exchanged(parameters, backend, steps, profile);
  return profile;
}

// --- a model of several processes that train together, from the times of one

struct Network {
  std::string name{};
  double bytes_per_second = 0;  // one process's, in each direction
  double latency = 0;           // seconds from one process's call to the other's answer
};

struct ScaledStep {
  int64_t processes = 1;
  int64_t parts = 1;      // a step's, over all processes
  double exchange = 0;    // seconds
  double step = 0;        // seconds
  double efficiency = 1;  // the step's time without the exchange, over its time
};

constexpr double kSliceBytes = 2 << 20;  // src/mpi exchanges slices of this size

// Nine tenths of the line rate for Ethernet over TCP; "memory" was measured with two processes of a two-core machine.
const std::array<Network, 5> kNetworks{{{"1GbE", 0.117e9, 50e-6},
                                        {"10GbE", 1.15e9, 30e-6},
                                        {"25GbE", 2.9e9, 20e-6},
                                        {"100GbE", 11.5e9, 10e-6},
                                        {"memory", 1.2e9, 2e-6}}};

// "11.5:2"
std::optional<Network> from_numbers(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto gigabytes = number_in<double>(text.substr(0, colon));
  const auto microseconds = number_in<double>(text.substr(colon + 1));
  if (!gigabytes || !microseconds || !(*gigabytes > 0) || !(*microseconds >= 0)) return std::nullopt;
  return Network{text, *gigabytes * 1e9, *microseconds * 1e-6};
}

// Each process sends all but its own share of a slice to the owners and receives as much; the sums go round likewise.
double exchange_seconds(int64_t bytes, int64_t processes, const Network& network) {
  const auto others = static_cast<double>(processes - 1);
  const double moved = 2 * static_cast<double>(bytes) * others / static_cast<double>(processes);
  const double slices = std::max(1.0, static_cast<double>(bytes) / kSliceBytes);
  return moved / network.bytes_per_second + slices * (1 + others) * network.latency;
}

double images_per_second(const ScaledStep& step, const Config& config) {
  return static_cast<double>(step.parts * config.train.batch) / step.step;
}

// "1GbE", "10GbE", "25GbE", "100GbE", "memory" (processes of one machine), or "GB/S:MICROSECONDS" such as "11.5:2".
// Throws an Error (kUsage) that lists these.
Network network_named(const std::string& text) {
  std::string names;
  for (const Network& network : kNetworks) {
    if (network.name == text) return network;
    names += network.name + ", ";
  }
  if (std::optional<Network> network = from_numbers(text)) return *network;
  throw Error(ExitCode::kUsage,
              fmt::format("--network: got '{}', expected {}or GB/S:MICROSECONDS such as 11.5:2", text, names));
}

// Steps of 1, 2, 4, ... up to so many processes. A step has `parts` parts, or as many as there are processes where
// these are more. The exchange is that of src/mpi: slices of 2 MB one after another when all is computed, each added by
// its owners and handed back in a ring. It is taken to be alone on the network.
std::vector<ScaledStep> scaled_steps(const Profile& profile, int64_t parts, int64_t most_processes,
                                     const Network& network) {
  std::vector<ScaledStep> steps;
  for (int64_t processes = 1; processes <= most_processes; processes *= 2) {
    ScaledStep step{.processes = processes, .parts = std::max(parts, processes)};
    const int64_t own_parts = step.parts / processes;
    const auto own = static_cast<double>(own_parts);
    const double part = profile.seconds_per_step - profile.update_seconds;  // forward and backward of one
    const double computing = own * part + (own - 1) * profile.sum_seconds + profile.update_seconds;
    if (processes > 1)
      step.exchange = exchange_seconds(profile.gradient_bytes + profile.statistics_bytes, processes, network);
    step.step = computing + step.exchange;
    step.efficiency = computing / step.step;
    steps.push_back(step);
  }
  return steps;
}

void print_scaling(const std::vector<ScaledStep>& steps, const Profile& profile, const Config& config,
                   const Network& network) {
  print(fmt::format(
      "\nSeveral processes, a model: each computes as this one did, with {} thread{} of its own; then {:.1f} MB of "
      "gradients and {:.2f} MB of statistics are exchanged over {} ({:g} GB/s, {:g} us), with no computing meanwhile.\n"
      "processes  parts images a step exchange ms   step ms  images/s efficiency\n",
      config.threads, config.threads == 1 ? "" : "s", static_cast<double>(profile.gradient_bytes) / 1e6,
      static_cast<double>(profile.statistics_bytes) / 1e6, network.name, network.bytes_per_second / 1e9,
      1e6 * network.latency));
  for (const ScaledStep& step : steps) {
    print(fmt::format("{:>9} {:>6} {:>13} {:>11.2f} {:>9.2f} {:>9.1f} {:>8.1f} %\n", step.processes, step.parts,
                      step.parts * config.train.batch, 1e3 * step.exchange, 1e3 * step.step,
                      images_per_second(step, config), 100 * step.efficiency));
  }
}

nlohmann::json json_of(const std::vector<ScaledStep>& steps, const Config& config) {
  nlohmann::json rows = nlohmann::json::array();
  for (const ScaledStep& step : steps) {
    rows.push_back({{"processes", step.processes},
                    {"parts", step.parts},
                    {"exchange_ms", 1e3 * step.exchange},
                    {"step_ms", 1e3 * step.step},
                    {"images_per_second", images_per_second(step, config)},
                    {"efficiency", step.efficiency}});
  }
  return rows;
}

// --- what is printed

double convolution_share(const Profile& profile) {
  double convolutions = 0, all = profile.update_seconds;
  for (const OpTime& op : profile.ops) {
    all += op.forward + op.backward;
    if (op.info.kind == "conv2d" || op.info.kind == "separable_conv2d") convolutions += op.forward + op.backward;
  }
  return convolutions / all;
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

void print_json(const Profile& profile, const Config& config, const Backend& backend,
                const std::vector<ScaledStep>& steps) {
  nlohmann::json ops = nlohmann::json::array();
  for (const OpTime& op : profile.ops) {
    ops.push_back({{"name", op.info.name},
                   {"kind", op.info.kind},
                   {"implementation", op.info.implementation},
                   {"multiply_adds", op.info.multiply_adds},
                   {"forward_ms", 1e3 * op.forward},
                   {"backward_ms", 1e3 * op.backward}});
  }
  nlohmann::json object = {{"backend", backend.name()},
                           {"purpose", profile.evaluation ? "evaluate_folded" : "train"},
                           {"batch", config.train.batch},
                           {"precision", name_of(config.precision)},
                           {"step_ms", 1e3 * profile.seconds_per_step},
                           {"unrecorded_step_ms", 1e3 * profile.seconds_per_unrecorded_step},
                           {"update_ms", 1e3 * profile.update_seconds},
                           {"images_per_second", static_cast<double>(config.train.batch) / profile.seconds_per_step},
                           {"convolution_share", convolution_share(profile)},
                           {"activation_bytes", profile.memory.activations},
                           {"peak_resident_bytes", peak_resident_bytes()},
                           {"ops", ops}};
  if (!steps.empty()) object["scaling"] = json_of(steps, config);
  print(json_text(object, 1) + "\n");
}

void print_table(const Profile& profile, const Config& config, const Backend& backend) {
  std::string text = fmt::format("{}, {}, batch {}\n\n", backend.name(), name_of(config.precision), config.train.batch);
  const auto add_line = [&](const std::string& name, const std::string& kind, const std::string& implementation,
                            const std::string& forward, const std::string& backward) {
    text += fmt::format("{} {:<16} {:<32} {:>10} {:>11}\n", op_column(name), kind, implementation, forward,
                        profile.evaluation ? "" : backward);
  };
  const auto milliseconds = [](double seconds) { return fmt::format("{:.3f}", 1e3 * seconds); };
  add_line("op", "kind", "implementation", "forward ms", "backward ms");
  double forward = 0, backward = 0;
  std::vector<std::pair<std::string, double>> kinds;
  for (const OpTime& op : profile.ops) {
    add_line(op.info.name, op.info.kind, op.info.implementation, milliseconds(op.forward), milliseconds(op.backward));
    forward += op.forward;
    backward += op.backward;
    auto kind = std::ranges::find_if(kinds, [&](const auto& known) { return known.first == op.info.kind; });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), {op.info.kind, 0.0});
    kind->second += op.forward + op.backward;
  }
  add_line("sum", "", "", milliseconds(forward), milliseconds(backward));
  text += '\n';
  if (!profile.evaluation) kinds.emplace_back("update and packing", profile.update_seconds);
  for (const auto& [kind, time] : kinds) text += fmt::format("{:<20} {:>8.2f} ms\n", kind, 1e3 * time);
  text += fmt::format(
      "\nstep {:.2f} ms ({:.1f} images/s), convolutions {:.0f} % of it; activations {:.1f} MB, peak resident {:.1f} "
      "MB\n",
      1e3 * profile.seconds_per_step, static_cast<double>(config.train.batch) / profile.seconds_per_step,
      100 * convolution_share(profile), static_cast<double>(profile.memory.activations) / 1e6,
      static_cast<double>(peak_resident_bytes()) / 1e6);
  print(text);
}

}  // namespace

void add_profile_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<ProfileArguments>();
  CLI::App* command = app.add_subcommand("profile", "Time of every op, in training or evaluation, on resident data");
  arguments->config.add_to(*command);
  command->add_option("--steps", arguments->steps, "Steps to measure")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--evaluation", arguments->evaluation,
                    "Of evaluation with folded batch normalisation instead, at train.batch");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->add_option(
      "--plan-only", arguments->plan_only,
      "Run nothing: print the ops, engines, workspaces and memory on the GPU that this JSON file describes");
  command
      ->add_option("--processes", arguments->processes,
                   "Add a model of 1, 2, 4, ... up to so many processes that train together")
      ->check(CLI::Range(2, 4096))
      ->excludes("--evaluation")
      ->excludes("--plan-only");
  command
      ->add_option("--network", arguments->network,
                   "The network between them: 1GbE, 10GbE, 25GbE, 100GbE, memory, or GB/S:MICROSECONDS")
      ->needs("--processes")
      ->capture_default_str();
  command->callback([arguments, &exit_code] {
    expect_open_output();
    cpu::bound_spinning();
    const Network network = network_named(arguments->network);
    Config config = arguments->config.load();
    if (arguments->processes > 0 && config.device == Device::kCuda) {
      throw UnsupportedError("--processes models processes that compute on CPUs; set device: cpu");
    }
    for (const std::string& warning : arguments->config.warnings()) tell(fmt::format("warning: {}\n", warning));
    if (!arguments->plan_only.empty()) {
      print_plan(config,
                 {.device = arguments->plan_only, .evaluation = arguments->evaluation, .json = arguments->json});
      exit_code = ExitCode::kSuccess;
      return;
    }
    const std::unique_ptr<Backend> backend = make_backend(config);
    const Profile profile = measure(config, *backend, arguments->steps, arguments->evaluation);
    std::vector<ScaledStep> steps;
    if (arguments->processes > 0) steps = scaled_steps(profile, config.train.parts, arguments->processes, network);
    if (arguments->json) {
      print_json(profile, config, *backend, steps);
    } else {
      print_table(profile, config, *backend);
      if (!steps.empty()) print_scaling(steps, profile, config, network);
    }
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
