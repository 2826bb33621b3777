// Our part of the ops that a library computes, besides the cases of own_ops/library_cases_test.cpp: doubles stand in
// for the libraries.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <tuple>

#include "cuda/backend.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

// Why a GPU's dw may be rounded to bf16 (see src/cuda/dense_convolution.hpp). The true gradient is that of x and dy
// before they were stored. Where products cancel as random ones do, storing both in bf16 has cost sqrt(2) roundings of
// dw's size, and rounding dw costs one more: together sqrt(3). Where products add up instead, storage costs less and
// the rounding of dw, at most 2^-8 of each element, is what remains.
TEST(Bf16WeightGradients, AreRoundedByLessThanStorageHasCost) {
  for (const auto& [kernel, shape, outputs] : {std::tuple{int64_t{1}, Shape{4, 14, 14, 24}, int64_t{32}},
                                               std::tuple{int64_t{3}, Shape{4, 7, 7, 24}, int64_t{16}}}) {
    OpCase op_case{.spec = Conv2d{.out_channels = outputs, .kernel = kernel, .pad = kernel / 2}, .x = {shape}};
    OpData data = make_data(op_case);
    for (Values* values : {&data.x[0], &data.dy}) {
      const double mean = std::accumulate(values->begin(), values->end(), 0.0) / static_cast<double>(values->size());
      for (double& value : *values) value -= mean;
      round_to_storage(*values, DType::kF32);
    }
    const Values truth = reference_conv(op_case, data).dw[0];
    op_case.dtype = DType::kBf16;
    OpData stored = data;
    for (Values* values : {&stored.x[0], &stored.w[0], &stored.dy}) round_to_storage(*values, DType::kBf16);
    const Values kept = reference_conv(op_case, stored).dw[0];
    const OpResult rounded = run_op(tested_backend(), op_case, stored);
    EXPECT_NE(rounded.implementation.find("(rounded to bf16)"), std::string::npos) << rounded.implementation;
    const double storage = difference(kept, truth).rms, both = difference(rounded.dw[0], truth).rms;
    EXPECT_GT(both, storage) << "it was rounded";
    EXPECT_NEAR(both / storage, std::sqrt(1.5), 0.05);
    EXPECT_LE(difference(rounded.dw[0], kept).max, std::ldexp(1.0, -8));
  }
}

// A TF32 factor has 11 significant bits.
TEST(LibraryOps, MultiplyInTensorFloat32OnlyWhenAsked) {
  for (const auto& [spec, x] : {std::pair{OpSpec(Conv2d{.out_channels = 8, .kernel = 3, .pad = 1}), Shape{2, 6, 6, 8}},
                                std::pair{OpSpec(Linear{.out_features = 24}), Shape{8, 1, 1, 64}}}) {
    const OpCase op_case{.spec = spec, .x = {x}};
    const OpData data = make_data(op_case);
    cuda::CudaBackend rounding({.float32_math = Float32Math::kTensorFloat32});
    expect_matches(rounding, op_case, data, {.y = 2e-3, .dx = 2e-3, .dw = 2e-3}, reference_conv);
    EXPECT_GT(difference(run_op(rounding, op_case, data).y, reference_conv(op_case, data).y).max, 1e-5);
    EXPECT_LT(difference(run_op(tested_backend(), op_case, data).y, reference_conv(op_case, data).y).max, 1e-5);
  }
}

}  // namespace
}  // namespace bn::test
