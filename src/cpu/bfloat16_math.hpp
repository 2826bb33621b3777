// The type to multiply in what is stored in bf16. A CPU's bf16 instructions can be slower than its f32 ones.
#pragma once

#include "bn/backend.hpp"
#include "bn/backend_options.hpp"

namespace bn::cpu {

// kAutomatic becomes the type that is quicker on this kind of CPU, as ONEDNN_MAX_CPU_ISA limits it; others stay.
Bfloat16Math chosen_math(Bfloat16Math wanted);

// Whether a library op on activations stored in bf16 computes in f32. `options` have made the choice.
bool is_widened(const OpDesc& desc, const CpuOptions& options);

}  // namespace bn::cpu
