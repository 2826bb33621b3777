// The device behind the CUDA runtime's functions: streams that do everything at once unless they record, or as late as
// they may where a test wants that. It refuses what a GPU refuses, and what no program needs while it captures.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <string>

#include "simt/simulator/device_memory.hpp"
#include "simt/simulator/kernel.hpp"

namespace bn::simt {

constexpr int kMultiprocessors = 3;               // few: blocks then have more than one turn of work
constexpr size_t kDeviceBytes = size_t{1} << 30;  // more is out of memory

// When streams do their work. As late as allowed: when something waits for it. kFirstIsLate: only the first stream
// that is made, the others at once, so that they overtake it wherever they do not wait for it.
enum class Streams { kAtOnce, kAsLateAsAllowed, kFirstIsLate };

// Waits that do nothing, as if the program had forgotten them: those of the first stream for an event, those of the
// other streams, those of the host for an event, those of the host for a stream.
enum class LeftOut { kNothing, kWaitsOfFirstStream, kWaitsOfOtherStreams, kWaitsForEvents, kWaitsForStreams };

// The machine as tests want it.
struct Machine {
  int driver_version = CUDART_VERSION;  // 0: no driver
  int devices = 1;
  bool has_kernels = true;                 // compiled for it
  size_t host_bytes = size_t{1} << 30;     // so many can be page-locked at once
  cudaError_t driver_error = cudaSuccess;  // returned when the driver is asked for
  cudaError_t start_error = cudaSuccess;   // returned by the first use of a device
  cudaError_t fault = cudaSuccess;         // returned by waiting for the device
  Streams streams = Streams::kAtOnce;
  LeftOut left_out = LeftOut::kNothing;
  int streams_made = 0;  // the first of them is "the first stream"
};
Machine& machine();

// What the program has made and not given back.
struct Held {
  size_t device_allocations = 0, host_allocations = 0, streams = 0, events = 0, graphs = 0, executables = 0;
  size_t objects_of_libraries = 0;
  bool operator==(const Held&) const = default;
};
Held held();
std::string to_string(const Held& held);

// Does the work of launch(): runs the kernel, or records it.
void submit(cudaStream_t stream, const char* name, const GridShape& shape, std::function<void()> thread);

// Work of the host in the stream's order: done at once, or recorded.
void enqueue(cudaStream_t stream, std::function<void()> work);

bool is_recorded(cudaStream_t stream);
bool records_in_this_thread();
int current_device();  // the calling thread's

// Throws Fault where the calling thread may put no work on this stream: it does not exist, belongs to another device,
// or does not record although the thread records another one. `what`: the work.
void require_usable(cudaStream_t stream, const std::string& what);

// Work that is over after so many milliseconds of the device's own time, which events tell.
void pass_time(float milliseconds);

// The doubles of libraries add what they make, each object of a kind ("cuDNN handle"). require_object() throws Fault
// for what is not, or no longer, among them.
void add_object(const void* object, const char* kind);
void require_object(const void* object, const char* kind);
void remove_object(const void* object, const char* kind);

}  // namespace bn::simt
