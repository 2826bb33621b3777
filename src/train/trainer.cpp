// The training loop. Each step: next batch, load, forward, backward, statistics, update, pack; everything else
// (logging, probing, evaluating, saving) happens between steps and changes nothing a resumed run would miss.
//
// Several processes run this loop in the same steps. Each computes its own parts; the first one alone writes: log,
// checkpoints and messages. Whatever decides how the loop goes on is the same in all of them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/run_log.hpp"
#include "bn/schedule.hpp"
#include "bn/trainer.hpp"
#include "core/files.hpp"
#include "core/messages.hpp"
#include "run/progress_line.hpp"
#include "train/describe.hpp"
#include "train/group_exchange.hpp"
#include "train/made_of.hpp"
#include "train/origin.hpp"
#include "train/part_loaders.hpp"
#include "train/part_scores.hpp"
#include "train/parted_step.hpp"
#include "train/probe.hpp"
#include "train/shared_state.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Trainer {
 public:
  // The processes of the group need not agree yet.
  Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request, Group& group);
  void prepare();
  TrainResult run();

 private:
  const TrainOptions& options() const { return config_.train; }
  PlanOptions plan_options(Purpose purpose, int64_t batch);
  double epoch() const;
  RunLength length() const { return {.steps_per_epoch = steps_per_epoch_, .steps = total_steps_}; }
  LogRecord record(const char* event) const;
  bool is_due(int64_t every) const { return progress_.step % every == 0; }
  int64_t save_interval() const;
  bool logs_after(int64_t step) const;
  int64_t evaluation_interval() const;

  void restore();
  int64_t read_checkpoint();
  void start_from_another();
  void open_loaders();
  void check_data() const;
  void store_plan() const;
  void train_step();
  void load_part(int64_t own_part);
  int64_t first_bad_step() const;
  bool has_diverged() const { return first_bad_step() >= 0; }
  bool must_stop() const;
  void rethrow_error() const;
  StepScalars scalars_of_this_step() const;
  void write(const LogRecord& record) const;
  void add_speed(LogRecord& entry);
  bool log_training();
  void estimate_population();
  bool evaluate_now();  // true: the best so far
  void save();
  void publish_if_best() const;
  void start_interval();
  TrainResult finish_diverged();
  void write_opening();
  TrainResult run_steps();
  TrainResult finish(TrainOutcome outcome, const char* event, const std::string& message);

  const Config& config_;
  Backend& backend_;
  const RunFolder& folder_;
  const TrainRequest& request_;
  Group& group_;
  std::unique_ptr<Dataset> train_set_, validation_set_;
  Net net_;
  GroupExchange exchange_;
  Parameters parameters_;
  ImageNormalization normalization_;
  Plan plan_, evaluation_plan_;
  PartedStep step_;
  std::optional<Plan> statistics_plan_;
  std::optional<Probe> probe_;
  Provenance provenance_;
  std::string other_computation_;  // the one before this process, where it differs
  std::string origin_message_;     // where the first values come from, unless they are drawn
  Progress progress_;
  int64_t first_step_ = 0, saved_step_ = -1, evaluated_step_ = -1;
  std::optional<PartLoaders> loaders_;
  std::vector<PartScore> scores_;  // of the own parts, in a step that is logged
  PartedStep::Signals signals_;
  int64_t signalled_bad_step_ = -1;
  std::unique_ptr<RunLog> log_;
  int64_t steps_per_epoch_ = 0, total_steps_ = 0;
  std::optional<ProgressLine> line_;
  EvaluationResult last_evaluation_;

  double seconds_before_ = 0;  // in a resumed run's earlier parts
  bool has_ended_ = false;     // its log says so
  Clock::time_point start_ = Clock::now();
  Clock::time_point interval_start_ = Clock::now();
  int64_t interval_step_ = 0;
  double interval_wait_ = 0, interval_exchange_ = 0;
};

Trainer::Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request,
                 Group& group)
    : config_(config),
      backend_(backend),
      folder_(folder),
      request_(request),
      group_(group),
      train_set_(open_dataset(config.data, Split::kTrain)),
      validation_set_(open_dataset(config.data, Split::kValidation)),
      net_(build_network(config.model)),
      exchange_(group, config.model.batch_norm.synchronised_parts),
      parameters_(net_, backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak),
      normalization_(normalization_of(config.data)),
      plan_(compile(net_, parameters_, backend, plan_options(Purpose::kTrain, config.train.batch))),
      evaluation_plan_(
          compile(net_, parameters_, backend, plan_options(Purpose::kEvaluateFolded, config.train.evaluate_batch))),
      step_(plan_, parameters_, backend, group, config.train) {
  if (config.device == Device::kCuda && !group.is_alone()) {
    throw UnsupportedError("several processes train on CPUs only so far: start one process, or set device: cpu");
  }
  const int64_t synchronised = config.model.batch_norm.synchronised_parts;
  if (synchronised > 1 && step_.own().count > 1 && !net_.state().empty()) {
    throw ConfigError(fmt::format(
        "batch_norm.synchronised_parts: {} needs a process for each part, since a part waits for the others "
        "in the middle of its step: start {} processes (mpirun -n {})",
        synchronised, config.train.parts, config.train.parts));
  }
  check_data();
  provenance_ = {.classes = train_set_->class_names(),
                 .class_words = class_words(config.data, train_set_->class_names()),
                 .training = {.images = train_set_->size(), .fingerprint = fingerprint(*train_set_)},
                 .validation = {.images = validation_set_->size(), .fingerprint = fingerprint(*validation_set_)},
                 .computation = backend_.computation()};
  if (options().statistics == StatisticsKind::kPopulation && !net_.state().empty()) {
    statistics_plan_ = compile(net_, parameters_, backend, plan_options(Purpose::kStatistics, options().batch));
  }
  if (!options().probe.op.empty() && group.is_first()) {
    probe_.emplace(net_, parameters_, backend, *validation_set_, config.data, config.precision, options().probe);
  }
  parameters_.initialize(options().seed, options().init);
  plan_.set_seed(options().seed);
  scores_.resize(static_cast<size_t>(step_.own().count));
}

void Trainer::prepare() {
  expect_same_data(group_, provenance_);
  restore();
  first_step_ = progress_.step;
  together(group_, [this] { open_loaders(); });
  line_.emplace(total_steps_, request_.quiet || !group_.is_first());
}

void Trainer::open_loaders() {
  const LoaderOptions loader{.batch = options().batch,
                             .split = Split::kTrain,
                             .seed = options().seed,
                             .first_batch = progress_.step,
                             .quarantine = folder_.path() + "/quarantine"};
  loaders_.emplace(*train_set_, config_.data, loader, step_.own(), step_.parts());
  steps_per_epoch_ = loaders_->batches_per_epoch();
  total_steps_ = options().steps > 0
                     ? options().steps
                     : static_cast<int64_t>(std::llround(options().epochs * static_cast<double>(steps_per_epoch_)));
  if (total_steps_ == 0) {
    throw ConfigError(
        fmt::format("train.epochs: {} epochs of {} steps round to no step", options().epochs, steps_per_epoch_));
  }
  expect_schedule_fits(options().learning_rate, length());
}

PlanOptions Trainer::plan_options(Purpose purpose, int64_t batch) {
  // The averaged weights are evaluated with averaged statistics too.
  const bool averaged = purpose != Purpose::kTrain && options().average == AverageKind::kPolyak;
  return {.batch = batch,
          .purpose = purpose,
          .parts = purpose == Purpose::kTrain ? options().parts : 1,
          .exchange = purpose == Purpose::kTrain && options().parts > 1 ? &exchange_ : nullptr,
          .activations = config_.precision,
          .weights = averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
          .passes = config_.passes,
          .keep = {}};
}

// The first process reads; one file is judged once, and the others need not see the folder.
void Trainer::restore() {
  in_first(group_, [this] {
    const int64_t step = read_checkpoint();
    if (step < 0) start_from_another();
    log_ = std::make_unique<RunLog>(folder_.log_path(), step);
    for (const LogRecord& earlier : read_log(folder_.log_path())) {
      if (earlier.seconds) seconds_before_ = *earlier.seconds;
      has_ended_ = earlier.event == "end" && earlier.step == progress_.step;
    }
  });
  share_state(group_, parameters_, progress_);
}

// Returns its step; -1 where there is none.
int64_t Trainer::read_checkpoint() {
  if (!request_.resume) return -1;
  const auto warn = [&](const std::string& text) { tell(fmt::format("warning: {}\n", text)); };
  const auto info = folder_.load_latest(parameters_, warn);
  if (!info) return -1;
  if (info->provenance) {
    provenance_.origin = info->provenance->origin;
    const auto otherwise = request_.allow_different_bits ? OtherComputation::kAllowed : OtherComputation::kRefused;
    other_computation_ = expect_same_making(folder_, *info->provenance, provenance_, otherwise);
  }
  progress_ = info->progress;
  publish_if_best();  // the run may have been killed before it did, or before it pruned
  folder_.prune_checkpoints(options().keep_checkpoints);
  return progress_.step;
}

// A new run's values may come from another run's checkpoint.
void Trainer::start_from_another() {
  if (config_.model.init_from.empty()) return;
  Start start = start_from(config_.model.init_from, parameters_, provenance_.classes);
  provenance_.origin = std::move(start.origin);
  origin_message_ = std::move(start.message);
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
}

double Trainer::epoch() const { return static_cast<double>(progress_.step) / static_cast<double>(steps_per_epoch_); }

int64_t Trainer::evaluation_interval() const {
  return options().evaluate_every > 0 ? options().evaluate_every : steps_per_epoch_;
}

int64_t Trainer::save_interval() const {
  return options().checkpoint_every > 0 ? options().checkpoint_every : evaluation_interval();
}

// Whatever is recorded of a step is recorded with its loss.
bool Trainer::logs_after(int64_t step) const {
  return step == total_steps_ || step % options().log_every == 0 || step % evaluation_interval() == 0 ||
         step % save_interval() == 0;
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
  const bool is_logged = logs_after(progress_.step + 1);
  signals_ = step_.run(
      scalars_of_this_step(), request_.stop && request_.stop(), [this](int64_t part) { load_part(part); },
      [this, is_logged](int64_t part) {
        if (is_logged) scores_[static_cast<size_t>(part)] = score_part(plan_, backend_);
      });
  if (signals_.failed) return;
  if (signals_.bad && signalled_bad_step_ < 0) signalled_bad_step_ = progress_.step;
  if (options().statistics == StatisticsKind::kMovingAverage) ++parameters_.statistics_updates;
  ++progress_.step;
}

void Trainer::load_part(int64_t own_part) {
  Batch batch;
  loaders_->next(own_part, batch);
  backend_.load_images(plan_.images(), batch.images, normalization_);
  plan_.set_labels(batch.labels);
}

// The first of this plan's, and of the other processes' as the signals told it; -1: none.
int64_t Trainer::first_bad_step() const {
  const int64_t own = plan_.first_bad_step();
  if (own < 0 || signalled_bad_step_ < 0) return std::max(own, signalled_bad_step_);
  return std::min(own, signalled_bad_step_);
}

// One process decides by itself, several by what was signalled in the last step.
bool Trainer::must_stop() const { return group_.is_alone() ? request_.stop && request_.stop() : signals_.stop; }

void Trainer::rethrow_error() const {
  if (step_.error()) std::rethrow_exception(step_.error());
}

StepScalars Trainer::scalars_of_this_step() const {
  StepScalars scalars{.step = static_cast<uint64_t>(progress_.step)};
  scalars.learning_rate = static_cast<float>(learning_rate(options().learning_rate, progress_.step, length()));
  if (options().statistics == StatisticsKind::kMovingAverage) {
    const auto decay = static_cast<float>(options().statistics_decay);
    scalars.statistics_weight = moving_average_weight(decay, parameters_.statistics_updates + 1);
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
  interval_wait_ = loaders_->counters().wait_seconds;
  interval_exchange_ = step_.exchange_seconds();
}

// The waits are those of the process that waited longest.
void Trainer::add_speed(LogRecord& entry) {
  const double elapsed = seconds_since(interval_start_);
  const std::array<double, 2> mine{loaders_->counters().wait_seconds - interval_wait_,
                                   step_.exchange_seconds() - interval_exchange_};
  std::vector<double> all(mine.size() * static_cast<size_t>(group_.place().world));
  group_.gather(mine, all);
  std::array<double, 2> longest{};
  for (size_t i = 0; i < all.size(); ++i) longest[i % 2] = std::max(longest[i % 2], all[i]);
  const auto images = static_cast<double>((progress_.step - interval_step_) * options().batch * step_.parts());
  entry.images_per_second = images / elapsed;
  entry.data_wait_share = longest[0] / elapsed;
  if (!group_.is_alone()) entry.communication_share = longest[1] / elapsed;
  start_interval();
}

// False when the run has diverged.
bool Trainer::log_training() {
  if (has_diverged()) return false;
  LogRecord entry = record("train");
  const PartScore score = mean_over_parts(group_, scores_);
  entry.loss = score.loss;
  entry.train_top1 = score.top1;
  entry.train_top5 = score.top5;
  // The rate the logged step was made with.
  entry.learning_rate = learning_rate(options().learning_rate, progress_.step - 1, length());
  add_speed(entry);
  write(entry);
  const double seconds_per_step = seconds_since(start_) / static_cast<double>(progress_.step - first_step_);
  line_->show(entry, seconds_per_step * static_cast<double>(total_steps_ - progress_.step));
  return true;
}

void Trainer::write(const LogRecord& record) const {
  if (log_) log_->write(record);
}

// Every process computes all batches: the same work, the same bits.
void Trainer::estimate_population() {
  together(group_, [this] {
    bn::estimate_population(*statistics_plan_, parameters_, backend_, *train_set_, config_.data,
                            options().statistics_batches, options().seed);
  });
}

bool Trainer::evaluate_now() {
  if (statistics_plan_) estimate_population();
  last_evaluation_ = evaluate(evaluation_plan_, backend_, *validation_set_, config_.data, &group_);
  evaluated_step_ = progress_.step;
  LogRecord entry = record("evaluate");
  entry.validation_loss = last_evaluation_.loss;
  entry.validation_top1 = last_evaluation_.top1;
  entry.validation_top5 = last_evaluation_.top5;
  entry.message = describe_skipped(last_evaluation_.skipped, last_evaluation_.skipped_names);
  write(entry);
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
  if (saved_step_ == progress_.step || has_diverged()) return;
  expect_same_parameters(group_, parameters_, progress_.step);
  if (statistics_plan_ && evaluated_step_ != progress_.step) estimate_population();  // estimates them for these weights
  in_first(group_, [this] {
    save_checkpoint(folder_.checkpoint_path(progress_.step), parameters_, progress_, to_yaml(config_), provenance_);
    publish_if_best();
    folder_.prune_checkpoints(options().keep_checkpoints);
  });
  saved_step_ = progress_.step;
}

TrainResult Trainer::finish(TrainOutcome outcome, const char* event, const std::string& message) {
  LogRecord entry = record(event);
  entry.message = message;
  const LoaderCounters counters = loaders_->counters_of_all(group_);
  const std::string skipped = describe_skipped(counters.skipped, counters.skipped_names);
  entry.message += (message.empty() || skipped.empty() ? "" : "; ") + skipped;
  write(entry);
  if (!entry.message.empty()) line_->message(entry.message);
  return {.outcome = outcome, .progress = progress_, .last_evaluation = last_evaluation_};
}

TrainResult Trainer::finish_diverged() {
  progress_.step = first_bad_step() + 1;
  return finish(TrainOutcome::kDiverged, "diverged",
                fmt::format("diverged at step {}: a loss or parameter is not finite", progress_.step));
}

void Trainer::write_opening() {
  std::string note;
  for (const std::string& more : {origin_message_, describe_frozen(net_, config_.model.init_from)}) {
    if (!more.empty()) note += "; " + more;
  }
  if (!other_computation_.empty()) {
    note += fmt::format("; other bits are allowed: {} until here, {} from here", other_computation_,
                        provenance_.computation);
  }
  LogRecord opening = record("start");
  opening.message = describe_start({.config = config_,
                                    .backend = backend_,
                                    .net = net_,
                                    .training = *train_set_,
                                    .validation = *validation_set_,
                                    .place = group_.place()},
                                   note);
  write(opening);
  line_->message(opening.message);
}

TrainResult Trainer::run() {
  in_first(group_, [this] { store_plan(); });
  plan_.pack();
  // A finished run was resumed: nothing new to record, unless it was killed at the end.
  if (progress_.step >= total_steps_) {
    last_evaluation_ = evaluate(evaluation_plan_, backend_, *validation_set_, config_.data, &group_);
    if (!has_ended_) return finish(TrainOutcome::kFinished, "end", "");
    return {.outcome = TrainOutcome::kFinished, .progress = progress_, .last_evaluation = last_evaluation_};
  }
  write_opening();
  if (probe_ && progress_.step == 0) log_->write(probe_->measure(record("probe")));
  try {
    return run_steps();
  } catch (const Error& error) {  // hours in, one image is damaged: keep what was learned
    const bool is_agreed = group_.is_alone() || dynamic_cast<const AgreedError*>(&error) != nullptr;
    if (!is_agreed || error.exit_code() != ExitCode::kData) throw;
    save();
    LogRecord entry = record("error");
    entry.message = error.what();
    write(entry);
    throw;
  }
}

TrainResult Trainer::run_steps() {
  start_interval();
  while (progress_.step < total_steps_) {
    if (must_stop()) {
      if (has_diverged()) return finish_diverged();
      save();
      return finish(TrainOutcome::kInterrupted, "interrupted",
                    fmt::format("interrupted at step {}; continue with --resume", progress_.step));
    }
    train_step();
    if (signals_.failed) together(group_, [this] { rethrow_error(); });
    const bool last = progress_.step == total_steps_;
    const bool evaluates = last || is_due(evaluation_interval());
    const bool saves = last || is_due(save_interval());
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
  const std::unique_ptr<Group> alone = bn::alone();
  Group& group = request.group == nullptr ? *alone : *request.group;
  std::optional<Trainer> trainer;
  together(group, [&] { trainer.emplace(config, backend, folder, request, group); });
  trainer->prepare();
  return trainer->run();
}

}  // namespace bn
