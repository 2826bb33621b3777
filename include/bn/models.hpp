// Networks of the paper from their descriptions: the Inception variant (Fig. 5) and the MNIST net (sec. 4.1).
#pragma once

#include "bn/model_options.hpp"
#include "bn/net.hpp"

namespace bn {

// Op names: row/branch/kind, e.g. inception_3a/double3x3b/bn; kinds conv, bn, bias, act, pool; logits, loss.
// Ops of the rows that ModelOptions::freeze names are frozen. Throws ConfigError where it names none.
Net build_network(const ModelOptions& options);

// The network's rows in order; a MLP's are hidden1, hidden2, ...
std::vector<std::string> row_names(const ModelOptions& options);

}  // namespace bn
