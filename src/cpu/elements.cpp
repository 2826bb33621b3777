// Our own ops on dense tensors, divided among threads: local response normalisation, dropout, copies, softmax loss.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "bn/rng.hpp"
#include "cpu/cpu_kernels.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

uint8_t* row_of(const Tensor& tensor, int64_t row) {
  return tensor.as<uint8_t>() + row * tensor.shape.c * size_of(tensor.dtype);
}
int64_t row_bytes_of(const Tensor& tensor) { return tensor.shape.c * size_of(tensor.dtype); }

// An image whose values do not begin at a multiple of four in the step's tensor: four values share a draw.
void dropout_from(int64_t place, const Tensor& y, const Tensor& x, int64_t first, int64_t count, const StepState& state,
                  const ops::DropoutKey& key) {
  const MaskStream mask{.seed = state.seed, .op = key.op};
  const float kept = 1.0F / (1.0F - key.rate);
  for (int64_t i = 0; i < count; ++i) {
    const auto element = static_cast<uint64_t>(place + i);
    const float factor = uniform_float(mask(state.now.step, element / 4)[element % 4]) >= key.rate ? kept : 0.0F;
    if (x.dtype == DType::kF32) {
      y.as<float>()[first + i] = x.as<float>()[first + i] * factor;
    } else {
      y.as<Bfloat16>()[first + i] = Bfloat16::from_float(x.as<Bfloat16>()[first + i].to_float() * factor);
    }
  }
}

// Image by image, since the other parts' images lie between them in the step's tensor.
void dropout_of_part(const Tensor& y, const Tensor& x, const StepState& state, const ops::DropoutKey& key,
                     const KernelTable& table) {
  const DropoutMask mask{.key = state.seed ^ key.op, .step = state.now.step, .rate = key.rate};
  const int64_t count = x.shape.elements() / x.shape.n;  // elements of one image
#pragma omp parallel for if (worth_threads(x.shape.elements()))
  for (int64_t image = 0; image < x.shape.n; ++image) {
    const int64_t first = image * count, place = (image * state.now.parts + state.now.part) * count;
    if (place % 4 == 0) {
      const int64_t offset = first * size_of(x.dtype);
      table.elements(x.dtype).dropout(y.as<uint8_t>() + offset, x.as<uint8_t>() + offset, mask, place, count);
    } else {
      dropout_from(place, y, x, first, count, state, key);
    }
  }
}

}  // namespace

void CpuKernels::local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const {
  in_shares(x.shape.rows(), x.shape.elements(), [&](int64_t begin, int64_t end) {
    table_.elements(x.dtype).local_response_norm(row_of(y, begin), row_of(x, begin), spec, end - begin, x.shape.c);
  });
}

void CpuKernels::local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                              const LocalResponseNorm& spec) const {
  in_shares(x.shape.rows(), x.shape.elements(), [&](int64_t begin, int64_t end) {
    table_.elements(x.dtype).local_response_norm_gradient(row_of(dx, begin), row_of(dy, begin), row_of(x, begin), spec,
                                                          end - begin, x.shape.c);
  });
}

void CpuKernels::dropout(const Tensor& y, const Tensor& x, const StepState* state, const ops::DropoutKey& key) const {
  if (state->now.parts > 1) {
    dropout_of_part(y, x, *state, key, table_);
    return;
  }
  constexpr int64_t kSpan = 4096;  // elements in a task; a multiple of the four that one draw serves
  const DropoutMask mask{.key = state->seed ^ key.op, .step = state->now.step, .rate = key.rate};
  in_spans(x.shape.elements(), kSpan, x.shape.elements(), [&](int64_t first, int64_t count) {
    const int64_t offset = first * size_of(x.dtype);
    table_.elements(x.dtype).dropout(y.as<uint8_t>() + offset, x.as<uint8_t>() + offset, mask, first, count);
  });
}

void CpuKernels::copy(const Tensor& y, const Tensor& x) const {
  std::memcpy(y.data, x.data, static_cast<size_t>(y.bytes()));
}

void CpuKernels::concat(const Tensor& y, const std::vector<Tensor>& x) const {
  in_shares(y.shape.rows(), y.shape.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      uint8_t* to = row_of(y, row);
      for (const Tensor& part : x) {
        std::memcpy(to, row_of(part, row), static_cast<size_t>(row_bytes_of(part)));
        to += row_bytes_of(part);
      }
    }
  });
}

void CpuKernels::concat_gradient(const std::vector<Tensor>& dx, const Tensor& dy) const {
  in_shares(dy.shape.rows(), dy.shape.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* from = row_of(dy, row);
      for (const Tensor& part : dx) {
        if (part) std::memcpy(row_of(part, row), from, static_cast<size_t>(row_bytes_of(part)));
        from += row_bytes_of(part);
      }
    }
  });
}

void CpuKernels::softmax_loss(float* losses, StepState* state, float* probabilities, const float* logits,
                              const int32_t* labels, int64_t n, int64_t classes) const {
  in_shares(n, n * classes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* row = logits + i * classes;
      const double log_sum = table_.updates.softmax(probabilities + i * classes, row, classes);
      if (labels[i] < 0) {
        losses[i] = 0;
      } else if (labels[i] < classes) {
        losses[i] = static_cast<float>(log_sum - static_cast<double>(row[labels[i]]));
      } else {
        losses[i] = std::numeric_limits<float>::quiet_NaN();
      }
    }
  });
  const bool is_finite = std::all_of(losses, losses + n, [](float loss) { return std::isfinite(loss); });
  if (!is_finite && state->first_bad_step < 0) state->first_bad_step = static_cast<int64_t>(state->now.step);
}

void CpuKernels::softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n,
                                       int64_t classes, float weight) const {
  const auto count = std::count_if(labels, labels + n, [](int32_t label) { return label >= 0; });
  const float factor = count == 0 ? 0.0F : weight / static_cast<float>(count);
  in_shares(n, n * classes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = dlogits + i * classes;
      table_.updates.softmax(row, logits + i * classes, classes);
      if (labels[i] >= 0 && labels[i] < classes) row[labels[i]] -= 1.0F;
      table_.updates.scale(row, row, labels[i] >= 0 ? factor : 0.0F, classes);
    }
  });
}

}  // namespace bn::cpu
