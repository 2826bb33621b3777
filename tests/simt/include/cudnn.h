// Stands in for the library's header of the same name: what src/cuda uses of it, with its names and numbers.
// simt/cudnn_double.cpp does what the functions say.
#pragma once

#include <cuda_runtime.h>

#define CUDNN_MAJOR 9

enum cudnnStatus_t { CUDNN_STATUS_SUCCESS = 0, CUDNN_STATUS_NOT_INITIALIZED = 1001, CUDNN_STATUS_BAD_PARAM = 2000 };
enum cudnnDataType_t { CUDNN_DATA_FLOAT = 0, CUDNN_DATA_BFLOAT16 = 9 };
enum cudnnTensorFormat_t { CUDNN_TENSOR_NCHW = 0, CUDNN_TENSOR_NHWC = 1 };
enum cudnnBatchNormMode_t { CUDNN_BATCHNORM_PER_ACTIVATION = 0, CUDNN_BATCHNORM_SPATIAL = 1 };

struct cudnnContext;
struct cudnnTensorStruct;
using cudnnHandle_t = cudnnContext*;
using cudnnTensorDescriptor_t = cudnnTensorStruct*;

size_t cudnnGetVersion();
const char* cudnnGetErrorString(cudnnStatus_t status);
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle);
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle);
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream);

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor);
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor);
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w);
cudnnStatus_t cudnnDeriveBNTensorDescriptor(cudnnTensorDescriptor_t derived, cudnnTensorDescriptor_t x,
                                            cudnnBatchNormMode_t mode);

cudnnStatus_t cudnnBatchNormalizationForwardInference(cudnnHandle_t handle, cudnnBatchNormMode_t mode,
                                                      const void* alpha, const void* beta,
                                                      cudnnTensorDescriptor_t x_tensor, const void* x,
                                                      cudnnTensorDescriptor_t y_tensor, void* y,
                                                      cudnnTensorDescriptor_t columns, const void* scale,
                                                      const void* bias, const void* mean, const void* variance,
                                                      double epsilon);
cudnnStatus_t cudnnBatchNormalizationForwardTraining(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha,
                                                     const void* beta, cudnnTensorDescriptor_t x_tensor, const void* x,
                                                     cudnnTensorDescriptor_t y_tensor, void* y,
                                                     cudnnTensorDescriptor_t columns, const void* scale,
                                                     const void* bias, double averaging, void* running_mean,
                                                     void* running_variance, double epsilon, void* saved_mean,
                                                     void* saved_factor);
cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha_dx, const void* beta_dx, const void* alpha_dw,
    const void* beta_dw, cudnnTensorDescriptor_t x_tensor, const void* x, cudnnTensorDescriptor_t dy_tensor,
    const void* dy, cudnnTensorDescriptor_t dx_tensor, void* dx, cudnnTensorDescriptor_t columns, const void* scale,
    void* dscale, void* dbias, double epsilon, const void* saved_mean, const void* saved_factor);
