#include "support/op_cases.hpp"

#include <span>
#include <string>
#include <utility>

namespace bn::test {
namespace {

struct Layer {
  Shape x;
  OpSpec spec;
  bool wants_dx = true;
  const char* label = "";
};

std::vector<Layer> convolution_layers() {
  return {
      // Rows of the Inception table.
      {{1, 224, 224, 3}, Conv2d{.out_channels = 64, .kernel = 7, .stride = 2, .pad = 3}, false, "conv1"},
      {{1, 28, 28, 192}, Conv2d{.out_channels = 64}, true, "3a_1x1"},
      {{1, 28, 28, 64}, Conv2d{.out_channels = 96, .kernel = 3, .pad = 1}, true, "3a_double3x3a"},
      {{1, 28, 28, 128}, Conv2d{.out_channels = 160, .kernel = 3, .stride = 2, .pad = 1}, true, "3c_3x3"},
      {{2, 7, 7, 1024}, Conv2d{.out_channels = 352}, true, "5a_1x1"},
      {{2, 7, 7, 192}, Conv2d{.out_channels = 320, .kernel = 3, .pad = 1}, true, "5a_3x3"},
      // Sizes and channels that fill no vector; borders; single pixels and images.
      {{2, 9, 7, 5}, Conv2d{.out_channels = 7, .kernel = 3, .stride = 2, .pad = 1}},
      {{3, 13, 11, 3}, Conv2d{.out_channels = 8, .kernel = 7, .stride = 2, .pad = 3}},
      {{3, 13, 11, 3}, Conv2d{.out_channels = 8, .kernel = 7, .stride = 2, .pad = 3}, false, "no_dx"},
      {{1, 5, 5, 1}, Conv2d{.out_channels = 1}},
      {{2, 15, 15, 24}, Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}},
      {{2, 15, 15, 24}, Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}, false, "no_dx"},
      {{1, 8, 9, 17}, Conv2d{.out_channels = 33, .kernel = 5, .pad = 2}},
      {{2, 6, 6, 16}, Conv2d{.out_channels = 16, .kernel = 3}},
      {{2, 7, 7, 16}, Conv2d{.out_channels = 24, .kernel = 1, .stride = 2}},
      {{1, 10, 10, 8}, Conv2d{.out_channels = 12, .kernel = 2, .stride = 2}},
      {{3, 4, 4, 24}, Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}, true, "short_rows"},
      {{5, 4, 4, 24}, Conv2d{.out_channels = 40, .kernel = 3, .stride = 2, .pad = 1}, true, "short_rows"},
      {{3, 6, 10, 24}, Conv2d{.out_channels = 40}},
      {{2, 5, 6, 8}, Conv2d{.out_channels = 12, .kernel = 1, .pad = 1}},
      {{4, 1, 1, 48}, Conv2d{.out_channels = 20}},
      {{1, 1, 1, 19}, Conv2d{.out_channels = 21, .kernel = 3, .pad = 1}},
  };
}

std::vector<Layer> separable_layers() {
  return {
      {{1, 56, 56, 3}, SeparableConv2d{.out_channels = 64}, false, "stem"},
      {{2, 17, 15, 3}, SeparableConv2d{.out_channels = 24}, true, "stem_with_dx"},
      {{2, 9, 9, 5}, SeparableConv2d{.out_channels = 7, .kernel = 3, .stride = 1, .pad = 1, .depth_multiplier = 2}},
      {{1, 8, 7, 2}, SeparableConv2d{.out_channels = 16, .kernel = 3, .stride = 2, .pad = 1, .depth_multiplier = 1}},
  };
}

std::vector<Layer> linear_layers() {
  return {
      {{60, 28, 28, 1}, Linear{100}, false, "mnist_hidden1"},
      {{60, 1, 1, 100}, Linear{100}, true, "mnist_hidden2"},
      {{60, 1, 1, 100}, Linear{10}, true, "mnist_logits"},
      {{4, 1, 1, 1024}, Linear{1000}, true, "logits"},
      {{3, 4, 4, 128}, Linear{96}, true, "auxiliary"},
      {{5, 3, 2, 7}, Linear{13}, true, "odd"},
      {{5, 3, 2, 7}, Linear{13}, false, "odd_no_dx"},
      {{1, 1, 1, 100}, Linear{10}, true, "one_image"},
      {{7, 1, 1, 33}, Linear{1}, true, "one_output"},
      {{7, 1, 1, 1}, Linear{5}, true, "one_input"},
      {{1, 1, 1, 1}, Linear{1}, true, "single"},
  };
}

struct Types {
  DType x, y;
};
constexpr Types kTypes[] = {{DType::kF32, DType::kF32}, {DType::kBf16, DType::kBf16}, {DType::kBf16, DType::kF32}};

// What an op absorbs: batch normalisation or a bias, and each activation.
struct Absorbed {
  std::string name;
  Folded folded;
};

std::vector<Absorbed> all_absorbed() {
  std::vector<Absorbed> all;
  for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
      const std::string name = (eps ? "batch_norm_" : "bias_") + std::to_string(static_cast<int>(activation));
      all.push_back({name, {.eps = eps, .activation = activation}});
    }
  }
  return all;
}

OpCase training_case(const Layer& layer, const Types& types) {
  const char* suffix = types.x == types.y ? "" : "_f32_out";
  return {.spec = layer.spec,
          .x = {layer.x},
          .dtype = types.x,
          .y_dtype = types.y,
          .wants_dx = {layer.wants_dx},
          .label = std::string(layer.label) + suffix};
}

OpCase evaluation_case(const OpSpec& spec, const Shape& x, const Types& types, const std::string& label) {
  OpCase op_case = training_case({x, spec, true, label.c_str()}, types);
  op_case.phase = Phase::kEvaluate;
  op_case.wants_dx.clear();
  return op_case;
}

std::vector<OpCase> training_cases(const std::vector<Layer>& layers, std::span<const Types> all_types) {
  std::vector<OpCase> cases;
  for (const Types& types : all_types) {
    for (const Layer& layer : layers) cases.push_back(training_case(layer, types));
  }
  return cases;
}

}  // namespace

std::vector<OpCase> convolution_cases() { return training_cases(convolution_layers(), std::span(kTypes).first(2)); }

std::vector<OpCase> folded_convolution_cases() {
  std::vector<OpCase> cases;
  for (const Types& types : std::span(kTypes).first(2)) {
    for (const auto& [name, folded] : all_absorbed()) {
      for (auto [x, spec] :
           {std::pair{Shape{2, 15, 13, 24}, Conv2d{.out_channels = 40, .kernel = 3, .stride = 2, .pad = 1}},
            std::pair{Shape{1, 28, 28, 192}, Conv2d{.out_channels = 64}},
            std::pair{Shape{3, 4, 5, 48}, Conv2d{.out_channels = 64}},
            std::pair{Shape{3, 4, 4, 24}, Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}}}) {
        spec.folded = folded;
        cases.push_back(evaluation_case(spec, x, types, name));
      }
    }
  }
  return cases;
}

std::vector<OpCase> separable_convolution_cases() {
  std::vector<OpCase> cases;
  for (const Types& types : std::span(kTypes).first(2)) {
    for (const Layer& layer : separable_layers()) {
      cases.push_back(training_case(layer, types));
      for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
        auto spec = std::get<SeparableConv2d>(layer.spec);
        spec.folded = Folded{.eps = eps, .activation = Activation::kRelu};
        cases.push_back(evaluation_case(spec, layer.x, types, eps ? "batch_norm" : "bias"));
      }
    }
  }
  return cases;
}

std::vector<OpCase> linear_cases() { return training_cases(linear_layers(), kTypes); }

std::vector<OpCase> folded_linear_cases() {
  std::vector<OpCase> cases;
  for (const Types& types : kTypes) {
    for (const auto& [name, folded] : all_absorbed()) {
      cases.push_back(evaluation_case(Linear{.out_features = 13, .folded = folded}, {5, 3, 2, 17}, types, name));
    }
  }
  return cases;
}

std::vector<OpCase> library_batch_norm_cases(BatchNormImplementation implementation) {
  const std::string label = implementation == BatchNormImplementation::kCudnn ? "cudnn" : "onednn";
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const BatchNormScope scope : {BatchNormScope::kSpatial, BatchNormScope::kPerActivation}) {
      for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
        for (const Shape& x : {Shape{4, 7, 7, 64}, Shape{2, 5, 3, 24}, Shape{3, 4, 4, 7}, Shape{60, 1, 1, 100}}) {
          const BatchNorm spec{.scope = scope, .implementation = implementation};
          cases.push_back({.spec = spec, .x = {x}, .dtype = dtype, .phase = phase, .label = label});
        }
      }
    }
  }
  cases.push_back({.spec = BatchNorm{.implementation = implementation},
                   .x = {{8, 3, 3, 16}},
                   .wants_dx = {false},
                   .label = label + "_no_dx"});
  return cases;
}

bool is_folded(const OpSpec& spec) {
  return std::visit(
      [](const auto& op) {
        if constexpr (requires { op.folded; }) return op.folded.has_value();
        return false;
      },
      spec);
}

OpData exact_data(const OpCase& op_case) {
  OpData data = make_data(op_case);
  round_to_storage(data.w[0], op_case.dtype);
  round_to_storage(data.dy, op_case.dtype);
  return data;
}

// Sums have up to 3 * 1,024 products. The data are already rounded to the type, so only results stored in bf16 differ,
// by their own rounding (2^-8). dw is f32; where the library rounded it to bf16 on the way, the op says so and
// dw_tolerance() allows for that.
Tolerance exact_tolerance(const OpCase& op_case) {
  const auto stored = [](DType dtype) { return dtype == DType::kF32 ? 5e-6 : 4e-3; };
  return {.y = stored(output_dtype(op_case)), .dx = stored(op_case.dtype), .dw = 5e-6};
}

Tolerance separable_tolerance(const OpCase& op_case) {
  if (op_case.dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = 8e-3, .dx = 8e-3, .dw = 5e-6};
}

Tolerance library_batch_norm_tolerance(const OpCase& op_case) {
  if (op_case.dtype == DType::kF32) return {.y = 1e-5, .dx = 1e-5, .dw = 1e-5, .state = 1e-6};
  return {.y = 6e-3, .dx = 6e-3, .dw = 1e-4, .state = 1e-6};
}

}  // namespace bn::test
