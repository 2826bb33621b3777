// One convolution, or one of its gradients, prepared through cuDNN's graph API. NHWC tensors, weights ohwi.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bn/tensor.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

enum class ConvolutionPart { kForward, kInputGradient, kWeightGradient };

struct ConvolutionProblem {
  ConvolutionPart part = ConvolutionPart::kForward;
  Shape x{}, w{}, y{};  // w: ohwi
  int64_t stride = 1, pad = 0;
  DType dtype = DType::kF32;    // type of x and y and their gradients
  DType w_dtype = DType::kF32;  // type of w, or of its gradient
};

class ConvolutionPlan {
 public:
  ConvolutionPlan();  // empty
  // Chooses the engine, which is never changed after. Engines that give other bits in another run are not taken, nor
  // in exact f32 any that rounds its inputs or transforms them. Throws UnsupportedError when cuDNN has none.
  ConvolutionPlan(const Context& context, const ConvolutionProblem& problem);
  ~ConvolutionPlan();
  ConvolutionPlan(ConvolutionPlan&&) noexcept;
  ConvolutionPlan& operator=(ConvolutionPlan&&) noexcept;

  bool empty() const { return plan_ == nullptr; }
  int64_t workspace_bytes() const;
  const std::string& engine() const;  // cuDNN's name for it

  // Forward: y from (x, w). Input gradient: dx from (dy, w). Weight gradient: dw from (dy, x).
  void run(void* result, const void* first, const void* second, void* workspace) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace bn::cuda
