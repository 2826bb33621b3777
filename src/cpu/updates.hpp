// The sum of the gradients that several consumers of one tensor produce.
#pragma once

#include <vector>

#include "bn/tensor.hpp"

namespace bn::cpu {

// Implements Backend::sum.
void sum(const Tensor& dst, const std::vector<Tensor>& srcs);

}  // namespace bn::cpu
