// The exchange between processes of one GPU each, over NCCL.
#pragma once

#include <memory>

#include "bn/backend.hpp"
#include "bn/group.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

// See Backend::join. The context's device is the calling thread's.
std::unique_ptr<Exchange> make_exchange(const Context& context, Group& group);

}  // namespace bn::cuda
