// A thread updates four floats of a slab where they start on 16 bytes. Bytes per element: sgd reads value, velocity and
// gradient and writes the first two; blend reads two or three arrays and writes one.
#include "cuda/kernels/updates.hpp"

#include "cuda/kernels/items.hpp"

namespace bn::cuda {
namespace {

template <int N, MomentumKind Kind>
__global__ void __launch_bounds__(kThreads) sgd_kernel(float* value, float* velocity, const float* gradient,
                                                       StepState* step, float momentum, float l2, int64_t count) {
  const int64_t first = item_index() * N;
  if (first >= count) return;
  const float rate = step->now.learning_rate;
  float w[N], v[N], g[N];
  load<float, N>(w, value + first);
  load<float, N>(v, velocity + first);
  load<float, N>(g, gradient + first);
  bool finite = true;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float descent = rate * fmaf(l2, w[k], g[k]);
    v[k] = momentum * v[k] - descent;
    w[k] += Kind == MomentumKind::kNesterov ? momentum * v[k] - descent : v[k];
    finite = finite && isfinite(w[k]);
  }
  store(velocity + first, v);
  store(value + first, w);
  // Threads that get here write the same number.
  if (!finite && step->first_bad_step < 0) step->first_bad_step = static_cast<int64_t>(step->now.step);
}

template <int N>
__global__ void __launch_bounds__(kThreads)
    blend_kernel(float* running, const float* batch, const float* factor, const float* weight, int64_t count) {
  const int64_t first = item_index() * N;
  if (first >= count) return;
  const float share = *weight;
  float old[N], now[N], scale[N];
  load<float, N>(old, running + first);
  load<float, N>(now, batch + first);
  if (factor != nullptr) load<float, N>(scale, factor + first);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (factor != nullptr) now[k] *= scale[k];
    old[k] = share == 1.0F ? now[k] : fmaf(share, now[k] - old[k], old[k]);
  }
  store(running + first, old);
}

}  // namespace

cudaError_t find_kernels() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, blend_kernel<1>);
}

void sgd_slab(const Context& context, const SgdUpdate& update) {
  auto *value = update.value.as<float>(), *velocity = update.velocity.as<float>();
  const auto* gradient = update.gradient.as<float>();
  const int64_t count = update.value.shape.elements();
  const bool wide = count % 4 == 0 && is_aligned(value) && is_aligned(velocity) && is_aligned(gradient);
  const auto run = [&](auto kernel, int lanes) {
    launch(context, "sgd", kernel, grid_of(count / lanes), value, velocity, gradient, update.step, update.momentum,
           update.l2, count);
  };
  if (update.kind == MomentumKind::kNesterov) {
    wide ? run(sgd_kernel<4, MomentumKind::kNesterov>, 4) : run(sgd_kernel<1, MomentumKind::kNesterov>, 1);
  } else {
    wide ? run(sgd_kernel<4, MomentumKind::kClassical>, 4) : run(sgd_kernel<1, MomentumKind::kClassical>, 1);
  }
}

void blend_slab(const Context& context, float* running, const float* batch, const float* factor, const float* weight,
                int64_t count) {
  const bool wide =
      count % 4 == 0 && is_aligned(running) && is_aligned(batch) && (factor == nullptr || is_aligned(factor));
  const auto run = [&](auto kernel, int lanes) {
    launch(context, "blend", kernel, grid_of(count / lanes), running, batch, factor, weight, count);
  };
  wide ? run(blend_kernel<4>, 4) : run(blend_kernel<1>, 1);
}

}  // namespace bn::cuda
