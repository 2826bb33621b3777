#include "bn/exchange.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/models.hpp"
#include "exchange/onnx.pb.h"
#include "exchange/random_model.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using test::RandomModel;
using test::TemporaryFolder;

// Two modules, all three kinds of rows, and maps of odd sides: 33 -> 17 -> 8 -> 4.
std::string small_inception(const std::string& more_of_table, const std::string& more_of_model,
                            const std::string& more_of_conv1 = "") {
  return R"(model:
  network:
    kind: inception
    image_size: 33
    image_channels: 3
    rows:
      - {row: conv1, type: convolution, patch: 5, stride: 2, filters: 8)" +
         more_of_conv1 + R"(}
      - {row: pool1, type: max_pool, patch: 3, stride: 2}
      - {row: conv2, type: convolution, patch: 3, reduce: 8, filters: 16}
      - {row: module_a, type: inception, 1x1: 8, 3x3_reduce: 8, 3x3: 16, double_3x3_reduce: 8, double_3x3: 16, pool: average, projection: 8}
      - {row: module_b, type: inception, stride: 2, 1x1: 0, 3x3_reduce: 8, 3x3: 16, double_3x3_reduce: 8, double_3x3: 16, pool: max, projection: 0}
      - {row: pool5, type: average_pool, patch: 0}
    local_response_norm: {after: [pool1, conv2], size: 5, alpha: 0.5}
)" + more_of_table +
         "  classes: 7\n" + more_of_model;
}

OnnxOptions options_of(const RandomModel& model) {
  return {.normalization = normalization_of(model.config().data), .binarize = model.config().data.binarize};
}

onnx::ModelProto read_model(const std::string& path) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(test::read_bytes(path)));
  return model;
}

std::map<std::string, int> count_types(const onnx::ModelProto& model) {
  std::map<std::string, int> counts;
  for (const onnx::NodeProto& node : model.graph().node()) ++counts[node.op_type()];
  return counts;
}

TEST(OnnxExport, HasTheOpsOfEvaluationAlone) {
  const TemporaryFolder folder;
  RandomModel model(small_inception("", "  normalization: batch\n  dropout: 0.5\n"));
  OnnxOptions options = options_of(model);
  options.metadata = {{"classes", "a\nb"}};
  export_onnx(folder / "a.onnx", model.parameters(), options);
  const onnx::ModelProto written = read_model(folder / "a.onnx");
  // Batch norms are in the weights of their convolutions, and dropout is gone.
  EXPECT_EQ(count_types(written), (std::map<std::string, int>{{"Cast", 1},
                                                              {"Sub", 1},
                                                              {"Mul", 1},
                                                              {"Transpose", 1},
                                                              {"Conv", 15},
                                                              {"Relu", 15},
                                                              {"MaxPool", 2},
                                                              {"AveragePool", 1},
                                                              {"Concat", 2},
                                                              {"GlobalAveragePool", 1},
                                                              {"Flatten", 1},
                                                              {"Gemm", 1}}));
  EXPECT_EQ(written.graph().output(0).name(), "logits");
  EXPECT_EQ(written.metadata_props(0).value(), "a\nb");
}

TEST(OnnxExport, IsHardlyLargerThanItsWeights) {
  const TemporaryFolder folder;
  RandomModel model(
      "model:\n  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [100, 100]}\n  classes: 10\n"
      "  normalization: none\n",
      "image_size: 16, image_channels: 1, mean: [0], std: [1]");
  export_onnx(folder / "a.onnx", model.parameters(), {.input = OnnxInput::kNormalized});
  const double weights = 4.0 * static_cast<double>(model.net().parameter_count());
  const auto bytes = static_cast<double>(std::filesystem::file_size(folder / "a.onnx"));
  EXPECT_GT(bytes, weights);
  EXPECT_LT(bytes, 1.01 * weights);
}

TEST(OnnxExport, NamesTheOpWithoutACounterpart) {
  const TemporaryFolder folder;
  RandomModel model(small_inception("", "  normalization: none\n  local_response_norm: true\n"));
  auto even = model.config().model;
  std::get<InceptionTable>(even.table).local_response_norm.size = 4;
  const Net net = build_network(even);
  const Parameters parameters(net, model.backend(), DecayScope::kWeights, false);
  EXPECT_EQ(test::error_message<UnsupportedError>([&] { export_onnx(folder / "a.onnx", parameters, {}); }),
            "pool1/lrn: local_response_norm size 4 has no counterpart in ONNX: a window of an even number of channels "
            "has another centre");
  EXPECT_TRUE(test::names_in(folder.path()).empty());
}

TEST(OnnxExport, AFullDiskLeavesNothing) {
  const TemporaryFolder folder;
  RandomModel model(small_inception("", ""));
  export_onnx(folder / "whole", model.parameters(), options_of(model));
  const auto bytes = std::filesystem::file_size(folder / "whole");
  for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, rlim_t{bytes - 1}}) {
    const std::string message = test::result_in_child([&] {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit size{limit, limit};
      if (setrlimit(RLIMIT_FSIZE, &size) != 0) return std::string("cannot limit");
      return test::error_message<StorageError>(
          [&] { export_onnx(folder / "a.onnx", model.parameters(), options_of(model)); });
    });
    EXPECT_EQ(message, "cannot write '" + folder.path() + "/a.onnx': File too large") << limit;
    EXPECT_EQ(test::names_in(folder.path()), std::set<std::string>{"whole"}) << limit;
  }
}

// Other programs' logits must equal ours.
class OnnxPeers : public testing::Test {
 protected:
  void SetUp() override { BN_REQUIRE_PEERS(); }

  void expect_equal(RandomModel&& model) const {
    const std::vector<uint8_t> pixels = model.random_pixels(120);
    export_onnx(folder_ / "a.onnx", model.parameters(), options_of(model));
    test::write_bytes(folder_ / "pixels", test::bytes_of(pixels));
    test::write_bytes(folder_ / "logits", test::bytes_of(model.logits(pixels)));
    const ProgramResult result =
        test::run_peer("onnx_peer.py", {folder_ / "a.onnx", folder_ / "pixels", folder_ / "logits"});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out, testing::HasSubstr("ONNX Runtime: 120 images"));
    EXPECT_THAT(result.out, testing::HasSubstr("OpenCV: 50 images"));
  }

  using ProgramResult = test::ProgramResult;
  const TemporaryFolder folder_;
};

TEST_F(OnnxPeers, Inception) { expect_equal(RandomModel(small_inception("", "  normalization: batch\n"))); }

TEST_F(OnnxPeers, InceptionWithoutBatchNormalization) {
  expect_equal(RandomModel(small_inception(
      "", "  normalization: none\n  local_response_norm: true\n  activation: sigmoid\n  dropout: 0.4\n")));
}

TEST_F(OnnxPeers, PaddingThatCountsInAverages) {
  expect_equal(RandomModel(small_inception("    pool_border: include_padding\n", "  normalization: batch\n")));
}

TEST_F(OnnxPeers, StatisticsPerActivation) {
  expect_equal(RandomModel(small_inception("", "  normalization: batch\n  per_activation: [conv1, module_a]\n")));
}

TEST_F(OnnxPeers, SeparableStem) {
  expect_equal(RandomModel(small_inception("", "  normalization: batch\n", ", depth_multiplier: 4")));
}

// A linear layer over a map of several channels: its inputs are in another order there.
TEST_F(OnnxPeers, MultilayerPerceptronOnColours) {
  expect_equal(
      RandomModel("model:\n  network: {kind: mlp, image_size: 9, image_channels: 3, hidden: [20, 10]}\n  classes: 5\n"
                  "  normalization: batch\n  activation: sigmoid\n",
                  "image_size: 9, binarize: 127"));
}

TEST_F(OnnxPeers, MultilayerPerceptronWithStatisticsPerActivation) {
  expect_equal(
      RandomModel("model:\n  network: {kind: mlp, image_size: 9, image_channels: 3, hidden: [20, 10]}\n  classes: 5\n"
                  "  normalization: batch\nbatch_norm: {scope: per_activation}\n",
                  "image_size: 9"));
}

}  // namespace
}  // namespace bn
