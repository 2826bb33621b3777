// Running a plan: flat lists of steps with fixed pointers.
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "bn/error.hpp"
#include "plan/plan_impl.hpp"

namespace bn {

Plan::Plan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Tensor Plan::images() const { return impl_->images; }
Tensor Plan::labels() const { return impl_->labels; }
void Plan::set_labels(const int32_t* labels) {
  const int64_t classes = impl_->logits.shape.c;
  for (int64_t i = 0; i < impl_->labels.shape.n; ++i) {
    if (labels[i] < classes) continue;
    throw DataError(
        fmt::format("Image {} of the batch has label {}, but the network has {} classes.", i, labels[i], classes));
  }
  impl_->backend->upload(impl_->labels.data, labels, impl_->labels.bytes());
}

Tensor Plan::logits() const { return impl_->logits; }
Tensor Plan::losses() const { return impl_->losses; }

Tensor Plan::output(const std::string& op) const {
  const auto found = impl_->kept.find(op);
  if (found == impl_->kept.end()) throw ConfigError("the plan keeps no output of an op \"" + op + "\"");
  return found->second;
}

// Runs one step, timed when somebody watches; an error learns where it happened.
template <class Run>
void Plan::Impl::run_step(int step, const char* direction, Run&& run) {
  try {
    if (!observer) {
      run();
      return;
    }
    const auto start = std::chrono::steady_clock::now();
    run();
    backend->synchronize();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    observer(step, direction == kBackward, seconds.count());
  } catch (Error& error) {
    error.add_context(steps[static_cast<size_t>(step)].info.name + " " + direction);
    throw;
  }
}

void Plan::pack() {
  impl_->backend->enter_thread();
  impl_->backend->pack(impl_->packs);
}

void Plan::begin(const StepScalars& scalars) { impl_->backend->upload(&step_state()->now, &scalars, sizeof(scalars)); }

void Plan::set_seed(uint64_t seed) { impl_->backend->upload(&step_state()->seed, &seed, sizeof(seed)); }

void Plan::forward() {
  impl_->backend->enter_thread();
  for (size_t i = 0; i < impl_->steps.size(); ++i) {
    auto& current = impl_->steps[i];
    impl_->run_step(static_cast<int>(i), Impl::kForward, [&] { current.op->forward(current.io); });
  }
}

void Plan::backward(Gradients gradients) {
  impl_->backend->enter_thread();
  for (const auto& item : impl_->backward) {
    auto& current = impl_->steps[static_cast<size_t>(item.step)];
    impl_->run_step(item.step, Impl::kBackward, [&] {
      if (item.sum_dst) {
        impl_->backend->sum(item.sum_dst, item.sum_srcs);
      } else {
        current.op->backward(current.io);
      }
    });
    if (impl_->gradient_observer && !item.sum_dst && !current.io.dw.empty()) impl_->gradient_observer(current.io.dw);
  }
  if (gradients == Gradients::kInParameters) impl_->backend->unpack(impl_->unpacks);
}

double Plan::read_loss() const {
  const auto count = static_cast<size_t>(impl_->options.batch);
  impl_->backend->download(impl_->host_losses.data(), impl_->losses.data, impl_->losses.bytes());
  impl_->backend->download(impl_->host_labels.data(), impl_->labels.data, impl_->labels.bytes());
  double sum = 0;
  int64_t valid = 0;
  for (size_t i = 0; i < count; ++i) {
    if (impl_->host_labels[i] < 0) continue;
    sum += impl_->host_losses[i];
    ++valid;
  }
  return valid == 0 ? 0.0 : sum / static_cast<double>(valid);
}

int64_t Plan::first_bad_step() const {
  int64_t step = -1;
  impl_->backend->download(&step, &step_state()->first_bad_step, sizeof(step));
  return step;
}

void Plan::update_statistics() {
  const Parameters& parameters = *impl_->parameters;
  if (impl_->correction == nullptr) return;  // no batch norm
  const Tensor factor = dense(impl_->correction->data(), DType::kF32, parameters.population_slab().shape);
  impl_->backend->blend(parameters.population_slab(), parameters.batch_state_slab(), factor,
                        &step_state()->now.statistics_weight);
}

void Plan::update_parameters(const Parameters::SgdOptions& options, Gradients gradients) {
  std::span<const OpCall> unpacks;
  if (gradients == Gradients::kWithOps) unpacks = impl_->unpacks;
  impl_->backend->update(
      {.unpacks = unpacks, .updates = impl_->parameters->sgd_updates(options, step_state()), .packs = impl_->repacks});
}

StepState* Plan::step_state() const { return static_cast<StepState*>(impl_->step_state->data()); }
const PlanOptions& Plan::options() const { return impl_->options; }
const PlanMemory& Plan::memory() const { return impl_->memory; }

std::vector<StepInfo> Plan::steps() const {
  std::vector<StepInfo> infos;
  for (const auto& step : impl_->steps) infos.push_back(step.info);
  return infos;
}

void Plan::set_observer(Observer observer) { impl_->observer = std::move(observer); }
void Plan::set_gradient_observer(GradientObserver observer) { impl_->gradient_observer = std::move(observer); }

float moving_average_weight(float decay, int64_t update) {
  // Computed in double: in float, 1 - decay^t keeps four digits of the early weights.
  const double rate = decay;
  return static_cast<float>((1.0 - rate) / (1.0 - std::pow(rate, static_cast<double>(update))));
}

}  // namespace bn
