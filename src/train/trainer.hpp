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
#include "train/parts.hpp"
#include "train/probe.hpp"

namespace bn {

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
  double epoch() const;
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
  void rethrow_error() const;
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

}  // namespace bn
