// Our own ops over dense tensors, and images: a few elements a thread.
#include <algorithm>

#include "bn/rng.hpp"
#include "core/op_checks.hpp"
#include "cuda/cuda_kernels.hpp"
#include "cuda/kernels/device.hpp"
#include "cuda/memory.hpp"
#include "cuda/updates.hpp"

namespace bn::cuda {
namespace {

// The place of an element of this part's tensor in that of the whole step.
__device__ int64_t place_in_step(int64_t e, const StepScalars& now, int64_t image_elements) {
  if (now.parts == 1) return e;
  const int64_t image = e / image_elements;
  return (image * now.parts + now.part) * image_elements + (e - image * image_elements);
}

// A thread makes four elements from one draw of Philox; where they lie across draws, each from its own. Bytes per
// element: x read, y written.
template <class T>
__global__ void __launch_bounds__(kThreads) dropout_kernel(T* y, const T* x, const StepState* step, uint64_t op,
                                                           float rate, int64_t elements, int64_t image_elements) {
  const int64_t group = item_index();
  if (4 * group >= elements) return;
  const MaskStream mask{.seed = step->seed, .op = op};
  const float scale = 1.0F / (1.0F - rate);
  if (step->now.parts > 1 && image_elements % 4 != 0) {
    for (int64_t e = 4 * group; e < elements && e < 4 * group + 4; ++e) {
      const auto place = static_cast<uint64_t>(place_in_step(e, step->now, image_elements));
      const PhiloxCounter draw = mask(step->now.step, place / 4);
      uint32_t bits = draw[0];  // an index that is not constant would put the draw into local memory
#pragma unroll
      for (unsigned i = 1; i < 4; ++i) bits = place % 4 == i ? draw[i] : bits;
      const float v[1] = {uniform_float(bits) >= rate ? element(x + e) * scale : 0.0F};
      store(y + e, v);
    }
    return;
  }
  const int64_t place = place_in_step(4 * group, step->now, image_elements);
  const PhiloxCounter draws = mask(step->now.step, static_cast<uint64_t>(place) / 4);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t e = 4 * group + i;
    if (e >= elements) return;
    const float v[1] = {uniform_float(draws[i]) >= rate ? element(x + e) * scale : 0.0F};
    store(y + e, v);
  }
}

// Reduces over the block in a fixed tree; all threads receive the result.
template <class Combine>
__device__ float reduce_block(float value, float* shared, Combine combine) {
  __syncthreads();  // an earlier call may still be reading
  shared[threadIdx.x] = value;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) {
      shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
    }
  }
  __syncthreads();
  return shared[0];
}

struct RowSoftmax {
  float highest, log_sum;
};

// One block computes the softmax of one row of logits.
__device__ RowSoftmax softmax_of_row(const float* logits, int64_t classes, float* shared) {
  float highest = -INFINITY;
  for (int64_t j = threadIdx.x; j < classes; j += kThreads) highest = fmaxf(highest, logits[j]);
  highest = reduce_block(highest, shared, [](float a, float b) { return fmaxf(a, b); });
  float sum = 0;
  for (int64_t j = threadIdx.x; j < classes; j += kThreads) sum += expf(logits[j] - highest);
  sum = reduce_block(sum, shared, [](float a, float b) { return a + b; });
  return {highest, logf(sum)};
}

// A block takes one image, whose logits it reads twice, the second time from the cache. Sums: strided within a thread,
// then the block's tree. Bytes per logit: 4.
__global__ void __launch_bounds__(kThreads)
    softmax_loss_kernel(float* losses, StepState* step, const float* logits, const int32_t* labels, int64_t classes) {
  BN_SHARED(float, shared, [kThreads]);
  const int64_t image = blockIdx.x;
  const float* row = logits + image * classes;
  const RowSoftmax softmax = softmax_of_row(row, classes, shared);
  if (threadIdx.x > 0) return;
  const int32_t label = labels[image];
  float loss = label < 0 ? 0.0F : NAN;  // a label beyond the classes has none
  if (label >= 0 && label < classes) loss = softmax.log_sum - (row[label] - softmax.highest);
  losses[image] = loss;
  // Blocks that get here write the same number.
  if (!isfinite(loss) && step->first_bad_step < 0) step->first_bad_step = static_cast<int64_t>(step->now.step);
}

// Does the same, but every block counts all labels and reads the logits once more for dx. Bytes per logit: 8.
__global__ void __launch_bounds__(kThreads)
    softmax_gradient_kernel(float* dx, const float* logits, const int32_t* labels, int64_t n, int64_t classes,
                            float weight) {
  BN_SHARED(float, shared, [kThreads]);
  const int64_t image = blockIdx.x;
  const float* row = logits + image * classes;
  float valid = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) valid += labels[i] >= 0 ? 1.0F : 0.0F;
  valid = reduce_block(valid, shared, [](float a, float b) { return a + b; });
  const RowSoftmax softmax = softmax_of_row(row, classes, shared);
  const int32_t label = labels[image];
  const float factor = label < 0 ? 0.0F : weight / valid;
  for (int64_t j = threadIdx.x; j < classes; j += kThreads) {
    const float probability = expf(row[j] - softmax.highest - softmax.log_sum);
    dx[image * classes + j] = label < 0 ? 0.0F : factor * (probability - (j == label ? 1.0F : 0.0F));
  }
}

// Units of 2 or 16 bytes, each read and written once by one thread.
template <class Unit>
__global__ void __launch_bounds__(kThreads) copy_rows_kernel(uint8_t* to, int64_t to_pitch, const uint8_t* from,
                                                             int64_t from_pitch, int64_t rows, int64_t units) {
  const int64_t item = item_index(), row = divide(item, units), unit = item - row * units;
  if (row >= rows) return;
  reinterpret_cast<Unit*>(to + row * to_pitch)[unit] = reinterpret_cast<const Unit*>(from + row * from_pitch)[unit];
}

struct ChannelNormalization {
  float mean[kMaxImageChannels];
  float scale[kMaxImageChannels];
};

// A thread makes one pixel, N channels at a time. Bytes per pixel: c read, stride elements written.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    normalize_images_kernel(T* x, const uint8_t* images, const __grid_constant__ ChannelNormalization by,
                            int64_t pixels, int c, int stride) {
  const int64_t pixel = item_index();
  if (pixel >= pixels) return;
  for (int first = 0; first < stride; first += N) {
    float v[N] = {};
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const int channel = first + k;
      if (channel < c) v[k] = (static_cast<float>(images[pixel * c + channel]) - by.mean[channel]) * by.scale[channel];
    }
    store(x + pixel * stride + first, v);
  }
}

// One row of an image each: to[row, 0..bytes) = from[row, 0..bytes), rows `pitch` bytes apart.
void copy_rows(const Context& context, void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t rows,
               int64_t bytes) {
  const bool wide = bytes % 16 == 0 && to_pitch % 16 == 0 && from_pitch % 16 == 0 && is_aligned(to) && is_aligned(from);
  const auto run = [&](auto kernel, int64_t unit) {
    launch(context, "copy_rows", kernel, grid_of(rows * (bytes / unit)), static_cast<uint8_t*>(to), to_pitch,
           static_cast<const uint8_t*>(from), from_pitch, rows, bytes / unit);
  };
  wide ? run(copy_rows_kernel<uint4>, 16) : run(copy_rows_kernel<uint16_t>, 2);
}

int64_t row_bytes_of(const Tensor& tensor) { return tensor.shape.c * size_of(tensor.dtype); }

}  // namespace

void CudaKernels::zero(float* values, int64_t count) const {
  if (is_only_listed(context_, "zero")) return;
  BN_CUDA(cudaMemsetAsync(values, 0, static_cast<size_t>(count) * sizeof(float), context_.compute));
}

void CudaKernels::dropout(const Tensor& y, const Tensor& x, const StepState* state, const ops::DropoutKey& key) const {
  const int64_t elements = x.shape.elements();
  dispatch(x.dtype, Lanes::kOne, [&]<class T, int>() {
    launch(context_, "dropout", dropout_kernel<T>, grid_of((elements + 3) / 4), y.as<T>(), x.as<T>(), state, key.op,
           key.rate, elements, elements / x.shape.n);
  });
}

void CudaKernels::copy(const Tensor& y, const Tensor& x) const { copy_on_device(context_, y.data, x.data, y.bytes()); }

void CudaKernels::concat(const Tensor& y, const std::vector<Tensor>& x) const {
  auto* to = y.as<uint8_t>();
  for (const Tensor& part : x) {
    const int64_t bytes = row_bytes_of(part);
    copy_rows(context_, to, row_bytes_of(y), part.data, bytes, y.shape.rows(), bytes);
    to += bytes;
  }
}

void CudaKernels::concat_gradient(const std::vector<Tensor>& dx, const Tensor& dy) const {
  const auto* from = dy.as<uint8_t>();
  for (const Tensor& part : dx) {
    const int64_t bytes = row_bytes_of(part);
    if (part) copy_rows(context_, part.data, bytes, from, row_bytes_of(dy), dy.shape.rows(), bytes);
    from += bytes;
  }
}

void CudaKernels::softmax_loss(float* losses, StepState* state, float*, const float* logits, const int32_t* labels,
                               int64_t n, int64_t classes) const {
  launch(context_, "softmax_loss", softmax_loss_kernel, {.x = static_cast<unsigned>(n), .threads = kThreads}, losses,
         state, logits, labels, classes);
}

void CudaKernels::softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n,
                                        int64_t classes, float weight) const {
  launch(context_, "softmax_loss_gradient", softmax_gradient_kernel,
         {.x = static_cast<unsigned>(n), .threads = kThreads}, dlogits, logits, labels, n, classes, weight);
}

// Writes zeros from channel c to x's row stride.
void load_images(const Context& context, const Tensor& x, const Tensor& images_u8,
                 const ImageNormalization& normalization) {
  require_normalization(x, images_u8, normalization);
  ChannelNormalization by{};
  std::copy(normalization.mean.begin(), normalization.mean.end(), by.mean);
  std::copy(normalization.scale.begin(), normalization.scale.end(), by.scale);
  const int64_t pixels = x.shape.rows();
  const bool wide = x.row_stride * size_of(x.dtype) % 16 == 0 && is_aligned(x.data);
  dispatch(x.dtype, wide ? Lanes::kWide : Lanes::kOne, [&]<class T, int N>() {
    launch(context, "normalize_images", normalize_images_kernel<T, N>, grid_of(pixels), x.as<T>(),
           images_u8.as<uint8_t>(), by, pixels, x.shape.c, x.row_stride);
  });
}

}  // namespace bn::cuda
