// One block: its threads, who of them waits for what, and its shared memory.
#pragma once

#include <memory>
#include <vector>

#include "simt/simulator/device_memory.hpp"
#include "simt/simulator/fiber.hpp"
#include "simt/simulator/kernel.hpp"

namespace bn::simt {

class Block {
 public:
  // `thread_order`: in which order the threads run between two barriers.
  Block(const char* kernel, const GridShape& shape, SharedPattern pattern, std::vector<unsigned> thread_order,
        const std::function<void()>& thread);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void run(unsigned x, unsigned y);  // again and again; shared memory starts as the pattern each time

  // These are called for the running thread.
  void barrier(Where where);
  void* static_shared(const void* key, size_t bytes);
  void* dynamic_shared() const { return dynamic_.data(); }
  [[noreturn]] void fault_of_thread(const std::string& what) const;

 private:
  enum class State { kNotStarted, kReady, kRunning, kAtBarrier, kEnded };
  struct Thread {
    State state = State::kNotStarted;
    std::unique_ptr<Fiber> fiber{};
    Where where{};
  };
  struct StaticArray {
    const void* key;
    std::unique_ptr<GuardedMemory> memory;
  };

  bool run_thread(unsigned index);  // whether it could run
  void release_barrier();           // or Fault, if not all threads wait at the same one
  std::string describe_waiting() const;
  void fill(const GuardedMemory& memory) const;
  void check_guards() const;
  std::string place() const;  // "Kernel reduce, block (0, 1)"

  const char* kernel_;
  GridShape shape_;
  SharedPattern pattern_;
  std::vector<unsigned> thread_order_;
  const std::function<void()>& thread_;
  std::vector<Thread> threads_;
  GuardedMemory dynamic_;
  std::vector<StaticArray> static_;
  size_t static_bytes_ = 0;
  unsigned current_ = 0, ended_ = 0;
};

}  // namespace bn::simt
