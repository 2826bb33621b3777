// The kernels of our own ops on a GPU: launches on the context's compute stream.
#pragma once

#include <string>
#include <vector>

#include "cuda/context.hpp"
#include "ops/own_kernels.hpp"

namespace bn::cuda {

using ops::AffineColumns;
using ops::BatchColumns;
using ops::GradientColumns;
using ops::Matrix;
using ops::matrix_of;
using ops::NormalizeColumns;
using ops::PartColumns;
using ops::PartedMatrix;

// How many counters Context::tickets holds.
int64_t sum_tickets(const Context& context);

class CudaKernels final : public ops::OwnKernels {
 public:
  explicit CudaKernels(const Context& context) : context_(context) {}
  std::string name() const override { return "own"; }

  // --- kernels/column_*.cu
  int64_t partial_bytes(int64_t m, int64_t c) const override;
  void batch_statistics(const BatchColumns& batch, void* partial, const PartedMatrix& x, const AffineColumns& affine,
                        const PartColumns& parts) const override;
  void population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const override;
  void normalize(const PartedMatrix& y, const PartedMatrix& x, const NormalizeColumns& by,
                 Activation activation) const override;
  void gradient_sums(const GradientColumns& gradient, void* partial, const PartedMatrix& dy, const PartedMatrix& x,
                     const PartedMatrix& y, const BatchColumns& batch, const AffineColumns& affine,
                     Activation activation, const PartColumns& parts) const override;
  void input_gradient(const PartedMatrix& dx, const PartedMatrix& dy, const PartedMatrix& x, const PartedMatrix& y,
                      const BatchColumns& batch, const GradientColumns& gradient, Activation activation) const override;
  void bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const override;
  void bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy, const Matrix& y,
                                Activation activation) const override;

  // --- kernels/pool.cu
  void max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const ops::PoolGeometry& geometry) const override;
  void max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax, const std::vector<Tensor>& terms,
                         const ops::PoolGeometry& geometry) const override;
  void average_pool(const Tensor& y, const Tensor& x, const ops::PoolGeometry& geometry) const override;
  void average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                             const ops::PoolGeometry& geometry) const override;

  // --- kernels/local_response_norm.cu, elements.cu
  void local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const override;
  void local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                    const LocalResponseNorm& spec) const override;
  void zero(float* values, int64_t count) const override;
  void dropout(const Tensor& y, const Tensor& x, const StepState* state, const ops::DropoutKey& key) const override;
  void copy(const Tensor& y, const Tensor& x) const override;
  void concat(const Tensor& y, const std::vector<Tensor>& x) const override;
  void concat_gradient(const std::vector<Tensor>& dx, const Tensor& dy) const override;
  void softmax_loss(float* losses, StepState* state, float* probabilities, const float* logits, const int32_t* labels,
                    int64_t n, int64_t classes) const override;
  void softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n, int64_t classes,
                             float weight) const override;

 private:
  const Context& context_;
};

}  // namespace bn::cuda
