#include "mpi/watchdog.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bn::mpi {

Watchdog::Watchdog(const Place& place, std::chrono::seconds patience)
    : place_(place), patience_(patience), thread_([this] { watch(); }) {}

void Watchdog::wait_at_most(std::chrono::seconds patience) {
  const std::lock_guard lock(mutex_);
  patience_ = patience;
}

void Watchdog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Nobody is woken: the thread looks often enough.
void Watchdog::begin() {
  const std::lock_guard lock(mutex_);
  is_waiting_ = true;
  waited_ = {};
}

void Watchdog::end() {
  const std::lock_guard lock(mutex_);
  is_waiting_ = false;
}

void Watchdog::watch() {
  constexpr std::chrono::milliseconds kLook{200};
  std::unique_lock lock(mutex_);
  for (auto looked = Clock::now(); !stop_;) {
    changed_.wait_for(lock, kLook);
    const auto now = Clock::now();
    waited_ += std::min<Clock::duration>(now - looked, 2 * kLook);  // more: it was stopped, or got no core
    looked = now;
    if (stop_ || !is_waiting_ || waited_ < patience_) continue;
    std::fprintf(
        stderr,
        "error: process %d on %s has waited %d s for the others: another process of this run ended or cannot be "
        "reached; continue with --resume (distributed.timeout_seconds sets the patience)\n",
        static_cast<int>(place_.rank), place_.host.c_str(), static_cast<int>(patience_.count()));
    std::fflush(stderr);
    _exit(static_cast<int>(ExitCode::kPeerLost));  // without cleaning up: that would wait, too
  }
}

}  // namespace bn::mpi
