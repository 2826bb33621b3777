#include "train/parted_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "core/regions.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

constexpr int64_t kMostSlices = 16;
constexpr int64_t kShortestSlice = 1024;

int64_t common_elements(const Tensor& a, const Tensor& b) {
  const auto* begin = std::max(a.as<float>(), b.as<float>());
  const auto* end = std::min(a.as<float>() + a.shape.elements(), b.as<float>() + b.shape.elements());
  return std::max<int64_t>(end - begin, 0);
}

UpdateOptions update_options(const TrainOptions& options) {
  return {.sgd = {.momentum = static_cast<float>(options.momentum),
                  .l2 = static_cast<float>(options.l2),
                  .kind = options.momentum_kind},
          .statistics = options.statistics == StatisticsKind::kMovingAverage,
          .average = options.average == AverageKind::kPolyak};
}

}  // namespace

TreeSum::TreeSum(Backend& backend, const Tensor& slab, int64_t parts)
    : backend_(backend), parts_(slab.shape.c == 0 ? 0 : parts), slab_{slab} {
  for (int64_t sums = 1; sums < parts_; sums *= 2) {
    Level level{.memory = backend.allocate(slab.bytes()), .waiting = {}, .with_neighbour = {}};
    level.waiting = dense(level.memory->data(), slab.dtype, slab.shape);
    level.with_neighbour = {level.waiting, slab};
    levels_.push_back(std::move(level));
  }
}

// As a binary counter is incremented: while a sum of as many parts waits, this one joins it.
void TreeSum::add(int64_t part) {
  if (parts_ == 0) return;
  size_t level = 0;
  for (int64_t earlier = part; earlier % 2 == 1; earlier /= 2, ++level) {
    backend_.sum(slab_.front(), levels_[level].with_neighbour);
  }
  if (part + 1 < parts_) backend_.sum(levels_[level].waiting, slab_);
}

void TreeSum::add_last(const Tensor& slice) {
  const int64_t offset = slice.as<float>() - slab_.front().as<float>();
  for (const Level& level : levels_) {
    terms_[0] = dense(level.waiting.as<float>() + offset, slice.dtype, slice.shape);
    terms_[1] = slice;
    backend_.sum(slice, terms_);
  }
}

PartedStep::PartedStep(Plan& plan, Parameters& parameters, Backend& backend, Group& group, Exchange* exchange,
                       const TrainOptions& options, bool overlap)
    : plan_(plan),
      parameters_(parameters),
      group_(group),
      exchange_(exchange),
      step_(plan, parameters, backend, update_options(options)),
      parts_(options.parts),
      own_(own_parts(options.parts, group.place())),
      gradients_(backend, parameters.gradient_slab(), own_.count),
      statistics_(backend, parameters.batch_state_slab(), own_.count) {
  if (overlap && exchange_ != nullptr && exchange_->overlaps()) divide_gradients();
  for (const Tensor& slab : {parameters.gradient_slab(), parameters.batch_state_slab()}) {
    if (slab.shape.c > 0) slabs_.push_back(slab);
  }
}

// A sum that was begun uses the gradients' memory, which goes soon.
PartedStep::~PartedStep() {
  plan_.set_gradient_observer({});
  if (begun_ == 0) return;
  try {
    exchange_->finish();
  } catch (const Error&) {  // the error that ended the step in its midst says more
  }
}

void PartedStep::divide_gradients() {
  const Tensor slab = parameters_.gradient_slab();
  const int64_t length = round_up(std::max(slab.shape.c / kMostSlices, kShortestSlice), kShortestSlice);
  for (int64_t begin = 0; begin < slab.shape.c; begin += length) {
    const int64_t count = std::min(length, slab.shape.c - begin);
    slices_.push_back({.values = dense(slab.as<float>() + begin, slab.dtype, vector_shape(count))});
  }
  plan_.set_gradient_observer([this](const std::vector<Tensor>& gradients) { take_gradients(gradients); });
}

void PartedStep::take_gradients(const std::vector<Tensor>& gradients) {
  if (!is_last_part_) return;
  ++ops_;
  for (const Tensor& gradient : gradients) {
    for (Slice& slice : slices_) {
      const int64_t written = common_elements(gradient, slice.values);
      slice.missing -= written;
      if (order_is_known_ || written == 0) continue;
      slice.gradients += written;
      slice.completed = ops_;
    }
  }
  if (!order_is_known_) return;
  while (begun_ < slices_.size() && slices_[begun_].missing == 0) begin_next_slice();
}

void PartedStep::begin_next_slice() {
  const Tensor& values = slices_[begun_++].values;
  gradients_.add_last(values);
  exchange_->begin(values);
}

PartedStep::Signals PartedStep::run(const StepScalars& scalars, bool stop, const std::function<void(int64_t)>& load,
                                    const std::function<void(int64_t)>& computed) {
  if (parts_ == 1) {
    load(0);
    step_.run(scalars);
    computed(0);
    return {.stop = stop};
  }
  error_ = nullptr;
  try {
    compute_own_parts(scalars, load, computed);
  } catch (const Error& error) {  // a damaged image, a disk that fails
    const bool is_of_images = error.exit_code() == ExitCode::kData || error.exit_code() == ExitCode::kStorage;
    const bool others_wait_amid_the_step = plan_.options().exchange != nullptr;  // so they cannot agree on its end
    if (group_.is_alone() || others_wait_amid_the_step || !is_of_images) throw;
    error_ = std::current_exception();
  }
  Signals signals{.stop = stop, .failed = error_ != nullptr};
  if (exchange_ != nullptr) signals = exchange(signals);
  if (!signals.failed) step_.run_update();
  return signals;
}

void PartedStep::compute_own_parts(const StepScalars& scalars, const std::function<void(int64_t)>& load,
                                   const std::function<void(int64_t)>& computed) {
  StepScalars mine = scalars;
  mine.parts = parts_;
  for (int64_t i = 0; i < own_.count; ++i) {
    mine.part = own_.first + i;
    load(i);
    is_last_part_ = i + 1 == own_.count;
    step_.run_part(mine);
    computed(i);
    if (!is_last_part_ || !order_is_known_) gradients_.add(i);
    statistics_.add(i);
  }
}

// After an error the gradients are anything, but everybody must come here, and exchange the same slices.
PartedStep::Signals PartedStep::exchange(const Signals& mine) {
  const auto start = std::chrono::steady_clock::now();
  if (order_is_known_) {
    while (begun_ < slices_.size()) begin_next_slice();
    exchange_->finish();
    exchange_->sum({slabs_.data() + 1, slabs_.size() - 1}, plan_.step_state());
  } else {
    exchange_->sum(slabs_, plan_.step_state());
  }
  std::array<float, 2> signals{mine.stop ? 1.0F : 0.0F, mine.failed ? 1.0F : 0.0F};
  group_.sum(signals);
  exchange_seconds_ += seconds_since(start);
  prepare_slices();
  return {.stop = signals[0] > 0, .failed = signals[1] > 0};
}

void PartedStep::prepare_slices() {
  if (!order_is_known_) std::ranges::stable_sort(slices_, {}, &Slice::completed);
  order_is_known_ = !slices_.empty();
  for (Slice& slice : slices_) slice.missing = slice.gradients;
  begun_ = 0;
  is_last_part_ = false;
}

PartLoaders::PartLoaders(const Dataset& images, const DataOptions& data, const LoaderOptions& options,
                         const OwnParts& own, int64_t parts) {
  DataOptions share = data;
  if (share.workers > 0) share.workers = std::max<int64_t>(1, share.workers / own.count);
  LoaderOptions of_part = options;
  of_part.part.world = parts;
  for (int64_t i = 0; i < own.count; ++i) {
    of_part.part.rank = own.first + i;
    loaders_.push_back(std::make_unique<Loader>(images, share, of_part));
  }
}

LoaderCounters PartLoaders::counters() const {
  LoaderCounters sum;
  for (const auto& loader : loaders_) {
    const LoaderCounters counters = loader->counters();
    sum.wait_seconds += counters.wait_seconds;
    sum.skipped += counters.skipped;
    sum.skipped_names.insert(sum.skipped_names.end(), counters.skipped_names.begin(), counters.skipped_names.end());
  }
  return sum;
}

LoaderCounters PartLoaders::counters_of_all(Group& group) const {
  LoaderCounters mine = counters();
  if (group.is_alone()) return mine;
  LoaderCounters all;
  for (const std::string& count : group.gather(fmt::to_string(mine.skipped))) all.skipped += std::stoll(count);
  std::string own_names;
  for (const std::string& name : mine.skipped_names) own_names += name + '\0';
  for (const std::string& names : group.gather(own_names)) {
    std::istringstream stream(names);
    for (std::string name; std::getline(stream, name, '\0');) all.skipped_names.push_back(name);
  }
  return all;
}

PartScore score_part(const Plan& plan, Backend& backend) {
  const int64_t batch = plan.logits().shape.n, classes = plan.logits().shape.c;
  std::vector<float> logits(static_cast<size_t>(batch * classes));
  std::vector<int32_t> labels(static_cast<size_t>(batch));
  backend.download(logits.data(), plan.logits().data, plan.logits().bytes());
  backend.download(labels.data(), plan.labels().data, plan.labels().bytes());
  PartScore result{.loss = plan.read_loss()};
  for (int64_t i = 0; i < batch; ++i) {
    const Score score =
        score_logits(&logits[static_cast<size_t>(i * classes)], classes, labels[static_cast<size_t>(i)]);
    result.top1 += score.rank < 1 ? 1 : 0;
    result.top5 += score.rank < 5 ? 1 : 0;
  }
  result.top1 /= static_cast<double>(batch);
  result.top5 /= static_cast<double>(batch);
  return result;
}

PartScore mean_over_parts(Group& group, const std::vector<PartScore>& own) {
  constexpr size_t kValues = 3;
  std::vector<double> mine, all(kValues * own.size() * static_cast<size_t>(group.place().world));
  for (const PartScore& score : own) mine.insert(mine.end(), {score.loss, score.top1, score.top5});
  group.gather(mine, all);
  PartScore mean;
  for (size_t i = 0; i < all.size(); i += kValues) {
    mean.loss += all[i];
    mean.top1 += all[i + 1];
    mean.top5 += all[i + 2];
  }
  const size_t count = all.size() / kValues;
  const auto parts = static_cast<double>(count);
  return {.loss = mean.loss / parts, .top1 = mean.top1 / parts, .top5 = mean.top5 / parts};
}

}  // namespace bn
