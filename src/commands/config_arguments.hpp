// Commands that start from a configuration share these arguments and the way to its backend.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/config.hpp"
#include "bn/group.hpp"

namespace bn {

// CONFIG and --set.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command);
  Config load() const;
  // A sentence for each override that a later one of the same key makes void: the user may not have meant it.
  std::vector<std::string> warnings() const;
};

// The backend the configuration asks for; writes the number of threads used back into it. Throws UnsupportedError.
std::unique_ptr<Backend> make_backend(Config& config);
// Likewise in every process of the group, each with a GPU of its own where the device is one. Throws also an
// AgreedError.
std::unique_ptr<Backend> make_backend(Config& config, Group& group);

}  // namespace bn
