// The library is column-major: it is shown every row-major matrix as its transpose, so result^T = b^T * a^T.
#include "cuda/cublas_product.hpp"

#include <cublasLt.h>
#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/libraries.hpp"

namespace bn::cuda {
namespace {

constexpr size_t kWorkspaceLimit = size_t{32} * 1024 * 1024;
constexpr uint32_t kAlignment = 16;  // each matrix's, in bytes

cudaDataType_t data_type(DType dtype) { return dtype == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F; }

// Exact f32 keeps to f32 arithmetic; bf16 factors are multiplied exactly and summed in f32 either way.
cublasComputeType_t compute_type(const Context& context, DType dtype) {
  return dtype == DType::kF32 && context.options.float32_math == Float32Math::kTensorFloat32
             ? CUBLAS_COMPUTE_32F_FAST_TF32
             : CUBLAS_COMPUTE_32F;
}

using Layout = Owned<cublasLtMatrixLayout_t>;

Layout layout_of(int64_t rows, int64_t columns, DType dtype) {
  cublasLtMatrixLayout_t layout = nullptr;
  BN_CUBLAS(cublasLtMatrixLayoutCreate(&layout, data_type(dtype), static_cast<uint64_t>(columns),
                                       static_cast<uint64_t>(rows), columns));
  return Layout(layout);
}

}  // namespace

struct Product::Plan {
  const Context& context;
  Owned<cublasLtMatmulDesc_t> operation;
  Layout a, b, result;
  cublasLtMatmulHeuristicResult_t chosen{};

  Plan(const Context& device, const ProductProblem& problem);
  void choose(const ProductProblem& problem);
};

Product::Plan::Plan(const Context& device, const ProductProblem& problem) : context(device) {
  cublasLtMatmulDesc_t created = nullptr;
  BN_CUBLAS(cublasLtMatmulDescCreate(&created, compute_type(context, problem.dtype), CUDA_R_32F));
  operation.reset(created);
  const auto set_transposed = [&](cublasLtMatmulDescAttributes_t attribute, Transposed transposed) {
    const cublasOperation_t value = transposed == Transposed::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
    BN_CUBLAS(cublasLtMatmulDescSetAttribute(created, attribute, &value, sizeof(value)));
  };
  set_transposed(CUBLASLT_MATMUL_DESC_TRANSA, problem.b.transposed);  // the library's A is our b
  set_transposed(CUBLASLT_MATMUL_DESC_TRANSB, problem.a.transposed);
  const int64_t m = problem.a.transposed == Transposed::kYes ? problem.a.columns : problem.a.rows;
  const int64_t n = problem.b.transposed == Transposed::kYes ? problem.b.rows : problem.b.columns;
  a = layout_of(problem.a.rows, problem.a.columns, problem.dtype);
  b = layout_of(problem.b.rows, problem.b.columns, problem.dtype);
  result = layout_of(m, n, problem.result_dtype);
  choose(problem);
}

// The library chooses only where its device is; until then a plan has room for whatever it may choose.
void Product::Plan::choose(const ProductProblem& problem) {
  if (context.cublas_lt == nullptr) {
    chosen.workspaceSize = kWorkspaceLimit;
    return;
  }
  cublasLtMatmulPreference_t preference = nullptr;
  BN_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
  const Owned<cublasLtMatmulPreference_t> owned(preference);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    BN_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceLimit);
  // Partial sums are never rounded to the result's type.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE} | uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    prefer(attribute, kAlignment);
  }
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      context.cublas_lt, operation.get(), b.get(), a.get(), result.get(), result.get(), preference, 1, &chosen, &found);
  if (status == CUBLAS_STATUS_SUCCESS && found == 1 && chosen.state == CUBLAS_STATUS_SUCCESS) return;
  throw UnsupportedError(
      fmt::format("cuBLASLt has no algorithm for a product of {}x{} and {}x{} matrices from {} to {}: {}",
                  problem.a.rows, problem.a.columns, problem.b.rows, problem.b.columns, name_of(problem.dtype),
                  name_of(problem.result_dtype), cublasLtGetStatusString(status)));
}

Product::Product() = default;
Product::Product(const Context& context, const ProductProblem& problem)
    : plan_(std::make_unique<Plan>(context, problem)) {}
Product::~Product() = default;
Product::Product(Product&&) noexcept = default;
Product& Product::operator=(Product&&) noexcept = default;

int64_t Product::workspace_bytes() const { return plan_ ? static_cast<int64_t>(plan_->chosen.workspaceSize) : 0; }

std::string Product::algorithm() const {
  if (plan_->context.cublas_lt == nullptr) return "chosen on the device";
  int id = 0;
  size_t written = 0;
  BN_CUBLAS(
      cublasLtMatmulAlgoConfigGetAttribute(&plan_->chosen.algo, CUBLASLT_ALGO_CONFIG_ID, &id, sizeof(id), &written));
  return fmt::format("algorithm {}", id);
}

void Product::run(void* result, const void* a, const void* b, void* workspace) const {
  const Plan& plan = *plan_;
  if (is_only_listed(plan.context, "cublasLt")) return;
  const float one = 1.0F, zero = 0.0F;
  BN_CUBLAS(cublasLtMatmul(plan.context.cublas_lt, plan.operation.get(), &one, b, plan.b.get(), a, plan.a.get(), &zero,
                           result, plan.result.get(), result, plan.result.get(), &plan.chosen.algo, workspace,
                           plan.chosen.workspaceSize, plan.context.compute));
}

}  // namespace bn::cuda
