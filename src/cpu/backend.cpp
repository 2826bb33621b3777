#include "cpu/backend.hpp"

#include <fmt/format.h>
#include <omp.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "bn/error.hpp"
#include "core/regions.hpp"
#include "cpu/amx.hpp"
#include "cpu/bfloat16_math.hpp"
#include "cpu/cpu_kernels.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/onednn.hpp"
#include "cpu/onednn_api.hpp"
#include "cpu/widened.hpp"
#include "ops/own_ops.hpp"
#include "system/usable_cores.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kCacheLine = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;
// A run's record names clang, because it contracts other products and sums than GCC does; GCC is not named.
#ifdef __clang__
constexpr const char* kCompiler = " by clang";

// Clang's code computes with libomp, and the libgomp that oneDNN brings lies idle. But where OMP_PROC_BIND or its like
// is set, that libgomp has bound this thread to one core before main(), and libomp would take it for the only one. What
// a program has in .preinit_array runs before its libraries start, and its constructors run after.
cpu_set_t allowed_cores;
volatile bool has_allowed_cores = false;  // clang would take its first value for the constructor's
void remember_allowed_cores(int, char**, char**) {
  has_allowed_cores = sched_getaffinity(0, sizeof(allowed_cores), &allowed_cores) == 0;
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const kFirstOfAll)(int, char**, char**) = remember_allowed_cores;
[[gnu::constructor]] void allow_them_again() {
  if (has_allowed_cores) sched_setaffinity(0, sizeof(allowed_cores), &allowed_cores);
}
#else
constexpr const char* kCompiler = "";
#endif

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(int64_t bytes) : bytes_(bytes) {
    // Large buffers take huge pages: the activations of a batch span thousands of small ones.
    const int64_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
    const int64_t capacity = round_up(std::max<int64_t>(bytes, 1), alignment);
    data_ = std::aligned_alloc(alignment, capacity);
    if (data_ == nullptr) {
      const int64_t page = sysconf(_SC_PAGESIZE);
      const int64_t free = page * sysconf(_SC_AVPHYS_PAGES);
      throw OutOfMemoryError(
          bytes, free, page * sysconf(_SC_PHYS_PAGES),
          bytes > free ? "This machine" : "This program, which ulimit -v, a container or a job's request may limit,");
    }
    if (alignment == kHugePage) madvise(data_, capacity, MADV_HUGEPAGE);  // only a hint
    std::memset(data_, 0, capacity);
  }
  ~HostBuffer() override { std::free(data_); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;

  void* data() const override { return data_; }
  int64_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::unique_ptr<Op> make_batch_norm(const BatchNorm& spec, const OpDesc& desc) {
  switch (spec.implementation) {
    case BatchNormImplementation::kCustom:
      return ops::make_op(cpu_kernels(), spec, desc);
    case BatchNormImplementation::kOnednn:
      if (desc.x.at(0).dtype == DType::kBf16 && !allows_avx512()) {
        return make_widened(
            spec, desc, [&](const OpDesc& whole) { return make_batch_norm_onednn(spec, whole); }, Widened::kWholeBatch);
      }
      return make_batch_norm_onednn(spec, desc);
    case BatchNormImplementation::kCudnn:
      break;
  }
  throw UnsupportedError("batch_norm.implementation cudnn needs a CUDA device; on the CPU it can be custom or onednn.");
}

std::unique_ptr<Op> make_in_math(const OpSpec& spec, const OpDesc& desc, const CpuOptions& options,
                                 const MakeOp& make) {
  return is_widened(desc, options) ? make_widened(spec, desc, make) : make(desc);
}

std::unique_ptr<Op> make_op_of_kind(const OpSpec& spec, const OpDesc& desc, const CpuOptions& options) {
  return std::visit(Overloaded{
                        [&](const Conv2d& s) { return make_conv2d(s, desc, options); },
                        [&](const SeparableConv2d& s) {
                          return make_in_math(s, desc, options,
                                              [&](const OpDesc& d) { return make_separable_conv2d(s, d); });
                        },
                        [&](const Linear& s) {
                          return make_in_math(s, desc, options, [&](const OpDesc& d) { return make_linear(s, d); });
                        },
                        [&](const BatchNorm& s) { return make_batch_norm(s, desc); },
                        [&](const auto& s) { return ops::make_op(cpu_kernels(), s, desc); },
                    },
                    spec);
}

}  // namespace

CpuBackend::CpuBackend(const CpuOptions& options) : options_(options) {
  if (options_.threads < 0) {
    throw ConfigError(fmt::format("The number of threads must be 0 (all) or more, not {}.", options_.threads));
  }
  if (options_.threads == 0) {
    const CoreCount threads = default_threads();
    options_.threads = threads.count;
    options_.reason = threads.reason;
  }
  options_.bfloat16_math = chosen_math(options_.bfloat16_math);
  omp_set_dynamic(0);                     // OMP_DYNAMIC gives a busy machine fewer threads, and so other bits
  omp_set_num_threads(options_.threads);  // oneDNN runs on the same OpenMP pool
}

std::string CpuBackend::name() const {
  return fmt::format("cpu: {} ({}), {}, {} thread{}{}", processor_name(), instruction_set_name(), library_version(),
                     options_.threads, options_.threads == 1 ? "" : "s",
                     options_.reason.empty() ? "" : fmt::format(" ({})", options_.reason));
}

std::string CpuBackend::computation() const {
  return fmt::format("{}, {}, own kernels {}{}{}, {} thread{}{}", library_version(), instruction_set_name(),
                     kernels().instruction_set, options_.amx && has_amx() ? " and AMX" : "", kCompiler,
                     options_.threads, options_.threads == 1 ? "" : "s",
                     options_.bfloat16_math == Bfloat16Math::kF32 ? ", bf16 multiplied in f32" : "");
}

void CpuBackend::require(DType activations) const {
  if (activations == DType::kF32) return;
  if (activations != DType::kBf16) {
    throw UnsupportedError(fmt::format("Activations cannot be stored as {}.", name_of(activations)));
  }
  if (options_.bfloat16_math == Bfloat16Math::kBf16 && !allows_avx512()) {
    throw UnsupportedError(
        fmt::format("cpu.bfloat16_math bf16 needs AVX-512, and this is {}; automatic and f32 do not.", name()));
  }
}

std::unique_ptr<Buffer> CpuBackend::allocate(int64_t bytes) { return std::make_unique<HostBuffer>(bytes); }
void CpuBackend::upload(void* device, const void* host, int64_t bytes) { std::memcpy(device, host, bytes); }
void CpuBackend::download(void* host, const void* device, int64_t bytes) { std::memcpy(host, device, bytes); }
void CpuBackend::zero(void* device, int64_t bytes) { std::memset(device, 0, bytes); }

// In f32 a step at 224 takes 0.94 to 0.97 of its time with AVX-512, and 1.03 to 1.04 with AVX2; in bf16 it takes 0.97
// to 1.00 with AVX-512 (experiments/benchmarks/cpu_notes.md).
bool CpuBackend::prefers_merged_siblings(DType) const { return allows_avx512(); }

std::unique_ptr<Op> CpuBackend::make_op(const OpSpec& spec, const OpDesc& desc) {
  require(desc.x.at(0).dtype);
  try {
    return make_op_of_kind(spec, desc, options_);
  } catch (const dnnl::error& error) {
    rethrow_as_ours(error, spec, desc);
  }
}

std::unique_ptr<Exchange> CpuBackend::join(Group& group) { return make_exchange(group); }

}  // namespace bn::cpu

namespace bn {

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<cpu::CpuBackend>(options);
}

std::string cpu_library() { return cpu::library_version(); }

}  // namespace bn
