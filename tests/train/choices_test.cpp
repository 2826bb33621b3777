// A library's choices of engines live as long as the run: a resumed one takes them again, or says that it cannot.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/run_log.hpp"
#include "bn/trainer.hpp"
#include "support/error_message.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "support/thread_group.hpp"

namespace bn::test {
namespace {

const std::string kChoosingExperiment =
    small_model("6") + shapes_data(40, 20) +
    R"(train: {batch: 10, steps: 2, learning_rate: {initial: 0.1}, evaluate_every: 2, evaluate_batch: 10}
threads: 1
)";

// The CPU's, with a library that has one choice to make: the first of `offered`, unless it is told another of them.
class ChoosingBackend final : public Backend {
 public:
  explicit ChoosingBackend(std::vector<std::string> offered)
      : offered_(std::move(offered)), chosen_(offered_.front()) {}

  std::string choices() const override { return "product 10x256: " + chosen_ + "\n"; }
  void repeat_choices(const std::string& text) override {
    for (const std::string& engine : offered_) {
      if (text == "product 10x256: " + engine + "\n") chosen_ = engine;
    }
  }

  std::string name() const override { return cpu_->name(); }
  void require(DType activations) const override { cpu_->require(activations); }
  std::unique_ptr<Buffer> allocate(int64_t bytes) override { return cpu_->allocate(bytes); }
  void upload(void* device, const void* host, int64_t bytes) override { cpu_->upload(device, host, bytes); }
  void download(void* host, const void* device, int64_t bytes) override { cpu_->download(host, device, bytes); }
  void zero(void* device, int64_t bytes) override { cpu_->zero(device, bytes); }
  void synchronize() override { cpu_->synchronize(); }
  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override { return cpu_->make_op(spec, desc); }
  void load_images(const Tensor& x, const Tensor& images, const ImageNormalization& by) override {
    cpu_->load_images(x, images, by);
  }
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override { cpu_->sum(dst, srcs); }
  void update(const ParameterUpdate& all) override { cpu_->update(all); }
  void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) override {
    cpu_->blend(running, batch, factor, weight);
  }
  std::unique_ptr<Exchange> join(Group& group) override { return cpu_->join(group); }

 private:
  std::unique_ptr<Backend> cpu_ = make_cpu_backend({.threads = 1});
  std::vector<std::string> offered_;
  std::string chosen_;
};

class Choices : public testing::Test {
 protected:
  // Trains until `steps`, resuming what is there.
  void train_until(int64_t steps, const std::vector<std::string>& offered, bool allow_different_bits = false) {
    Config config = parse_config(kChoosingExperiment, "experiment.yaml");
    config.train.steps = steps;
    const bool resume = steps > 2;
    ChoosingBackend backend(offered);
    const RunFolder folder = RunFolder::create(path_, to_yaml(config), resume);
    train(config, backend, folder, {.resume = resume, .allow_different_bits = allow_different_bits, .quiet = true});
  }

  std::string recorded() const {
    std::ostringstream text;
    text << std::ifstream(path_ + "/engines.txt").rdbuf();
    return text.str();
  }

  const TemporaryFolder root_;
  const std::string path_ = root_ / "run";
};

TEST_F(Choices, AreTakenAgainWhenARunIsResumed) {
  train_until(2, {"measured", "heuristic"});
  EXPECT_EQ(recorded(), "product 10x256: measured\n");
  train_until(4, {"heuristic", "measured"});
  EXPECT_EQ(recorded(), "product 10x256: measured\n");
}

TEST_F(Choices, ThatAreNotOfferedAreRefusedUnlessOtherBitsAreAllowed) {
  train_until(2, {"measured"});
  const std::string message = error_message<UnsupportedError>([&] { train_until(4, {"heuristic"}); });
  EXPECT_CONTAINS(message, "used an engine that is not offered here (product 10x256: measured)");
  train_until(4, {"heuristic"}, true);
  EXPECT_EQ(recorded(), "product 10x256: heuristic\n");
  const std::vector<LogRecord> log = read_log(RunFolder(path_).log_path());
  EXPECT_TRUE(std::any_of(log.begin(), log.end(), [](const LogRecord& record) {
    return record.message.find("other bits are allowed: product 10x256: measured until here") != std::string::npos;
  }));
}

TEST_F(Choices, ThatDifferBetweenProcessesAreRefused) {
  Config config = parse_config(kChoosingExperiment, "experiment.yaml");
  config.train.parts = 2;
  const RunFolder folder = RunFolder::create(path_, to_yaml(config), false);
  const std::string message = error_message<AgreedError>([&] {
    ThreadGroup(2).run([&](Group& group) {
      ChoosingBackend backend({group.is_first() ? "heuristic" : "measured"});
      train(config, backend, folder, {.quiet = true, .group = &group});
    });
  });
  EXPECT_EQ(message,
            "the processes must compute by the same engines, but that of process 0 on host0 for product 10x256: "
            "heuristic is not that of process 1 on host1; their GPUs and libraries must be of one kind");
}

}  // namespace
}  // namespace bn::test
