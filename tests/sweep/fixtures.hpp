#pragma once

#include <string>

#include "bn/error.hpp"
#include "bn/sweep.hpp"
#include "support/error_message.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

// A net that trains in a fraction of a second, and all else that a sweep needs, in a folder of the test's own.
inline const std::string kTinyExperiment = small_model() + shapes_data(100, 40) + R"(train:
  batch: 20
  steps: 20
  learning_rate: {initial: 0.1}
  log_every: 5
  evaluate_every: 10
  evaluate_batch: 20
)";

class SweepFolder : public TemporaryFolder {
 public:
  SweepFolder() { write("plain.yaml", kTinyExperiment); }

  std::string sweep(const std::string& text) const { return write("sweep.yaml", text); }
  std::string load_error(const std::string& text) const {
    return error_message<ConfigError>([&] { load_sweep(sweep(text)); });
  }
};

}  // namespace bn::test
