#include <fmt/format.h>

#include "cuda/cudnn_graph.hpp"

namespace bn::cuda {
namespace {

const char* name_of(ConvolutionPart part) {
  switch (part) {
    case ConvolutionPart::kForward:
      return "forward";
    case ConvolutionPart::kInputGradient:
      return "input gradient";
    case ConvolutionPart::kWeightGradient:
      break;
  }
  return "weight gradient";
}

}  // namespace

std::string describe(const ConvolutionProblem& problem) {
  return fmt::format("{} {}x{}/{} pad {} {} {} to {}", name_of(problem.part), problem.w.h, problem.w.w, problem.stride,
                     problem.pad, bn::name_of(problem.dtype), to_string(problem.x), to_string(problem.y));
}

}  // namespace bn::cuda
