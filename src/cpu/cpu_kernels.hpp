// The kernels of our own ops on the CPU: a table of single-threaded kernels, its work divided among threads.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels/kernels.hpp"
#include "ops/own_kernels.hpp"

namespace bn::cpu {

class CpuKernels final : public ops::OwnKernels {
 public:
  explicit CpuKernels(const KernelTable& table) : table_(table) {}
  std::string name() const override { return std::string("own:") + table_.instruction_set; }

  // --- cpu_kernels.cpp
  int64_t partial_bytes(int64_t m, int64_t c) const override;
  void zero(float* values, int64_t count) const override;
  void batch_statistics(const BatchColumns& batch, void* partial, const ops::PartedMatrix& x,
                        const AffineColumns& affine, const ops::PartColumns& parts) const override;
  void population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const override;
  void normalize(const ops::PartedMatrix& y, const ops::PartedMatrix& x, const NormalizeColumns& by,
                 Activation activation) const override;
  void gradient_sums(const GradientColumns& gradient, void* partial, const ops::PartedMatrix& dy,
                     const ops::PartedMatrix& x, const ops::PartedMatrix& y, const BatchColumns& batch,
                     const AffineColumns& affine, Activation activation, const ops::PartColumns& parts) const override;
  void input_gradient(const ops::PartedMatrix& dx, const ops::PartedMatrix& dy, const ops::PartedMatrix& x,
                      const ops::PartedMatrix& y, const BatchColumns& batch, const GradientColumns& gradient,
                      Activation activation) const override;
  void bias_activation(const ops::Matrix& y, const ops::Matrix& x, const float* bias,
                       Activation activation) const override;
  void bias_activation_gradient(const ops::Matrix& dx, float* dbias, void* partial, const ops::Matrix& dy,
                                const ops::Matrix& y, Activation activation) const override;

  // --- pooling.cpp
  void max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const PoolGeometry& g) const override;
  void max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax, const std::vector<Tensor>& terms,
                         const PoolGeometry& g) const override;
  void average_pool(const Tensor& y, const Tensor& x, const PoolGeometry& g) const override;
  void average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                             const PoolGeometry& g) const override;

  // --- elements.cpp
  void local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const override;
  void local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                    const LocalResponseNorm& spec) const override;
  void dropout(const Tensor& y, const Tensor& x, const StepState* state, const ops::DropoutKey& key) const override;
  void copy(const Tensor& y, const Tensor& x) const override;
  void concat(const Tensor& y, const std::vector<Tensor>& x) const override;
  void concat_gradient(const std::vector<Tensor>& dx, const Tensor& dy) const override;
  void softmax_loss(float* losses, StepState* state, float* probabilities, const float* logits, const int32_t* labels,
                    int64_t n, int64_t classes) const override;
  void softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n, int64_t classes,
                             float weight) const override;

 private:
  void sums_of_part(const GradientColumns& gradient, void* partial, const ops::Matrix& dy, const ops::Matrix& x,
                    const ops::Matrix& y, const BatchColumns& batch, const AffineColumns& affine, Activation activation,
                    const ops::PartColumns& parts) const;

  const KernelTable& table_;
};

// Kernels over the table in use, see kernels().
const CpuKernels& cpu_kernels();

// --- part_columns.cpp: the sums over the rows of a matrix that several processes hold in parts. Every process computes
// the same bits.

// `moments` holds the mean and the sum of squared deviations, c each, of this part's m rows; they become those of all
// parts' rows (Chan, Golub, LeVeque 1983), taken in the order of the parts. Returns the number of those rows. Throws
// ShapeError if it is 1.
int64_t merge_moments(double* moments, int64_t m, int64_t c, const ops::PartColumns& parts, const KernelTable& kernels);

// `sums`, 2 c of them, become the sums over all parts. Returns the number of rows of all.
int64_t add_sums(double* sums, int64_t m, int64_t c, const ops::PartColumns& parts, const KernelTable& kernels);

}  // namespace bn::cpu
