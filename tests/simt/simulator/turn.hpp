// Several threads that use the simulated machine, each as a process with a GPU of its own would: one at a time, and
// another only while this one waits. So nothing in the machine needs a lock, and each run of a test is the same but for
// the order of the processes.
#pragma once

#include <functional>

namespace bn::simt {

// The calling thread's turn: from here until the end of the block, but for the waits below.
class Turn {
 public:
  Turn();
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
};

// Runs a wait that ends when other threads have had their turns.
void away_from_turn(const std::function<void()>& wait);
// Returns when `ready` holds, which only other threads' turns can change.
void wait_in_turn(const std::function<bool()>& ready);
// What wait_in_turn() asks for may have changed.
void wake_others();

}  // namespace bn::simt
