#pragma once

#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

// The shortest complete experiment; tests add lines below it.
inline const std::string kExperiment = R"(model:
  network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}
  classes: 10
data: {image_size: 32, resize_shorter: 0}
)";
inline const std::string kTrain = "train: {steps: 10}\n";

inline std::string parse_error(const std::string& yaml) {
  return error_message<ConfigError>([&] { parse_config(yaml, "run.yaml"); });
}
inline std::string load_error(const std::string& path, const std::vector<std::string>& overrides = {}) {
  return error_message<ConfigError>([&] { load_config(path, overrides); });
}
// The error of the experiment above with one `--set`.
inline std::string override_error(const std::string& argument) {
  const TemporaryFolder folder;
  return load_error(folder.write("run.yaml", kExperiment + kTrain), {argument});
}

}  // namespace bn::test
