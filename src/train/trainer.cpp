// The training loop. Each step: next batch, load, forward, backward, statistics, update, pack; everything else
// (logging, probing, evaluating, saving) happens between steps and changes nothing a resumed run would miss.
//
// Several processes run this loop in the same steps. Each computes its own parts; the first one alone writes: log,
// checkpoints and messages. Whatever decides how the loop goes on is the same in all of them.
#include "train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bn/error.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

std::string describe_skipped(int64_t count, const std::vector<std::string>& names) {
  if (count == 0) return "";
  const auto images = static_cast<int64_t>(names.size());
  const std::string often = count == images ? "" : fmt::format(", {} times in all", count);
  return fmt::format("undecodable images were skipped{}: {}", often, fmt::join(names, ", "));
}

std::string describe_record(const LogRecord& record, int64_t total_steps, double seconds_left) {
  std::string line = fmt::format("step {}/{}", record.step, total_steps);
  if (record.loss) line += fmt::format("  loss {:.4f}", *record.loss);
  if (record.train_top1) line += fmt::format("  top-1 {:.1f} %", 100 * *record.train_top1);
  if (record.validation_top1) {
    line += fmt::format("  validation: loss {:.4f}  top-1 {:.2f} %  top-5 {:.2f} %", record.validation_loss.value_or(0),
                        100 * *record.validation_top1, 100 * record.validation_top5.value_or(0));
  }
  if (record.images_per_second) line += fmt::format("  {:.0f} images/s", *record.images_per_second);
  if (seconds_left >= 0) line += fmt::format("  {} left", describe_duration(seconds_left));
  return line;
}

std::string describe_left_out(const LeftOut& left_out, const char* set) {
  if (left_out.count == 0) return "";
  return fmt::format("; left out beside the {} images: {}", set, left_out.list());
}

// Nothing is said of a step that is one batch.
std::string describe_parts(const TrainOptions& train, const Place& place) {
  if (train.parts == 1) return "";
  return fmt::format("; {} parts x {} = {} images a step, by {} process{}; the learning rate is as given", train.parts,
                     train.batch, train.parts * train.batch, place.world, place.world == 1 ? "" : "es");
}

// "frozen: conv1, conv2 (1234 of 5678 parameters)"; empty where nothing is. `init_from`: model.init_from.
std::string describe_frozen(const Net& net, const std::string& init_from) {
  std::vector<std::string> rows;
  for (const Node& node : net.nodes()) {
    const std::string row = node.name.substr(0, node.name.find('/'));
    if (node.is_frozen && (rows.empty() || rows.back() != row)) rows.push_back(row);
  }
  if (rows.empty()) return "";
  int64_t frozen = 0;
  for (const ParameterInfo& parameter : net.parameters()) {
    if (parameter.is_frozen) frozen += parameter.spec.shape.elements();
  }
  return fmt::format("frozen{}: {} ({} of {} parameters)",
                     init_from.empty() ? " as drawn, for model.init_from is empty" : "", fmt::join(rows, ", "), frozen,
                     net.parameter_count());
}

}  // namespace

// Writes plan.txt: which implementation computes each op. On a GPU the library chooses it when the network is compiled.
void Trainer::store_plan() const {
  std::string text;
  for (const StepInfo& step : plan_.steps()) {
    text += fmt::format("{:<36} {:<20} {}\n", step.name, step.kind, step.implementation);
  }
  if (request_.resume) folder_.store_config(to_yaml(config_));  // now that nothing speaks against it
  write_file(folder_.path() + "/plan.txt", text);
  write_file(folder_.path() + "/made_of.json", to_json(provenance_) + "\n");
  store_choices(backend_, folder_);
}

int64_t Trainer::evaluation_interval() const {
  return options().evaluate_every > 0 ? options().evaluate_every : steps_per_epoch_;
}

int64_t Trainer::save_interval() const {
  return options().checkpoint_every > 0 ? options().checkpoint_every : evaluation_interval();
}

// Every record of a step holds its loss.
bool Trainer::logs_after(int64_t step) const {
  return step == total_steps_ || step % options().log_every == 0 || step % evaluation_interval() == 0 ||
         step % save_interval() == 0;
}

LogRecord Trainer::record(const char* event) const {
  LogRecord record;
  record.event = event;
  record.step = progress_.step;
  record.epoch = static_cast<double>(progress_.step) / static_cast<double>(steps_per_epoch_);
  record.seconds = seconds_before_ + seconds_since(start_);
  return record;
}

void Trainer::train_step() {
  const bool is_logged = logs_after(progress_.step + 1);
  // One process alone asks between the steps.
  const bool stop = !group_.is_alone() && request_.stop && request_.stop();
  signals_ = step_.run(
      scalars_of_this_step(), stop, [this](int64_t part) { load_part(part); },
      [this, is_logged](int64_t part) {
        if (is_logged) scores_[static_cast<size_t>(part)] = score_part(plan_, backend_);
      });
  if (signals_.failed) return;
  if (options().statistics == StatisticsKind::kMovingAverage) ++parameters_.statistics_updates;
  ++progress_.step;
}

void Trainer::load_part(int64_t own_part) {
  Batch batch;
  loaders_->next(own_part, batch);
  backend_.load_images(plan_.images(), batch.images, normalization_);
  plan_.set_labels(batch.labels);
}

// One process decides by itself, several by what was signalled in the last step.
bool Trainer::must_stop() const { return group_.is_alone() ? request_.stop && request_.stop() : signals_.stop; }

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

// Images a second are counted without evaluating and saving, which lie between two intervals; probing counts.
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
  // This is the rate by which the logged step was made.
  entry.learning_rate = learning_rate(options().learning_rate, progress_.step - 1, length());
  add_speed(entry);
  write(entry);
  const double seconds_per_step = seconds_since(start_) / static_cast<double>(progress_.step - first_step_);
  show(entry, seconds_per_step * static_cast<double>(total_steps_ - progress_.step));
  return true;
}

void Trainer::write(const LogRecord& record) const {
  if (log_) log_->write(record);
}

// Every process computes all batches: the same work, the same bits.
void Trainer::estimate_population(const std::function<bool()>& stop) {
  together(group_, [this, &stop] {
    bn::estimate_population(*statistics_plan_, parameters_, backend_, *train_set_, config_.data,
                            options().statistics_batches, options().seed, stop);
  });
  statistics_step_ = progress_.step;
}

bool Trainer::evaluate_now() {
  if (statistics_plan_) estimate_population(request_.stop);
  EvaluationWatch watch{.stop = request_.stop};
  watch.progress = [this](int64_t images, int64_t all) {
    if (!is_watched() || !line_.is_on_terminal() || !line_.is_due(1, 1)) return;
    line_.show(fmt::format("evaluating: {}/{} images", images, all));
  };
  last_evaluation_ = evaluate(evaluation_plan_, backend_, *validation_set_, config_.data, watch, &group_);
  LogRecord entry = record("evaluate");
  entry.validation_loss = last_evaluation_.loss;
  entry.validation_top1 = last_evaluation_.top1;
  entry.validation_top5 = last_evaluation_.top5;
  entry.message = describe_skipped(last_evaluation_.skipped, last_evaluation_.skipped_names);
  write(entry);
  show(entry, -1);
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
  if (statistics_plan_ && statistics_step_ != progress_.step) estimate_population({});
  in_first(group_, [this] {
    save_checkpoint(folder_.checkpoint_path(progress_.step), parameters_, progress_, to_yaml(config_), provenance_);
    publish_if_best();
    folder_.prune_checkpoints(options().keep_checkpoints);
  });
  saved_step_ = progress_.step;
}

// A row that is rewritten, but for the results of evaluations.
void Trainer::show(const LogRecord& record, double seconds_left) {
  const std::string line = describe_record(record, total_steps_, seconds_left);
  if (record.validation_top1) return show(line);
  if (is_watched()) line_.show(line);
}

void Trainer::show(const std::string& message) {
  if (is_watched()) line_.keep(message);
}

// This says what a progress line would have said, where there is none.
void Trainer::tell_skipped(const std::string& in_training) const {
  if (!in_training.empty()) tell(fmt::format("warning: {}\n", in_training));
  const std::string in_evaluation = describe_skipped(last_evaluation_.skipped, last_evaluation_.skipped_names);
  if (!in_evaluation.empty()) tell(fmt::format("warning: of the validation set, {}\n", in_evaluation));
}

TrainResult Trainer::finish(TrainOutcome outcome, const char* event, const std::string& message) {
  LogRecord entry = record(event);
  entry.message = message;
  const LoaderCounters counters = loaders_->counters_of_all(group_);
  const std::string skipped = describe_skipped(counters.skipped, counters.skipped_names);
  entry.message += (message.empty() || skipped.empty() ? "" : "; ") + skipped;
  write(entry);
  if (!entry.message.empty()) show(entry.message);
  if (request_.quiet && group_.is_first()) tell_skipped(skipped);
  return {.outcome = outcome,
          .progress = progress_,
          .last_evaluation = last_evaluation_,
          .skipped = {.count = counters.skipped, .names = counters.skipped_names}};
}

TrainResult Trainer::finish_diverged() {
  progress_.step = plan_.first_bad_step() + 1;
  return finish(TrainOutcome::kDiverged, "diverged",
                fmt::format("diverged at step {}: a loss or parameter is not finite", progress_.step));
}

// An evaluation that was interrupted is made when the run is resumed.
TrainResult Trainer::finish_interrupted() {
  if (has_diverged()) return finish_diverged();
  save();
  return finish(TrainOutcome::kInterrupted, "interrupted",
                fmt::format("interrupted at step {}; continue with --resume", progress_.step));
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
  opening.message =
      fmt::format("{}; {} parameters; {:.1f} M multiply-adds per image; {} training and {} validation images",
                  backend_.name(), net_.parameter_count(), static_cast<double>(net_.multiply_adds()) / 1e6,
                  train_set_->size(), validation_set_->size());
  opening.message += describe_parts(options(), group_.place()) + note +
                     describe_left_out(train_set_->left_out(), "training") +
                     describe_left_out(validation_set_->left_out(), "validation");
  write(opening);
  show(opening.message);
}

// Each warning is given once in a run, however often the run is resumed.
void Trainer::warn() {
  std::vector<std::string> warnings = request_.warnings;
  const std::vector<std::string> own = warnings_of(config_, net_, *train_set_, *validation_set_, evaluation_interval());
  warnings.insert(warnings.end(), own.begin(), own.end());
  for (const std::string& warning : warnings) {
    if (!warnings_in_log_.insert(warning).second) continue;
    LogRecord entry = record("warning");
    entry.message = warning;
    write(entry);
    tell(fmt::format("warning: {}\n", warning));
  }
}

LeftOut Trainer::left_out() const {
  LeftOut both = train_set_->left_out();
  both.add(validation_set_->left_out());
  return both;
}

TrainResult Trainer::run() {
  in_first(group_, [this] { store_plan(); });
  plan_.pack();
  // A finished run was resumed: nothing new to record, unless it was killed at the end.
  if (progress_.step > total_steps_ || (progress_.step == total_steps_ && was_evaluated_)) {
    last_evaluation_ =
        evaluate(evaluation_plan_, backend_, *validation_set_, config_.data, {.stop = request_.stop}, &group_);
    if (!has_ended_) return finish(TrainOutcome::kFinished, "end", "");
    return {.outcome = TrainOutcome::kFinished, .progress = progress_, .last_evaluation = last_evaluation_};
  }
  write_opening();
  in_first(group_, [this] { warn(); });
  if (probe_ && progress_.step == 0) log_->write(probe_->measure(record("probe")));
  try {
    return run_steps();
  } catch (const Error& error) {
    const auto is_agreed = [this](const Error& any) {
      return group_.is_alone() || dynamic_cast<const AgreedError*>(&any) != nullptr;
    };
    if (!is_agreed(error)) throw;
    if (error.exit_code() == ExitCode::kInterrupted) {
      try {
        return finish_interrupted();
      } catch (const Error& failure) {
        const bool is_of_files = failure.exit_code() == ExitCode::kData || failure.exit_code() == ExitCode::kStorage;
        if (is_agreed(failure) && is_of_files) keep_what_was_learned(failure.what());
        throw;
      }
    }
    if (error.exit_code() == ExitCode::kDiverged) {
      return finish(TrainOutcome::kDiverged, "diverged",
                    fmt::format("diverged at step {}: {}", progress_.step, error.what()));
    }
    if (error.exit_code() != ExitCode::kData && error.exit_code() != ExitCode::kStorage) throw;
    keep_what_was_learned(error.what());
    throw;
  }
}

// Hours in, an image is damaged or a disk fails. If it is the run's own disk, nothing can be kept.
void Trainer::keep_what_was_learned(std::string message) {
  try {
    save();
  } catch (const Error&) {
    try {
      if (statistics_plan_ && statistics_step_ != progress_.step) {  // they are estimated from the images
        statistics_step_ = progress_.step;
        save();
        message += "; the statistics of batch normalisation in the last checkpoint are not the population's";
      }
    } catch (const Error&) {
    }
  }
  try {
    LogRecord entry = record("error");
    entry.message = std::move(message);
    write(entry);
  } catch (const Error&) {
  }
}

TrainResult Trainer::run_steps() {
  if (!was_evaluated_ && is_evaluated() && evaluate_now()) save();
  start_interval();
  while (progress_.step < total_steps_) {
    if (must_stop()) return finish_interrupted();
    train_step();
    if (signals_.failed) {
      together(group_, [this] {
        if (step_.error()) std::rethrow_exception(step_.error());
      });
    }
    const bool evaluates = is_evaluated();
    const bool saves = progress_.step == total_steps_ || is_due(save_interval());
    if ((is_due(options().log_every) || evaluates || saves) && !log_training()) return finish_diverged();
    if (!options().probe.op.empty() && is_due(options().probe.every)) {
      if (has_diverged()) return finish_diverged();
      if (probe_) log_->write(probe_->measure(record("probe")));
    }
    const bool is_best = evaluates && evaluate_now();
    if (saves || is_best) save();
    if (evaluates || saves) start_interval();
  }
  return finish(TrainOutcome::kFinished, "end", "");
}

TrainResult train(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request) {
  const std::unique_ptr<Group> alone = bn::alone();
  Group& group = request.group == nullptr ? *alone : *request.group;
  const std::unique_ptr<Exchange> exchange = group.is_alone() ? nullptr : backend.join(group);
  std::optional<Trainer> trainer;
  together(group, [&] { trainer.emplace(config, backend, folder, request, group, exchange.get()); });
  trainer->prepare();
  TrainResult result = trainer->run();
  result.left_out = trainer->left_out();
  return result;
}

}  // namespace bn
