// The engines that a library chose, as text: a line for each convolution, what it computes, ": ", and the engine's
// name.
#pragma once

#include <string>

#include "cuda/context.hpp"

namespace bn::cuda {

std::string text_of_choices(const Convolutions& convolutions);
// Convolutions prepared from now on take these engines where they are offered.
void repeat_choices(Convolutions& convolutions, const std::string& text);

}  // namespace bn::cuda
