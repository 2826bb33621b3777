// NVIDIA's library for collectives between GPUs, which is opened when several processes train together: a machine
// without it trains in one. What we use of it is declared here, as nccl.h has it since 2.13, because CUDA's toolkits
// come without that header; tests/cuda compares the two where it is there.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

struct ncclComm;

namespace bn::cuda {

struct NcclId {
  char bytes[128];
};
using NcclCommunicator = ncclComm*;
enum class NcclType : int { kInt64 = 4, kFloat32 = 7, kFloat64 = 8 };

constexpr int kNcclSuccess = 0, kNcclSystemError = 2, kNcclInvalidUsage = 5, kNcclRemoteError = 6;
constexpr int kOldestNccl = 21800;  // 2.18.0 of 2023; what is used here is older

// Every function but the texts returns 0 or an error. Counts are of elements.
struct Nccl {
  int (*get_version)(int* version);
  int (*get_unique_id)(NcclId* id);
  int (*init_rank)(NcclCommunicator* communicator, int world, NcclId id, int rank);
  int (*destroy)(NcclCommunicator communicator);
  int (*group_start)();
  int (*group_end)();
  int (*send)(const void* from, size_t count, NcclType type, int peer, NcclCommunicator communicator,
              cudaStream_t stream);
  int (*receive)(void* to, size_t count, NcclType type, int peer, NcclCommunicator communicator, cudaStream_t stream);
  int (*all_gather)(const void* from, void* to, size_t count, NcclType type, NcclCommunicator communicator,
                    cudaStream_t stream);
  const char* (*error_text)(int result);
  const char* (*last_error)(NcclCommunicator communicator);
};

// Throws UnsupportedError where there is no such library, or where it lacks a function.
Nccl open_nccl(const char* file);
// The system's, opened once.
const Nccl& nccl();

// "2.28.9". Throws UnsupportedError for a version older than kOldestNccl.
std::string require_nccl_version(const Nccl& library);

// Throws Error unless `result` is a success: "NCCL cannot add the processes' gradients: ...".
void check_nccl(const Nccl& library, int result, const char* what, NcclCommunicator communicator);

}  // namespace bn::cuda
