// Checks that our own ops share.
#pragma once

#include "bn/backend.hpp"

namespace bn::cpu {

// Throws UnsupportedError unless all data inputs and the output have one activation type, f32 or bf16.
void require_activations(const OpDesc& desc);
// Throws UnsupportedError if a row of an input or of the output is wider than its channels.
void refuse_row_strides(const OpDesc& desc);

}  // namespace bn::cpu
