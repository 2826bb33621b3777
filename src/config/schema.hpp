// Every key of an experiment file, in the order in which it is written, and the rules between keys.
#pragma once

#include "bn/config.hpp"
#include "config/field.hpp"

namespace bn::config {

// The Fields point into their argument.
Fields describe(Config& config);
Fields describe_model(ModelOptions& model);
Fields describe_batch_norm(ModelOptions& model);

struct Problem {
  std::string path, message;
  std::string other_path = "";  // the key that it is compared with, if the mistake may as well be there
};
// All problems of a configuration that could be read, by the rules beside single keys and those between keys, except
// those that follow from another one.
std::vector<Problem> problems_of(const Config& config);

}  // namespace bn::config
