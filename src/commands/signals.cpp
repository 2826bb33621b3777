#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <mutex>
#include <thread>

#include "commands/commands.hpp"

namespace bn {
namespace {

std::atomic<int> stop_signal = 0;
std::atomic<int64_t> stop_time = 0;         // in milliseconds
std::atomic<unsigned> seconds_to_stop = 0;  // 0 = as long as it takes
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<int64_t>::is_always_lock_free);

int64_t now_in_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1000} * now.tv_sec + now.tv_nsec / 1'000'000;
}

// Many programs make one request twice: timeout asks its child and then the child's group; a shell that ends and its
// terminal both send SIGHUP; a service manager asks a sweep and its runs. Only a person's second Ctrl-C means more.
extern "C" void on_stop_signal(int signal) {
  constexpr int64_t kSameRequest = 500;
  if (stop_signal != 0) {
    if (signal != SIGINT || now_in_milliseconds() - stop_time < kSameRequest) return;
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  stop_time = now_in_milliseconds();
  stop_signal = signal;
  if (seconds_to_stop > 0) alarm(seconds_to_stop);
}

extern "C" void on_alarm(int) {
  std::signal(stop_signal, SIG_DFL);
  std::raise(stop_signal);
}

// Before version 3.11.2, oneDNN's matrix products for AVX2 and AVX-512 let the stack pointer point into the heap. A
// signal that is handled meanwhile on that thread overwrites memory of others. So a thread that computes nothing
// handles the signals; the caller's thread, and all that it starts from now on, keep them blocked.
void handle_on_another_thread(const sigset_t& signals) {
  static std::once_flag begun;
  std::call_once(begun, [&] {
    std::thread([signals] {
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // whoever started this program may have blocked them
      while (true) pause();
    }).detach();
  });
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

// SIGUSR1 is the one that mpirun hands on: after SIGINT and SIGTERM it kills its processes within a second.
std::function<bool()> stop_on_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    if (std::signal(signal, on_stop_signal) == SIG_IGN) std::signal(signal, SIG_IGN);  // nohup ignores it: it stays so
    sigaddset(&signals, signal);
  }
  sigaddset(&signals, SIGALRM);
  handle_on_another_thread(signals);
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the messages has gone; the work goes on
  return [] { return stop_signal != 0; };
}

std::function<bool()> stop_on_signals_within_a_second() {
  seconds_to_stop = 1;
  std::signal(SIGALRM, on_alarm);
  return stop_on_signals();
}

}  // namespace bn
