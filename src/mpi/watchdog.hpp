// Ends this process when the others are silent for too long: no call of MPI returns after a link broke or a process was
// stopped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "bn/group.hpp"

namespace bn::mpi {

class Watchdog {
 public:
  Watchdog(const Place& place, std::chrono::seconds patience);
  ~Watchdog() { stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void wait_at_most(std::chrono::seconds patience);
  void stop();

  // This process waits for others from its construction to its destruction.
  class Wait {
   public:
    explicit Wait(Watchdog& watchdog) : watchdog_(watchdog) { watchdog_.begin(); }
    ~Wait() { watchdog_.end(); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  using Clock = std::chrono::steady_clock;

  void begin();
  void end();
  void watch();

  const Place place_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::chrono::seconds patience_;
  bool is_waiting_ = false;
  Clock::duration waited_{};  // without what this process was stopped for
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace bn::mpi
