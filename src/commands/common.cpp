#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "bn/cpu_backend.hpp"
#include "bn/cuda_backend.hpp"
#include "commands/commands.hpp"
#include "core/usable_cores.hpp"

namespace bn {
namespace {

volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t seconds_to_stop = 0;  // 0 = as long as it takes

// The second one ends the program at once.
extern "C" void on_stop_signal(int signal) {
  if (stop_signal != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  stop_signal = signal;
  if (seconds_to_stop > 0) alarm(static_cast<unsigned>(seconds_to_stop));
}

extern "C" void on_alarm(int) {
  std::signal(stop_signal, SIG_DFL);
  std::raise(stop_signal);
}

}  // namespace

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

std::unique_ptr<Backend> make_backend(Config& config) {
  const CoreCount threads = config.threads == 0 ? default_threads()
                                                : CoreCount{.count = static_cast<int>(config.threads),
                                                            .reason = fmt::format("threads: {}", config.threads)};
  config.threads = threads.count;
  if (config.device == Device::kCuda) return make_cuda_backend(config.cuda);
  CpuOptions options = config.cpu;
  options.threads = threads.count;
  options.reason = threads.reason;
  return make_cpu_backend(options);
}

// SIGUSR1 is the one that mpirun hands on: after SIGINT and SIGTERM it kills its processes within a second.
std::function<bool()> stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    if (std::signal(signal, on_stop_signal) == SIG_IGN) std::signal(signal, SIG_IGN);  // nohup ignores it: it stays so
  }
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the messages has gone; the work goes on
  return [] { return stop_signal != 0; };
}

std::function<bool()> stop_on_signals_within_a_second() {
  seconds_to_stop = 1;
  std::signal(SIGALRM, on_alarm);
  return stop_on_signals();
}

}  // namespace bn
