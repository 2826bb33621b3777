// One thread per element of the result in every kernel here (eight in copy_each). No sum crosses threads, so the order
// is fixed. Bytes: the arguments once each, at most a few megabytes, or all weights of the network once.
#include "cuda/kernels/weights.hpp"

#include "cuda/kernels/entries.hpp"

namespace bn::cuda {
namespace {

// 4 bytes read, 4 or 2 written.
template <class T>
__global__ void __launch_bounds__(kThreads) pack(T* packed, const float* w, const float* scale, int64_t inputs,
                                                 int64_t channels, int64_t width, int64_t count) {
  const int64_t i = item_index();
  if (i >= count) return;
  const int64_t row = i / width, channel = i % width;
  float value[1] = {0.0F};
  if (channel < channels) {
    const int64_t from = row * channels + channel;
    value[0] = w[from] * scale[from / inputs];
  }
  store(packed + i, value);
}

struct CopyTable {
  struct Entry {
    const void* from;
    void* to;
    unsigned first_block;
    unsigned count;  // elements written
    unsigned from_width, to_width;
    Lanes lanes;
  };
  static constexpr int kEntries = 100;
  Entry entries[kEntries];
  int count = 0;
};
static_assert(sizeof(CopyTable) <= kArgumentBytes);

// 4 or 2 bytes read, 2 or 4 written. A block copies 2048 elements of one entry, which it finds by its number.
template <class From, class To>
__global__ void __launch_bounds__(kThreads) copy_each(const __grid_constant__ CopyTable table) {
  const CopyTable::Entry& entry = entry_of_block(table);
  const unsigned first = first_element(entry);
  if (first >= entry.count) return;
  const From* from = static_cast<const From*>(entry.from);
  To* to = static_cast<To*>(entry.to);
  if (entry.lanes == Lanes::kWide && first + kElements <= entry.count) {
    float values[kElements];
    load_all(values, from + first);
    store_all(to + first, values);
    return;
  }
  const unsigned end = first + kElements < entry.count ? first + kElements : entry.count;
  for (unsigned i = first; i < end; ++i) {
    const unsigned row = i / entry.to_width, column = i % entry.to_width;
    float value[1] = {0.0F};
    if (column < entry.from_width) load<From, 1>(value, from + static_cast<int64_t>(row) * entry.from_width + column);
    store(to + i, value);
  }
}

__global__ void __launch_bounds__(kThreads) fold(float* scale, float* bias, FoldedStatistics folded, int64_t outputs) {
  const int64_t o = item_index();
  if (o >= outputs) return;
  const float factor = folded.gamma[o] / sqrtf(folded.var[o] + folded.eps);
  scale[o] = factor;
  bias[o] = folded.beta[o] - factor * folded.mean[o];
}

// w[o, p, i] = sum_k w1[o, i, k] * w0[p, i, k].
__global__ void __launch_bounds__(kThreads)
    compose(float* w, const float* w0, const float* w1, SeparableLayout layout, int64_t count) {
  const int64_t index = item_index();
  if (index >= count) return;
  const int64_t i = index % layout.inputs, p = index / layout.inputs % layout.positions,
                o = index / layout.inputs / layout.positions;
  const float* depthwise = w0 + (p * layout.inputs + i) * layout.multiplier;
  const float* pointwise = w1 + (o * layout.inputs + i) * layout.multiplier;
  float sum = 0;
  for (int64_t k = 0; k < layout.multiplier; ++k) sum += pointwise[k] * depthwise[k];
  w[index] = sum;
}

// dw0[p, i, k] = sum_o dw[o, p, i] * w1[o, i, k].
__global__ void __launch_bounds__(kThreads)
    split_depthwise(float* dw0, const float* dw, const float* w1, SeparableLayout layout, int64_t count) {
  const int64_t index = item_index();
  if (index >= count) return;
  const int64_t k = index % layout.multiplier, i = index / layout.multiplier % layout.inputs,
                p = index / layout.multiplier / layout.inputs;
  float sum = 0;
  for (int64_t o = 0; o < layout.outputs; ++o) {
    sum += dw[(o * layout.positions + p) * layout.inputs + i] * w1[(o * layout.inputs + i) * layout.multiplier + k];
  }
  dw0[index] = sum;
}

// dw1[o, i, k] = sum_p dw[o, p, i] * w0[p, i, k].
__global__ void __launch_bounds__(kThreads)
    split_pointwise(float* dw1, const float* dw, const float* w0, SeparableLayout layout, int64_t count) {
  const int64_t index = item_index();
  if (index >= count) return;
  const int64_t k = index % layout.multiplier, i = index / layout.multiplier % layout.inputs,
                o = index / layout.multiplier / layout.inputs;
  float sum = 0;
  for (int64_t p = 0; p < layout.positions; ++p) {
    sum += dw[(o * layout.positions + p) * layout.inputs + i] * w0[(p * layout.inputs + i) * layout.multiplier + k];
  }
  dw1[index] = sum;
}

__global__ void __launch_bounds__(kThreads) scale_each(float* values, float factor, int64_t count) {
  const int64_t i = item_index();
  if (i < count) values[i] *= factor;
}

}  // namespace

void scale_weights(const Context& context, void* packed, DType dtype, const float* w, const float* scale,
                   const WeightLayout& layout) {
  const int64_t count = layout.outputs * layout.positions * layout.width;
  const int64_t inputs = layout.positions * layout.channels;
  dispatch(dtype, Lanes::kOne, [&]<class T, int>() {
    launch(context, "scale_weights", pack<T>, grid_of(count), static_cast<T*>(packed), w, scale, inputs,
           layout.channels, layout.width, count);
  });
}

namespace {

// Calls f.template operator()<element types from, to>().
template <class F>
void dispatch_copy(DType from, DType to, const F& f) {
  dispatch(from, Lanes::kOne, [&]<class From, int>() {
    dispatch(to, Lanes::kOne, [&]<class To, int>() { f.template operator()<From, To>(); });
  });
}

void launch_copies(const Context& context, DType from, DType to, CopyTable& table, unsigned& blocks) {
  if (table.count == 0) return;
  dispatch_copy(from, to, [&]<class From, class To>() {
    launch(context, "copy_weights", copy_each<From, To>, {.x = blocks, .threads = kThreads}, table);
  });
  table.count = 0;
  blocks = 0;
}

void copy_of_types(const Context& context, std::span<const WeightCopy> copies, DType from, DType to) {
  CopyTable table;
  unsigned blocks = 0;
  for (const WeightCopy& copy : copies) {
    if (copy.from_dtype != from || copy.to_dtype != to) continue;
    const auto count = static_cast<unsigned>(copy.rows * copy.to_width);
    const bool is_plain = copy.from_width == copy.to_width && is_aligned(copy.from) && is_aligned(copy.to);
    table.entries[table.count++] = {.from = copy.from,
                                    .to = copy.to,
                                    .first_block = blocks,
                                    .count = count,
                                    .from_width = static_cast<unsigned>(copy.from_width),
                                    .to_width = static_cast<unsigned>(copy.to_width),
                                    .lanes = is_plain ? Lanes::kWide : Lanes::kOne};
    blocks += blocks_of(count);
    if (table.count == CopyTable::kEntries) launch_copies(context, from, to, table, blocks);
  }
  launch_copies(context, from, to, table, blocks);
}

}  // namespace

void copy_weights(const Context& context, std::span<const WeightCopy> copies) {
  for (const DType from : {DType::kF32, DType::kBf16}) {
    for (const DType to : {DType::kF32, DType::kBf16}) copy_of_types(context, copies, from, to);
  }
}

void fold_statistics(const Context& context, float* scale, float* bias, const FoldedStatistics& folded,
                     int64_t outputs) {
  launch(context, "fold_statistics", fold, grid_of(outputs), scale, bias, folded, outputs);
}

void compose_weights(const Context& context, float* w, const float* w0, const float* w1,
                     const SeparableLayout& layout) {
  const int64_t count = layout.outputs * layout.positions * layout.inputs;
  launch(context, "compose_weights", compose, grid_of(count), w, w0, w1, layout, count);
}

void split_weight_gradient(const Context& context, float* dw0, float* dw1, const float* dw, const float* w0,
                           const float* w1, const SeparableLayout& layout) {
  const int64_t depthwise = layout.positions * layout.inputs * layout.multiplier;
  const int64_t pointwise = layout.outputs * layout.inputs * layout.multiplier;
  launch(context, "split_depthwise", split_depthwise, grid_of(depthwise), dw0, dw, w1, layout, depthwise);
  launch(context, "split_pointwise", split_pointwise, grid_of(pointwise), dw1, dw, w0, layout, pointwise);
}

void scale_values(const Context& context, float* values, float factor, int64_t count) {
  launch(context, "scale_values", scale_each, grid_of(count), values, factor, count);
}

}  // namespace bn::cuda
