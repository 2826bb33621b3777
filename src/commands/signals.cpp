#include "commands/signals.hpp"

#include <unistd.h>

#include <csignal>

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
