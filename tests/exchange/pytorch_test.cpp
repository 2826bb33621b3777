#include "bn/exchange.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/models.hpp"
#include "bn/plan.hpp"
#include "exchange/random_model.hpp"
#include "run/safetensors.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using test::error_message;
using test::RandomModel;
using test::TemporaryFolder;

// One row of each kind; `more` are further keys of the model.
std::string small_network(const std::string& more = "", const std::string& more_of_conv1 = "") {
  return R"(model:
  network:
    kind: inception
    image_size: 33
    image_channels: 3
    rows:
      - {row: conv1, type: convolution, patch: 7, stride: 2, filters: 8)" +
         more_of_conv1 + R"(}
      - {row: conv2, type: convolution, patch: 3, reduce: 8, filters: 16}
      - {row: inception_3a, type: inception, 1x1: 8, 3x3_reduce: 8, 3x3: 16, double_3x3_reduce: 8, double_3x3: 16, pool: average, projection: 8}
      - {row: pool5, type: average_pool, patch: 0}
    local_response_norm: {after: [conv1]}
  classes: 5
)" + more;
}
const std::string kBatch = "  normalization: batch\n";

// A file in memory, to change before it is written.
struct Weights {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> data;

  explicit Weights(const std::string& path) {
    const SafetensorsFile file(path, SafetensorsWriter::kAny);
    entries = file.entries();
    for (const SafetensorsEntry& entry : entries) data.push_back(file.read(entry));
  }
  size_t index(const std::string& name) const {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
    if (found == entries.end()) throw std::out_of_range(name);
    return static_cast<size_t>(found - entries.begin());
  }
  std::vector<float>& operator[](const std::string& name) { return data[index(name)]; }
  void remove(const std::string& name) {
    const auto at = static_cast<std::ptrdiff_t>(index(name));
    entries.erase(entries.begin() + at);
    data.erase(data.begin() + at);
  }
  void write(const std::string& path) const {
    write_safetensors(path, {}, entries, [&](size_t i, std::span<float> values) {
      std::copy(data[i].begin(), data[i].end(), values.begin());
    });
  }
};

std::string bits_of(const Parameters& parameters) {
  std::string bits;
  for (const NamedTensor& named : parameters.named_tensors()) {
    if (named.name.starts_with("velocity/")) continue;
    bits.append(named.tensor.as<const char>(), static_cast<size_t>(named.tensor.bytes()));
  }
  return bits;
}

class Pytorch : public testing::Test {
 protected:
  Pytorch() { write_pytorch(folder_ / "a", model_.parameters(), WeightsCopy::kCurrent, {{"format", "pt"}}); }

  const TemporaryFolder folder_;
  RandomModel model_{small_network(kBatch)};
  const std::string before_ = bits_of(model_.parameters());
};

TEST_F(Pytorch, WritesTheNamesAndLayoutsOfThePublicNetwork) {
  const SafetensorsFile file(folder_ / "a", SafetensorsWriter::kAny);
  std::vector<std::string> weights;
  for (const SafetensorsEntry& entry : file.entries()) {
    if (entry.dims.size() > 1) weights.push_back(entry.name + " " + to_string(entry.dims));
  }
  EXPECT_EQ(weights, (std::vector<std::string>{
                         "conv1_7x7_s2.weight 8x3x7x7", "conv2_3x3_reduce.weight 8x8x1x1", "conv2_3x3.weight 16x8x3x3",
                         "inception_3a_1x1.weight 8x16x1x1", "inception_3a_3x3_reduce.weight 8x16x1x1",
                         "inception_3a_3x3.weight 16x8x3x3", "inception_3a_double_3x3_reduce.weight 8x16x1x1",
                         "inception_3a_double_3x3_1.weight 16x8x3x3", "inception_3a_double_3x3_2.weight 16x16x3x3",
                         "inception_3a_pool_proj.weight 8x16x1x1", "last_linear.weight 5x48"}));
  Weights written(folder_ / "a");
  EXPECT_EQ(written["conv1_7x7_s2.bias"], std::vector<float>(8));
  // Red of the first filter's second row and third column; there it is the last channel.
  const float* here = model_.parameters().value(0).as<const float>();  // [o, kh, kw, i]
  EXPECT_EQ(written["conv1_7x7_s2.weight"].at(2 * 49 + 1 * 7 + 2), here[(1 * 7 + 2) * 3 + 0]);
}

TEST_F(Pytorch, BringsBackEveryBit) {
  model_.parameters().initialize(9, {});
  EXPECT_NE(bits_of(model_.parameters()), before_);
  read_pytorch(folder_ / "a", model_.parameters());
  EXPECT_EQ(bits_of(model_.parameters()), before_);
}

TEST_F(Pytorch, ABiasBecomesPartOfTheMean) {
  Weights changed(folder_ / "a");
  changed["inception_3a_3x3.bias"].at(3) = 0.5F;
  changed["inception_3a_3x3_bn.running_mean"].at(3) = 0.75F;
  changed.write(folder_ / "b");
  read_pytorch(folder_ / "b", model_.parameters());
  const Node* norm = model_.net().find("inception_3a/3x3/bn");
  EXPECT_EQ(model_.parameters().population(norm->state.at(0)).as<const float>()[3], 0.25F);
}

TEST_F(Pytorch, ReadsWhatOldVersionsAndOtherTypesLeave) {
  Weights changed(folder_ / "a");
  changed.entries[changed.index("conv2_3x3_bn.weight")].dims = {1, 16};
  changed.entries.push_back({.name = "conv2_3x3_bn.num_batches_tracked", .dims = {1}});
  changed.data.push_back({7});
  changed.remove("conv2_3x3.bias");
  changed.write(folder_ / "b");
  model_.parameters().initialize(9, {});
  read_pytorch(folder_ / "b", model_.parameters());
  EXPECT_EQ(bits_of(model_.parameters()), before_);
}

TEST_F(Pytorch, NamesTheFirstTensorThatDoesNotFit) {
  const auto message_after = [&](const std::function<void(Weights&)>& change) {
    Weights changed(folder_ / "a");
    change(changed);
    changed.write(folder_ / "b");
    const std::string message =
        error_message<CheckpointError>([&] { read_pytorch(folder_ / "b", model_.parameters()); });
    EXPECT_EQ(bits_of(model_.parameters()), before_);
    return message;
  };
  const std::string file = "'" + folder_ / "b" + "' ";
  EXPECT_EQ(message_after([](Weights& w) { w.remove("inception_3a_pool_proj_bn.running_var"); }),
            file + "has no 'inception_3a_pool_proj_bn.running_var', which inception_3a/projection/conv needs");
  EXPECT_EQ(message_after([](Weights& w) {
              w.entries[w.index("conv1_7x7_s2.weight")].dims = {3, 8, 7, 7};
            }),
            file + "fits another network: 'conv1_7x7_s2.weight' is 3x8x7x7 there, and conv1/conv needs 8x3x7x7");
  EXPECT_EQ(message_after([](Weights& w) { w.entries[w.index("last_linear.bias")].name = "fc.bias"; }),
            file + "has no 'last_linear.bias', which logits/linear needs");
  EXPECT_EQ(message_after([](Weights& w) {
              w.entries.push_back({.name = "fc.weight", .dims = {2, 2}});
              w.data.push_back({1, 2, 3, 4});
            }),
            file + "fits another network: its 'fc.weight' (2x2) belongs to no layer here");
}

TEST(PytorchRefusal, NamesTheOpThatThePublicNetworkDoesNotHave) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& experiment, const std::string& input = RandomModel::kColours) {
    RandomModel model(experiment, input);
    const std::string writing = error_message<UnsupportedError>(
        [&] { write_pytorch(folder / "a", model.parameters(), WeightsCopy::kCurrent, {}); });
    const std::string reading =
        error_message<UnsupportedError>([&] { read_pytorch(folder / "a", model.parameters()); });
    EXPECT_EQ(reading, writing);
    return writing;
  };
  EXPECT_EQ(refusal(small_network("  normalization: none\n")),
            "conv1/bn: the public BN-Inception has no name for it: its convolutions have batch normalisation");
  EXPECT_EQ(refusal(small_network(kBatch, ", depth_multiplier: 2")),
            "conv1/conv: the public BN-Inception has no name for it: its first convolution is dense");
  EXPECT_EQ(refusal(small_network(kBatch + "  local_response_norm: true\n")),
            "conv1/lrn: the public BN-Inception has no name for it: it normalises batches alone");
  EXPECT_EQ(refusal(small_network(kBatch + "  per_activation: [conv2]\n")),
            "conv2/reduce/bn: the public BN-Inception has no name for it: its statistics are spatial");
  EXPECT_EQ(
      refusal(small_network(kBatch + "batch_norm: {placement: after_activation}\n")),
      "conv1/bias: the public BN-Inception has no name for it: batch normalisation follows each convolution at once, "
      "without a bias");
  EXPECT_EQ(refusal(small_network(kBatch + "  activation: sigmoid\n")),
            "conv1/act: the public BN-Inception has no name for it: its activations are ReLU");
  EXPECT_EQ(refusal("model:\n  network: {kind: mlp, image_size: 9, image_channels: 3, hidden: [20]}\n  classes: 5\n",
                    "image_size: 9"),
            "hidden1/linear: the public BN-Inception has no name for it: its one linear layer gives the logits");
  EXPECT_TRUE(test::names_in(folder.path()).empty());
}

TEST_F(Pytorch, IsReadByTheSafetensorsLibrary) {
  BN_REQUIRE_PEERS();
  Weights written(folder_ / "a");
  std::vector<std::string> lines;
  for (size_t i = 0; i < written.entries.size(); ++i) {
    lines.push_back(fmt::format("{} float32 {} {:.9g} {:.9g}\n", written.entries[i].name,
                                to_string(written.entries[i].dims), written.data[i].front(), written.data[i].back()));
  }
  std::sort(lines.begin(), lines.end());
  std::string expected;
  for (const std::string& line : lines) expected += line;
  const test::ProgramResult result = test::run_peer("safetensors_peer.py", {folder_ / "a"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, expected);
}

// --- against PyTorch itself

constexpr const char* kTorchPython = "/usr/bin/python3";  // Debian's, which has python3-torch

test::ProgramResult run_torch(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {kTorchPython, BN_EXCHANGE_TESTS "/torch_peer.py"});
  return test::run_program(arguments, {.timeout = std::chrono::minutes(4)});
}

template <class T>
std::vector<T> read_values(const std::string& path) {
  const std::string bytes = test::read_bytes(path);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// The largest difference, for values of at most 1 in size, and relative to the largest value beyond that.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double apart = 0, largest = 1;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return std::isfinite(largest) ? apart / largest : largest;
}

// The values that the op named `op` gives for the pixels.
std::vector<float> output_of(const std::string& op, Parameters& parameters, const Config& config,
                             std::vector<uint8_t> pixels) {
  Shape shape = parameters.net().image_shape();
  shape.n = static_cast<int64_t>(pixels.size()) / shape.elements();
  Plan plan = compile(parameters.net(), parameters, parameters.backend(),
                      {.batch = shape.n,
                       .purpose = Purpose::kEvaluate,
                       .passes = {.fuse_activation = false, .eliminate_concat = false},
                       .keep = {op}});
  plan.pack();
  plan.begin({});
  parameters.backend().load_images(plan.images(), dense(pixels.data(), DType::kU8, shape),
                                   normalization_of(config.data));
  plan.forward();
  const Tensor y = plan.output(op);
  std::vector<float> values(static_cast<size_t>(y.shape.elements()));
  EXPECT_TRUE(y.is_dense()) << op;
  parameters.backend().download(values.data(), y.data, y.bytes());
  return values;
}

TEST(PublicNetwork, ComputesHereWhatItComputesInPytorchAndBack) {
  if (test::run_program({kTorchPython, "-c", "import torch, numpy"}).exit_code != 0) {
    GTEST_SKIP() << "PyTorch is not here; Debian has it in python3-torch and python3-numpy";
  }
  const TemporaryFolder folder;
  const test::ProgramResult made = run_torch({"make", folder.path()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const Config config = load_config(BN_CONFIGS "/imagenet/public_bn_inception.yaml");
  const Net net = build_network(config.model);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  Parameters parameters(net, *backend, DecayScope::kWeights, false);
  read_pytorch(folder / "weights.safetensors", parameters);

  const auto pixels = read_values<uint8_t>(folder / "pixels");
  for (const TableRow& row : std::get<InceptionTable>(config.model.table).rows) {
    if (row.name == "pool5") continue;
    const char* last = row.type == RowType::kInception ? "/concat" : row.type == RowType::kConvolution ? "/act" : "";
    EXPECT_LT(difference(output_of(row.name + last, parameters, config, pixels), read_values<float>(folder / row.name)),
              1e-4)
        << row.name;
  }
  const auto logits = read_values<float>(folder / "logits");
  const std::vector<float> ours = test::logits_of(net, parameters, config, pixels);
  ASSERT_EQ(ours.size(), logits.size());
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(ours[i], logits[i], 1e-4) << i;

  write_pytorch(folder / "ours.safetensors", parameters, WeightsCopy::kCurrent, {{"format", "pt"}});
  test::write_bytes(folder / "logits", test::bytes_of(ours));
  const test::ProgramResult checked = run_torch({"check", folder / "ours.safetensors", folder.path()});
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
}

}  // namespace
}  // namespace bn
