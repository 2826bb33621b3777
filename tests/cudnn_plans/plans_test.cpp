// cuDNN prepares its plans for a GPU that is only described, so this needs none: every convolution of every
// configuration must have a proper engine on each of these GPUs. Nothing runs; what the engines compute is for a GPU to
// show.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "bn/config.hpp"
#include "bn/cuda_backend.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/plan.hpp"
#include "bn/training_step.hpp"
#include "support/configurations.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"

namespace bn::test {
namespace {

constexpr int64_t kWorkspaceLimit = int64_t{512} * 1024 * 1024;

const std::vector<std::string> kDevices{"a100", "rtx4090", "h100", "b200"};  // compute capability 8.0, 8.9, 9.0, 10.0

DeviceDescription device(const std::string& name) {
  return read_device_description(BN_SOURCE_DIR "/experiments/benchmarks/gpu_model/devices/" + name + ".json");
}

// The launches of a training step of configs/imagenet/bn_baseline.yaml in bf16.
constexpr const char* kLaunches =
    "activation_gradient 1\n"
    "average_pool 8\n"
    "average_pool_gradient 8\n"
    "blend 1\n"
    "copy_weights 1\n"
    "cublasLt 3\n"
    "cudnn 152\n"
    "dropout 2\n"
    "gradient_sums 33\n"
    "input_gradient 33\n"
    "local_response_norm 2\n"
    "local_response_norm_gradient 2\n"
    "map 34\n"
    "max_pool 5\n"
    "max_pool_gradient 5\n"
    "moments 33\n"
    "sgd 1\n"
    "softmax_loss 1\n"
    "softmax_loss_gradient 1\n";

struct Arithmetic {
  DType dtype = DType::kF32;
  Float32Math math = Float32Math::kExact;
  const char* name = "";
};
constexpr Arithmetic kBf16{.dtype = DType::kBf16, .name = "bf16"};
constexpr Arithmetic kF32{.dtype = DType::kF32, .name = "f32"};
constexpr Arithmetic kTf32{.dtype = DType::kF32, .math = Float32Math::kTensorFloat32, .name = "tf32"};

void compile_for(PlanningBackend& backend, const Config& config, DType dtype, Purpose purpose, int64_t batch) {
  const Net net = build_network(config.model);
  Parameters parameters(net, backend, config.train.l2_scope, false);
  compile(net, parameters, backend,
          {.batch = batch, .purpose = purpose, .activations = dtype, .passes = config.passes});
}

bool has(const PlannedConvolution& plan, const char* note) {
  return std::find(plan.notes.begin(), plan.notes.end(), note) != plan.notes.end();
}

// Below so many multiply-adds cuDNN may choose an engine without tensor cores.
constexpr int64_t kSmall = 2'000'000'000;

int64_t multiply_adds(const PlannedConvolution& plan) {
  const std::regex numbers(R"(\b(\d+)x(\d+)/\d.* \d+x\d+x\d+x(\d+) to (\d+)x(\d+)x(\d+)x(\d+)$)");
  std::smatch found;
  if (!std::regex_search(plan.problem, found, numbers)) throw std::runtime_error("unreadable: " + plan.problem);
  int64_t product = 1;
  for (size_t i = 1; i < found.size(); ++i) product *= std::stoll(found[i]);
  return product;
}

void expect_proper(const PlannedConvolution& plan, const Arithmetic& arithmetic) {
  SCOPED_TRACE(plan.problem + ": " + plan.engine);
  for (const char* barred :
       {"compiled at run time", "not deterministic", "rounds its inputs", "sums in reduced precision"}) {
    EXPECT_FALSE(has(plan, barred)) << barred;
  }
  EXPECT_LE(plan.workspace_bytes, kWorkspaceLimit);
  const bool is_exact = arithmetic.dtype == DType::kF32 && arithmetic.math == Float32Math::kExact;
  if (!is_exact) return;
  for (const char* inexact : {"tensor cores", "Winograd", "Fourier transform"})
    EXPECT_FALSE(has(plan, inexact)) << inexact;
}

class CudnnPlans : public testing::TestWithParam<std::tuple<std::string, Arithmetic>> {
 protected:
  const Arithmetic& arithmetic() const { return std::get<Arithmetic>(GetParam()); }
  std::unique_ptr<PlanningBackend> make_backend() const {
    return make_planning_cuda_backend({.float32_math = arithmetic().math}, device(std::get<std::string>(GetParam())));
  }
};

TEST_P(CudnnPlans, ServeEveryConfiguration) {
  const std::unique_ptr<PlanningBackend> backend = make_backend();
  int too_small = 0;
  for (const std::string& file : configurations()) {
    SCOPED_TRACE(file);
    const Config config = load_config(file);
    for (const int64_t batch : {1, 32, 256}) {
      for (const Purpose purpose : {Purpose::kTrain, Purpose::kEvaluateFolded}) {
        try {
          compile_for(*backend, config, arithmetic().dtype, purpose, batch);
        } catch (const ShapeError&) {  // batch normalisation of a vector needs two images
          EXPECT_EQ(batch, 1);
          ++too_small;
        }
      }
    }
  }
  EXPECT_LE(too_small, 1) << "MNIST's network alone";
  const std::vector<PlannedConvolution> plans = backend->convolutions();
  EXPECT_GT(plans.size(), 500U);
  for (const PlannedConvolution& plan : plans) {
    expect_proper(plan, arithmetic());
    if (arithmetic().dtype == DType::kBf16 && multiply_adds(plan) >= kSmall) {
      EXPECT_TRUE(has(plan, "tensor cores")) << plan.problem << ": " << plan.engine;
    }
  }
}

TEST_P(CudnnPlans, ServeTheConvolutionsThatTheTestsOfAGpuRun) {
  const std::unique_ptr<PlanningBackend> backend = make_backend();
  int odd = 0;
  for (const auto& cases : {convolution_cases(), folded_convolution_cases(), separable_convolution_cases()}) {
    for (const OpCase& op_case : cases) {
      if (op_case.dtype != arithmetic().dtype) continue;
      SCOPED_TRACE(name_of(op_case));
      const OpDesc desc{.name = "op",
                        .x = {TensorDesc::dense(op_case.dtype, op_case.x[0])},
                        .y = TensorDesc::dense(op_case.dtype, output_shape(op_case.spec, op_case.x)),
                        .phase = op_case.phase,
                        .has_backward = op_case.has_backward && op_case.phase == Phase::kTrain,
                        .wants_dx = {op_case.wants_dx.empty() || op_case.wants_dx[0]}};
      EXPECT_NO_THROW(backend->make_op(op_case.spec, desc));
      if (op_case.x[0].c % 2 != 0 || desc.y.shape.c % 2 != 0) ++odd;
    }
  }
  EXPECT_GT(odd, 0) << "odd numbers of channels are among them";
  for (const PlannedConvolution& plan : backend->convolutions()) expect_proper(plan, arithmetic());
}

INSTANTIATE_TEST_SUITE_P(On, CudnnPlans,
                         testing::Combine(testing::ValuesIn(kDevices), testing::Values(kBf16, kF32, kTf32)),
                         [](const auto& tested) {
                           return std::get<std::string>(tested.param) + "_" + std::get<Arithmetic>(tested.param).name;
                         });

// The control: what has no engine is refused.
TEST(CudnnPlansAreRefused, Bf16WithoutTensorCoresForIt) {
  const std::unique_ptr<PlanningBackend> backend =
      make_planning_cuda_backend({}, read_device_description(BN_SOURCE_DIR "/tests/cudnn_plans/volta.json"));
  const Config config = load_config(BN_SOURCE_DIR "/configs/imagenet/bn_baseline.yaml");
  const std::string message =
      error_message<UnsupportedError>([&] { compile_for(*backend, config, DType::kBf16, Purpose::kTrain, 32); });
  EXPECT_NE(
      message.find(" has no deterministic, precompiled engine on NVIDIA Volta control for the convolution forward "
                   "7x7/2 pad 3 bf16 32x224x224x8 to 32x112x112x64: "),
      std::string::npos)
      << message;
}

// The number of launches decides a step's time at small batches. The list is exact, so that no change slips in.
TEST(CudnnPlansCount, LaunchesOfAStepOfThePapersNetwork) {
  const std::unique_ptr<PlanningBackend> backend = make_planning_cuda_backend({}, device("h100"));
  const Config config = load_config(BN_SOURCE_DIR "/configs/imagenet/bn_baseline.yaml");
  const Net net = build_network(config.model);
  Parameters parameters(net, *backend, config.train.l2_scope, false);
  Plan plan = compile(net, parameters, *backend, {.batch = 32, .activations = DType::kBf16, .passes = config.passes});
  const size_t before = backend->launches().size();
  TrainingStep(plan, parameters, *backend, {.sgd = {.momentum = 0.9F}}).compute();
  std::map<std::string, int> counts;
  for (size_t i = before; i < backend->launches().size(); ++i) ++counts[backend->launches()[i]];
  std::string text;
  int all = 0;
  for (const auto& [name, count] : counts) {
    text += name + " " + std::to_string(count) + "\n";
    all += count;
  }
  EXPECT_EQ(text, kLaunches);
  constexpr int kMostLaunches = 450;
  EXPECT_LE(all, kMostLaunches);
}

// "eng65_k2=3_k14=0" is engine 65; its settings are in the full table.
std::string number_of(const std::string& engine) {
  const size_t begin = engine.find("eng");
  const size_t end = engine.find('_', begin);
  return begin == std::string::npos ? engine : engine.substr(begin + 3, end - begin - 3);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The paper's network in bf16: a line for each convolution, the numbers of its engines on each GPU. cuDNN's choice may
// change with its version, and then so does this file of that version; a reviewer sees which.
TEST(CudnnPlansTable, IsTheOneInTheRepository) {
  std::map<std::string, std::string> rows;
  std::string title = "engines of cuDNN ";
  for (const std::string& name : kDevices) {
    const std::unique_ptr<PlanningBackend> backend = make_planning_cuda_backend({}, device(name));
    const Config config = load_config(BN_SOURCE_DIR "/configs/imagenet/bn_baseline.yaml");
    for (const int64_t batch : {32, 256}) compile_for(*backend, config, DType::kBf16, Purpose::kTrain, batch);
    if (rows.empty()) title += backend->cudnn_version();
    title += " | " + name;
    for (const PlannedConvolution& plan : backend->convolutions()) {
      rows[plan.problem] += " | " + number_of(plan.engine) + " (" + std::to_string(plan.workspace_bytes >> 10) + " kB)";
    }
  }
  std::string table = title + "\n";
  for (const auto& [problem, engines] : rows) table.append(problem).append(engines).append("\n");
  const std::string version = title.substr(17, title.find(" |") - 17);
  const std::filesystem::path made = "cudnn_plans/engines_" + version + ".txt";
  std::filesystem::create_directories(made.parent_path());
  std::ofstream(made) << table;
  const std::filesystem::path kept = BN_SOURCE_DIR "/tests/cudnn_plans/engines_" + version + ".txt";
  if (!std::filesystem::exists(kept))
    GTEST_SKIP() << "the repository has no table of cuDNN " << version << "; see " << made;
  EXPECT_EQ(text_of(kept), table) << "if this is as it should be, copy " << std::filesystem::absolute(made);
}

TEST(DeviceDescriptions, SayWhatIsWrong) {
  const auto refusal = [](const std::string& text) {
    std::ofstream("cudnn_plans_device.json") << text;
    return error_message<DataError>([] { read_device_description("cudnn_plans_device.json"); });
  };
  EXPECT_EQ(error_message<DataError>([] { read_device_description("nowhere.json"); }),
            "The description of a GPU, nowhere.json, cannot be read.");
  EXPECT_NE(refusal("no").find("does not describe a GPU: it is not one JSON object; "), std::string::npos);
  EXPECT_NE(refusal("{}").find("it has no key \"cudaDeviceId\""), std::string::npos);
  std::string text = device("h100").json;
  const std::string count = "\"multiProcessorCount\":132";
  text.replace(text.find(count), count.size(), "\"multiProcessorCount\":\"many\"");
  EXPECT_NE(refusal(text).find("type must be number, but is string"), std::string::npos) << refusal(text);
}

}  // namespace
}  // namespace bn::test
