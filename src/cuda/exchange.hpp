// The exchange between processes of one GPU each, over NCCL.
#pragma once

#include <memory>

#include "bn/backend.hpp"
#include "bn/group.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

// How recorded work is repeated. NCCL's calls are in no graph.
enum class Repetition { kGraph, kCalls };

// See Backend::join. The context's device is the calling thread's. `repetition` becomes kCalls by Exchange::parts(),
// since ops exchange then; it outlives what is returned.
std::unique_ptr<Exchange> make_exchange(const Context& context, Group& group, Repetition& repetition);

}  // namespace bn::cuda
