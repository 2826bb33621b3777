// Convolutions 3x3 of stride 1 of a network, by Winograd's F(4x4, 3x3) and directly: each direction's time and their
// quotient, direct / Winograd. The two take turns, and figures are medians, so that noise on the machine meets both.
// Prints a Markdown table.
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>

#include "benchmark.hpp"
#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "cpu/dense_convolution.hpp"
#include "cpu/winograd.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string config{};
  std::vector<std::string> overrides{};
  int64_t rounds = 9;
};

enum Direction { kPack, kForward, kBackward, kWeightGradient, kDirections };
constexpr const char* kNames[] = {"pack", "forward", "backward", "weight gradient"};

// One implementation with memory of its own; backward is the input gradient (where there is one) and the weight's.
class Subject {
 public:
  template <class Implementation>
  static Subject of(Backend& backend, const cpu::ConvolutionWindow& window, const OpDesc& desc) {
    OpDesc weights_only = desc;
    weights_only.wants_dx = {false};
    return {backend, std::make_unique<Implementation>(window, std::nullopt, desc),
            std::make_unique<Implementation>(window, std::nullopt, weights_only), desc};
  }

  double seconds(Direction direction) {
    const auto start = Clock::now();
    switch (direction) {
      case kPack:
        both_->pack(io_.packed, io_.w[0].as<float>(), io_.scratch);
        break;
      case kForward:
        both_->forward(io_);
        break;
      case kBackward:
        both_->backward(io_.dw[0].as<float>(), io_, io_.scratch);
        break;
      default:
        weights_only_->backward(io_.dw[0].as<float>(), io_, io_.scratch);
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

 private:
  Subject(Backend& backend, std::unique_ptr<cpu::Convolution> both, std::unique_ptr<cpu::Convolution> weights_only,
          const OpDesc& desc)
      : backend_(&backend), both_(std::move(both)), weights_only_(std::move(weights_only)) {
    const Shape &x = desc.x[0].shape, &y = desc.y.shape, w{y.c, 3, 3, x.c};
    io_.x = {tensor(x)};
    io_.dx = {tensor(x)};
    io_.y = tensor(y);
    io_.dy = tensor(y);
    io_.w = {tensor(w)};
    io_.dw = {tensor(w)};
    io_.packed = buffer(both_->packed_bytes());
    io_.scratch = buffer(std::max(both_->scratch_bytes(), weights_only_->scratch_bytes()));
  }

  void* buffer(int64_t bytes) { return buffers_.emplace_back(backend_->allocate(bytes))->data(); }
  Tensor tensor(const Shape& shape) {
    const Tensor result = dense(buffer(shape.elements() * size_of(DType::kF32)), DType::kF32, shape);
    RandomStream random(1, buffers_.size());
    std::generate_n(result.as<float>(), shape.elements(), [&] { return static_cast<float>(random.normal()); });
    return result;
  }

  Backend* backend_;
  std::unique_ptr<cpu::Convolution> both_, weights_only_;
  OpIo io_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

struct Row {
  Shape x, y;
  int64_t pad = 1, count = 0;
};

// The shapes, each once.
std::vector<Row> rows_of(const Net& net, int64_t batch) {
  std::map<std::string, Row> rows;
  for (const Node& node : net.nodes()) {
    const auto* conv = std::get_if<Conv2d>(&node.spec);
    if (conv == nullptr || conv->kernel != 3 || conv->stride != 1) continue;
    const auto shape = [&](ValueId id) {
      Shape result = net.values()[static_cast<size_t>(id.index)].shape;
      result.n = batch;
      return result;
    };
    Row row{.x = shape(node.inputs[0]), .y = shape(node.output), .pad = conv->pad};
    const auto [place, _] = rows.emplace(fmt::format("{:5}{:5}{:5}", 1000 - row.x.h, row.x.c, row.y.c), row);
    ++place->second.count;
  }
  std::vector<Row> result;
  for (const auto& [_, row] : rows) result.push_back(row);
  return result;
}

void measure(Backend& backend, const Row& row, int64_t rounds, std::vector<double>& totals) {
  const OpDesc desc{.name = "convolution",
                    .x = {TensorDesc::dense(DType::kF32, row.x)},
                    .y = TensorDesc::dense(DType::kF32, row.y),
                    .wants_dx = {true}};
  const cpu::ConvolutionWindow window{.kernel = 3, .stride = 1, .pad = row.pad};
  Subject direct = Subject::of<cpu::DenseConvolution>(backend, window, desc);
  Subject winograd = Subject::of<cpu::WinogradConvolution>(backend, window, desc);
  fmt::print("| {} x {}x{}, {} to {} | {} |", row.x.n, row.x.h, row.x.w, row.x.c, row.y.c, row.count);
  for (int direction = 0; direction < kDirections; ++direction) {
    std::vector<double> before, after, quotients;
    for (int64_t round = -1; round < rounds; ++round) {
      const double a = direct.seconds(static_cast<Direction>(direction));
      const double b = winograd.seconds(static_cast<Direction>(direction));
      if (round < 0) continue;  // loads their code
      before.push_back(a);
      after.push_back(b);
      quotients.push_back(a / b);
    }
    fmt::print(" {:.2f} / {:.2f} = {:.2f} |", 1e3 * median(before), 1e3 * median(after), median(quotients));
    totals[2 * static_cast<size_t>(direction)] += static_cast<double>(row.count) * median(before);
    totals[2 * static_cast<size_t>(direction) + 1] += static_cast<double>(row.count) * median(after);
  }
  fmt::print("\n");
}

void run(const Arguments& arguments) {
  const Config config = load_config(arguments.config, arguments.overrides);
  CpuOptions options = config.cpu;
  options.threads = static_cast<int>(config.threads);
  const auto backend = make_cpu_backend(options);
  fmt::print("{}\n\n| shape | how many | pack, ms, direct / Winograd |", backend->name());
  for (int direction = kForward; direction < kDirections; ++direction) fmt::print(" {} |", kNames[direction]);
  fmt::print("\n|---|---|---|---|---|---|\n");
  std::vector<double> totals(2 * kDirections);
  for (const Row& row : rows_of(build_network(config.model), config.train.batch)) {
    measure(*backend, row, arguments.rounds, totals);
  }
  fmt::print("| all | |");
  for (size_t i = 0; i < totals.size(); i += 2) {
    fmt::print(" {:.1f} / {:.1f} = {:.2f} |", 1e3 * totals[i], 1e3 * totals[i + 1], totals[i] / totals[i + 1]);
  }
  fmt::print("\n");
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  CLI::App app{"Compares Winograd's convolutions with direct ones."};
  bn::Arguments arguments;
  app.add_option("config", arguments.config, "The experiment: a YAML file")->required();
  app.add_option("--set", arguments.overrides, "Override one value")->take_all()->allow_extra_args(false);
  app.add_option("--rounds", arguments.rounds, "Measurements to take the median of")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return bn::exit_code_of([&] { bn::run(arguments); });
}
