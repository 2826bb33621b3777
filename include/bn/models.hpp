// Networks of the paper from their descriptions: the Inception variant (Fig. 5) and the MNIST net (sec. 4.1).
#pragma once

#include "bn/model_options.hpp"
#include "bn/net.hpp"

namespace bn {

// Op names: row/branch/kind, e.g. inception_3a/double3x3b/bn; kinds conv, bn, bias, act, pool; logits, loss.
Net build_network(const ModelOptions& options);

}  // namespace bn
