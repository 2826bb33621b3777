#include "cuda/cuda_kernels.hpp"

#include "cuda/error.hpp"
#include "cuda/kernels/columns.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/kernels/pool.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {
namespace {

float* floats(void* partial) { return static_cast<float*>(partial); }

PoolGeometry narrowed(const ops::PoolGeometry& geometry) {
  const auto narrow = [](int64_t value) { return static_cast<int>(value); };
  return {.n = narrow(geometry.n),
          .h = narrow(geometry.h),
          .w = narrow(geometry.w),
          .oh = narrow(geometry.oh),
          .ow = narrow(geometry.ow),
          .c = narrow(geometry.c),
          .kernel = narrow(geometry.kernel),
          .stride = narrow(geometry.stride),
          .pad = narrow(geometry.pad),
          .border = geometry.border};
}

// A part sends its number of rows, and two values for each of c columns.
int64_t length_of(int64_t c) { return 2 * c + 1; }
double* sent_by(const ops::PartColumns& parts, int64_t c) {
  return parts.exchange == nullptr ? nullptr : parts.scratch + parts.parts * length_of(c);
}

// Afterwards the scratch begins with what all parts have sent.
void gather(const ops::PartColumns& parts, int64_t c) {
  const auto length = static_cast<size_t>(length_of(c));
  parts.exchange->gather({sent_by(parts, c), length}, {parts.scratch, static_cast<size_t>(parts.parts) * length});
}

int64_t row_bytes_of(const Tensor& tensor) { return tensor.shape.c * size_of(tensor.dtype); }

}  // namespace

int64_t CudaKernels::partial_bytes(int64_t, int64_t c) const { return cuda::partial_bytes(context_, c); }

void CudaKernels::zero(float* values, int64_t count) const {
  BN_CUDA(cudaMemsetAsync(values, 0, static_cast<size_t>(count) * sizeof(float), context_.compute));
}

void CudaKernels::batch_statistics(const BatchColumns& batch, void* partial, const ops::PartedMatrix& x,
                                   const AffineColumns& affine, const ops::PartColumns& parts) const {
  const int64_t c = x.c();
  column_reduce(context_, batch, floats(partial), sent_by(parts, c), x, affine);
  if (parts.exchange == nullptr) return;
  gather(parts, c);
  merge_statistics(context_, batch, parts.scratch, parts.parts, affine, c);
}

void CudaKernels::population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const {
  cuda::population_scale(context_, scale, var, affine, c);
}

void CudaKernels::normalize(const ops::PartedMatrix& y, const ops::PartedMatrix& x, const NormalizeColumns& by,
                            Activation activation) const {
  column_normalize(context_, y, x, by, activation);
}

// y is never read: the activation's derivative comes from x.
void CudaKernels::gradient_sums(const GradientColumns& gradient, void* partial, const ops::PartedMatrix& dy,
                                const ops::PartedMatrix& x, const ops::PartedMatrix&, const BatchColumns& batch,
                                const AffineColumns& affine, Activation activation,
                                const ops::PartColumns& parts) const {
  const int64_t c = x.c();
  column_gradient_sums(context_, gradient, floats(partial), sent_by(parts, c), dy, x, batch, affine.eps, activation);
  if (parts.exchange == nullptr) return;
  gather(parts, c);
  merge_gradient_sums(context_, gradient, parts.scratch, parts.parts, batch, affine.eps, c);
}

void CudaKernels::input_gradient(const ops::PartedMatrix& dx, const ops::PartedMatrix& dy, const ops::PartedMatrix& x,
                                 const ops::PartedMatrix&, const BatchColumns& batch, const GradientColumns& gradient,
                                 Activation activation) const {
  column_input_gradient(context_, dx, dy, x, batch, gradient, activation);
}

void CudaKernels::bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const {
  column_normalize(context_, y, x, {.shift = bias}, activation);
}

void CudaKernels::bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy,
                                           const Matrix& y, Activation activation) const {
  activation_gradient(context_, dx, dbias, floats(partial), dy, y, activation);
}

void CudaKernels::max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const ops::PoolGeometry& geometry) const {
  cuda::max_pool(context_, y, argmax, x, narrowed(geometry));
}
void CudaKernels::max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax,
                                    const std::vector<Tensor>& terms, const ops::PoolGeometry& geometry) const {
  cuda::max_pool_gradient(context_, dx, dy, argmax, sources_of(terms), narrowed(geometry));
}
void CudaKernels::average_pool(const Tensor& y, const Tensor& x, const ops::PoolGeometry& geometry) const {
  cuda::average_pool(context_, y, x, narrowed(geometry));
}
void CudaKernels::average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                                        const ops::PoolGeometry& geometry) const {
  cuda::average_pool_gradient(context_, dx, dy, sources_of(terms), narrowed(geometry));
}

void CudaKernels::local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const {
  cuda::local_response_norm(context_, y, x, spec);
}
void CudaKernels::local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                               const LocalResponseNorm& spec) const {
  cuda::local_response_norm_gradient(context_, dx, dy, x, spec);
}

void CudaKernels::dropout(const Tensor& y, const Tensor& x, const StepState* state, const ops::DropoutKey& key) const {
  cuda::dropout(context_, y, x, state, key.op, key.rate);
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
  cuda::softmax_loss(context_, losses, state, logits, labels, n, classes);
}

void CudaKernels::softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n,
                                        int64_t classes, float weight) const {
  cuda::softmax_loss_gradient(context_, dlogits, logits, labels, n, classes, weight);
}

}  // namespace bn::cuda
