#include "simt/simulator/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef __x86_64__
#error "The switch between stacks is written for x86-64."
#endif

// Saves the registers that a call must keep and the stack pointer at *from, and continues where `to` was saved.
// ucontext's swapcontext makes a system call each time, which would be most of the time of a kernel with barriers.
extern "C" void bn_simt_switch(void** from, void* to);
asm(R"(
.text
.type bn_simt_switch, @function
bn_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size bn_simt_switch, . - bn_simt_switch
)");

namespace bn::simt {
namespace {

constexpr size_t kGuardBytes = 4096, kStackBytes = 128 * 1024;
constexpr size_t kSavedRegisters = 6;

Fiber* current = nullptr;
void* scheduler_stack_pointer = nullptr;
const void* scheduler_stack = nullptr;
size_t scheduler_stack_bytes = 0;

// The sanitizer must know whose stack is in use.
void begin_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                  [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#endif
}

void end_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** old_bottom,
                [[maybe_unused]] size_t* old_bytes) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake_stack, old_bottom, old_bytes);
#endif
}

}  // namespace

Fiber::Fiber() {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  mprotect(memory_, kGuardBytes, PROT_NONE);
  // The stack looks as if run() had just been called: a return address of zero, at which a walk up the stack ends, then
  // run()'s own address, to which the switch returns, then the registers.
  auto* top = reinterpret_cast<uintptr_t*>(memory_ + kGuardBytes + kStackBytes);
  top[-2] = reinterpret_cast<uintptr_t>(&Fiber::run);
  stack_pointer_ = top - 2 - kSavedRegisters;
}

Fiber::~Fiber() {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory_ + kGuardBytes, kStackBytes);  // frames of a thread that was given up
#endif
  munmap(memory_, kGuardBytes + kStackBytes);
}

void Fiber::start(const std::function<void()>& work) {
  work_ = &work;
  ended_ = false;
  resume();
}

void Fiber::resume() {
  current = this;
  void* scheduler_fake_stack = nullptr;
  begin_switch(&scheduler_fake_stack, memory_ + kGuardBytes, kStackBytes);
  bn_simt_switch(&scheduler_stack_pointer, stack_pointer_);
  end_switch(scheduler_fake_stack, nullptr, nullptr);
  current = nullptr;
  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

void Fiber::give_way() {
  Fiber& self = *current;
  begin_switch(&self.fake_stack_, scheduler_stack, scheduler_stack_bytes);
  bn_simt_switch(&self.stack_pointer_, scheduler_stack_pointer);
  end_switch(self.fake_stack_, &scheduler_stack, &scheduler_stack_bytes);
}

void Fiber::run() {
  end_switch(nullptr, &scheduler_stack, &scheduler_stack_bytes);
  for (;;) {  // one work after the other
    Fiber& self = *current;
    try {
      (*self.work_)();
    } catch (...) {
      self.exception_ = std::current_exception();
    }
    self.ended_ = true;
    give_way();
  }
}

}  // namespace bn::simt
