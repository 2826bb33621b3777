// One convolution, or one of its gradients, prepared through cuDNN's graph API. NHWC tensors, weights ohwi.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bn/cuda_backend.hpp"
#include "bn/tensor.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

enum class ConvolutionPart { kForward, kInputGradient, kWeightGradient };

struct ConvolutionProblem {
  ConvolutionPart part = ConvolutionPart::kForward;
  Shape x{}, w{}, y{};  // w: ohwi
  int64_t stride = 1, pad = 0;
  DType dtype = DType::kF32;  // all tensors have it; sums are f32
};

// "forward 3x3/1 pad 1 bf16 32x28x28x64 to 32x28x28x96"
std::string describe(const ConvolutionProblem& problem);

// The described GPU as cuDNN takes it. Throws DataError when it does not.
std::shared_ptr<const cudnn_frontend::DeviceProperties> device_properties(const std::string& json);

std::vector<PlannedConvolution> planned_convolutions(const Convolutions& convolutions);

class ConvolutionPlan {
 public:
  ConvolutionPlan() = default;  // empty
  // The context's plan for this problem. A new plan chooses its engine, which never changes afterwards. It takes no
  // engine that gives other bits in another run or that is compiled when it is first used. In exact f32 it takes none
  // that rounds its inputs or transforms them. Throws UnsupportedError when cuDNN has no engine left.
  ConvolutionPlan(const Context& context, const ConvolutionProblem& problem);

  bool empty() const { return plan_ == nullptr; }
  int64_t workspace_bytes() const;
  const std::string& engine() const;  // cuDNN's name for it

  // Forward: y from (x, w). Input gradient: dx from (dy, w). Weight gradient: dw from (dy, x).
  void run(void* result, const void* first, const void* second, void* workspace) const;

 private:
  std::shared_ptr<const PreparedConvolution> plan_;
};

}  // namespace bn::cuda
