#include "simt/simulator/kernel.hpp"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "bn/rng.hpp"
#include "simt/simulator/block.hpp"
#include "simt/simulator/device.hpp"

namespace bn::simt {
namespace {

Schedule& current_schedule() {
  static Schedule schedule = all_schedules().front();
  return schedule;
}

Block* running = nullptr;

// Resets `running` also where a kernel throws.
class Running {
 public:
  explicit Running(Block& block) { running = &block; }
  ~Running() { running = nullptr; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

std::vector<unsigned> permutation(const Schedule& schedule, unsigned count, const char* of) {
  std::vector<unsigned> order(count);
  std::iota(order.begin(), order.end(), 0U);
  if (schedule.order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (schedule.order == Order::kShuffled) {
    RandomStream stream(schedule.seed, hash_name(of));
    for (unsigned i = count; i > 1; --i) std::swap(order[i - 1], order[static_cast<size_t>(stream.uniform_index(i))]);
  }
  return order;
}

void require_valid(const char* kernel, const GridShape& shape) {
  constexpr unsigned kMaxThreads = 1024, kMaxX = 0x7fffffff, kMaxY = 65535;
  const bool valid = shape.threads >= 1 && shape.threads <= kMaxThreads && shape.x >= 1 && shape.x <= kMaxX &&
                     shape.y >= 1 && shape.y <= kMaxY;
  if (valid) return;
  throw Fault(fmt::format("Kernel {}: a grid of ({}, {}) blocks of {} threads cannot be launched.", kernel, shape.x,
                          shape.y, shape.threads));
}

}  // namespace

std::string to_string(const Schedule& schedule) {
  const char* pattern = schedule.pattern == SharedPattern::kNan ? "NaN" : "numbers";
  switch (schedule.order) {
    case Order::kAscending:
      return fmt::format("ascending threads, {} in shared memory", pattern);
    case Order::kDescending:
      return fmt::format("descending threads, {} in shared memory", pattern);
    case Order::kShuffled:
      break;
  }
  return fmt::format("threads shuffled with seed {}, {} in shared memory", schedule.seed, pattern);
}

const std::vector<Schedule>& all_schedules() {
  static const std::vector<Schedule> kSchedules = [] {
    std::vector<Schedule> all;
    for (const SharedPattern pattern : {SharedPattern::kNan, SharedPattern::kFinite}) {
      all.push_back({.order = Order::kAscending, .pattern = pattern});
      all.push_back({.order = Order::kDescending, .pattern = pattern});
      for (const uint64_t seed : {1, 2, 3})
        all.push_back({.order = Order::kShuffled, .seed = seed, .pattern = pattern});
    }
    return all;
  }();
  return kSchedules;
}

void set_schedule(const Schedule& schedule) { current_schedule() = schedule; }

void run_grid(const char* kernel, const GridShape& shape, const std::function<void()>& thread) {
  require_valid(kernel, shape);
  const Schedule& schedule = current_schedule();
  gridDim = {shape.x, shape.y, 1};
  blockDim = {shape.threads, 1, 1};
  Block block(kernel, shape, schedule.pattern, permutation(schedule, shape.threads, "threads"), thread);
  const Running now(block);
  for (const unsigned index : permutation(schedule, shape.x * shape.y, "blocks"))
    block.run(index % shape.x, index / shape.x);
  require_device_memory_intact(kernel);
}

void barrier(Where where) { running->barrier(where); }

void* static_shared(const void* key, size_t bytes) { return running->static_shared(key, bytes); }
void* dynamic_shared() { return running->dynamic_shared(); }

}  // namespace bn::simt
