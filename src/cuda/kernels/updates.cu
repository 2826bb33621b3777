// A thread updates a few elements, and no sum crosses threads. Bytes per element: sgd reads value and velocity and
// writes them, 16, and reads a gradient of 4 or 2; a rounded copy is 2 more. blend reads two or three arrays and writes
// one, four floats of a thread where they start on 16 bytes.
#include "cuda/updates.hpp"

#include "cuda/kernels/entries.hpp"

namespace bn::cuda {
namespace {

struct SgdTable {
  struct Entry {
    float *value, *velocity;
    const void* gradient;
    __nv_bfloat16* rounded;
    unsigned first_block, count;
    unsigned width, packed_width;
    float l2;
    Lanes lanes;
    DType gradient_type;
  };
  static constexpr int kEntries = 63;
  Entry entries[kEntries];
  int count = 0;
};

// These hold for all entries.
struct SgdFactors {
  StepState* step;
  float momentum;
};
static_assert(sizeof(SgdTable) + sizeof(SgdFactors) <= kArgumentBytes);

// Moves N weights from element `first` on, which begin at `packed` in `rounded` and in a gradient of bf16. False if one
// is no longer finite.
template <MomentumKind Kind, int N>
__device__ __forceinline__ bool descend(const SgdTable::Entry& entry, unsigned first, unsigned packed, float rate,
                                        float momentum) {
  float w[N], v[N], g[N];
  load_all(w, entry.value + first);
  load_all(v, entry.velocity + first);
  if (entry.gradient_type == DType::kBf16) {
    load_all(g, static_cast<const __nv_bfloat16*>(entry.gradient) + packed);
  } else {
    load_all(g, static_cast<const float*>(entry.gradient) + first);
  }
  bool finite = true;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float descent = rate * fmaf(entry.l2, w[k], g[k]);
    v[k] = momentum * v[k] - descent;
    w[k] += Kind == MomentumKind::kNesterov ? momentum * v[k] - descent : v[k];
    finite = finite && isfinite(w[k]);
  }
  store_all(entry.velocity + first, v);
  store_all(entry.value + first, w);
  if (entry.rounded != nullptr) store_all(entry.rounded + packed, w);
  return finite;
}

template <MomentumKind Kind>
__global__ void __launch_bounds__(kThreads)
    sgd_kernel(const __grid_constant__ SgdTable table, const SgdFactors factors) {
  const SgdTable::Entry& entry = entry_of_block(table);
  const unsigned first = first_element(entry);
  if (first >= entry.count) return;
  StepState* step = factors.step;
  const float rate = step->now.learning_rate;
  bool finite = true;
  if (entry.lanes == Lanes::kWide && first + kElements <= entry.count) {
    finite = descend<Kind, kElements>(entry, first, first, rate, factors.momentum);
  } else {
    const unsigned end = first + kElements < entry.count ? first + kElements : entry.count;
    for (unsigned i = first; i < end; ++i) {
      const unsigned packed = i / entry.width * entry.packed_width + i % entry.width;
      finite = descend<Kind, 1>(entry, i, packed, rate, factors.momentum) && finite;
    }
  }
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

namespace {

void launch_sgd(const Context& context, const SgdRule& rule, SgdTable& table, unsigned& blocks) {
  if (table.count == 0) return;
  launch(
      context, "sgd",
      rule.kind == MomentumKind::kNesterov ? sgd_kernel<MomentumKind::kNesterov> : sgd_kernel<MomentumKind::kClassical>,
      {.x = blocks, .threads = kThreads}, table, SgdFactors{.step = rule.step, .momentum = rule.momentum});
  table.count = 0;
  blocks = 0;
}

// Where rows are of one width, `rounded` and a bf16 gradient lie as the values do.
Lanes lanes_of(const SgdRange& range) {
  const bool is_plain = range.width == range.packed_width && is_aligned(range.value) && is_aligned(range.velocity) &&
                        is_aligned(range.gradient) && is_aligned(range.rounded);
  return is_plain ? Lanes::kWide : Lanes::kOne;
}

}  // namespace

void sgd_ranges(const Context& context, std::span<const SgdRange> ranges, const SgdRule& rule) {
  SgdTable table;
  unsigned blocks = 0;
  for (const SgdRange& range : ranges) {
    const auto count = static_cast<unsigned>(range.count);
    table.entries[table.count++] = {.value = range.value,
                                    .velocity = range.velocity,
                                    .gradient = range.gradient,
                                    .rounded = static_cast<__nv_bfloat16*>(range.rounded),
                                    .first_block = blocks,
                                    .count = count,
                                    .width = static_cast<unsigned>(range.width),
                                    .packed_width = static_cast<unsigned>(range.packed_width),
                                    .l2 = range.l2,
                                    .lanes = lanes_of(range),
                                    .gradient_type = range.gradient_type};
    blocks += blocks_of(count);
    if (table.count == SgdTable::kEntries) launch_sgd(context, rule, table, blocks);
  }
  launch_sgd(context, rule, table, blocks);
}

void blend(const Context& context, const Tensor& running, const Tensor& batch, const Tensor& factor,
           const float* weight) {
  const int64_t count = running.shape.elements();
  const bool wide = count % 4 == 0 && is_aligned(running.data) && is_aligned(batch.data) && is_aligned(factor.data);
  const auto run = [&](auto kernel, int lanes) {
    launch(context, "blend", kernel, grid_of(count / lanes), running.as<float>(), batch.as<float>(), factor.as<float>(),
           weight, count);
  };
  wide ? run(blend_kernel<4>, 4) : run(blend_kernel<1>, 1);
}

}  // namespace bn::cuda
