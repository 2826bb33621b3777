#include "simt/simulator/device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
using Work = std::vector<std::function<void()>>;

struct CUstream_st {
  int device = 0;
  bool is_first = true;
  std::unique_ptr<Work> recorded{};  // while it records
  bool is_broken = false;            // its recording: something was refused
  Work queue{};                      // everything before `done` has been done
  size_t done = 0;
};
struct CUevent_st {
  bool keeps_time = false;
  cudaStream_t stream = nullptr;  // null: never recorded
  size_t end = 0;                 // the work of the stream before it
  float milliseconds = 0;         // the device's time then
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

void require_dynamic_shared(const char* name, const GridShape& shape) {
  if (shape.shared_bytes <= kMaxSharedBytes) return;
  throw Fault(fmt::format("Kernel {}: {} bytes of dynamic shared memory were asked for, but it has a limit of {}.",
                          name, shape.shared_bytes, kMaxSharedBytes));
}

thread_local int device_of_thread = 0;
float device_milliseconds = 0;

std::map<const void*, std::string_view>& objects_of_libraries() {
  static auto& all = *new std::map<const void*, std::string_view>;
  return all;
}

// The objects that exist; whatever is not among them is refused.
template <class T>
std::set<T>& existing() {
  static auto& all = *new std::set<T>;
  return all;
}
template <class T>
bool exists(T object) {
  return existing<T>().count(object) != 0;
}
template <class T>
cudaError_t destroy(T object) {
  if (existing<T>().erase(object) == 0) return cudaErrorInvalidResourceHandle;
  delete object;
  return cudaSuccess;
}
std::set<cudaStream_t>& streams() { return existing<cudaStream_t>(); }

thread_local cudaStream_t captured_by_thread = nullptr;

// What would not be replayed, or would wait, is refused in a thread that captures: then the recording is broken.
cudaError_t refuse_in_capture(cudaError_t why = cudaErrorStreamCaptureUnsupported) {
  if (captured_by_thread == nullptr) return cudaSuccess;
  captured_by_thread->is_broken = true;
  return why;
}

bool leaves_out(LeftOut what) { return machine().left_out == what; }

void drain(cudaStream_t stream, size_t end) {
  while (stream->done < end) {
    // Its own end first: the work may lead back here.
    const std::function<void()> work = std::move(stream->queue[stream->done++]);
    work();
  }
}

void drain(cudaEvent_t event) {
  if (event->stream != nullptr && exists(event->stream)) drain(event->stream, event->end);
}

bool is_late(const CUstream_st& stream) {
  const Streams wanted = machine().streams;
  return wanted == Streams::kAsLateAsAllowed || (wanted == Streams::kFirstIsLate && stream.is_first);
}

void perform(cudaStream_t stream, std::function<void()> work) {
  if (stream == nullptr) {
    work();
  } else if (stream->recorded) {
    stream->recorded->push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
    if (!is_late(*stream)) drain(stream, stream->queue.size());
  }
}

}  // namespace

Machine& machine() {
  static Machine here;
  return here;
}

void enqueue(cudaStream_t stream, std::function<void()> work) { perform(stream, std::move(work)); }

void submit(cudaStream_t stream, const char* name, const GridShape& shape, std::function<void()> thread) {
  require_dynamic_shared(name, shape);
  if (stream != nullptr) require_usable(stream, fmt::format("Kernel {}", name));
  perform(stream, [name, shape, thread = std::move(thread)] { run_grid(name, shape, thread); });
}

Held held() {
  return {.device_allocations = device_allocations(),
          .host_allocations = host_allocations(),
          .streams = streams().size(),
          .events = existing<cudaEvent_t>().size(),
          .graphs = existing<cudaGraph_t>().size(),
          .executables = existing<cudaGraphExec_t>().size(),
          .objects_of_libraries = objects_of_libraries().size()};
}

std::string to_string(const Held& held) {
  return fmt::format(
      "device memory {}, host memory {}, streams {}, events {}, graphs {}, executables {}, library objects {}",
      held.device_allocations, held.host_allocations, held.streams, held.events, held.graphs, held.executables,
      held.objects_of_libraries);
}

bool is_recorded(cudaStream_t stream) { return stream->recorded != nullptr; }
bool records_in_this_thread() { return captured_by_thread != nullptr; }
int current_device() { return device_of_thread; }

void require_usable(cudaStream_t stream, const std::string& what) {
  if (!exists(stream)) throw Fault(what + ": its stream does not exist.");
  if (stream->device != device_of_thread) {
    throw Fault(fmt::format("{}: its stream is of device {}, its thread's device is {}.", what, stream->device,
                            device_of_thread));
  }
  if (captured_by_thread != nullptr && captured_by_thread != stream) {
    throw Fault(what + ": its stream is not the one that its thread records.");
  }
}

void pass_time(float milliseconds) { device_milliseconds += milliseconds; }

void add_object(const void* object, const char* kind) { objects_of_libraries()[object] = kind; }
void require_object(const void* object, const char* kind) {
  const auto found = objects_of_libraries().find(object);
  if (found == objects_of_libraries().end() || found->second != kind) {
    throw Fault(fmt::format("The {} does not exist, or no longer.", kind));
  }
}
void remove_object(const void* object, const char* kind) {
  require_object(object, kind);
  objects_of_libraries().erase(object);
}

}  // namespace bn::simt

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
using namespace bn::simt;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  *pointer = nullptr;
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  *pointer = allocate_on_device(bytes, kDeviceBytes);
  return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  for (cudaStream_t stream : streams()) {  // it waits for the device
    if (stream->device == device_of_thread) drain(stream, stream->queue.size());
  }
  return free_on_device(pointer) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  *pointer = nullptr;
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  if (bytes > machine().host_bytes) return cudaErrorMemoryAllocation;
  *pointer = allocate_on_host(bytes);
  return cudaSuccess;
}

// Work that was not waited for may still read it: as on a device, it is not waited for here.
cudaError_t cudaFreeHost(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  return free_on_host(pointer) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = kDeviceBytes - device_bytes_in_use();
  *total = kDeviceBytes;
  return cudaSuccess;
}

// A replay would read or write the host's memory again, whatever is there then.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (stream != nullptr && stream->recorded && kind != cudaMemcpyDeviceToDevice) return refuse_in_capture();
  perform(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  perform(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (machine().start_error != cudaSuccess) return machine().start_error;
  *stream = new CUstream_st{.device = device_of_thread, .is_first = machine().streams_made++ == 0};
  streams().insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!exists(stream)) return cudaErrorInvalidResourceHandle;
  drain(stream, stream->queue.size());
  return destroy(stream);
}

// Nothing can wait for work that is only being recorded.
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  if (stream == nullptr) return machine().fault;
  if (!exists(stream)) return cudaErrorInvalidResourceHandle;
  if (!leaves_out(LeftOut::kWaitsForStreams)) drain(stream, stream->queue.size());
  return machine().fault;
}

// A recording may wait only for what it records itself.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!exists(stream) || !exists(event)) return cudaErrorInvalidResourceHandle;
  if (stream->recorded) return refuse_in_capture(cudaErrorStreamCaptureIsolation);
  if (leaves_out(stream->is_first ? LeftOut::kWaitsOfFirstStream : LeftOut::kWaitsOfOtherStreams)) return cudaSuccess;
  perform(stream, [at = *event]() mutable { drain(&at); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new CUevent_st{.keeps_time = flags == cudaEventDefault};
  existing<cudaEvent_t>().insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) { return destroy(event); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (!exists(stream) || !exists(event)) return cudaErrorInvalidResourceHandle;
  if (stream->recorded) return refuse_in_capture();
  event->stream = stream;
  if (event->keeps_time) {
    perform(stream, [event] {
      if (exists(event)) event->milliseconds = device_milliseconds;
    });
  }
  event->end = stream->queue.size();
  return cudaSuccess;
}

// Both have been waited for.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (!exists(begin) || !exists(end)) return cudaErrorInvalidResourceHandle;
  if (!begin->keeps_time || !end->keeps_time) return cudaErrorInvalidValue;
  *milliseconds = end->milliseconds - begin->milliseconds;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (!exists(event)) return cudaErrorInvalidResourceHandle;
  if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
  if (!leaves_out(LeftOut::kWaitsForEvents)) drain(event);
  return machine().fault;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!exists(stream)) return cudaErrorInvalidResourceHandle;
  if (stream->recorded) return cudaErrorStreamCaptureUnsupported;
  stream->recorded = std::make_unique<Work>();
  stream->is_broken = false;
  captured_by_thread = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!exists(stream) || !stream->recorded) return cudaErrorInvalidValue;
  const std::unique_ptr<Work> recorded = std::move(stream->recorded);
  captured_by_thread = nullptr;
  if (stream->is_broken) return cudaErrorStreamCaptureInvalidated;
  *graph = new CUgraph_st{.work = std::move(*recorded)};
  existing<cudaGraph_t>().insert(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (!exists(graph)) return cudaErrorInvalidValue;
  *executable = new CUgraphExec_st{.work = graph->work};
  existing<cudaGraphExec_t>().insert(*executable);
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t) {
  return exists(executable) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (!exists(executable) || !exists(stream)) return cudaErrorInvalidValue;
  for (const auto& work : executable->work) perform(stream, work);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return destroy(executable); }

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }

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

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  *properties = {};
  std::strcpy(properties->name, "simulated");
  properties->uuid.bytes[0] = static_cast<char>(device);
  properties->multiProcessorCount = kMultiprocessors;
  properties->major = 9;
  properties->totalGlobalMem = kDeviceBytes;
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
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureIsolation:
      return "cudaErrorStreamCaptureIsolation";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
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
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    default:
      return "invalid argument";
  }
}
// NOLINTEND(readability-identifier-naming)
