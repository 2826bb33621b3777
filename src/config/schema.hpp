// Every key of an experiment file, in the order in which it is written.
#pragma once

#include "bn/config.hpp"
#include "config/field.hpp"

namespace bn::config {

Fields describe(Config& config);  // the Fields point into `config`

}  // namespace bn::config
