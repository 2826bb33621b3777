// Time of our own CPU kernels beside a plain copy in the same process. The bytes counted are those that an op has to
// move, each pass over a tensor once:
//   batch norm          forward x twice, y; backward x and dy twice, dx (with ReLU too: y need not be read)
//   max pool            forward x, y and a byte of argmax; backward dy, argmax, dx
//   average pool        forward x, y; backward dy, dx
//   local response norm forward x, y; backward x, dy, dx
// "Of copy" is their number a second over the bytes read and written a second by copying a tensor of x's size with as
// many threads: the quicker of memcpy and a loop of vector moves. Every figure is the least of several rounds, in which
// copy, forward and backward take turns. Prints a Markdown table.
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>

#include "benchmark.hpp"
#include "bn/rng.hpp"
#include "cpu/backend.hpp"

namespace bn {
namespace {

struct Arguments {
  std::vector<int> threads{1, 2};
  std::vector<std::string> types{"f32", "bf16"};
  std::string only;
  int rounds = 7;
  double milliseconds = 5;
};

struct Case {
  const char* name;
  OpSpec spec;
  Shape x;
};

std::vector<Case> cases() {
  const Shape large{32, 56, 56, 192};
  const Pool2d average{.kind = PoolKind::kAverage, .kernel = 3, .stride = 1, .pad = 1};
  const Pool2d max_apart{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .pad = 0};
  const Pool2d max_sliding{.kind = PoolKind::kMax, .kernel = 3, .stride = 1, .pad = 1};
  std::vector<Case> all = {
      {"batch norm", BatchNorm{}, large}, {"batch norm, ReLU", BatchNorm{.activation = Activation::kRelu}, large},
      {"max 3x3/2", max_apart, large},    {"max 3x3/1", max_sliding, large},
      {"average 3x3/1", average, large},  {"local response norm", LocalResponseNorm{}, large},
  };
  for (const Shape& small : {Shape{128, 8, 8, 48}, Shape{128, 8, 8, 144}, Shape{128, 4, 4, 8}, Shape{128, 4, 4, 144},
                             Shape{128, 4, 4, 576}, Shape{128, 2, 2, 256}}) {
    all.push_back({"batch norm, ReLU", BatchNorm{.activation = Activation::kRelu}, small});
    if (small.h > 2) all.push_back({"max 3x3/2", max_apart, small});
    all.push_back({"max 3x3/1", max_sliding, small});
    all.push_back({"average 3x3/1", average, small});
  }
  all.push_back({"local response norm", LocalResponseNorm{}, {128, 16, 16, 64}});
  return all;
}

// Bytes that must be moved.
struct Traffic {
  int64_t forward, backward;
};

Traffic traffic_of(const OpSpec& spec, const OpDesc& desc) {
  const int64_t x = desc.x[0].shape.elements() * size_of(desc.y.dtype);
  const int64_t y = desc.y.shape.elements() * size_of(desc.y.dtype);
  if (std::holds_alternative<BatchNorm>(spec)) return {3 * x, 5 * x};
  if (std::holds_alternative<LocalResponseNorm>(spec)) return {2 * x, 3 * x};
  const bool is_max = std::get<Pool2d>(spec).kind == PoolKind::kMax;
  const int64_t argmax = is_max ? desc.y.shape.elements() : 0;
  return {x + y + argmax, y + argmax + x};
}

void copy_with_memcpy(uint8_t* to, const uint8_t* from, int64_t bytes) {
#pragma omp parallel if (bytes >= 131072)
  {
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    const int64_t first = bytes * thread / threads / 64 * 64, end = bytes * (thread + 1) / threads / 64 * 64;
    std::memcpy(to + first, from + first, static_cast<size_t>(end - first));
  }
}

using Line = uint64_t __attribute__((vector_size(16)));

void copy_with_moves(uint8_t* to, const uint8_t* from, int64_t bytes) {
#pragma omp parallel if (bytes >= 131072)
  {
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads(), lines = bytes / 64;
    const auto* source = reinterpret_cast<const Line*>(from);
    auto* destination = reinterpret_cast<Line*>(to);
    for (int64_t i = 4 * (lines * thread / threads); i < 4 * (lines * (thread + 1) / threads); i += 4) {
      const Line a = source[i], b = source[i + 1], c = source[i + 2], d = source[i + 3];
      asm volatile("" ::: "memory");  // or the compiler makes it a memcpy
      destination[i] = a;
      destination[i + 1] = b;
      destination[i + 2] = c;
      destination[i + 3] = d;
    }
  }
}

// Seconds of a call: calls for `milliseconds`, once.
double time_of(const std::function<void()>& call, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  int64_t calls = 0, batch = 1;
  const auto start = Clock::now();
  double elapsed = 0;
  while (elapsed < 1e-3 * milliseconds) {
    for (int64_t i = 0; i < batch; ++i) call();
    calls += batch;
    batch = std::min<int64_t>(2 * batch, 64);
    elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return elapsed / static_cast<double>(calls);
}

struct Measurement {
  double copy, forward, backward;
};

class Bench {
 public:
  Bench(cpu::CpuBackend& backend, DType dtype, const Case& of);

  Measurement measure(const Arguments& arguments);
  const OpDesc& desc() const { return desc_; }

 private:
  void* allocate(int64_t bytes) {
    buffers_.push_back(backend_.allocate(bytes));
    return buffers_.back()->data();
  }
  Tensor random(const Shape& shape);
  Tensor vector(float value);

  cpu::CpuBackend& backend_;
  OpDesc desc_;
  std::unique_ptr<Op> op_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  OpIo io_;
};

Tensor Bench::random(const Shape& shape) {
  const Tensor tensor = dense(allocate(shape.elements() * size_of(desc_.y.dtype)), desc_.y.dtype, shape);
  // Random values, for branches and selects are quicker on equal ones: a block of them, repeated.
  constexpr int64_t kBlock = 1 << 16;
  RandomStream stream(buffers_.size(), 1);
  for (int64_t i = 0; i < std::min(kBlock, shape.elements()); ++i) {
    const auto value = static_cast<float>(stream.uniform(-1.0, 1.5));
    if (tensor.dtype == DType::kBf16) {
      tensor.as<Bfloat16>()[i] = Bfloat16::from_float(value);
    } else {
      tensor.as<float>()[i] = value;
    }
  }
  const int64_t size = size_of(tensor.dtype);
  for (int64_t i = kBlock; i < shape.elements(); i += kBlock) {
    std::memcpy(tensor.as<uint8_t>() + i * size, tensor.data,
                static_cast<size_t>(std::min(kBlock, shape.elements() - i) * size));
  }
  return tensor;
}

Tensor Bench::vector(float value) {
  const int64_t c = desc_.x[0].shape.c;
  const Tensor tensor = dense(allocate(c * 4), DType::kF32, vector_shape(c));
  std::fill_n(tensor.as<float>(), c, value);
  return tensor;
}

Bench::Bench(cpu::CpuBackend& backend, DType dtype, const Case& of) : backend_(backend) {
  const Shape y = output_shape(of.spec, std::vector<Shape>{of.x});
  desc_ = {
      .name = of.name, .x = {TensorDesc::dense(dtype, of.x)}, .y = TensorDesc::dense(dtype, y), .wants_dx = {true}};
  op_ = backend.make_op(of.spec, desc_);
  io_.x = {random(of.x)};
  io_.dx = {random(of.x)};
  io_.y = random(y);
  io_.dy = random(y);
  if (std::holds_alternative<BatchNorm>(of.spec)) {
    io_.w = {vector(1), vector(0)};
    io_.dw = {vector(0), vector(0)};
    io_.state = {vector(0), vector(1)};
  }
  io_.saved = allocate(op_->saved_bytes());
  io_.scratch = allocate(op_->scratch_bytes());
  io_.packed = allocate(op_->packed_bytes());
}

Measurement Bench::measure(const Arguments& arguments) {
  constexpr double kNever = std::numeric_limits<double>::max();
  Measurement least{kNever, kNever, kNever};
  const auto* from = io_.x[0].as<uint8_t>();
  auto* to = io_.dx[0].as<uint8_t>();
  const int64_t bytes = io_.x[0].bytes();
  const auto take = [&](double& kept, const std::function<void()>& call) {
    kept = std::min(kept, time_of(call, arguments.milliseconds));
  };
  op_->forward(io_);
  for (int round = 0; round < arguments.rounds; ++round) {
    take(least.copy, [&] { copy_with_memcpy(to, from, bytes); });
    take(least.copy, [&] { copy_with_moves(to, from, bytes); });
    take(least.forward, [&] { op_->forward(io_); });
    take(least.backward, [&] { op_->backward(io_); });
  }
  return least;
}

void run(const Arguments& arguments) {
  fmt::print("| threads | type | op | x | copy GB/s | forward us | of copy | backward us | of copy |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|\n");
  for (const int threads : arguments.threads) {
    cpu::CpuBackend backend({.threads = threads});
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      if (std::find(arguments.types.begin(), arguments.types.end(), name_of(dtype)) == arguments.types.end()) continue;
      for (const Case& of : cases()) {
        if (fmt::format("{} {}", of.name, to_string(of.x)).find(arguments.only) == std::string::npos) continue;
        Bench bench(backend, dtype, of);
        const Measurement m = bench.measure(arguments);
        const Traffic traffic = traffic_of(of.spec, bench.desc());
        const double bandwidth = 2.0 * static_cast<double>(of.x.elements() * size_of(dtype)) / m.copy;
        const auto share = [&](int64_t bytes, double seconds) {
          return 100 * static_cast<double>(bytes) / seconds / bandwidth;
        };
        fmt::print("| {} | {} | {} | {} | {:.1f} | {:.1f} | {:.0f} % | {:.1f} | {:.0f} % |\n", threads, name_of(dtype),
                   of.name, to_string(of.x), 1e-9 * bandwidth, 1e6 * m.forward, share(traffic.forward, m.forward),
                   1e6 * m.backward, share(traffic.backward, m.backward));
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  CLI::App app{"Times our own CPU kernels against a copy; see BN_CPU_ISA for other instruction sets."};
  bn::Arguments arguments;
  app.add_option("--threads", arguments.threads, "Numbers of threads")->capture_default_str();
  app.add_option("--types", arguments.types, "f32, bf16")->capture_default_str();
  app.add_option("--only", arguments.only, "Part of the op's name and shape, such as \"max 3x3/1 128x8x8\"");
  app.add_option("--rounds", arguments.rounds, "Of which the least is taken")->capture_default_str();
  app.add_option("--milliseconds", arguments.milliseconds, "Of each measurement")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return bn::exit_code_of([&] { bn::run(arguments); });
}
