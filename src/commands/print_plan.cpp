#include "commands/commands.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "bn/cuda_backend.hpp"
#include "bn/models.hpp"
#include "bn/training_step.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using Launches = std::vector<std::string>;

struct PlannedOp {
  StepInfo info;
  Launches forward, backward;
};

struct PlannedStep {
  std::string backend, cudnn;
  DeviceDescription device;
  std::vector<PlannedOp> ops;
  Launches update;  // statistics, SGD, average and packing
  std::vector<PlannedConvolution> convolutions;
  PlanMemory memory;
  int64_t parameter_bytes = 0;  // includes gradients, velocities and statistics
  int64_t image_bytes = 0;      // two batches in u8, on their way to the device

  int64_t total_bytes() const {
    return parameter_bytes + image_bytes + memory.activations + memory.scratch + memory.packed;
  }
};

// Calls the whole step once, on a backend that lists what each op would start.
void list_launches(Plan& plan, TrainingStep& step, const PlanningBackend& backend, PlannedStep& planned) {
  size_t seen = backend.launches().size();
  const auto take_new = [&](Launches& to) {
    const Launches& all = backend.launches();
    to.insert(to.end(), all.begin() + static_cast<std::ptrdiff_t>(seen), all.end());
    seen = all.size();
  };
  plan.set_observer([&](int op, bool is_backward, double) {
    PlannedOp& entry = planned.ops[static_cast<size_t>(op)];
    take_new(is_backward ? entry.backward : entry.forward);
  });
  plan.options().purpose == Purpose::kTrain ? step.compute() : plan.forward();
  take_new(planned.update);
}

PlannedStep plan_step(const Config& config, const PlanRequest& request) {
  PlannedStep planned;
  planned.device = read_device_description(request.device);
  const std::unique_ptr<PlanningBackend> backend = make_planning_cuda_backend(config.cuda, planned.device);
  planned.backend = backend->name();
  planned.cudnn = backend->cudnn_version();
  const Net net = build_network(config.model);
  const bool averages = config.train.average == AverageKind::kPolyak;
  Parameters parameters(net, *backend, config.train.l2_scope, averages);
  planned.parameter_bytes = backend->allocated_bytes();
  Plan plan = compile(net, parameters, *backend,
                      {.batch = config.train.batch,
                       .purpose = request.evaluation ? Purpose::kEvaluateFolded : Purpose::kTrain,
                       .activations = config.precision,
                       .passes = config.passes});
  planned.memory = plan.memory();
  planned.image_bytes = 2 * config.train.batch * net.image_shape().elements() / net.image_shape().n;
  planned.convolutions = backend->convolutions();
  for (const StepInfo& info : plan.steps()) planned.ops.push_back({.info = info, .forward = {}, .backward = {}});
  TrainingStep step(plan, parameters, *backend, {.sgd = {.momentum = 0.9F}, .average = averages});
  list_launches(plan, step, *backend, planned);
  return planned;
}

// Counts how often each is started in a step.
std::map<std::string, int> counts_of(const PlannedStep& planned) {
  std::map<std::string, int> counts;
  const auto add = [&](const Launches& launches) {
    for (const std::string& launch : launches) ++counts[launch];
  };
  for (const PlannedOp& op : planned.ops) {
    add(op.forward);
    add(op.backward);
  }
  add(planned.update);
  return counts;
}

int total(const std::map<std::string, int>& counts) {
  int sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

nlohmann::json json_of(const TensorDesc& desc) {
  return {{"shape", {desc.shape.n, desc.shape.h, desc.shape.w, desc.shape.c}}, {"type", name_of(desc.dtype)}};
}

nlohmann::json json_of(const PlannedOp& op) {
  nlohmann::json x = nlohmann::json::array();
  for (const TensorDesc& desc : op.info.x) x.push_back(json_of(desc));
  return {{"name", op.info.name},
          {"kind", op.info.kind},
          {"implementation", op.info.implementation},
          {"multiply_adds", op.info.multiply_adds},
          {"x", x},
          {"wants_dx", op.info.wants_dx},
          {"y", json_of(op.info.y)},
          {"gradient_terms", op.info.gradient_terms},
          {"added_terms", op.info.added_terms},
          {"saved_bytes", op.info.saved_bytes},
          {"scratch_bytes", op.info.scratch_bytes},
          {"packed_bytes", op.info.packed_bytes},
          {"forward", op.forward},
          {"backward", op.backward}};
}

void print_json(const PlannedStep& planned, const Config& config, const PlanRequest& request) {
  nlohmann::json ops = nlohmann::json::array(), convolutions = nlohmann::json::array();
  for (const PlannedOp& op : planned.ops) ops.push_back(json_of(op));
  for (const PlannedConvolution& plan : planned.convolutions) {
    convolutions.push_back({{"problem", plan.problem},
                            {"engine", plan.engine},
                            {"workspace_bytes", plan.workspace_bytes},
                            {"notes", plan.notes}});
  }
  const auto counts = counts_of(planned);
  const nlohmann::json object = {{"device", planned.device.name},
                                 {"compute_capability", planned.device.compute_capability},
                                 {"cudnn", planned.cudnn},
                                 {"purpose", request.evaluation ? "evaluate_folded" : "train"},
                                 {"batch", config.train.batch},
                                 {"precision", name_of(config.precision)},
                                 {"launches", total(counts)},
                                 {"launches_by_name", counts},
                                 {"update", planned.update},
                                 {"memory",
                                  {{"parameters", planned.parameter_bytes},
                                   {"activations", planned.memory.activations},
                                   {"scratch", planned.memory.scratch},
                                   {"packed", planned.memory.packed},
                                   {"images", planned.image_bytes},
                                   {"total", planned.total_bytes()},
                                   {"device", planned.device.memory_bytes}}},
                                 {"convolutions", convolutions},
                                 {"ops", ops}};
  print(json_text(object, 1) + "\n");
}

std::string megabytes(int64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6); }

void print_table(const PlannedStep& planned, const Config& config, const PlanRequest& request) {
  std::string text = fmt::format("{}; {}, batch {}, {}\n\n", planned.backend, name_of(config.precision),
                                 config.train.batch, request.evaluation ? "folded evaluation" : "training");
  const auto line = [&](const std::string& name, const auto&... values) {
    text += fmt::format("{} {:<16} {:>7} {:>8} {:>9} {:>10}  {}\n", op_column(name), values...);
  };
  line("op", "kind", "forward", "backward", "saved MB", "scratch MB", "implementation");
  for (const PlannedOp& op : planned.ops) {
    line(op.info.name, op.info.kind, op.forward.size(), op.backward.size(), megabytes(op.info.saved_bytes),
         megabytes(op.info.scratch_bytes), op.info.implementation);
  }
  text += "\nconvolutions, each prepared once: engine, workspace\n";
  for (const PlannedConvolution& plan : planned.convolutions) {
    text += fmt::format("{:<72} {:>7} MB  {}  {}\n", plan.problem, megabytes(plan.workspace_bytes), plan.engine,
                        fmt::join(plan.notes, ", "));
  }
  const auto counts = counts_of(planned);
  text += fmt::format("\na step starts {}, of these {} in the update:", total(counts), planned.update.size());
  for (const auto& [name, count] : counts) text += fmt::format(" {} {}", count, name);
  text += fmt::format(
      "\nmemory: parameters {} MB, activations {} MB, scratch {} MB, packed weights {} MB, images {} MB; together {} "
      "of {} MB\n",
      megabytes(planned.parameter_bytes), megabytes(planned.memory.activations), megabytes(planned.memory.scratch),
      megabytes(planned.memory.packed), megabytes(planned.image_bytes), megabytes(planned.total_bytes()),
      megabytes(planned.device.memory_bytes));
  print(text);
}

// CUDA and its libraries take some memory themselves.
constexpr double kUsableShare = 0.97;

void require_memory(const PlannedStep& planned, int64_t batch) {
  const double usable = kUsableShare * static_cast<double>(planned.device.memory_bytes);
  if (static_cast<double>(planned.total_bytes()) <= usable) return;
  const auto fixed = static_cast<double>(planned.parameter_bytes + planned.memory.packed);
  const double share = (usable - fixed) / (static_cast<double>(planned.total_bytes()) - fixed);
  const auto fits = static_cast<int64_t>(share * static_cast<double>(batch));
  throw UnsupportedError(fmt::format("{} has not enough memory for a batch of {}{}.", planned.device.name, batch,
                                     fits > 0 ? fmt::format("; about {} would fit", fits) : ""));
}

}  // namespace

std::string op_column(const std::string& name) {
  constexpr size_t kWidth = 36;
  if (name.size() > kWidth) return fmt::format("{}\n{:{}}", name, "", kWidth);
  return fmt::format("{:<{}}", name, kWidth);
}

void print_plan(const Config& config, const PlanRequest& request) {
  if (config.device != Device::kCuda) throw ConfigError("--plan-only plans for a GPU: add --set device=cuda");
  const PlannedStep planned = plan_step(config, request);
  request.json ? print_json(planned, config, request) : print_table(planned, config, request);
  std::fflush(stdout);
  require_memory(planned, config.train.batch);
}

}  // namespace bn
