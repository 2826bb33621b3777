#include "train/parted_step.hpp"

#include <array>

#include "bn/error.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

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

PartedStep::PartedStep(Plan& plan, Parameters& parameters, Backend& backend, Group& group, Exchange* exchange,
                       const TrainOptions& options)
    : plan_(plan),
      parameters_(parameters),
      group_(group),
      exchange_(exchange),
      step_(plan, parameters, backend, update_options(options)),
      parts_(options.parts),
      own_(own_parts(options.parts, group.place())),
      gradients_(backend, parameters.gradient_slab(), own_.count),
      statistics_(backend, parameters.batch_state_slab(), own_.count) {
  for (const Tensor& slab : {parameters.gradient_slab(), parameters.batch_state_slab()}) {
    if (slab.shape.c > 0) slabs_.push_back(slab);
  }
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
  } catch (const DataError&) {
    if (group_.is_alone()) throw;
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
    step_.run_part(mine);
    computed(i);
    gradients_.add(i);
    statistics_.add(i);
  }
}

// After an error the gradients are anything, but everybody must come here.
PartedStep::Signals PartedStep::exchange(const Signals& mine) {
  const auto start = Clock::now();
  exchange_->sum(slabs_, plan_.step_state());
  std::array<float, 2> signals{mine.stop ? 1.0F : 0.0F, mine.failed ? 1.0F : 0.0F};
  group_.sum(signals);
  exchange_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  return {.stop = signals[0] > 0, .failed = signals[1] > 0};
}

}  // namespace bn
