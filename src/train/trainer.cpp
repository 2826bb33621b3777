// The training loop. Each step: next batch, load, forward, backward, statistics, update, pack; everything else
// (logging, probing, evaluating, saving) happens between steps and changes nothing a resumed run would miss.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

#include "bn/error.hpp"
#include "bn/loader.hpp"
#include "bn/models.hpp"
#include "bn/run_log.hpp"
#include "bn/schedule.hpp"
#include "bn/trainer.hpp"
#include "bn/training_step.hpp"
#include "core/files.hpp"
#include "core/messages.hpp"
#include "run/progress_line.hpp"
#include "train/probe.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The text is empty when no image was skipped.
std::string describe_skipped(int64_t count, const std::vector<std::string>& names) {
  if (count == 0) return "";
  return fmt::format("{} undecodable image(s) skipped: {}", count, fmt::join(names, ", "));
}

// Empty when there was nothing.
std::string describe_left_out(const LeftOut& left_out, const char* set) {
  if (left_out.count == 0) return "";
  return fmt::format("; {} file(s) beside the {} images are left out: {}{}", left_out.count, set,
                     fmt::join(left_out.names, ", "),
                     left_out.count > static_cast<int64_t>(left_out.names.size()) ? ", ..." : "");
}

std::string choices_path(const RunFolder& folder) { return folder.path() + "/engines.txt"; }

// A resumed run takes the engines that it had: the text of its choices, which the backend now repeats.
std::string repeat_choices(Backend& backend, const RunFolder& folder, const TrainRequest& request) {
  std::string choices;
  if (!request.resume || read_file(choices_path(folder), choices) == ReadResult::kMissing) return "";
  backend.repeat_choices(choices);
  return choices;
}

// The first line of `before` that is not in `now`, or "".
std::string first_changed_line(const std::string& before, const std::string& now) {
  std::istringstream lines(before);
  for (std::string line; std::getline(lines, line);) {
    if (("\n" + now).find("\n" + line + "\n") == std::string::npos) return line;
  }
  return "";
}

class Trainer {
 public:
  Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request);
  TrainResult run();

 private:
  const TrainOptions& options() const { return config_.train; }
  PlanOptions plan_options(Purpose purpose, int64_t batch) const;
  double epoch() const;
  LogRecord record(const char* event) const;
  bool is_due(int64_t every) const { return progress_.step % every == 0; }
  int64_t evaluation_interval() const;

  void restore();
  void expect_same_making(const CheckpointInfo& info);
  void expect_same_choices();
  void check_data() const;
  void store_plan() const;
  void train_step();
  StepScalars scalars_of_this_step();
  bool log_training();
  void estimate_population();
  bool evaluate_now();  // true: the best so far
  void save();
  void publish_if_best() const;
  void start_interval();
  TrainResult finish_diverged();
  TrainResult run_steps();
  TrainResult finish(TrainOutcome outcome, const char* event, const std::string& message);

  const Config& config_;
  Backend& backend_;
  const RunFolder& folder_;
  const TrainRequest& request_;
  std::unique_ptr<Dataset> train_set_, validation_set_;
  Net net_;
  Parameters parameters_;
  ImageNormalization normalization_;
  std::string choices_before_;  // those of the run's earlier processes
  Plan plan_, evaluation_plan_;
  TrainingStep step_;
  std::optional<Plan> statistics_plan_;
  std::optional<Probe> probe_;
  Provenance provenance_;
  std::string other_computation_;  // the one before this process, where it differs
  Progress progress_;
  int64_t first_step_ = 0, saved_step_ = -1, evaluated_step_ = -1;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<RunLog> log_;
  int64_t steps_per_epoch_ = 0, total_steps_ = 0;
  std::optional<ProgressLine> line_;
  EvaluationResult last_evaluation_;

  double seconds_before_ = 0;  // in a resumed run's earlier parts
  bool has_ended_ = false;     // its log says so
  Clock::time_point start_ = Clock::now();
  Clock::time_point interval_start_ = Clock::now();
  int64_t interval_step_ = 0;
  double interval_wait_ = 0;
};

UpdateOptions update_options(const TrainOptions& options) {
  return {.sgd = {.momentum = static_cast<float>(options.momentum),
                  .l2 = static_cast<float>(options.l2),
                  .kind = options.momentum_kind},
          .statistics = options.statistics == StatisticsKind::kMovingAverage,
          .average = options.average == AverageKind::kPolyak};
}

Trainer::Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request)
    : config_(config),
      backend_(backend),
      folder_(folder),
      request_(request),
      train_set_(open_dataset(config.data, Split::kTrain)),
      validation_set_(open_dataset(config.data, Split::kValidation)),
      net_(build_network(config.model)),
      parameters_(net_, backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak),
      normalization_(normalization_of(config.data)),
      choices_before_(repeat_choices(backend, folder, request)),
      plan_(compile(net_, parameters_, backend, plan_options(Purpose::kTrain, config.train.batch))),
      evaluation_plan_(
          compile(net_, parameters_, backend, plan_options(Purpose::kEvaluateFolded, config.train.evaluate_batch))),
      step_(plan_, parameters_, backend, update_options(config.train)) {
  check_data();
  provenance_ = {.classes = train_set_->class_names(),
                 .training = {.images = train_set_->size(), .fingerprint = fingerprint(*train_set_)},
                 .validation = {.images = validation_set_->size(), .fingerprint = fingerprint(*validation_set_)},
                 .computation = backend_.computation()};
  if (options().statistics == StatisticsKind::kPopulation && !net_.state().empty()) {
    statistics_plan_ = compile(net_, parameters_, backend, plan_options(Purpose::kStatistics, options().batch));
  }
  if (!options().probe.op.empty()) {
    probe_.emplace(net_, parameters_, backend, *validation_set_, config.data, config.precision, options().probe);
  }
  parameters_.initialize(options().seed, options().init);
  restore();
  first_step_ = progress_.step;
  plan_.set_seed(options().seed);
  loader_ = std::make_unique<Loader>(*train_set_, config.data,
                                     with_memory_of(backend, {.batch = options().batch,
                                                              .split = Split::kTrain,
                                                              .seed = options().seed,
                                                              .first_batch = progress_.step,
                                                              .quarantine = folder.path() + "/quarantine"}));
  steps_per_epoch_ = loader_->batches_per_epoch();
  total_steps_ = options().steps > 0
                     ? options().steps
                     : static_cast<int64_t>(std::llround(options().epochs * static_cast<double>(steps_per_epoch_)));
  if (total_steps_ == 0) {
    throw ConfigError(
        fmt::format("train.epochs: {} epochs of {} steps round to no step", options().epochs, steps_per_epoch_));
  }
  line_.emplace(total_steps_, request.quiet);
}

PlanOptions Trainer::plan_options(Purpose purpose, int64_t batch) const {
  // The averaged weights are evaluated with averaged statistics too.
  const bool averaged = purpose != Purpose::kTrain && options().average == AverageKind::kPolyak;
  return {.batch = batch,
          .purpose = purpose,
          .activations = config_.precision,
          .weights = averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
          .passes = config_.passes,
          .keep = {}};
}

void Trainer::restore() {
  int64_t last_record_kept = -1;
  if (request_.resume) {
    const auto warn = [&](const std::string& text) { tell(fmt::format("warning: {}\n", text)); };
    if (const auto info = folder_.load_latest(parameters_, warn)) {
      expect_same_making(*info);
      progress_ = info->progress;
      last_record_kept = progress_.step;
      publish_if_best();  // the run may have been killed before it did, or before it pruned
      folder_.prune_checkpoints(options().keep_checkpoints);
    }
  }
  log_ = std::make_unique<RunLog>(folder_.log_path(), last_record_kept);
  for (const LogRecord& earlier : read_log(folder_.log_path())) {
    if (earlier.seconds) seconds_before_ = *earlier.seconds;
    has_ended_ = earlier.event == "end" && earlier.step == progress_.step;
  }
}

// A run goes on with the same images under the same indices, or not at all; with other last bits only where that is
// allowed, and recorded.
void Trainer::expect_same_making(const CheckpointInfo& info) {
  if (!info.provenance) return;
  const std::vector<std::string> differences = differences_of_data(*info.provenance, provenance_);
  if (!differences.empty()) {
    throw DataError(fmt::format("--resume: the data of '{}' are not those that it was trained on: {}", folder_.path(),
                                fmt::join(differences, "; ")));
  }
  expect_same_choices();
  if (info.provenance->computation == provenance_.computation) return;
  if (!request_.allow_different_bits) {
    throw UnsupportedError(fmt::format(
        "--resume: '{}' was computed by {} and would go on with {}, so its last bits would not be those of a "
        "run that never stopped; --allow-different-bits goes on all the same, and records it",
        folder_.path(), info.provenance->computation, provenance_.computation));
  }
  other_computation_ = info.provenance->computation;
}

// A library that no longer offers an engine that the run has used would change its last bits.
void Trainer::expect_same_choices() {
  const std::string changed = first_changed_line(choices_before_, backend_.choices());
  if (changed.empty()) return;
  if (!request_.allow_different_bits) {
    throw UnsupportedError(
        fmt::format("--resume: '{}' used an engine that is not offered here ({}), so its last bits would not be those "
                    "of a run that "
                    "never stopped; --allow-different-bits goes on all the same, and records it",
                    folder_.path(), changed));
  }
  other_computation_ = changed;
}

void Trainer::check_data() const {
  const Shape image = net_.image_shape();
  if (image.h != config_.data.image_size || image.c != config_.data.image_channels) {
    throw ConfigError(
        fmt::format("the network takes {0}x{0} images with {1} channel(s), the data have {2}x{2} with {3}", image.h,
                    image.c, config_.data.image_size, config_.data.image_channels));
  }
  const auto classes = static_cast<int64_t>(train_set_->class_names().size());
  if (classes > net_.classes()) {
    throw ConfigError(fmt::format("model.classes is {}, but the data have {} classes", net_.classes(), classes));
  }
}

// Which implementation computes each op here: on a GPU the library chooses, when the network is compiled.
void Trainer::store_plan() const {
  std::string text;
  for (const StepInfo& step : plan_.steps()) {
    text += fmt::format("{:<36} {:<20} {}\n", step.name, step.kind, step.implementation);
  }
  write_file(folder_.path() + "/plan.txt", text);
  write_file(folder_.path() + "/made_of.json", to_json(provenance_) + "\n");
  const std::string choices = backend_.choices();
  if (!choices.empty()) write_file(choices_path(folder_), choices);
}

double Trainer::epoch() const { return static_cast<double>(progress_.step) / static_cast<double>(steps_per_epoch_); }

int64_t Trainer::evaluation_interval() const {
  return options().evaluate_every > 0 ? options().evaluate_every : steps_per_epoch_;
}

LogRecord Trainer::record(const char* event) const {
  LogRecord record;
  record.event = event;
  record.step = progress_.step;
  record.epoch = epoch();
  record.seconds = seconds_before_ + seconds_since(start_);
  return record;
}

void Trainer::train_step() {
  Batch batch;
  loader_->next(batch);
  backend_.load_images(plan_.images(), batch.images, normalization_);
  plan_.set_labels(batch.labels);
  step_.run(scalars_of_this_step());
  ++progress_.step;
}

// Advances the count of blends that weighs the moving average, so it is called once a step.
StepScalars Trainer::scalars_of_this_step() {
  StepScalars scalars{.step = static_cast<uint64_t>(progress_.step)};
  scalars.learning_rate = static_cast<float>(learning_rate(options().learning_rate, progress_.step, steps_per_epoch_));
  if (options().statistics == StatisticsKind::kMovingAverage) {
    const auto decay = static_cast<float>(options().statistics_decay);
    scalars.statistics_weight = moving_average_weight(decay, ++parameters_.statistics_updates);
  }
  if (options().average == AverageKind::kPolyak) {
    // The average is bias-corrected as the statistics are: the first update copies.
    const auto decay = static_cast<float>(options().average_decay);
    scalars.average_weight = moving_average_weight(decay, progress_.step + 1);
  }
  return scalars;
}

// Images a second are counted over the steps alone: evaluating and saving lie between two intervals.
void Trainer::start_interval() {
  interval_start_ = Clock::now();
  interval_step_ = progress_.step;
  interval_wait_ = loader_->counters().wait_seconds;
}

// False when the run has diverged.
bool Trainer::log_training() {
  if (plan_.first_bad_step() >= 0) return false;
  LogRecord entry = record("train");
  entry.loss = plan_.read_loss();
  // The rate the logged step was made with.
  entry.learning_rate = learning_rate(options().learning_rate, progress_.step - 1, steps_per_epoch_);
  const int64_t batch = options().batch, classes = net_.classes();
  std::vector<float> logits(static_cast<size_t>(batch * classes));
  std::vector<int32_t> labels(static_cast<size_t>(batch));
  backend_.download(logits.data(), plan_.logits().data, plan_.logits().bytes());
  backend_.download(labels.data(), plan_.labels().data, plan_.labels().bytes());
  double top1 = 0, top5 = 0;
  for (int64_t i = 0; i < batch; ++i) {
    const Score score =
        score_logits(&logits[static_cast<size_t>(i * classes)], classes, labels[static_cast<size_t>(i)]);
    top1 += score.rank < 1 ? 1 : 0;
    top5 += score.rank < 5 ? 1 : 0;
  }
  entry.train_top1 = top1 / static_cast<double>(batch);
  entry.train_top5 = top5 / static_cast<double>(batch);

  const double elapsed = seconds_since(interval_start_);
  const double wait = loader_->counters().wait_seconds;
  const auto images = static_cast<double>((progress_.step - interval_step_) * batch);
  entry.images_per_second = images / elapsed;
  entry.data_wait_share = (wait - interval_wait_) / elapsed;
  start_interval();

  log_->write(entry);
  const double seconds_per_step = seconds_since(start_) / static_cast<double>(progress_.step - first_step_);
  line_->show(entry, seconds_per_step * static_cast<double>(total_steps_ - progress_.step));
  return true;
}

void Trainer::estimate_population() {
  bn::estimate_population(*statistics_plan_, parameters_, backend_, *train_set_, config_.data,
                          options().statistics_batches, options().seed);
}

bool Trainer::evaluate_now() {
  if (statistics_plan_) estimate_population();
  last_evaluation_ = evaluate(evaluation_plan_, backend_, *validation_set_, config_.data);
  evaluated_step_ = progress_.step;
  LogRecord entry = record("evaluate");
  entry.validation_loss = last_evaluation_.loss;
  entry.validation_top1 = last_evaluation_.top1;
  entry.validation_top5 = last_evaluation_.top5;
  entry.message = describe_skipped(last_evaluation_.skipped, last_evaluation_.skipped_names);
  log_->write(entry);
  line_->show(entry, -1);
  if (last_evaluation_.top1 <= progress_.best_top1) return false;
  progress_.best_top1 = last_evaluation_.top1;
  progress_.best_step = progress_.step;
  return true;
}

void Trainer::publish_if_best() const {
  if (progress_.best_top1 >= 0 && progress_.best_step == progress_.step) folder_.publish_best(progress_.step);
}

void Trainer::save() {
  if (saved_step_ == progress_.step || plan_.first_bad_step() >= 0) return;
  if (statistics_plan_ && evaluated_step_ != progress_.step) estimate_population();  // estimates them for these weights
  save_checkpoint(folder_.checkpoint_path(progress_.step), parameters_, progress_, to_yaml(config_), provenance_);
  publish_if_best();
  folder_.prune_checkpoints(options().keep_checkpoints);
  saved_step_ = progress_.step;
}

TrainResult Trainer::finish(TrainOutcome outcome, const char* event, const std::string& message) {
  LogRecord entry = record(event);
  entry.message = message;
  const LoaderCounters counters = loader_->counters();
  const std::string skipped = describe_skipped(counters.skipped, counters.skipped_names);
  entry.message += (message.empty() || skipped.empty() ? "" : "; ") + skipped;
  log_->write(entry);
  if (!entry.message.empty()) line_->message(entry.message);
  return {.outcome = outcome, .progress = progress_, .last_evaluation = last_evaluation_};
}

TrainResult Trainer::finish_diverged() {
  progress_.step = plan_.first_bad_step() + 1;
  return finish(TrainOutcome::kDiverged, "diverged",
                fmt::format("diverged at step {}: a loss or parameter is not finite", progress_.step));
}

TrainResult Trainer::run() {
  store_plan();
  plan_.pack();
  // A finished run was resumed: nothing new to record, unless it was killed at the end.
  if (progress_.step >= total_steps_) {
    last_evaluation_ = evaluate(evaluation_plan_, backend_, *validation_set_, config_.data);
    if (!has_ended_) return finish(TrainOutcome::kFinished, "end", "");
    return {.outcome = TrainOutcome::kFinished, .progress = progress_, .last_evaluation = last_evaluation_};
  }
  LogRecord opening = record("start");
  opening.message =
      fmt::format("{}; {} parameters; {:.1f} M multiply-adds per image; {} training and {} validation images",
                  backend_.name(), net_.parameter_count(), static_cast<double>(net_.multiply_adds()) / 1e6,
                  train_set_->size(), validation_set_->size());
  if (!other_computation_.empty()) {
    opening.message += fmt::format("; other bits are allowed: {} until here, {} from here", other_computation_,
                                   provenance_.computation);
  }
  for (const Dataset* set : {train_set_.get(), validation_set_.get()}) {
    opening.message += describe_left_out(set->left_out(), set == train_set_.get() ? "training" : "validation");
  }
  if (const auto& mean = config_.data.mean; std::any_of(mean.begin(), mean.end(), [](double m) { return m > 1; })) {
    opening.message += "; warning: data.mean holds values above 1, but it is of pixels scaled to 0..1";
  }
  log_->write(opening);
  line_->message(opening.message);
  if (probe_ && progress_.step == 0) log_->write(probe_->measure(record("probe")));
  try {
    return run_steps();
  } catch (const DataError& error) {  // hours in, one image is damaged: keep what was learned
    save();
    LogRecord entry = record("error");
    entry.message = error.what();
    log_->write(entry);
    throw;
  }
}

TrainResult Trainer::run_steps() {
  const int64_t save_interval = options().checkpoint_every > 0 ? options().checkpoint_every : evaluation_interval();
  start_interval();
  while (progress_.step < total_steps_) {
    if (request_.stop && request_.stop()) {
      if (plan_.first_bad_step() >= 0) return finish_diverged();
      save();
      return finish(TrainOutcome::kInterrupted, "interrupted",
                    fmt::format("interrupted at step {}; continue with --resume", progress_.step));
    }
    train_step();
    const bool last = progress_.step == total_steps_;
    const bool evaluates = last || is_due(evaluation_interval());
    const bool saves = last || is_due(save_interval);
    if ((is_due(options().log_every) || evaluates || saves) && !log_training()) return finish_diverged();
    if (probe_ && is_due(options().probe.every)) log_->write(probe_->measure(record("probe")));
    const bool is_best = evaluates && evaluate_now();
    if (saves || is_best) save();
    if (evaluates || saves) start_interval();
  }
  return finish(TrainOutcome::kFinished, "end", "");
}

}  // namespace

TrainResult train(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request) {
  return Trainer(config, backend, folder, request).run();
}

}  // namespace bn
