// Time of batch normalisation, forward and backward, on every shape of a network, for each implementation, as a share
// of the bandwidth of a plain copy: forward counted as three passes over the tensor (x twice, y), backward as five (x
// and dy twice, dx). Prints a Markdown table and which bars were met; with --json FILE writes the numbers.
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "benchmark.hpp"
#include "bn/config.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "cuda/backend.hpp"
#include "cuda/error.hpp"

namespace bn {
namespace {

// Several times the second-level cache: no op finds its input there.
constexpr int64_t kCycledBytes = int64_t{512} << 20;
constexpr int64_t kMaxSets = 64;
constexpr int64_t kBlockBytes = int64_t{1} << 20;
constexpr double kSecondsPerMeasurement = 0.01;

// Random values: some memory and arithmetic is quicker on zeros. One block of them, repeated wherever they are wanted.
class RandomBlock {
 public:
  RandomBlock(cuda::CudaBackend& backend, DType dtype) : backend_(backend), block_(backend.allocate(kBlockBytes)) {
    RandomStream random(1, 1);
    std::vector<uint8_t> values(kBlockBytes);
    for (size_t i = 0; i < values.size() / static_cast<size_t>(size_of(dtype)); ++i) {
      const auto value = static_cast<float>(random.uniform(-1.0, 2.0));
      if (dtype == DType::kBf16) {
        reinterpret_cast<Bfloat16*>(values.data())[i] = Bfloat16::from_float(value);
      } else {
        reinterpret_cast<float*>(values.data())[i] = value;
      }
    }
    backend.upload(block_->data(), values.data(), kBlockBytes);
  }

  void fill(const Buffer& buffer) const {
    for (int64_t at = 0; at < buffer.bytes(); at += kBlockBytes) {
      BN_CUDA(cudaMemcpyAsync(static_cast<uint8_t*>(buffer.data()) + at, block_->data(),
                              static_cast<size_t>(std::min(buffer.bytes() - at, kBlockBytes)), cudaMemcpyDeviceToDevice,
                              backend_.context().compute));
    }
  }

 private:
  cuda::CudaBackend& backend_;
  std::unique_ptr<Buffer> block_;
};

// The tensors of one call.
struct Set {
  std::unique_ptr<Buffer> x, y, dy, dx;
};

// The inputs that every implementation is measured on.
struct Inputs {
  DType dtype;
  Shape shape;
  std::vector<Set> sets{};
  std::unique_ptr<Buffer> gamma{}, beta{}, dgamma{}, dbeta{}, mean{}, var{};

  Inputs(cuda::CudaBackend& backend, const RandomBlock& random, DType of, const Shape& of_shape)
      : dtype(of), shape(of_shape) {
    const int64_t count = std::clamp<int64_t>((kCycledBytes + bytes() - 1) / bytes(), 2, kMaxSets);
    for (int64_t i = 0; i < count; ++i) {
      Set& set = sets.emplace_back();
      for (auto* buffer : {&set.x, &set.y, &set.dy, &set.dx}) *buffer = backend.allocate(bytes());
      random.fill(*set.x);
      random.fill(*set.dy);
    }
    for (auto* buffer : {&gamma, &beta, &dgamma, &dbeta, &mean, &var}) *buffer = backend.allocate(4 * shape.c);
    const std::vector<float> ones(static_cast<size_t>(shape.c), 1.0F);
    backend.upload(gamma->data(), ones.data(), 4 * shape.c);
    backend.synchronize();
  }

  int64_t bytes() const { return shape.elements() * size_of(dtype); }
};

// Seconds; nothing where there is no such way.
struct Measurement {
  std::optional<double> forward{}, backward{};
};

// Median of three, each long enough for the clock. `work` makes `calls` calls.
double time(Backend& backend, int64_t calls, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();
  backend.synchronize();
  const std::function<void()> replay = backend.record(work);
  const auto run = [&](int64_t times) {
    backend.synchronize();
    const auto start = Clock::now();
    for (int64_t i = 0; i < times; ++i) replay();
    backend.synchronize();
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

Measurement measure(Backend& backend, const Inputs& inputs, Op& op) {
  const std::unique_ptr<Buffer> scratch = backend.allocate(op.scratch_bytes());
  const std::unique_ptr<Buffer> packed = backend.allocate(op.packed_bytes());
  std::vector<std::unique_ptr<Buffer>> saved;
  std::vector<OpIo> calls;
  const auto columns = [&](const std::unique_ptr<Buffer>& buffer) {
    return dense(buffer->data(), DType::kF32, vector_shape(inputs.shape.c));
  };
  const auto tensor = [&](const std::unique_ptr<Buffer>& buffer) {
    return dense(buffer->data(), inputs.dtype, inputs.shape);
  };
  for (const Set& set : inputs.sets) {
    saved.push_back(backend.allocate(op.saved_bytes()));
    calls.push_back({.x = {tensor(set.x)},
                     .dx = {tensor(set.dx)},
                     .w = {columns(inputs.gamma), columns(inputs.beta)},
                     .dw = {columns(inputs.dgamma), columns(inputs.dbeta)},
                     .state = {columns(inputs.mean), columns(inputs.var)},
                     .y = tensor(set.y),
                     .dy = tensor(set.dy),
                     .saved = saved.back()->data(),
                     .scratch = scratch->data(),
                     .packed = packed->data()});
  }
  op.pack(calls[0]);
  const auto count = static_cast<int64_t>(calls.size());
  const double forward = time(backend, count, [&] {
    for (const OpIo& io : calls) op.forward(io);
  });
  const double backward = time(backend, count, [&] {
    for (const OpIo& io : calls) op.backward(io);
  });
  return {.forward = forward, .backward = backward};
}

std::unique_ptr<Op> make_op(Backend& backend, const Inputs& inputs, BatchNormImplementation implementation) {
  const TensorDesc tensor = TensorDesc::dense(inputs.dtype, inputs.shape);
  return backend.make_op(BatchNorm{.implementation = implementation},
                         {.name = "batch_norm", .x = {tensor}, .y = tensor, .wants_dx = {true}});
}

Measurement measure_cudnn(Backend& backend, const Inputs& inputs) {
  try {
    return measure(backend, inputs, *make_op(backend, inputs, BatchNormImplementation::kCudnn));
  } catch (const UnsupportedError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return {};
  }
}

// Bytes read and written a second by a copy of two gigabytes.
double copy_bandwidth(cuda::CudaBackend& backend) {
  constexpr int64_t kBytes = int64_t{2} << 30;
  constexpr int kCopies = 20;
  const std::unique_ptr<Buffer> from = backend.allocate(kBytes), to = backend.allocate(kBytes);
  const auto copy = [&] {
    BN_CUDA(cudaMemcpyAsync(to->data(), from->data(), kBytes, cudaMemcpyDeviceToDevice, backend.context().compute));
  };
  copy();
  backend.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCopies; ++i) copy();
  backend.synchronize();
  return 2.0 * kBytes * kCopies / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One image's shapes, each once, in the network's order.
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

struct Row {
  int64_t batch;
  DType dtype;
  Shape shape;
  double bytes;
  Measurement custom, cudnn;

  // Shares of the copy's bandwidth.
  double forward_share(double bandwidth) const { return 3 * bytes / *custom.forward / bandwidth; }
  double backward_share(double bandwidth) const { return 5 * bytes / *custom.backward / bandwidth; }
};

std::string microseconds(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.1f}", 1e6 * *seconds) : "";
}

void print(const Row& row, double bandwidth) {
  fmt::print("| {} | {} | {}x{}x{} | {:.1f} | {} | {:.0f} % | {} | {} | {:.0f} % | {} |\n", row.batch,
             name_of(row.dtype), row.shape.h, row.shape.w, row.shape.c, 1e-6 * row.bytes,
             microseconds(row.custom.forward), 100 * row.forward_share(bandwidth), microseconds(row.cudnn.forward),
             microseconds(row.custom.backward), 100 * row.backward_share(bandwidth), microseconds(row.cudnn.backward));
  std::fflush(stdout);
}

// "- met: ...", "- missed: ..." or "- not measured: ...".
std::string verdict(const std::optional<bool>& met, const std::string& bar, const std::string& found) {
  if (!met) return fmt::format("- not measured: {}", bar);
  return fmt::format("- {}: {} ({})", *met ? "met" : "missed", bar, found);
}

std::string share_verdict(const std::vector<Row>& rows, double bandwidth, double least_bytes, double most_bytes,
                          double bar) {
  double lowest = INFINITY;
  for (const Row& row : rows) {
    if (row.bytes <= least_bytes || row.bytes > most_bytes) continue;
    lowest = std::min({lowest, row.forward_share(bandwidth), row.backward_share(bandwidth)});
  }
  const std::string sizes = most_bytes < INFINITY
                                ? fmt::format("{:.0f} to {:.0f} MB", 1e-6 * least_bytes, 1e-6 * most_bytes)
                                : fmt::format("above {:.0f} MB", 1e-6 * least_bytes);
  return verdict(
      std::isinf(lowest) ? std::optional<bool>() : lowest >= bar,
      fmt::format("our batch normalisation, forward and backward, at least {:.0f} % of the copy's bandwidth on "
                  "every shape {}",
                  100 * bar, sizes),
      fmt::format("lowest {:.0f} %", 100 * lowest));
}

std::string cudnn_verdict(const std::vector<Row>& rows) {
  int compared = 0, quicker = 0;
  for (const Row& row : rows) {
    if (!row.cudnn.forward) continue;
    ++compared;
    quicker += *row.custom.forward + *row.custom.backward < *row.cudnn.forward + *row.cudnn.backward ? 1 : 0;
  }
  return verdict(compared == 0 ? std::optional<bool>() : 10 * quicker >= 9 * compared,
                 "forward and backward together quicker than cuDNN's on at least 90 % of the shapes",
                 fmt::format("{} of {}", quicker, compared));
}

nlohmann::json json_of(const std::optional<double>& number) {
  return number ? nlohmann::json(*number) : nlohmann::json();
}

// Called after every row, and writes the file in one piece: whoever stops this program finds what was measured.
void write_json(const std::string& path, const std::string& device, double bandwidth, const std::vector<Row>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const Row& row : rows) {
    const auto seconds = [&](std::optional<double> Measurement::*way) {
      return nlohmann::json{{"custom", json_of(row.custom.*way)}, {"cudnn", json_of(row.cudnn.*way)}};
    };
    all.push_back({{"batch", row.batch},
                   {"type", name_of(row.dtype)},
                   {"shape", {row.shape.n, row.shape.h, row.shape.w, row.shape.c}},
                   {"bytes", row.bytes},
                   {"forward_seconds", seconds(&Measurement::forward)},
                   {"backward_seconds", seconds(&Measurement::backward)},
                   {"forward_share_of_copy", row.forward_share(bandwidth)},
                   {"backward_share_of_copy", row.backward_share(bandwidth)}});
  }
  const std::string unfinished = path + ".part";
  std::ofstream(unfinished)
      << nlohmann::json{{"device", device}, {"copy_bytes_per_second", bandwidth}, {"rows", all}}.dump(1) << '\n';
  std::filesystem::rename(unfinished, path);
}

void run(const Arguments& arguments) {
  cuda::CudaBackend backend({});
  const double bandwidth = copy_bandwidth(backend);
  fmt::print("{}; copy {:.0f} GB/s, read and written\n\n", backend.name(), 1e-9 * bandwidth);
  fmt::print(
      "| batch | type | shape | MB | forward: custom us | of copy | cuDNN us | backward: custom us | of "
      "copy | cuDNN us |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|\n");
  std::vector<Row> rows;
  const std::vector<Shape> shapes = batch_norm_shapes(build_network(load_config(arguments.config).model));
  for (const DType dtype : {DType::kBf16, DType::kF32}) {
    const RandomBlock random(backend, dtype);
    for (const int64_t batch : arguments.batches) {
      for (Shape shape : shapes) {
        shape.n = batch;
        const Inputs inputs(backend, random, dtype, shape);
        rows.push_back({.batch = batch,
                        .dtype = dtype,
                        .shape = shape,
                        .bytes = static_cast<double>(inputs.bytes()),
                        .custom = measure(backend, inputs, *make_op(backend, inputs, BatchNormImplementation::kCustom)),
                        .cudnn = measure_cudnn(backend, inputs)});
        print(rows.back(), bandwidth);
        if (!arguments.json.empty()) write_json(arguments.json, backend.name(), bandwidth, rows);
      }
    }
  }
  fmt::print("\n{}\n{}\n{}\n", share_verdict(rows, bandwidth, 128e6, INFINITY, 0.85),
             share_verdict(rows, bandwidth, 32e6, 128e6, 0.70), cudnn_verdict(rows));
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
  return bn::exit_code_of([&] { bn::run(arguments); });
}
