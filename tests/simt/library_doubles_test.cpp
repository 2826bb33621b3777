// Tests of the tests: uses of cuBLASLt and cuDNN that are wrong on purpose, each in one of the ways that their doubles
// must catch.
#include <cublasLt.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "cuda/backend.hpp"
#include "cuda/cublas_product.hpp"
#include "cuda/cudnn_graph.hpp"
#include "cuda/libraries.hpp"
#include "cuda/library_ops.hpp"
#include "simt/library_doubles.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

constexpr int64_t kBytes = 4 * 64;  // of each operand
constexpr const char* kGone = "is not memory of the device, or no longer.";

// A product of two 8x8 matrices, or a convolution of one pixel with 64 weights.
struct LibraryWork {
  const char* call;
  int64_t workspace_bytes;
  std::function<void(void* result, const void* first, const void* second, void* workspace)> run;
};

LibraryWork product(const cuda::Context& context) {
  const auto prepared = std::make_shared<cuda::Product>(context, cuda::ProductProblem{.a = {8, 8}, .b = {8, 8}});
  return {"cuBLASLt: product: ", prepared->workspace_bytes(),
          [prepared](void* result, const void* a, const void* b, void* space) { prepared->run(result, a, b, space); }};
}

LibraryWork convolution(const cuda::Context& context) {
  const cuda::ConvolutionPlan plan(context, {.x = {8, 1, 1, 8}, .w = {8, 1, 1, 8}, .y = {8, 1, 1, 8}});
  return {"cuDNN: convolution: ", plan.workspace_bytes(),
          [plan](void* y, const void* x, const void* w, void* space) { plan.run(y, x, w, space); }};
}

class LibraryDoubles : public testing::Test {
 protected:
  void TearDown() override {
    cudaSetDevice(0);
    simt::machine() = {};
    simt::libraries() = {};
  }

  const cuda::Context& context() const { return backend_.context(); }
  std::unique_ptr<Buffer> memory(int64_t bytes = kBytes) { return backend_.allocate(bytes); }
  static std::string fault(const std::function<void()>& work) { return error_message<simt::Fault>(work); }
  std::string fault_in_recording(const std::function<void()>& work) {
    return fault([&] { backend_.record(work); });
  }
  // Runs it on this memory.
  std::string fault_with(const LibraryWork& work, void* result, void* workspace) {
    return fault([&] { work.run(result, first_->data(), second_->data(), workspace); });
  }

  cuda::CudaBackend backend_{CudaOptions{}};
  std::unique_ptr<Buffer> first_ = memory(), second_ = memory(), result_ = memory();
};

// For both libraries.
class EitherDouble : public testing::WithParamInterface<LibraryWork (*)(const cuda::Context&)>, public LibraryDoubles {
 protected:
  LibraryWork work_ = GetParam()(context());
};
INSTANTIATE_TEST_SUITE_P(Libraries, EitherDouble, testing::Values(&product, &convolution),
                         [](const auto& tested) { return tested.index == 0 ? "Cublas" : "Cudnn"; });

TEST_P(EitherDouble, ComputesAndRecordsTheCall) {
  const float two = 2;
  for (const auto* factor : {&first_, &second_}) backend_.upload((*factor)->data(), &two, sizeof(two));
  const auto workspace = memory(work_.workspace_bytes);
  work_.run(result_->data(), first_->data(), second_->data(), workspace->data());
  float four = 0;
  backend_.download(&four, result_->data(), sizeof(four));
  EXPECT_EQ(four, 4);
  const simt::LibraryCall& call = simt::libraries().calls.back();
  EXPECT_EQ(call.stream, context().compute);
  EXPECT_FALSE(call.is_recorded);
  ASSERT_EQ(call.operands.size(), 4U);
  EXPECT_EQ(call.operands[2].data, result_->data());
  EXPECT_EQ(call.operands[2].bytes, kBytes);
  EXPECT_EQ(call.operands[3].bytes, work_.workspace_bytes);
}

TEST_P(EitherDouble, SeesAWorkspaceThatWasFreed) {
  auto workspace = memory(work_.workspace_bytes);
  void* freed = workspace->data();
  const std::function<void()> replay =
      backend_.record([&] { work_.run(result_->data(), first_->data(), second_->data(), freed); });
  replay();
  workspace.reset();
  const std::string expected = fmt::format("{}the workspace ({} bytes) {}", work_.call, work_.workspace_bytes, kGone);
  EXPECT_EQ(fault(replay), expected);
  EXPECT_EQ(fault_with(work_, result_->data(), freed), expected);
}

TEST_P(EitherDouble, SeesAWorkspaceThatIsTooSmall) {
  const auto small = memory(work_.workspace_bytes - 1);
  EXPECT_CONTAINS(fault_with(work_, result_->data(), small->data()), kGone);
}

TEST_P(EitherDouble, SeesMemoryOfTheHost) {
  const auto workspace = memory(work_.workspace_bytes), host = backend_.allocate_host(kBytes);
  EXPECT_CONTAINS(fault_with(work_, host->data(), workspace->data()), kGone);
}

TEST_P(EitherDouble, SeesMemoryThatLiesAskewOrOverOther) {
  const auto workspace = memory(work_.workspace_bytes), wide = memory(kBytes + work_.workspace_bytes);
  auto* bytes = static_cast<std::byte*>(wide->data());
  EXPECT_CONTAINS(fault_with(work_, bytes + 8, workspace->data()), " lies askew.");
  EXPECT_CONTAINS(fault_with(work_, bytes, bytes + kBytes - 16), " lies over the workspace.");
  EXPECT_CONTAINS(fault_with(work_, first_->data(), workspace->data()), " lies over ");
}

TEST_P(EitherDouble, SeesAnotherDevice) {
  simt::machine().devices = 2;
  const auto workspace = memory(work_.workspace_bytes);
  cudaSetDevice(1);
  EXPECT_CONTAINS(fault_with(work_, result_->data(), workspace->data()), "handle is of another device.");
}

TEST_P(EitherDouble, SeesAStreamThatIsNotRecorded) {
  cuda::Context other = context();
  other.convolutions = std::make_shared<cuda::Convolutions>();
  other.compute = context().copy;
  cuda::open_libraries(other);
  {
    const LibraryWork work = GetParam()(other);
    const auto workspace = memory(work.workspace_bytes);
    EXPECT_EQ(
        fault_in_recording([&] { work.run(result_->data(), first_->data(), second_->data(), workspace->data()); }),
        work.call + std::string("its stream is not the one that its thread records."));
    EXPECT_NO_THROW(work.run(result_->data(), first_->data(), second_->data(), workspace->data())) << "by itself";
  }
  cuda::close_libraries(other);
}

TEST_P(EitherDouble, SeesWhatIsPreparedWhileAStreamIsRecorded) {
  cuda::Context other = context();
  other.convolutions = std::make_shared<cuda::Convolutions>();
  EXPECT_CONTAINS(fault_in_recording([&] { GetParam()(other); }), " while a stream is recorded.");
}

TEST_P(EitherDouble, SeesAHandleThatWasDestroyed) {
  cuda::Context own = context();
  own.convolutions = std::make_shared<cuda::Convolutions>();
  cuda::open_libraries(own);
  const LibraryWork work = GetParam()(own);
  const auto workspace = memory(work.workspace_bytes);
  cuda::close_libraries(own);
  EXPECT_CONTAINS(fault_with(work, result_->data(), workspace->data()), " handle does not exist, or no longer.");
}

TEST_F(LibraryDoubles, SeeAPlanThatWasDestroyed) {
  std::optional<LibraryWork> work = convolution(context());
  const auto workspace = memory(work->workspace_bytes);
  const std::function<void()> replay =
      backend_.record([&] { work->run(result_->data(), first_->data(), second_->data(), workspace->data()); });
  work.reset();
  replay();  // the backend has it
  context().convolutions->prepared.clear();
  EXPECT_EQ(fault(replay), "The cuDNN plan does not exist, or no longer.");
}

// The library's own calls of a product of square matrices.
struct PlainProduct {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t chosen{};

  explicit PlainProduct(uint64_t side) {
    cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, side, side, static_cast<int64_t>(side));
    cublasLtMatmulPreferenceCreate(&preference);
    const size_t room = 100'000;
    const uint32_t none = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = 16;
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, room);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, none);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(attribute, alignment);
    }
  }
  ~PlainProduct() {
    if (operation != nullptr) cublasLtMatmulDescDestroy(operation);
    cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulPreferenceDestroy(preference);
  }
  PlainProduct(const PlainProduct&) = delete;
  PlainProduct& operator=(const PlainProduct&) = delete;

  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) const {
    cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value));
  }
  void choose(const cuda::Context& context) {
    int found = 0;
    cublasLtMatmulAlgoGetHeuristic(context.cublas_lt, operation, layout, layout, layout, layout, preference, 1, &chosen,
                                   &found);
    EXPECT_EQ(found, 1);
  }
  void run(const cuda::Context& context, void* result, const void* a, const void* b, void* workspace) const {
    const float one = 1, zero = 0;
    cublasLtMatmul(context.cublas_lt, operation, &one, a, layout, b, layout, &zero, result, layout, result, layout,
                   &chosen.algo, workspace, chosen.workspaceSize, context.compute);
  }
};

TEST_F(LibraryDoubles, SeeADescriptorThatWasDestroyed) {
  PlainProduct product(8);
  product.choose(context());
  const auto workspace = memory(10'000);
  const auto run = [&] { product.run(context(), result_->data(), first_->data(), second_->data(), workspace->data()); };
  run();
  cublasLtMatmulDescDestroy(product.operation);
  EXPECT_EQ(fault(run), "The cuBLASLt operation does not exist, or no longer.");
  EXPECT_EQ(fault([&] { cublasLtMatmulDescDestroy(product.operation); }),
            "The cuBLASLt operation does not exist, or no longer.");
  product.operation = nullptr;
}

TEST_F(LibraryDoubles, SeeTheAlgorithmOfAnotherProduct) {
  PlainProduct product(8), other(4);
  other.choose(context());
  product.chosen = other.chosen;
  const auto workspace = memory(10'000);
  EXPECT_EQ(fault([&] { product.run(context(), result_->data(), first_->data(), second_->data(), workspace->data()); }),
            "cuBLASLt: an algorithm was chosen for another product.");
}

TEST_F(LibraryDoubles, SeeAnAlgorithmThatMayRoundOrCountsOnTooMuch) {
  PlainProduct product(8);
  product.set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, ~0U);
  EXPECT_EQ(fault([&] { product.choose(context()); }), "cuBLASLt: an algorithm may round partial sums.");
  product.set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, 0U);
  product.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 256U);
  EXPECT_EQ(fault([&] { product.choose(context()); }),
            "cuBLASLt: an algorithm may count on operands that lie better than ours do.");
}

TEST_F(LibraryDoubles, SeeColumnsOfAnotherNormalisation) {
  cudnnTensorDescriptor_t x = nullptr, columns = nullptr;
  cudnnCreateTensorDescriptor(&x);
  cudnnCreateTensorDescriptor(&columns);
  const cuda::Owned<cudnnTensorDescriptor_t> owner_of_x(x), owner_of_columns(columns);
  const float one = 1, zero = 0;
  void* column = second_->data();
  const auto normalize = [&] {
    cudnnBatchNormalizationForwardInference(context().cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero, x, first_->data(), x,
                                            result_->data(), columns, column, column, column, column, 1e-3);
  };
  cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 8, 4, 1, 2);
  EXPECT_EQ(fault(normalize), "cuDNN: a tensor descriptor was not set.");
  cudnnDeriveBNTensorDescriptor(columns, x, CUDNN_BATCHNORM_SPATIAL);
  normalize();
  cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 8, 8, 1, 1);
  EXPECT_EQ(fault(normalize), "cuDNN: the columns' descriptor was derived for another normalisation.");
}

}  // namespace
}  // namespace bn::test
