#include "simt/simulator/block.hpp"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <cstring>
#include <string_view>

namespace bn::simt {
namespace {

// Fibers whose work has ended serve again: a stack costs system calls.
std::vector<std::unique_ptr<Fiber>>& idle_fibers() {
  static std::vector<std::unique_ptr<Fiber>> fibers;
  return fibers;
}

std::unique_ptr<Fiber> take_fiber() {
  if (idle_fibers().empty()) return std::make_unique<Fiber>();
  std::unique_ptr<Fiber> fiber = std::move(idle_fibers().back());
  idle_fibers().pop_back();
  return fiber;
}

bool same_place(Where a, Where b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

std::string text(Where where) {
  const std::string_view path = where.file;
  return fmt::format("{}:{}", path.substr(path.find_last_of('/') + 1), where.line);
}

}  // namespace

Block::Block(const char* kernel, const GridShape& shape, SharedPattern pattern, std::vector<unsigned> thread_order,
             const std::function<void()>& thread)
    : kernel_(kernel),
      shape_(shape),
      pattern_(pattern),
      thread_order_(std::move(thread_order)),
      thread_(thread),
      threads_(shape.threads),
      dynamic_(shape.shared_bytes) {}

Block::~Block() = default;

void Block::run(unsigned x, unsigned y) {
  blockIdx = {x, y, 0};
  for (Thread& thread : threads_) thread = Thread{};
  ended_ = 0;
  fill(dynamic_);
  for (const StaticArray& array : static_) fill(*array.memory);
  while (ended_ < shape_.threads) {
    bool progress = false;
    for (const unsigned index : thread_order_) progress = run_thread(index) || progress;
    if (!progress) release_barrier();
  }
  check_guards();
}

bool Block::run_thread(unsigned index) {
  Thread& thread = threads_[index];
  if (thread.state != State::kNotStarted && thread.state != State::kReady) return false;
  const bool starts = thread.state == State::kNotStarted;
  current_ = index;
  threadIdx = {index, 0, 0};
  thread.state = State::kRunning;
  if (starts) {
    thread.fiber = take_fiber();
    thread.fiber->start(thread_);
  } else {
    thread.fiber->resume();
  }
  if (thread.fiber->ended()) {
    thread.state = State::kEnded;
    ++ended_;
    idle_fibers().push_back(std::move(thread.fiber));
  }
  return true;
}

void Block::barrier(Where where) {
  Thread& self = threads_[current_];
  self.where = where;
  self.state = State::kAtBarrier;
  Fiber::give_way();
}

// CUDA leaves it undefined when some threads have ended, or wait at another barrier.
void Block::release_barrier() {
  const Where where = threads_[0].where;
  for (const Thread& thread : threads_) {
    if (thread.state == State::kAtBarrier && same_place(thread.where, where)) continue;
    throw Fault(fmt::format("{}: its threads wait for each other forever: {}.", place(), describe_waiting()));
  }
  for (Thread& thread : threads_) thread.state = State::kReady;
}

std::string Block::describe_waiting() const {
  std::vector<std::string> groups;
  std::vector<bool> told(threads_.size());
  for (size_t first = 0; first < threads_.size(); ++first) {
    if (told[first]) continue;
    const Thread& thread = threads_[first];
    int64_t count = 0;
    for (size_t i = first; i < threads_.size(); ++i) {
      const bool same = threads_[i].state == thread.state &&
                        (thread.state == State::kEnded || same_place(threads_[i].where, thread.where));
      count += same && !told[i] ? 1 : 0;
      told[i] = told[i] || same;
    }
    const std::string who =
        count == 1 ? fmt::format("thread {}", first) : fmt::format("{} threads from thread {}", count, first);
    groups.push_back(thread.state == State::kEnded ? fmt::format("{} ended", who)
                                                   : fmt::format("{} at the barrier of {}", who, text(thread.where)));
  }
  return fmt::format("{}", fmt::join(groups, "; "));
}

void* Block::static_shared(const void* key, size_t bytes) {
  for (const StaticArray& array : static_) {
    if (array.key == key) return array.memory->data();
  }
  static_bytes_ += bytes;
  if (static_bytes_ > kMaxSharedBytes) {
    fault_of_thread(fmt::format("{} bytes of static shared memory are too many", static_bytes_));
  }
  static_.push_back({key, std::make_unique<GuardedMemory>(bytes)});
  fill(*static_.back().memory);
  return static_.back().memory->data();
}

void Block::fill(const GuardedMemory& memory) const {
  // The bytes make a NaN, in f32 and in bf16, or 0.19.
  const std::byte low{pattern_ == SharedPattern::kNan ? uint8_t{0xc5} : uint8_t{0x3e}};
  const std::byte high{pattern_ == SharedPattern::kNan ? uint8_t{0x7f} : uint8_t{0x3e}};
  for (size_t i = 0; i < memory.bytes(); ++i) memory.data()[i] = i % 2 == 0 ? low : high;
}

void Block::check_guards() const {
  const auto check = [&](const GuardedMemory& memory) {
    if (const auto damage = memory.first_damage()) {
      throw Fault(
          fmt::format("{}: wrote to byte {} of shared memory that has {} bytes.", place(), *damage, memory.bytes()));
    }
  };
  check(dynamic_);
  for (const StaticArray& array : static_) check(*array.memory);
}

std::string Block::place() const { return fmt::format("Kernel {}, block ({}, {})", kernel_, blockIdx.x, blockIdx.y); }

void Block::fault_of_thread(const std::string& what) const {
  throw Fault(fmt::format("{}, thread {}: {}.", place(), current_, what));
}

}  // namespace bn::simt
