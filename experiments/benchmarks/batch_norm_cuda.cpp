// Time of batch normalisation, forward and backward, on every shape of a network, for each implementation, as a share
// of the bandwidth of a plain copy: forward counted as three passes over the tensor (x twice, y), backward as five (x
// and dy twice, dx). Prints a Markdown table; with --json FILE writes the numbers.
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bn/config.hpp"
#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "cuda/backend.hpp"

namespace bn {
namespace {

constexpr int64_t kCycledBytes = int64_t{512}
                                 << 20;  // several times the second-level cache: no op finds its input there
constexpr int64_t kMaxSets = 64;
constexpr double kSecondsPerMeasurement = 0.01;

// The tensors of one call.
struct Set {
  std::unique_ptr<Buffer> x, y, dy, dx, saved;
};

struct Measurement {
  double forward = 0, backward = 0;  // seconds
};

class Bench {
 public:
  Bench(cuda::CudaBackend& backend, DType dtype, const Shape& shape) : backend_(backend), dtype_(dtype), shape_(shape) {
    const int64_t bytes = shape.elements() * size_of(dtype);
    const int64_t count = std::clamp<int64_t>((kCycledBytes + bytes - 1) / bytes, 2, kMaxSets);
    for (int64_t i = 0; i < count; ++i) sets_.push_back(make_set(bytes));
    for (auto* buffer : {&gamma_, &beta_, &dgamma_, &dbeta_, &mean_, &var_}) *buffer = backend.allocate(4 * shape.c);
    const std::vector<float> ones(static_cast<size_t>(shape.c), 1.0F);
    backend.upload(gamma_->data(), ones.data(), 4 * shape.c);
  }

  Measurement measure(BatchNormImplementation implementation);

 private:
  Set make_set(int64_t bytes);
  double time(const std::function<void()>& work, int64_t calls);

  cuda::CudaBackend& backend_;
  DType dtype_;
  Shape shape_;
  std::vector<Set> sets_;
  std::unique_ptr<Buffer> gamma_, beta_, dgamma_, dbeta_, mean_, var_;
};

Set Bench::make_set(int64_t bytes) {
  Set set{.x = backend_.allocate(bytes),
          .y = backend_.allocate(bytes),
          .dy = backend_.allocate(bytes),
          .dx = backend_.allocate(bytes),
          .saved = nullptr};
  // Random values: some memory and arithmetic is quicker on zeros. One block of them, repeated.
  RandomStream random(sets_.size(), 1);
  std::vector<uint8_t> values(static_cast<size_t>(std::min<int64_t>(bytes, int64_t{1} << 20)));
  for (size_t i = 0; i < values.size() / static_cast<size_t>(size_of(dtype_)); ++i) {
    const auto value = static_cast<float>(random.uniform(-1.0, 2.0));
    if (dtype_ == DType::kBf16) {
      reinterpret_cast<Bfloat16*>(values.data())[i] = Bfloat16::from_float(value);
    } else {
      reinterpret_cast<float*>(values.data())[i] = value;
    }
  }
  for (Buffer* buffer : {set.x.get(), set.dy.get()}) {
    for (int64_t at = 0; at < bytes; at += static_cast<int64_t>(values.size())) {
      backend_.upload(static_cast<uint8_t*>(buffer->data()) + at, values.data(),
                      std::min(bytes - at, static_cast<int64_t>(values.size())));
    }
  }
  return set;
}

// Median of three, each long enough for the clock.
double Bench::time(const std::function<void()>& work, int64_t calls) {
  using Clock = std::chrono::steady_clock;
  const std::unique_ptr<Recording> recording = backend_.record(work);
  const auto run = [&](int64_t times) {
    backend_.synchronize();
    const auto start = Clock::now();
    for (int64_t i = 0; i < times; ++i) recording->replay();
    backend_.synchronize();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  run(1);
  const double once = run(1);
  const auto times = static_cast<int64_t>(std::clamp(kSecondsPerMeasurement / once, 1.0, 1000.0));
  std::vector<double> seconds;
  for (int i = 0; i < 3; ++i) seconds.push_back(run(times) / static_cast<double>(times * calls));
  std::sort(seconds.begin(), seconds.end());
  return seconds[1];
}

Measurement Bench::measure(BatchNormImplementation implementation) {
  const OpDesc desc{.name = "batch_norm",
                    .x = {TensorDesc::dense(dtype_, shape_)},
                    .y = TensorDesc::dense(dtype_, shape_),
                    .wants_dx = {true}};
  const std::unique_ptr<Op> op = backend_.make_op(BatchNorm{.implementation = implementation}, desc);
  const std::unique_ptr<Buffer> scratch = backend_.allocate(op->scratch_bytes());
  const std::unique_ptr<Buffer> packed = backend_.allocate(op->packed_bytes());
  std::vector<OpIo> calls;
  const auto columns = [&](const std::unique_ptr<Buffer>& buffer) {
    return dense(buffer->data(), DType::kF32, vector_shape(shape_.c));
  };
  for (Set& set : sets_) {
    set.saved = backend_.allocate(op->saved_bytes());
    calls.push_back({.x = {dense(set.x->data(), dtype_, shape_)},
                     .dx = {dense(set.dx->data(), dtype_, shape_)},
                     .w = {columns(gamma_), columns(beta_)},
                     .dw = {columns(dgamma_), columns(dbeta_)},
                     .state = {columns(mean_), columns(var_)},
                     .y = dense(set.y->data(), dtype_, shape_),
                     .dy = dense(set.dy->data(), dtype_, shape_),
                     .saved = set.saved->data(),
                     .scratch = scratch->data(),
                     .packed = packed->data()});
  }
  op->pack(calls[0]);
  const auto count = static_cast<int64_t>(calls.size());
  Measurement result;
  result.forward = time(
      [&] {
        for (const OpIo& io : calls) op->forward(io);
      },
      count);
  result.backward = time(
      [&] {
        for (const OpIo& io : calls) op->backward(io);
      },
      count);
  return result;
}

// Bytes read and written a second by a copy of two gigabytes.
double copy_bandwidth(cuda::CudaBackend& backend) {
  constexpr int64_t kBytes = int64_t{2} << 30;
  constexpr int kCopies = 20;
  const std::unique_ptr<Buffer> from = backend.allocate(kBytes), to = backend.allocate(kBytes);
  const auto copy = [&] {
    cudaMemcpyAsync(to->data(), from->data(), kBytes, cudaMemcpyDeviceToDevice, backend.context().compute);
  };
  copy();
  backend.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCopies; ++i) copy();
  backend.synchronize();
  return 2.0 * kBytes * kCopies / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of one image, each once, in the network's order.
std::vector<Shape> batch_norm_shapes(const Net& net) {
  std::vector<Shape> shapes;
  for (const Node& op : net.nodes()) {
    if (!std::holds_alternative<BatchNorm>(op.spec)) continue;
    Shape shape = net.values()[static_cast<size_t>(op.inputs[0].index)].shape;
    shape.n = 1;
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
  }
  return shapes;
}

struct Arguments {
  std::string config, json;
  std::vector<int64_t> batches{32, 256};
};

void run(const Arguments& arguments) {
  cuda::CudaBackend backend({}), on_chip_backend({.batch_norm_reading = BatchNormReading::kOnChip});
  const double bandwidth = copy_bandwidth(backend);
  fmt::print("{}; copy {:.0f} GB/s, read and written\n\n", backend.name(), 1e-9 * bandwidth);
  fmt::print(
      "| batch | type | shape | MB | forward: custom us | of copy | on chip us | cuDNN us | backward: custom us | of "
      "copy | on chip us | cuDNN us |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  nlohmann::json rows = nlohmann::json::array();
  const std::vector<Shape> shapes = batch_norm_shapes(build_network(load_config(arguments.config).model));
  for (const int64_t batch : arguments.batches) {
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      for (Shape shape : shapes) {
        shape.n = batch;
        const auto measure = [&](cuda::CudaBackend& on, BatchNormImplementation implementation) {
          return Bench(on, dtype, shape).measure(implementation);
        };
        const Measurement custom = measure(backend, BatchNormImplementation::kCustom);
        const Measurement on_chip = measure(on_chip_backend, BatchNormImplementation::kCustom);
        const Measurement cudnn = measure(backend, BatchNormImplementation::kCudnn);
        const auto bytes = static_cast<double>(shape.elements() * size_of(dtype));
        const double forward = 3 * bytes / custom.forward / bandwidth,
                     backward = 5 * bytes / custom.backward / bandwidth;
        fmt::print(
            "| {} | {} | {}x{}x{} | {:.1f} | {:.1f} | {:.0f} % | {:.1f} | {:.1f} | {:.1f} | {:.0f} % | {:.1f} | {:.1f} "
            "|\n",
            batch, name_of(dtype), shape.h, shape.w, shape.c, 1e-6 * bytes, 1e6 * custom.forward, 100 * forward,
            1e6 * on_chip.forward, 1e6 * cudnn.forward, 1e6 * custom.backward, 100 * backward, 1e6 * on_chip.backward,
            1e6 * cudnn.backward);
        std::fflush(stdout);
        rows.push_back(
            {{"batch", batch},
             {"type", name_of(dtype)},
             {"shape", {shape.n, shape.h, shape.w, shape.c}},
             {"bytes", bytes},
             {"forward_seconds", {{"custom", custom.forward}, {"on_chip", on_chip.forward}, {"cudnn", cudnn.forward}}},
             {"backward_seconds",
              {{"custom", custom.backward}, {"on_chip", on_chip.backward}, {"cudnn", cudnn.backward}}},
             {"forward_share_of_copy", forward},
             {"backward_share_of_copy", backward}});
      }
    }
  }
  if (arguments.json.empty()) return;
  std::ofstream(arguments.json)
      << nlohmann::json{{"device", backend.name()}, {"copy_bytes_per_second", bandwidth}, {"rows", rows}}.dump(1)
      << '\n';
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  CLI::App app{"Times batch normalisation on a GPU against a copy and against cuDNN."};
  bn::Arguments arguments;
  app.add_option("config", arguments.config, "An experiment, for the shapes of its network")->required();
  app.add_option("--batch", arguments.batches, "Batch sizes")->capture_default_str();
  app.add_option("--json", arguments.json, "File for the numbers");
  CLI11_PARSE(app, argc, argv);
  try {
    bn::run(arguments);
  } catch (const bn::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
  return 0;
}
