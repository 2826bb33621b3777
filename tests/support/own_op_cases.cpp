#include "support/op_cases.hpp"

#include <algorithm>
#include <numeric>

namespace bn::test {
namespace {

constexpr RowGaps kGaps{.x = 3, .y = 8, .dx = 5, .dy = 16};

OpCase one_input(const OpSpec& spec, const Shape& x) { return {.spec = spec, .x = {x}}; }

// Feature maps of the network at small batches, then shapes that it does not have: odd, tiny, wide.
const std::vector<Shape> kFeatureMaps = {
    {2, 28, 28, 64},  // conv1, reduced in size
    {2, 28, 28, 192}, {2, 14, 14, 576}, {4, 7, 7, 1024}, {2, 1, 1, 7},
    {1, 2, 1, 33},    {3, 5, 7, 19},    {60, 1, 1, 100},  // the MNIST net's hidden layers
    {5, 1, 1, 2500},                                      // more columns than a kernel takes at once
};

}  // namespace

std::string numbered_name(const testing::TestParamInfo<OpCase>& parameter) {
  return name_of(parameter.param) + "_" + std::to_string(parameter.index);
}

std::vector<OpCase> in_both_types(const std::vector<OpCase>& cases) {
  std::vector<OpCase> both;
  for (OpCase op_case : cases) {
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      op_case.dtype = dtype;
      both.push_back(op_case);
    }
  }
  return both;
}

std::vector<OpCase> batch_norm_cases(BatchNormImplementation implementation) {
  std::vector<OpCase> cases;
  for (const Shape& x : kFeatureMaps) {
    cases.push_back(one_input(BatchNorm{.implementation = implementation}, x));
    cases.push_back(cases.back());
    cases.back().phase = Phase::kEvaluate;
  }
  cases.push_back(one_input(BatchNorm{.eps = 1e-5F, .implementation = implementation}, {2, 6, 6, 32}));
  cases.push_back(one_input(BatchNorm{.implementation = implementation}, {3, 6, 6, 32}));
  cases.back().has_backward = false;
  cases.push_back(one_input(BatchNorm{.implementation = implementation}, {2, 6, 6, 32}));
  cases.back().wants_dx = {false};
  cases.back().label = "no_dx";
  return in_both_types(cases);
}

std::vector<OpCase> custom_batch_norm_cases() {
  std::vector<OpCase> cases;
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    for (const Shape& x : {Shape{2, 14, 14, 96}, Shape{3, 5, 7, 19}, Shape{60, 1, 1, 100}}) {
      cases.push_back(one_input(BatchNorm{.activation = activation}, x));
      cases.push_back(cases.back());
      cases.back().gaps = kGaps;
      cases.push_back(cases.back());
      cases.back().phase = Phase::kEvaluate;
    }
    // Over the channels of several convolutions; where they are made of 16 bytes, and where not.
    for (const std::vector<int64_t>& parts :
         {std::vector<int64_t>{64, 64, 32}, std::vector<int64_t>{8, 24}, std::vector<int64_t>{5, 1, 7, 11}}) {
      const int64_t channels = std::accumulate(parts.begin(), parts.end(), int64_t{0});
      for (const RowGaps& gaps : {RowGaps{}, RowGaps{.y = 16, .dy = 8}}) {
        cases.push_back(one_input(BatchNorm{.activation = activation}, {3, 9, 7, channels}));
        cases.back().y_parts = parts;
        cases.back().gaps = gaps;
        cases.back().label = "parts";
        cases.push_back(cases.back());
        cases.back().x_parts = parts;
        cases.back().gaps.x = cases.back().gaps.dx = gaps.y;
        cases.back().label = "parts_of_several";
      }
    }
    for (const Shape& x : {Shape{6, 7, 7, 24}, Shape{2, 28, 28, 5}}) {
      cases.push_back(one_input(BatchNorm{.scope = BatchNormScope::kPerActivation, .activation = activation}, x));
    }
  }
  cases.push_back(one_input(BatchNorm{.scope = BatchNormScope::kPerActivation}, {4, 7, 7, 96}));
  cases.back().phase = Phase::kEvaluate;
  return in_both_types(cases);
}

std::vector<OpCase> activation_cases() {
  std::vector<OpCase> cases;
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    for (const OpSpec& spec : {OpSpec{Activate{activation}}, OpSpec{BiasActivation{activation}}}) {
      for (const Shape& x : {Shape{2, 14, 14, 96}, Shape{3, 5, 7, 19}, Shape{60, 1, 1, 10}}) {
        cases.push_back(one_input(spec, x));
        cases.push_back(cases.back());
        cases.back().gaps = kGaps;
      }
      cases.push_back(one_input(spec, {2, 3, 3, 40}));
      cases.back().wants_dx = {false};
      cases.back().label = "no_dx";
      cases.push_back(one_input(spec, {1, 1, 1, 1500}));
      cases.back().phase = Phase::kEvaluate;
    }
  }
  return in_both_types(cases);
}

std::vector<OpCase> pool_cases() {
  const Pool2d max{.kind = PoolKind::kMax, .kernel = 3, .stride = 2};
  const Pool2d average{.kind = PoolKind::kAverage, .kernel = 3, .stride = 1, .pad = 1};
  const Pool2d counting{
      .kind = PoolKind::kAverage, .kernel = 3, .stride = 1, .pad = 1, .border = PoolBorder::kIncludePadding};
  const Pool2d counting_far{
      .kind = PoolKind::kAverage, .kernel = 3, .stride = 2, .pad = 1, .border = PoolBorder::kIncludePadding};
  const Pool2d padded_max{.kind = PoolKind::kMax, .kernel = 3, .stride = 1, .pad = 1};
  std::vector<OpCase> cases = {
      one_input(max, {2, 28, 28, 64}),         // even: the last window hangs over the edge
      one_input(max, {2, 15, 13, 19}),         // odd: it does not
      one_input(padded_max, {2, 7, 7, 1024}),  // inception 5b
      one_input(padded_max, {1, 3, 4, 5}),
      one_input(Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .pad = 1}, {2, 8, 9, 16}),
      one_input(Pool2d{.kind = PoolKind::kMax, .kernel = 2, .stride = 3}, {2, 9, 10, 16}),  // gaps between windows
      one_input(Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .pad = 1}, {2, 7, 7, 72}),
      one_input(max, {2, 4, 4, 8}),
      one_input(padded_max, {3, 2, 2, 40}),  // maps smaller than the window
      one_input(padded_max, {2, 1, 1, 24}),
      one_input(average, {2, 1, 2, 40}),
      one_input(average, {2, 28, 28, 192}),
      one_input(average, {3, 5, 4, 19}),
      one_input(counting, {2, 6, 7, 40}),
      one_input(counting_far, {2, 8, 7, 24}),
      one_input(Pool2d{.kind = PoolKind::kAverage, .kernel = 5, .stride = 3}, {2, 14, 14, 33}),  // auxiliary head
      one_input(Pool2d{.kind = PoolKind::kAverage, .kernel = 7, .stride = 1}, {3, 7, 7, 1024}),  // the last one
  };
  cases.push_back(one_input(max, {2, 6, 6, 16}));
  cases.back().has_backward = false;
  for (const Pool2d& spec : {max, average, padded_max, counting_far}) {
    cases.push_back(one_input(spec, {2, 9, 8, 37}));
    cases.back().gaps = kGaps;
    cases.push_back(one_input(spec, {2, 6, 6, 16}));
    cases.back().phase = Phase::kEvaluate;
  }
  return in_both_types(cases);
}

std::vector<OpCase> summing_pool_cases() {
  std::vector<OpCase> cases;
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    // Windows that overlap, by each of the kernels; windows with gaps between them.
    for (const Pool2d& spec :
         {Pool2d{.kind = kind, .kernel = 3, .stride = 1, .pad = 1}, Pool2d{.kind = kind, .kernel = 3, .stride = 2},
          Pool2d{.kind = kind, .kernel = 3, .stride = 2, .pad = 1}, Pool2d{.kind = kind, .kernel = 5, .stride = 3},
          Pool2d{.kind = kind, .kernel = 2, .stride = 4}, Pool2d{.kind = kind, .kernel = 3, .stride = 4}}) {
      for (const Shape& x : {Shape{2, 9, 8, 37}, Shape{2, 11, 13, 48}}) {
        cases.push_back({.spec = spec, .x = {x}, .dx_terms = 1, .adds_in_place = true});
        cases.push_back({.spec = spec, .x = {x}, .gaps = kGaps, .dx_terms = 3, .adds_in_place = true});
        cases.push_back({.spec = spec, .x = {x}, .gaps = {.x = 8, .dx = 16}, .dx_terms = 2});
      }
    }
  }
  return in_both_types(cases);
}

std::vector<OpCase> local_response_norm_cases() {
  const LocalResponseNorm strong{.alpha = 2.0F, .beta = 0.75F};  // so strong that it shows
  std::vector<OpCase> cases = {
      one_input(LocalResponseNorm{}, {2, 14, 14, 64}),
      one_input(strong, {2, 7, 7, 192}),
      one_input(strong, {2, 3, 2, 8}),  // 16 bytes of channels, which have no neighbours
      one_input(strong, {1, 2, 3, 4}),
      one_input(strong, {1, 2, 3, 24}),
      one_input(LocalResponseNorm{.alpha = 1.0F, .beta = 0.5F, .k = 2.0F}, {1, 2, 3, 16}),
      one_input(strong, {1, 3, 2, 3}),    // fewer channels than the window
      one_input(strong, {1, 1, 3, 700}),  // more than are taken at once
      one_input(LocalResponseNorm{.size = 4, .alpha = 1.0F, .beta = 0.5F, .k = 2.0F}, {1, 2, 3, 19}),
      one_input(LocalResponseNorm{.size = 63, .alpha = 1.0F, .beta = 0.75F}, {1, 1, 2, 400}),
  };
  cases.push_back(one_input(strong, {2, 3, 3, 64}));
  cases.back().phase = Phase::kEvaluate;
  return in_both_types(cases);
}

std::vector<OpCase> dropout_cases() {
  std::vector<OpCase> cases = {
      one_input(Dropout{.rate = 0.4F}, {32, 1, 1, 1024}), one_input(Dropout{.rate = 0.2F}, {3, 5, 7, 19}),
      one_input(Dropout{.rate = 0.0F}, {2, 1, 1, 9}), one_input(Dropout{.rate = 0.7F}, {4, 1, 1, 100})};
  cases.back().phase = Phase::kEvaluate;
  return in_both_types(cases);
}

std::vector<OpCase> concat_cases() {
  std::vector<OpCase> cases = {
      {.spec = Concat{}, .x = {{2, 7, 7, 64}, {2, 7, 7, 96}, {2, 7, 7, 32}}},
      {.spec = Concat{}, .x = {{3, 2, 5, 7}, {3, 2, 5, 1}}},
      {.spec = Concat{}, .x = {{2, 4, 4, 24}}},
      {.spec = Concat{}, .x = {{8, 16, 16, 13}, {8, 16, 16, 20}}, .wants_dx = {true, false}, .label = "one_dx"},
      {.spec = Concat{}, .x = {{1, 3, 3, 8}, {1, 3, 3, 9}}, .phase = Phase::kEvaluate},
  };
  return in_both_types(cases);
}

std::vector<OpCase> softmax_loss_cases() {
  return {
      {.spec = SoftmaxLoss{}, .x = {{60, 1, 1, 10}, {60, 1, 1, 1}}},
      {.spec = SoftmaxLoss{.weight = 0.3F}, .x = {{12, 1, 1, 37}, {12, 1, 1, 1}}},
      {.spec = SoftmaxLoss{}, .x = {{64, 1, 1, 1000}, {64, 1, 1, 1}}},
      {.spec = SoftmaxLoss{}, .x = {{3, 1, 1, 2}, {3, 1, 1, 1}}},
      {.spec = SoftmaxLoss{}, .x = {{6, 1, 1, 40}, {6, 1, 1, 1}}, .phase = Phase::kEvaluate},
      {.spec = SoftmaxLoss{}, .x = {{6, 1, 1, 40}, {6, 1, 1, 1}}, .has_backward = false},
  };
}

Tolerance tolerance_of(const OpCase& op_case) {
  if (std::holds_alternative<Concat>(op_case.spec)) return {};  // it copies
  Tolerance tolerance{.y = 2e-6, .dx = 2e-6, .dw = 2e-6, .state = 3e-6};
  if (output_dtype(op_case) == DType::kBf16) tolerance = {.y = 4e-3, .dx = 6e-3, .dw = 8e-3, .state = 3e-6};
  // Two values a feature leave dx = gamma / s * eps / (var + eps) * dz: a small difference of large numbers.
  if (std::holds_alternative<BatchNorm>(op_case.spec) && op_case.x[0].rows() == 2) {
    tolerance.dx = std::max(tolerance.dx, 1e-4);
  }
  return tolerance;
}

}  // namespace bn::test
