// A stack of its own for one thread of a kernel. The scheduler resumes a fiber; the fiber gives way when its thread
// waits for others. One operating-system thread runs them all.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>

namespace bn::simt {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Both return when the work has ended or given way; what it throws comes out here.
  void start(const std::function<void()>& work);
  void resume();
  bool ended() const { return ended_; }

  static void give_way();  // called by the work

 private:
  static void run();  // the lowest frame of the stack

  std::byte* memory_ = nullptr;  // a guard page, then the stack
  void* stack_pointer_ = nullptr;
  void* fake_stack_ = nullptr;  // the address sanitizer's
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr exception_{};
  bool ended_ = true;
};

}  // namespace bn::simt
