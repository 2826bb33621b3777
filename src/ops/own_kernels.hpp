// The kernels on whole tensors that a backend brings for our own ops. The ops themselves (checks, memory, the order of
// calls) are written once, in this folder. src/cpu and src/cuda implement this interface.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/backend.hpp"

namespace bn::ops {

// A tensor as batch normalisation sees it: [m, c], rows `stride` elements apart.
struct Matrix {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t m = 0, c = 0, stride = 0;
};
// Spatial: m = n*h*w, c = channels. Per-activation: m = n, c = h*w*channels, of a dense tensor. An absent tensor gives
// an absent matrix.
Matrix matrix_of(const Tensor& tensor, BatchNormScope scope = BatchNormScope::kSpatial);

// A matrix whose columns may lie in several places: those of part i + 1 follow part i's. Every part has m rows.
constexpr int kMaxColumnParts = 4;
struct PartedMatrix {
  std::array<Matrix, kMaxColumnParts> parts{};
  int count = 0;

  PartedMatrix() = default;
  PartedMatrix(const Matrix& whole) : parts{whole}, count(1) {}  // NOLINT(google-explicit-constructor): it is one

  int64_t m() const { return parts[0].m; }
  int64_t c() const {
    int64_t sum = 0;
    for (int i = 0; i < count; ++i) sum += parts[static_cast<size_t>(i)].c;
    return sum;
  }
};
PartedMatrix parted_matrix_of(const std::vector<Tensor>& parts, BatchNormScope scope);
// Describes `parts`, or `whole` where there are none.
PartedMatrix parted_matrix_of(const Tensor& whole, const std::vector<Tensor>& parts, BatchNormScope scope);

// Arrays of c floats.
struct AffineColumns {
  const float* gamma;
  const float* beta;
  float eps;
};
// y = activation((x - mean) * scale + shift). x - mean is exact where it matters (the mean is within a factor of two of
// x), so no precision is lost when the mean is large against the deviation.
struct NormalizeColumns {
  const float* mean = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
};
// A training step's statistics of its batch. mean + mean_low is the mean in twice f32's precision.
struct BatchColumns {
  float* mean;
  float* mean_low;
  float* var;    // biased
  float* scale;  // gamma / sqrt(var + eps)
  float* shift;  // beta - mean_low * scale

  NormalizeColumns normalization() const { return {mean, scale, shift}; }
};
// dx = dz * dz_factor + (x - mean) * x_factor + constant, where dz = dy * activation'(z).
struct GradientColumns {
  float* dgamma;
  float* dbeta;
  float* dz_factor;
  float* x_factor;
  float* constant;
};

// How the sums over a part's rows become those over the rows of all parts that are synchronised with it.
struct PartColumns {
  PartExchange* exchange = nullptr;  // null: the part is alone
  int64_t parts = 1;
  double* scratch = nullptr;  // has elements(parts, c) elements

  static int64_t elements(int64_t parts, int64_t c) { return (parts + 1) * (2 * c + 1); }
};

struct PoolGeometry {
  int64_t n, h, w;  // x's
  int64_t oh, ow;   // y's
  int64_t c;
  int64_t kernel, stride, pad;
  PoolBorder border;
};

// The key of a dropout mask.
struct DropoutKey {
  uint64_t op;  // hash_name of its path
  float rate;
};

// Every function overwrites its outputs, which stand first. Sums are taken in an order that shapes alone decide.
// `partial` is scratch of partial_bytes(m, c) for the matrix at hand.
class OwnKernels {
 public:
  virtual ~OwnKernels() = default;
  virtual std::string name() const = 0;  // the implementation's, for profiles: "own:avx512"

  virtual int64_t partial_bytes(int64_t m, int64_t c) const = 0;
  virtual void zero(float* values, int64_t count) const = 0;

  // --- Batch normalisation. Each direction has two halves: sums, then a map.
  // Paper: Algorithm 1, steps 1 and 2; and the scale and shift that normalise by them.
  virtual void batch_statistics(const BatchColumns& batch, void* partial, const PartedMatrix& x,
                                const AffineColumns& affine, const PartColumns& parts) const = 0;
  // Used in evaluation: scale = gamma / sqrt(var + eps); the shift is beta.
  virtual void population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const = 0;
  virtual void normalize(const PartedMatrix& y, const PartedMatrix& x, const NormalizeColumns& by,
                         Activation activation) const = 0;
  // Paper: the gradients of sec. 3. dbeta = sum dz, dgamma = sum dz * xhat, and the factors of the input's gradient.
  // For a sigmoid the caller passes y; otherwise y may be absent. An implementation may compute the derivative from x
  // and leave y unread.
  virtual void gradient_sums(const GradientColumns& gradient, void* partial, const PartedMatrix& dy,
                             const PartedMatrix& x, const PartedMatrix& y, const BatchColumns& batch,
                             const AffineColumns& affine, Activation activation, const PartColumns& parts) const = 0;
  virtual void input_gradient(const PartedMatrix& dx, const PartedMatrix& dy, const PartedMatrix& x,
                              const PartedMatrix& y, const BatchColumns& batch, const GradientColumns& gradient,
                              Activation activation) const = 0;

  // --- Bias and activation. y = activation(x + bias); dx = dz = dy * activation'(y), dbias = sum dz.
  // The bias may be null, and so may dbias; dx may be absent; y is unread for kNone.
  virtual void bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const = 0;
  virtual void bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy,
                                        const Matrix& y, Activation activation) const = 0;

  // --- Pooling. argmax: the winner's place in its window, row by row, a byte for each element of y, dense; may be
  // null. terms: added to dx in their order, as f32, before it is rounded; fewer than kMaxSumTerms. dx may be one of
  // them.
  virtual void max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const PoolGeometry& geometry) const = 0;
  virtual void max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax,
                                 const std::vector<Tensor>& terms, const PoolGeometry& geometry) const = 0;
  virtual void average_pool(const Tensor& y, const Tensor& x, const PoolGeometry& geometry) const = 0;
  virtual void average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                                     const PoolGeometry& geometry) const = 0;

  // --- On dense tensors.
  virtual void local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const = 0;
  virtual void local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                            const LocalResponseNorm& spec) const = 0;
  // y = x * mask / (1 - rate); the mask is MaskStream's for this key, and the seed and step in `state`.
  virtual void dropout(const Tensor& y, const Tensor& x, const StepState* state, const DropoutKey& key) const = 0;
  virtual void copy(const Tensor& y, const Tensor& x) const = 0;
  virtual void concat(const Tensor& y, const std::vector<Tensor>& x) const = 0;
  virtual void concat_gradient(const std::vector<Tensor>& dx, const Tensor& dy) const = 0;  // an empty dx is not wanted

  // --- losses[i] = -log softmax(logits[i])[labels[i]]: 0 for label -1, not a number for a label beyond the classes.
  // Marks the step in `state` when a loss is not finite. `probabilities`, [n, classes], is scratch.
  virtual void softmax_loss(float* losses, StepState* state, float* probabilities, const float* logits,
                            const int32_t* labels, int64_t n, int64_t classes) const = 0;
  // dlogits = weight * (softmax(logits) - onehot) / (number of labels >= 0).
  virtual void softmax_loss_gradient(float* dlogits, const float* logits, const int32_t* labels, int64_t n,
                                     int64_t classes, float weight) const = 0;
};

}  // namespace bn::ops
