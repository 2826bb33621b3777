#include "simt/simulator/device.hpp"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "simt/simulator/guarded_memory.hpp"

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
using Work = std::vector<std::function<void()>>;

struct CUstream_st {
  int device = 0;
  std::unique_ptr<Work> recorded{};  // while it records
  Work queue{};                      // everything before `done` has been done
  size_t done = 0;
};
struct CUevent_st {
  cudaStream_t stream = nullptr;  // null: never recorded
  size_t end = 0;                 // the work of the stream before it
};
struct CUgraph_st {
  Work work{};
};
struct CUgraphExec_st {
  Work work{};
};
// NOLINTEND(readability-identifier-naming)

namespace bn::simt {
namespace {

using Allocations = std::map<void*, std::unique_ptr<GuardedMemory>>;

// They are never destroyed: a static backend frees its memory late.
Allocations& allocations() {
  static auto& all = *new Allocations;
  return all;
}

size_t& bytes_in_use() {
  static size_t bytes = 0;
  return bytes;
}

std::map<const void*, size_t>& dynamic_shared_limits() {
  static std::map<const void*, size_t> limits;
  return limits;
}

void require_dynamic_shared(const void* kernel, const char* name, const GridShape& shape) {
  const auto asked = dynamic_shared_limits().find(kernel);
  const size_t limit = asked == dynamic_shared_limits().end() ? kMaxStaticSharedBytes : asked->second;
  if (shape.shared_bytes <= limit) return;
  throw Fault(fmt::format("Kernel {}: {} bytes of dynamic shared memory were asked for, but it has a limit of {}.",
                          name, shape.shared_bytes, limit));
}

thread_local int device_of_thread = 0;

std::set<cudaStream_t>& streams() {
  static auto& all = *new std::set<cudaStream_t>;
  return all;
}

void drain(cudaStream_t stream, size_t end) {
  while (stream->done < end) {
    // Its own end first: the work may lead back here.
    const std::function<void()> work = std::move(stream->queue[stream->done++]);
    work();
  }
}

void drain(cudaEvent_t event) {
  if (event->stream != nullptr && streams().count(event->stream) != 0) drain(event->stream, event->end);
}

void perform(cudaStream_t stream, std::function<void()> work) {
  if (stream == nullptr) {
    work();
  } else if (stream->recorded) {
    stream->recorded->push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
    if (machine().streams == Streams::kAtOnce) drain(stream, stream->queue.size());
  }
}

}  // namespace

Machine& machine() {
  static Machine here;
  return here;
}

void enqueue(cudaStream_t stream, std::function<void()> work) { perform(stream, std::move(work)); }

void submit(cudaStream_t stream, const void* kernel, const char* name, const GridShape& shape,
            std::function<void()> thread) {
  require_dynamic_shared(kernel, name, shape);
  if (stream != nullptr && stream->device != device_of_thread) {
    throw Fault(fmt::format("Kernel {}: its stream is of device {}, its thread's device is {}.", name, stream->device,
                            device_of_thread));
  }
  perform(stream, [name, shape, thread = std::move(thread)] { run_grid(name, shape, thread); });
}

void require_device_memory_intact(const char* kernel) {
  for (const auto& [pointer, memory] : allocations()) {
    if (const auto damage = memory->first_damage()) {
      throw Fault(fmt::format("Kernel {}: wrote to byte {} of an allocation that has {} bytes.", kernel, *damage,
                              memory->bytes()));
    }
  }
}

}  // namespace bn::simt

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
using namespace bn::simt;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  *pointer = nullptr;
  if (bytes > kDeviceBytes - bytes_in_use()) return cudaErrorMemoryAllocation;
  auto memory = std::make_unique<GuardedMemory>(bytes);
  std::memset(memory->data(), 0x7f, bytes);
  *pointer = memory->data();
  bytes_in_use() += bytes;
  allocations()[*pointer] = std::move(memory);
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  const auto found = allocations().find(pointer);
  if (found == allocations().end()) return cudaErrorInvalidValue;
  for (cudaStream_t stream : streams()) drain(stream, stream->queue.size());  // it waits for the device
  bytes_in_use() -= found->second->bytes();
  allocations().erase(found);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  *pointer = nullptr;
  if (bytes > machine().host_bytes) return cudaErrorMemoryAllocation;
  *pointer = ::operator new(bytes);
  return cudaSuccess;
}

// Work that was not waited for may still read it: as on a device, it is not waited for here.
cudaError_t cudaFreeHost(void* pointer) {
  ::operator delete(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = kDeviceBytes - bytes_in_use();
  *total = kDeviceBytes;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  perform(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  perform(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (machine().start_error != cudaSuccess) return machine().start_error;
  *stream = new CUstream_st{.device = device_of_thread};
  streams().insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream != nullptr) drain(stream, stream->queue.size());
  streams().erase(stream);
  delete stream;
  return cudaSuccess;
}

// Nothing can wait for work that is only being recorded; a device refuses it too.
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream == nullptr) return machine().fault;
  if (stream->recorded) return cudaErrorStreamCaptureUnsupported;
  drain(stream, stream->queue.size());
  return machine().fault;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  perform(stream, [at = *event]() mutable { drain(&at); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (stream->recorded) return cudaErrorStreamCaptureUnsupported;
  *event = {.stream = stream, .end = stream->queue.size()};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  drain(event);
  return machine().fault;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->recorded = std::make_unique<Work>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = new CUgraph_st{.work = std::move(*stream->recorded)};
  stream->recorded.reset();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{.work = graph->work};
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  for (const auto& work : executable->work) perform(stream, work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  if (value < 0 || static_cast<size_t>(value) > kMaxDynamicSharedBytes) return cudaErrorInvalidValue;
  dynamic_shared_limits()[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

using bn::simt::machine;

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  *attributes = {};
  return machine().has_kernels ? cudaSuccess : cudaErrorNoKernelImageForDevice;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = machine().devices;
  if (machine().driver_version < CUDART_VERSION) return cudaErrorInsufficientDriver;
  return machine().devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  device_of_thread = device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "simulated");
  properties->multiProcessorCount = kMultiprocessors;
  properties->major = 9;
  properties->totalGlobalMem = kDeviceBytes;
  properties->sharedMemPerBlock = kMaxStaticSharedBytes;
  properties->sharedMemPerBlockOptin = kMaxDynamicSharedBytes;
  properties->sharedMemPerMultiprocessor = 228 * 1024;
  properties->l2CacheSize = 50 << 20;
  properties->maxThreadsPerMultiProcessor = 2048;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = machine().driver_version;
  return machine().driver_error;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    default:
      return "cudaErrorInvalidValue";
  }
}

const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoKernelImageForDevice:
      return "no kernel image is available for execution on the device";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    default:
      return "invalid argument";
  }
}
// NOLINTEND(readability-identifier-naming)
