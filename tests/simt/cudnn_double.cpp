// The library's handles, its tensors and its batch normalisation. Its graphs are in cudnn_graph_double.cpp.
#include <cudnn.h>
#include <fmt/format.h>

#include <cmath>

#include "simt/library_doubles.hpp"

// NOLINTBEGIN(readability-identifier-naming): the library's names
struct cudnnContext {
  int device;
  cudaStream_t stream = nullptr;
};
struct cudnnTensorStruct {
  bn::DType dtype = bn::DType::kF32;
  bn::Shape shape{0, 0, 0, 0};
  cudnnBatchNormMode_t mode = CUDNN_BATCHNORM_PER_ACTIVATION;  // that it was derived for
};
// NOLINTEND(readability-identifier-naming)

namespace bn::simt {
namespace {

constexpr const char *kHandle = "cuDNN handle", *kTensor = "cuDNN tensor descriptor";

[[noreturn]] void fail(const std::string& why) { throw Fault(fmt::format("cuDNN: {}.", why)); }

const cudnnTensorStruct& tensor_of(cudnnTensorDescriptor_t tensor) {
  require_object(tensor, kTensor);
  if (tensor->shape.elements() == 0) fail("a tensor descriptor was not set");
  return *tensor;
}

// A batch normalisation of [rows, columns] matrices.
struct Normalization {
  cudaStream_t stream;
  DType dtype;
  int64_t rows, columns;
  double eps;

  Operand matrix(const char* name, const void* data, Use use = Use::kRead) const {
    return {name, data, rows * columns * size_of(dtype), use};
  }
  Operand column(const char* name, const void* data, Use use = Use::kRead) const {
    return {name, data, columns * size_of(DType::kF32), use};
  }
  Values read_matrix(const void* data) const { return widen(data, dtype, rows * columns); }
  Values read_column(const void* data) const { return widen(data, DType::kF32, columns); }

  // f(the column's index, the indices of its elements in a matrix)
  template <class F>
  void for_each_column(const F& f) const {
    for (int64_t c = 0; c < columns; ++c) {
      std::vector<size_t> elements;
      for (int64_t r = 0; r < rows; ++r) elements.push_back(static_cast<size_t>(r * columns + c));
      f(static_cast<size_t>(c), elements);
    }
  }

  void infer(const void* x, void* y, const void* scale, const void* bias, const void* mean, const void* variance) const;
  struct Trained {
    void *y, *mean, *variance, *saved_mean, *saved_factor;  // the saved ones may be null
    double averaging;
  };
  void train(const void* x, const void* scale, const void* bias, const Trained& to) const;
  struct Gradients {
    void *dx, *dscale, *dbias;
  };
  void differentiate(const void* x, const void* dy, const void* scale, const void* saved_mean, const void* saved_factor,
                     const Gradients& to) const;
};

void Normalization::infer(const void* x, void* y, const void* scale, const void* bias, const void* mean,
                          const void* variance) const {
  Values values = read_matrix(x);
  const Values gamma = read_column(scale), beta = read_column(bias), mu = read_column(mean),
               var = read_column(variance);
  for_each_column([&](size_t c, const std::vector<size_t>& elements) {
    for (const size_t i : elements) values[i] = gamma[c] * (values[i] - mu[c]) / std::sqrt(var[c] + eps) + beta[c];
  });
  narrow(y, dtype, values);
}

// The running variance is the unbiased one.
void Normalization::train(const void* x, const void* scale, const void* bias, const Trained& to) const {
  Values values = read_matrix(x), mu = read_column(to.mean), var = read_column(to.variance), saved_mu = mu, factor = mu;
  const Values gamma = read_column(scale), beta = read_column(bias);
  const auto m = static_cast<double>(rows);
  for_each_column([&](size_t c, const std::vector<size_t>& elements) {
    double sum = 0, squares = 0;
    for (const size_t i : elements) sum += values[i];
    for (const size_t i : elements) squares += (values[i] - sum / m) * (values[i] - sum / m);
    saved_mu[c] = sum / m;
    factor[c] = 1 / std::sqrt(squares / m + eps);
    mu[c] = mu[c] * (1 - to.averaging) + saved_mu[c] * to.averaging;
    var[c] = var[c] * (1 - to.averaging) + squares / (m - 1) * to.averaging;
    for (const size_t i : elements) values[i] = gamma[c] * (values[i] - saved_mu[c]) * factor[c] + beta[c];
  });
  narrow(to.y, dtype, values);
  narrow(to.mean, DType::kF32, mu);
  narrow(to.variance, DType::kF32, var);
  if (to.saved_mean != nullptr) narrow(to.saved_mean, DType::kF32, saved_mu);
  if (to.saved_factor != nullptr) narrow(to.saved_factor, DType::kF32, factor);
}

void Normalization::differentiate(const void* x, const void* dy, const void* scale, const void* saved_mean,
                                  const void* saved_factor, const Gradients& to) const {
  const Values values = read_matrix(x), above = read_matrix(dy), gamma = read_column(scale),
               mu = read_column(saved_mean), factor = read_column(saved_factor);
  Values below = values, dgamma = gamma, dbeta = gamma;
  const auto m = static_cast<double>(rows);
  for_each_column([&](size_t c, const std::vector<size_t>& elements) {
    const auto normalized = [&](size_t i) { return (values[i] - mu[c]) * factor[c]; };
    dgamma[c] = dbeta[c] = 0;
    for (const size_t i : elements) dgamma[c] += above[i] * normalized(i), dbeta[c] += above[i];
    for (const size_t i : elements) {
      below[i] = gamma[c] * factor[c] * (above[i] - dbeta[c] / m - normalized(i) * dgamma[c] / m);
    }
  });
  narrow(to.dx, dtype, below);
  narrow(to.dscale, DType::kF32, dgamma);
  narrow(to.dbias, DType::kF32, dbeta);
}

Normalization normalization_of(cudnnHandle_t handle, cudnnBatchNormMode_t mode,
                               const std::vector<cudnnTensorDescriptor_t>& matrices, cudnnTensorDescriptor_t columns,
                               double eps) {
  const cudnnTensorStruct &x = tensor_of(matrices[0]), &derived = tensor_of(columns);
  for (cudnnTensorDescriptor_t other : matrices) {
    if (tensor_of(other).shape != x.shape || other->dtype != x.dtype) fail("the tensors of a normalisation differ");
  }
  if (derived.mode != mode || derived.shape != vector_shape(x.shape.c)) {
    fail("the columns' descriptor was derived for another normalisation");
  }
  return {stream_of(handle), x.dtype, x.shape.rows(), x.shape.c, eps};
}

void require_overwriting(const void* alpha, const void* beta) {
  if (*static_cast<const float*>(alpha) == 1 && *static_cast<const float*>(beta) == 0) return;
  fail("the double plays normalisations that are not added to anything");
}

}  // namespace

cudaStream_t stream_of(cudnnHandle_t handle) {
  require_object(handle, kHandle);
  if (handle->device != current_device()) fail("a handle is of another device");
  return handle->stream;
}

}  // namespace bn::simt

// NOLINTBEGIN(readability-identifier-naming): the library's names
using namespace bn::simt;

size_t cudnnGetVersion() { return libraries().cudnn_version; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    default:
      return "CUDNN_STATUS_BAD_PARAM";
  }
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  if (!libraries().cudnn_starts) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = make_object(cudnnContext{current_device()}, kHandle);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return destroy_object(handle, kHandle), CUDNN_STATUS_SUCCESS; }

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  require_object(handle, kHandle);
  require_usable(stream, "cuDNN: a handle's stream is set");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  *tensor = make_object(cudnnTensorStruct{}, kTensor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  return destroy_object(tensor, kTensor), CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  require_object(tensor, kTensor);
  if (format != CUDNN_TENSOR_NHWC) fail("the double plays NHWC tensors");
  tensor->dtype = type == CUDNN_DATA_BFLOAT16 ? bn::DType::kBf16 : bn::DType::kF32;
  tensor->shape = {n, h, w, c};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDeriveBNTensorDescriptor(cudnnTensorDescriptor_t derived, cudnnTensorDescriptor_t x,
                                            cudnnBatchNormMode_t mode) {
  require_object(derived, kTensor);
  const bn::Shape shape = tensor_of(x).shape;
  if (mode == CUDNN_BATCHNORM_PER_ACTIVATION && shape.h * shape.w != 1) {
    fail("the double plays normalisations per activation of images of one pixel");
  }
  *derived = {bn::DType::kF32, bn::vector_shape(shape.c), mode};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBatchNormalizationForwardInference(cudnnHandle_t handle, cudnnBatchNormMode_t mode,
                                                      const void* alpha, const void* beta,
                                                      cudnnTensorDescriptor_t x_tensor, const void* x,
                                                      cudnnTensorDescriptor_t y_tensor, void* y,
                                                      cudnnTensorDescriptor_t columns, const void* scale,
                                                      const void* bias, const void* mean, const void* variance,
                                                      double epsilon) {
  require_overwriting(alpha, beta);
  const Normalization all = normalization_of(handle, mode, {x_tensor, y_tensor}, columns, epsilon);
  enqueue_call({.name = "cuDNN: batch normalisation, inference",
                .stream = all.stream,
                .operands = {all.matrix("x", x), all.matrix("y", y, Use::kWritten), all.column("scale", scale),
                             all.column("bias", bias), all.column("mean", mean), all.column("variance", variance)}},
               [=] { all.infer(x, y, scale, bias, mean, variance); });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBatchNormalizationForwardTraining(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha,
                                                     const void* beta, cudnnTensorDescriptor_t x_tensor, const void* x,
                                                     cudnnTensorDescriptor_t y_tensor, void* y,
                                                     cudnnTensorDescriptor_t columns, const void* scale,
                                                     const void* bias, double averaging, void* running_mean,
                                                     void* running_variance, double epsilon, void* saved_mean,
                                                     void* saved_factor) {
  require_overwriting(alpha, beta);
  const Normalization all = normalization_of(handle, mode, {x_tensor, y_tensor}, columns, epsilon);
  LibraryCall call{.name = "cuDNN: batch normalisation, training",
                   .stream = all.stream,
                   .operands = {all.matrix("x", x), all.matrix("y", y, Use::kWritten), all.column("scale", scale),
                                all.column("bias", bias), all.column("the running mean", running_mean, Use::kWritten),
                                all.column("the running variance", running_variance, Use::kWritten)}};
  if (saved_mean != nullptr) call.operands.push_back(all.column("the saved mean", saved_mean, Use::kWritten));
  if (saved_factor != nullptr) call.operands.push_back(all.column("the saved factor", saved_factor, Use::kWritten));
  enqueue_call(std::move(call), [=] {
    all.train(x, scale, bias, {y, running_mean, running_variance, saved_mean, saved_factor, averaging});
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha_dx, const void* beta_dx, const void* alpha_dw,
    const void* beta_dw, cudnnTensorDescriptor_t x_tensor, const void* x, cudnnTensorDescriptor_t dy_tensor,
    const void* dy, cudnnTensorDescriptor_t dx_tensor, void* dx, cudnnTensorDescriptor_t columns, const void* scale,
    void* dscale, void* dbias, double epsilon, const void* saved_mean, const void* saved_factor) {
  require_overwriting(alpha_dx, beta_dx);
  require_overwriting(alpha_dw, beta_dw);
  const Normalization all = normalization_of(handle, mode, {x_tensor, dy_tensor, dx_tensor}, columns, epsilon);
  enqueue_call({.name = "cuDNN: batch normalisation, backward",
                .stream = all.stream,
                .operands = {all.matrix("x", x), all.matrix("dy", dy), all.matrix("dx", dx, Use::kInPlace),
                             all.column("scale", scale), all.column("dscale", dscale, Use::kWritten),
                             all.column("dbias", dbias, Use::kWritten), all.column("the saved mean", saved_mean),
                             all.column("the saved factor", saved_factor)}},
               [=] {
                 all.differentiate(x, dy, scale, saved_mean, saved_factor, {dx, dscale, dbias});
               });
  return CUDNN_STATUS_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
