#include <fmt/format.h>

#include <algorithm>

#include "bn/cpu_backend.hpp"
#include "bn/cuda_backend.hpp"
#include "commands/commands.hpp"
#include "system/usable_cores.hpp"

namespace bn {

void ConfigArguments::add_to(CLI::App& command) {
  command.add_option("config", path, "The experiment: a YAML file")->required();
  command.add_option("--set", overrides, "Override one value: key.path=value, such as train.seed=2; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
}

Config ConfigArguments::load() const { return load_config(path, overrides); }

std::vector<std::string> ConfigArguments::warnings() const {
  std::vector<std::string> differences;
  try {
    differences = diff(load(), load_config(path, {overrides.rbegin(), overrides.rend()}));
  } catch (const ConfigError&) {
    differences = {"they are refused"};
  }
  if (differences.empty()) return {};
  return {fmt::format("of options --set that undo each other the last one counts; in the other order: {}",
                      fmt::join(differences, ", "))};
}

std::string explain_option(const CLI::App& command, const std::string& option, const std::string& value) {
  if (command.get_option_no_throw("--set") == nullptr) return "";
  std::string name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
  std::ranges::replace(name, '-', '_');
  const std::optional<NamedKey> key = find_key(name);
  if (!key) return "";
  if (key->holds_keys) {
    return fmt::format("the configuration has several values in {0}, which `bninception config keys {0}` lists",
                       key->path);
  }
  return fmt::format("a value of the configuration is set by --set {}={}", key->path, value.empty() ? "VALUE" : value);
}

std::unique_ptr<Backend> make_backend(Config& config) { return make_backend(config, *alone()); }

std::unique_ptr<Backend> make_backend(Config& config, Group& group) {
  const CoreCount threads = config.threads == 0 ? default_threads()
                                                : CoreCount{.count = static_cast<int>(config.threads),
                                                            .reason = fmt::format("threads: {}", config.threads)};
  config.threads = threads.count;
  if (config.device == Device::kCuda) return make_cuda_backend(config.cuda, group);
  CpuOptions options = config.cpu;
  options.threads = threads.count;
  options.reason = threads.reason;
  return make_cpu_backend(options);
}

}  // namespace bn
