// A network that was trained on real images, through the programs that users start.
#include <gmock/gmock.h>

#include <cstdlib>

#include "bn/checkpoint.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/dataset.hpp"
#include "bn/loader.hpp"
#include "bn/models.hpp"
#include "bn/run_folder.hpp"
#include "cli/program.hpp"
#include "exchange/random_model.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using test::bninception;
using test::ProgramResult;
using test::TemporaryFolder;

constexpr int64_t kImages = 2000;

const std::string kConfigs = BN_CONFIGS;
const std::string kTrainingTars =
    "data.train=[tiny-imagenet/train-00.tar, tiny-imagenet/train-01.tar, tiny-imagenet/train-02.tar, "
    "tiny-imagenet/train-03.tar]";

// Tiny ImageNet's 40 classes as the archives have them, ten classes each.
const std::vector<std::string> kTinyImageNet{
    "train",
    kConfigs + "/tiny_imagenet/bn_baseline.yaml",
    "--quiet",
    "--set",
    kTrainingTars,
    "--set",
    "data.validation=[tiny-imagenet/val.tar]",
    "--set",
    "data.classes=tiny-imagenet/synsets.txt",
    "--set",
    "data.cache=none",
    "--set",
    "train.statistics=population",  // averages over so few steps would be far off
    "--set",
    "train.statistics_batches=20",
    "--set",
    "train.steps=60",
    "--set",
    "train.evaluate_every=60"};

// The first validation images, as the network gets them: u8 [images, h, w, c].
std::vector<uint8_t> validation_pixels(const Config& config) {
  const std::unique_ptr<Dataset> images = open_dataset(config.data, Split::kValidation);
  DataOptions data = config.data;
  data.binarize = -1;  // the model's own work
  Loader loader(*images, data, {.batch = 100, .split = Split::kValidation});
  std::vector<uint8_t> pixels;
  for (Batch batch; loader.next(batch) && batch.first_index < kImages;) {
    const auto* first = batch.images.as<const uint8_t>();
    pixels.insert(pixels.end(), first, first + batch.images.bytes() / 100 * batch.valid);
  }
  return pixels;
}

void expect_equal_predictions(std::vector<std::string> training) {
  const TemporaryFolder folder;
  training.insert(training.end(), {"--out", folder / "run"});
  const ProgramResult trained = bninception(training, {.timeout = std::chrono::minutes(4)});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const ProgramResult exported = bninception({"export", folder / "run", "--onnx", folder / "a.onnx"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;

  const std::string checkpoint = RunFolder(folder / "run").best_path();
  const Config config = parse_config(read_checkpoint_info(checkpoint).config, checkpoint);
  const Net net = build_network(config.model);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});
  Parameters parameters(net, *backend, config.train.l2_scope, config.train.average == AverageKind::kPolyak);
  load_checkpoint(checkpoint, parameters);
  const std::vector<uint8_t> pixels = validation_pixels(config);
  test::write_bytes(folder / "pixels", test::bytes_of(pixels));
  test::write_bytes(folder / "logits", test::bytes_of(test::logits_of(net, parameters, config, pixels)));
  const ProgramResult result =
      test::run_peer("onnx_peer.py", {folder / "a.onnx", folder / "pixels", folder / "logits"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, testing::HasSubstr("ONNX Runtime: 2000 images"));
}

class TrainedNetwork : public testing::Test {
 protected:
  void SetUp() override {
    BN_REQUIRE_PEERS();
    if (std::getenv("BN_DATA_ROOT") == nullptr) GTEST_SKIP() << "BN_DATA_ROOT is not set";
  }
};

TEST_F(TrainedNetwork, OnTinyImageNetPredictsTheSameElsewhere) { expect_equal_predictions(kTinyImageNet); }

// Binary pixels, and the running average of the parameters.
TEST_F(TrainedNetwork, OnMnistPredictsTheSameElsewhere) {
  expect_equal_predictions({"train", kConfigs + "/mnist/batch_norm.yaml", "--quiet", "--set", "train.steps=200",
                            "--set", "train.evaluate_every=200"});
}

}  // namespace
}  // namespace bn
