// What every op that runs through oneDNN shares: the engine, error translation, memory descriptions in our layouts.
#pragma once

#include <dnnl.hpp>
#include <string>

#include "bn/backend.hpp"

namespace bn::cpu {

// The instruction set oneDNN will use, after ONEDNN_MAX_CPU_ISA: "avx512_core_bf16".
std::string instruction_set_name();
// Whether bf16 runs here at all: oneDNN's kernels for it start with AVX-512.
bool has_bf16();

}  // namespace bn::cpu
