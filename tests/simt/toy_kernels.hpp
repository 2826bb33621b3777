// The parts that the simulator's tests share: device memory, a launch, and a kernel's results under every schedule.
#pragma once

#include <cuda_runtime.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "cuda/launch.hpp"
#include "simt/simulator/kernel.hpp"

namespace bn::test {

inline const cuda::Context kContext{};

// Device memory of `count` elements.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : count_(values.size()) {
    BN_CUDA(cudaMalloc(&data_, count_ * sizeof(T)));
    std::memcpy(data_, values.data(), count_ * sizeof(T));
  }
  explicit DeviceArray(size_t count) : DeviceArray(std::vector<T>(count)) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }

 private:
  size_t count_;
  T* data_ = nullptr;
};

// Runs `work`, which returns what a kernel computed, under every schedule; the distinct results, compared bit by bit.
template <class Work>
std::set<std::string> results_under_all_schedules(const Work& work) {
  std::set<std::string> distinct;
  for (const simt::Schedule& schedule : simt::all_schedules()) {
    simt::set_schedule(schedule);
    const auto values = work();
    distinct.emplace(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  }
  simt::set_schedule(simt::all_schedules().front());
  return distinct;
}

}  // namespace bn::test
