#include "simt/simulator/turn.hpp"

#include <condition_variable>
#include <mutex>

namespace bn::simt {
namespace {

std::mutex& machine_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::condition_variable& changed() {
  static std::condition_variable condition;
  return condition;
}

thread_local std::unique_lock<std::mutex> turn;

}  // namespace

Turn::Turn() { turn = std::unique_lock(machine_mutex()); }
Turn::~Turn() { turn = {}; }

void away_from_turn(const std::function<void()>& wait) {
  const bool has_turn = turn.owns_lock();
  if (has_turn) turn.unlock();
  wait();
  if (has_turn) turn.lock();
}

void wait_in_turn(const std::function<bool()>& ready) { changed().wait(turn, ready); }
void wake_others() { changed().notify_all(); }

}  // namespace bn::simt
