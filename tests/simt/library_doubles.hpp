// Doubles of cuBLASLt and cuDNN. simt/include declares what src/cuda calls of them; here it is computed by plain loops,
// in double precision, when the stream comes to it. Every call is recorded. They throw Fault where the real libraries
// would crash, hang or give anything, or do what no recorded step can hold:
// - a handle, a descriptor, an algorithm or a plan that was destroyed, or is another's; a plan also when its work is
//   done
// - memory that is not the device's, both when the call is made and when its work is done; an operand that lies askew;
//   a workspace that is too small, or lies over an operand
// - a stream that does not exist, belongs to another device, or is not the one that its thread records
// - anything that is made or planned while a stream is recorded
// - what src/cuda does not use: they play no more than that
// They cannot tell which engines and algorithms the real libraries have, nor the bits that these compute.
#pragma once

#include <cudnn.h>

#include <functional>
#include <string>
#include <vector>

#include "bn/tensor.hpp"
#include "simt/simulator/device.hpp"

namespace bn::simt {

// kWritten: lies over no other operand. kInPlace: may also be the very same memory as one.
enum class Use { kRead, kWritten, kInPlace };

struct Operand {
  const char* name;
  const void* data;
  int64_t bytes;
  Use use = Use::kRead;
  bool operator==(const Operand&) const = default;
};

struct LibraryCall {
  std::string name{};  // "cuBLASLt: product"
  cudaStream_t stream = nullptr;
  std::vector<Operand> operands{};
  const void* plan = nullptr;
  bool is_recorded = false;
};

// The libraries as tests want them, and what was called.
struct Libraries {
  size_t cudnn_version = 91900;
  bool cudnn_starts = true;
  bool cublas_has_algorithms = true;
  std::vector<LibraryCall> calls{};
};
Libraries& libraries();

// For the doubles themselves.

constexpr const char* kPlan = "cuDNN plan";
constexpr int64_t kAlignment = 16;  // of operands, in bytes

// Throws Fault while the calling thread records. `what`: "cuDNN: a plan is built".
void refuse_while_recording(const std::string& what);

template <class T>
T* make_object(T object, const char* kind) {
  refuse_while_recording(std::string(kind) + ": one is made");
  T* made = new T(std::move(object));
  add_object(made, kind);
  return made;
}

template <class T>
void destroy_object(T* object, const char* kind) {
  remove_object(object, kind);
  delete object;
}

// Checks and records the call; its work is done when its stream comes to it.
void enqueue_call(LibraryCall call, std::function<void()> work);

cudaStream_t stream_of(cudnnHandle_t handle);

using Values = std::vector<double>;
Values widen(const void* data, DType dtype, int64_t count);
void narrow(void* data, DType dtype, const Values& values);
// Tensor cores take f32 factors with 11 significant bits.
void round_to_tensor_float(Values& values);
// A library leaves garbage there.
void spoil(void* workspace, int64_t bytes);

}  // namespace bn::simt
