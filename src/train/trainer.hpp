// One run of training: what it is made of, how it begins (trainer_opens.cpp) and its loop (trainer.cpp).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bn/run_log.hpp"
#include "bn/schedule.hpp"
#include "bn/trainer.hpp"
#include "system/terminal.hpp"
#include "train/parted_step.hpp"

namespace bn {

// Watches the input of one op, for one unit, over the first images of the validation set, always the same. Batch
// normalisation uses the statistics of the probe set itself, as in training.
class Probe {
 public:
  // Throws ConfigError: no such op, unit out of range, fewer images than asked.
  Probe(const Net& net, Parameters& parameters, Backend& backend, const Dataset& dataset, const DataOptions& data,
        DType activations, const ProbeOptions& options);

  LogRecord measure(LogRecord record);  // fills percentiles: 15th, 50th, 85th

 private:
  Backend& backend_;
  ProbeOptions options_;
  std::string watched_;  // the op whose output is the input of options.op
  Plan plan_;
};

class Trainer {
 public:
  // The processes of the group need not agree yet; `exchange` is null for a process alone.
  Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request, Group& group,
          Exchange* exchange);
  void prepare();
  TrainResult run();
  LeftOut left_out() const;

 private:
  using Clock = std::chrono::steady_clock;

  const TrainOptions& options() const { return config_.train; }
  PlanOptions plan_options(Purpose purpose, int64_t batch);
  RunLength length() const { return {.steps_per_epoch = steps_per_epoch_, .steps = total_steps_}; }
  LogRecord record(const char* event) const;
  bool is_due(int64_t every) const { return progress_.step % every == 0; }
  int64_t save_interval() const;
  bool logs_after(int64_t step) const;
  int64_t evaluation_interval() const;
  bool is_evaluated() const { return progress_.step == total_steps_ || is_due(evaluation_interval()); }

  void restore();
  int64_t read_checkpoint();
  void start_from_another();
  void open_loaders();
  void check_data() const;
  void store_plan() const;
  void train_step();
  void load_part(int64_t own_part);
  bool has_diverged() const { return plan_.first_bad_step() >= 0; }
  bool must_stop() const;
  StepScalars scalars_of_this_step() const;
  void write(const LogRecord& record) const;
  void add_speed(LogRecord& entry);
  bool log_training();
  void estimate_population(const std::function<bool()>& stop);
  bool evaluate_now();  // true: the best so far
  void save();
  void publish_if_best() const;
  void start_interval();
  void write_opening();
  void warn();
  bool is_watched() const { return !request_.quiet && group_.is_first(); }
  void show(const LogRecord& record, double seconds_left);  // below 0: unknown
  void show(const std::string& message);
  void tell_skipped(const std::string& in_training) const;
  TrainResult finish_diverged();
  TrainResult finish_interrupted();
  void keep_what_was_learned(std::string message);
  TrainResult run_steps();
  TrainResult finish(TrainOutcome outcome, const char* event, const std::string& message);

  const Config& config_;
  Backend& backend_;
  const RunFolder& folder_;
  const TrainRequest& request_;
  Group& group_;
  std::unique_ptr<Dataset> train_set_, validation_set_;
  Net net_;
  std::unique_ptr<PartExchange> part_exchange_;  // null: each part has statistics of its own
  Parameters parameters_;
  ImageNormalization normalization_;
  std::string choices_before_;  // the backend's in the run's earlier processes
  Plan plan_, evaluation_plan_;
  PartedStep step_;
  std::optional<Plan> statistics_plan_;
  std::optional<Probe> probe_;
  Provenance provenance_;
  std::string other_computation_;  // the one before this process, where it differs
  std::string origin_message_;     // tells where the first values come from; empty when they are drawn
  Progress progress_;
  int64_t first_step_ = 0, saved_step_ = -1, statistics_step_ = -1;
  std::optional<PartLoaders> loaders_;
  std::vector<PartScore> scores_;  // filled in a step that is logged, one for each own part
  PartedStep::Signals signals_;
  std::unique_ptr<RunLog> log_;
  int64_t steps_per_epoch_ = 0, total_steps_ = 0;
  LiveLine line_;  // a person watches it
  EvaluationResult last_evaluation_;

  double seconds_before_ = 0;  // spent before this process resumed the run
  bool has_ended_ = false;     // its log says so
  bool was_evaluated_ = true;  // whether the step that is resumed was evaluated
  std::set<std::string> warnings_in_log_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point interval_start_ = Clock::now();
  int64_t interval_step_ = 0;
  double interval_wait_ = 0, interval_exchange_ = 0;
};

// A sentence for each setting that the user has probably not meant; `first_evaluation` is a step.
std::vector<std::string> warnings_of(const Config& config, const Net& net, const Dataset& training_set,
                                     const Dataset& validation_set, int64_t first_evaluation);

// --- agreement.cpp: what must be alike in all processes of a run, and before and after it is resumed

// A data set that was copied in part is the commonest mistake where several machines work together. Throws an
// AgreedError.
void expect_same_data(Group& group, const Provenance& own);

// Other engines would give other bits. Throws an AgreedError where a library chose otherwise in another process.
void expect_same_choices(Group& group, const Backend& backend);

// A run goes on with the same images under the same indices, or not at all (DataError); with other last bits only where
// that is allowed (UnsupportedError). Returns what computed it before, where that differs.
enum class OtherComputation { kRefused, kAllowed };
std::string expect_same_provenance(const RunFolder& folder, const Provenance& before, const Provenance& now,
                                   OtherComputation otherwise);

// Which engine of its library the backend chose for each op, as the run folder keeps it; nothing where it has no
// choice.
void store_choices(const Backend& backend, const RunFolder& folder);
// The backend chooses again as the run has it from now on; returns the choices.
std::string repeat_choices(Backend& backend, const RunFolder& folder);
// A library that no longer offers an engine changes last bits (UnsupportedError). Returns the choice that it lacks.
std::string expect_same_choices(const RunFolder& folder, const std::string& before, const std::string& now,
                                OtherComputation otherwise);

// The first process's parameters, velocities, averages, statistics and progress replace those of the others.
void share_state(Group& group, Parameters& parameters, Progress& progress);

void share(Group& group, bool& value);

// Throws an AgreedError that names the processes whose parameters are not those of the first one.
void expect_same_parameters(Group& group, const Parameters& parameters, int64_t step);

}  // namespace bn
