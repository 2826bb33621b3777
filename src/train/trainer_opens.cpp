// A run begins with the data, the network and its plans; then come a checkpoint's values, another run's, or drawn ones.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/run_folder.hpp"
#include "system/terminal.hpp"
#include "train/trainer.hpp"

namespace bn {

namespace {

std::unique_ptr<PartExchange> part_exchange(Exchange* exchange, const BatchNorm& spec) {
  if (exchange == nullptr || spec.synchronised_parts == 1) return nullptr;
  return exchange->parts(spec.synchronised_parts);
}

// The parameters between each loss and the values that its classifier reads: a linear layer and its bias.
std::vector<std::string> classifier_parameters(const Net& net) {
  std::vector<std::string> names;
  for (const Node& loss : net.nodes()) {
    if (!std::holds_alternative<SoftmaxLoss>(loss.spec)) continue;
    const Node* node = net.producer_of(loss.inputs.at(0));
    while (node != nullptr) {
      for (const int parameter : node->parameters)
        names.push_back(net.parameters()[static_cast<size_t>(parameter)].name);
      node = std::holds_alternative<BiasActivation>(node->spec) ? net.producer_of(node->inputs.at(0)) : nullptr;
    }
  }
  return names;
}

std::string describe_classes(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  if (before.size() != now.size()) return fmt::format("for {} classes, where it knew {}", now.size(), before.size());
  const ClassDifference other = first_difference(before, now).value();
  return fmt::format("for other classes: its class {} was {} and is {} here", other.index, other.left, other.right);
}

DataRecord record_of(const Dataset& set) {
  std::vector<int64_t> images(set.class_names().size());
  for (int64_t i = 0; i < set.size(); ++i) {
    const auto label = static_cast<size_t>(set.label(i));
    if (label >= images.size()) images.resize(label + 1);
    ++images[label];
  }
  return {.images = set.size(), .fingerprint = fingerprint(set), .largest_class = std::ranges::max(images)};
}

// Both sets' labels are numbers of the same classes. A set may have no names.
void expect_same_classes(const std::vector<std::string>& training, const std::vector<std::string>& validation) {
  const auto other = first_difference(training, validation);
  if (!other || training.empty() || validation.empty()) return;
  throw DataError(
      fmt::format("the training and validation sets have different classes: class {} is {} in the training set and {} "
                  "in the validation set; correct the paths, or name a classes file that lists those to use",
                  other->index, other->left, other->right));
}

// Two processes of one machine exchange gradients through its memory in no time, by the cores that compute.
bool overlaps(Overlap overlap, Group& group) {
  return overlap == Overlap::kAlways || (overlap == Overlap::kWhereFaster && !is_on_one_host(group));
}

}  // namespace

Trainer::Trainer(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request,
                 Group& group, Exchange* exchange)
    : config_(config),
      backend_(backend),
      folder_(folder),
      request_(request),
      group_(group),
      train_set_(open_dataset(config.data, Split::kTrain)),
      validation_set_(open_dataset(config.data, Split::kValidation)),
      net_(build_network(config.model)),
      part_exchange_(part_exchange(exchange, config.model.batch_norm)),
      parameters_(net_, backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak),
      normalization_(normalization_of(config.data)),
      choices_before_(request.resume ? repeat_choices(backend, folder) : ""),
      plan_(compile(net_, parameters_, backend, plan_options(Purpose::kTrain, config.train.batch))),
      evaluation_plan_(
          compile(net_, parameters_, backend, plan_options(Purpose::kEvaluateFolded, config.train.evaluate_batch))),
      step_(plan_, parameters_, backend, group, exchange, config.train, overlaps(config.distributed.overlap, group)) {
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
                 .training = record_of(*train_set_),
                 .validation = record_of(*validation_set_),
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
  expect_same_choices(group_, backend_);
  restore();
  first_step_ = progress_.step;
  together(group_, [this] { open_loaders(); });
}

void Trainer::open_loaders() {
  const LoaderOptions loader = with_memory_of(backend_, {.batch = options().batch,
                                                         .split = Split::kTrain,
                                                         .seed = options().seed,
                                                         .first_batch = progress_.step,
                                                         .quarantine = folder_.path() + "/quarantine"});
  loaders_.emplace(*train_set_, config_.data, loader, step_.own(), step_.parts());
  steps_per_epoch_ = loaders_->batches_per_epoch();
  total_steps_ = options().steps_of_run(steps_per_epoch_);
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
          .exchange = purpose == Purpose::kTrain ? part_exchange_.get() : nullptr,
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
    was_evaluated_ = progress_.step == 0;
    for (const LogRecord& earlier : read_log(folder_.log_path())) {
      if (earlier.seconds) seconds_before_ = *earlier.seconds;
      has_ended_ = earlier.event == "end" && earlier.step == progress_.step;
      if (earlier.event == "evaluate" && earlier.step == progress_.step) was_evaluated_ = true;
      if (earlier.event == "warning") warnings_in_log_.insert(earlier.message);
    }
  });
  share_state(group_, parameters_, progress_);
  share(group_, has_ended_);
  share(group_, was_evaluated_);
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
    other_computation_ = expect_same_provenance(folder_, *info->provenance, provenance_, otherwise);
    const std::string changed = expect_same_choices(folder_, choices_before_, backend_.choices(), otherwise);
    if (other_computation_.empty()) other_computation_ = changed;
  } else {
    warn(
        fmt::format("the checkpoint of step {} does not say which images and classes it was trained on, nor by which "
                    "library, so nothing compares them with those of now",
                    info->progress.step));
  }
  progress_ = info->progress;
  publish_if_best();  // the run may have been killed before it did, or before it pruned
  folder_.prune_checkpoints(options().keep_checkpoints);
  return progress_.step;
}

// A new run's values, drawn already, may be replaced by those of another run's checkpoint. The layers whose outputs are
// class scores are taken only where the other network knew the same classes.
void Trainer::start_from_another() {
  if (config_.model.init_from.empty()) return;
  try {
    const std::string path = find_checkpoint(config_.model.init_from, "best");
    const std::optional<Provenance> before = read_checkpoint_info(path).provenance;
    const bool knew_others = before && before->classes != provenance_.classes;
    const CheckpointInfo info =
        load_values(path, parameters_, knew_others ? classifier_parameters(net_) : std::vector<std::string>{});
    origin_message_ = fmt::format("starts from '{}' (step {})", path, info.progress.step);
    if (knew_others) {
      origin_message_ += ", but the classifier is drawn anew " + describe_classes(before->classes, provenance_.classes);
    }
    provenance_.origin = Origin{.checkpoint = path, .step = info.progress.step, .checksum = info.checksum};
  } catch (Error& error) {
    error.add_context("model.init_from");
    throw;
  }
}

void Trainer::check_data() const {
  const Shape image = net_.image_shape();
  if (image.h != config_.data.image_size || image.c != config_.data.image_channels) {
    throw ConfigError(
        fmt::format("the network takes {0}x{0} images with {1} channel(s), the data have {2}x{2} with {3}", image.h,
                    image.c, config_.data.image_size, config_.data.image_channels));
  }
  expect_same_classes(train_set_->class_names(), validation_set_->class_names());
  const auto classes = static_cast<int64_t>(train_set_->class_names().size());
  if (classes > net_.classes()) {
    throw ConfigError(fmt::format("model.classes is {}, but the data have {} classes", net_.classes(), classes));
  }
}

}  // namespace bn
