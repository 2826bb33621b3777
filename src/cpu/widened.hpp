// A library op on activations that are stored in bf16, computed in f32: some images at a time are widened, computed
// with, and narrowed, while they lie in the caches. Weights are not rounded.
#pragma once

#include <functional>
#include <memory>

#include "bn/backend.hpp"

namespace bn::cpu {

using MakeOp = std::function<std::unique_ptr<Op>(const OpDesc& desc)>;

enum class Widened { kSomeImages, kWholeBatch };

// `spec` has one input. kSomeImages: it takes images one by one, so that its parameters' gradients are sums over them,
// and `make` prepares it in f32 for fewer images. kWholeBatch: `make` prepares it in f32 for all of them.
std::unique_ptr<Op> make_widened(const OpSpec& spec, const OpDesc& desc, const MakeOp& make,
                                 Widened at_once = Widened::kSomeImages);

}  // namespace bn::cpu
