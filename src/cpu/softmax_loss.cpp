// Softmax cross-entropy, in f32 throughout: forward keeps the probabilities, backward scales them.
#include <fmt/format.h>

#include <cmath>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

class SoftmaxLossOp final : public Op {
 public:
  SoftmaxLossOp(const SoftmaxLoss& spec, const Shape& logits)
      : weight_(spec.weight), n_(logits.n), classes_(logits.c) {}

  int64_t saved_bytes() const override { return n_ * classes_ * static_cast<int64_t>(sizeof(float)); }
  void forward(const OpIo& io) override;
  void backward(const OpIo& io) override;
  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  void require_labels(const int32_t* labels) const;

  float weight_;
  int64_t n_, classes_;
  const Kernels& kernels_ = kernels();
};

void SoftmaxLossOp::require_labels(const int32_t* labels) const {
  for (int64_t i = 0; i < n_; ++i) {
    if (labels[i] >= classes_) {
      throw DataError(
          fmt::format("Image {} of the batch has label {}, but the network has {} classes.", i, labels[i], classes_));
    }
  }
}

void SoftmaxLossOp::forward(const OpIo& io) {
  const auto* logits = io.x[0].as<float>();    // [n, classes]
  const auto* labels = io.x[1].as<int32_t>();  // [n]
  auto* probabilities = static_cast<float*>(io.saved);
  auto* losses = io.y.as<float>();  // [n]
  require_labels(labels);
#pragma omp parallel if (worth_threads(n_ * classes_))
  {
    const Share mine = share_of(n_);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const float* row = logits + i * classes_;
      const double log_sum = kernels_.updates.softmax(probabilities + i * classes_, row, classes_);
      losses[i] = labels[i] < 0 ? 0.0F : static_cast<float>(log_sum - static_cast<double>(row[labels[i]]));
    }
  }
  for (int64_t i = 0; i < n_; ++i) {
    if (!std::isfinite(losses[i]) && io.step->first_bad_step < 0) {
      io.step->first_bad_step = static_cast<int64_t>(io.step->now.step);
    }
  }
}

void SoftmaxLossOp::backward(const OpIo& io) {
  if (!io.dx[0]) return;
  const auto* labels = io.x[1].as<int32_t>();
  const auto* probabilities = static_cast<const float*>(io.saved);
  auto* dx = io.dx[0].as<float>();
  int64_t count = 0;
  for (int64_t i = 0; i < n_; ++i) count += labels[i] >= 0 ? 1 : 0;
  const float factor = count == 0 ? 0.0F : weight_ / static_cast<float>(count);
#pragma omp parallel if (worth_threads(n_ * classes_))
  {
    const Share mine = share_of(n_);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const bool counts = labels[i] >= 0;
      float* row = dx + i * classes_;
      const float* probability = probabilities + i * classes_;
      kernels_.updates.scale(row, probability, counts ? factor : 0.0F, classes_);
      if (counts) row[labels[i]] = factor * (probability[labels[i]] - 1.0F);
    }
  }
}

}  // namespace

std::unique_ptr<Op> make_softmax_loss(const SoftmaxLoss& spec, const OpDesc& desc) {
  require_loss_types(desc);
  return std::make_unique<SoftmaxLossOp>(spec, desc.x.at(0).shape);
}

}  // namespace bn::cpu
