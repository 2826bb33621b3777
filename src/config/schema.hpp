// Every key of an experiment file, in the order in which it is written.
#pragma once

#include "bn/config.hpp"
#include "config/field.hpp"

namespace bn::config {

// The Fields point into their argument.
Fields describe(Config& config);
Fields describe_model(ModelOptions& model);
Fields describe_batch_norm(ModelOptions& model);

}  // namespace bn::config
