// Conv2d, SeparableConv2d and Linear, folded or not, in naive double-precision loops.
#pragma once

#include "support/reference.hpp"

namespace bn::test {

OpResult reference_conv(const OpCase& op_case, const OpData& data);

}  // namespace bn::test
