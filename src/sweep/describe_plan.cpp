// A plan with its time: a few steps of each different network are measured, as many at once as would run.
#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "bn/sweep.hpp"
#include "sweep/run_state.hpp"
#include "system/child.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct StepTime {
  double step_seconds = 0;
  double forward_seconds = 0;  // one image's, for evaluations
};

// The keys that the time of a step depends on, as text.
std::string identity_of(const Config& config) {
  Config same = config;
  same.data = {};
  same.train = {};
  same.train.batch = config.train.batch;
  same.train.average = config.train.average;
  same.model.init_scale = 1;
  same.model.init_from.clear();
  if (same.model.dropout > 0) same.model.dropout = 0.5;
  return to_yaml(same);
}

StepTime parse_profile(const std::string& text, int64_t batch) {
  const auto report = nlohmann::json::parse(text.substr(std::min(text.find('{'), text.size())), nullptr, false);
  if (!report.is_object()) throw UnsupportedError("the measurement of a few steps printed no result: " + text);
  StepTime time{.step_seconds = report.at("step_ms").get<double>() / 1e3};
  for (const auto& op : report.at("ops")) {
    time.forward_seconds += op.at("forward_ms").get<double>() / 1e3 / static_cast<double>(batch);
  }
  return time;
}

// The mean over as many processes as would run side by side.
StepTime measure(const SweepRun& run, const SweepOptions& options) {
  std::vector<std::string> command = options.program;
  command.insert(command.end(), {"profile", run.config_path, "--steps", "3", "--json"});
  for (const std::string& override : run.overrides) command.insert(command.end(), {"--set", override});
  command.insert(command.end(), {"--set", fmt::format("threads={}", run.config.threads)});
  struct Measurement {
    ChildOutput output{};
    Child child;
    explicit Measurement(const std::vector<std::string>& command) : child(command, output.path()) {}
  };
  std::list<Measurement> measurements;
  for (int64_t job = 0; job < options.jobs; ++job) measurements.emplace_back(command);
  StepTime mean;
  for (Measurement& measurement : measurements) {
    const int exit_code = measurement.child.wait();
    const std::string text = measurement.output.text();
    if (exit_code != 0) {
      throw Error(static_cast<ExitCode>(exit_code), fmt::format("cannot measure steps of arm {}: {}", run.arm, text));
    }
    const StepTime time = parse_profile(text, run.config.train.batch);
    mean.step_seconds += time.step_seconds / static_cast<double>(options.jobs);
    mean.forward_seconds += time.forward_seconds / static_cast<double>(options.jobs);
  }
  return mean;
}

struct ArmPlan {
  RunSize size;
  StepTime time;
  int64_t runs = 0, done = 0;
  double seconds_left = 0;
  double run_seconds() const {
    return static_cast<double>(size.steps) * time.step_seconds +
           static_cast<double>(size.evaluations * size.validation_images) * time.forward_seconds;
  }
};

class Planner {
 public:
  Planner(Sweep& sweep, const SweepOptions& options) : sweep_(sweep), options_(options) {
    inspect_runs(sweep_, options_, tails_);
  }

  std::string describe() {
    for (size_t i = 0; i < sweep_.runs.size(); ++i) add(i);
    std::string text = heading();
    double total = 0;
    for (const std::string& arm : order_) {
      text += line_of(arm, plans_.at(arm));
      total += plans_.at(arm).seconds_left;
    }
    const double jobs = static_cast<double>(options_.jobs);
    return text +
           fmt::format("in all about {}, measured over 3 steps of each network; decoding of images not counted\n",
                       describe_duration(total / jobs)) +
           notes_;
  }

 private:
  RunSize size_of(const SweepRun& run) {
    try {
      return data_.of(run.config);
    } catch (const DataError& error) {
      if (sweep_.training_images == 0) throw;
      if (notes_.empty()) {
        notes_ = fmt::format("{} training and {} validation images, as {} says, since: {}\n", sweep_.training_images,
                             sweep_.validation_images, sweep_.path, error.what());
      }
      return size_of_run(run.config.train, sweep_.training_images, sweep_.validation_images);
    }
  }

  void add(size_t index) {
    const SweepRun& run = sweep_.runs[index];
    const auto [entry, is_new] = plans_.try_emplace(run.arm);
    ArmPlan& plan = entry->second;
    ++plan.runs;
    if (is_new) {
      order_.push_back(run.arm);
      plan.size = size_of(run);
      const auto [time, is_unmeasured] = times_.try_emplace(identity_of(run.config));
      if (is_unmeasured) {
        tell(fmt::format("measuring a few steps of {}\n", run.arm));
        time->second = measure(run, options_);
      }
      plan.time = time->second;
      plan.time.step_seconds *= static_cast<double>(run.config.train.parts);  // one part was measured
    }
    if (is_done(run.state)) ++plan.done;
    if (is_done(run.state) || run.same_as) return;
    const double share = 1 - static_cast<double>(tails_[index].update().step) / static_cast<double>(plan.size.steps);
    plan.seconds_left += std::max(0.0, share) * plan.run_seconds();
  }

  std::string heading() {
    for (const std::string& arm : order_) arm_width_ = std::max(arm_width_, arm.size());
    return fmt::format("sweep {}: {} arms, {} runs, {} at a time, {} threads each\n", sweep_.name, order_.size(),
                       sweep_.runs.size(), options_.jobs, sweep_.runs.front().config.threads) +
           fmt::format("{:<{}} {:>5} {:>5} {:>9} {:>10} {:>10} {:>12} {:>12}\n", "arm", arm_width_, "runs", "done",
                       "epochs", "steps", "images/s", "a run", "left");
  }

  std::string line_of(const std::string& arm, const ArmPlan& plan) const {
    const SweepRun& run = *std::ranges::find(sweep_.runs, arm, &SweepRun::arm);
    return fmt::format("{:<{}} {:>5} {:>5} {:>9.1f} {:>10} {:>10.1f} {:>12} {:>12}\n", arm, arm_width_, plan.runs,
                       plan.done, plan.size.epochs(), plan.size.steps,
                       static_cast<double>(run.config.train.batch * run.config.train.parts) / plan.time.step_seconds,
                       describe_duration(plan.run_seconds()), describe_duration(plan.seconds_left));
  }

  Sweep& sweep_;
  const SweepOptions& options_;
  std::vector<LogTail> tails_;
  DataSizes data_;
  std::map<std::string, StepTime> times_;  // keyed by identity_of(configuration)
  std::map<std::string, ArmPlan> plans_;
  std::vector<std::string> order_;
  std::string notes_;
  size_t arm_width_ = 3;
};

}  // namespace

std::string describe_plan(Sweep& sweep, const SweepOptions& options) { return Planner(sweep, options).describe(); }

}  // namespace bn
