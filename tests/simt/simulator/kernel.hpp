// Runs a kernel's grid on a CPU: blocks one after the other, a block's threads as fibers that change places only where
// they wait for each other. What a correct kernel computes does not depend on the order of the threads or of the
// blocks, nor on what shared memory held before, so it gives the same bits under every Schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bn/error.hpp"

namespace bn::simt {

enum class Order { kAscending, kDescending, kShuffled };
enum class SharedPattern { kNan, kFinite };  // shared memory's content when a block starts

struct Schedule {
  Order order = Order::kAscending;
  uint64_t seed = 0;  // used by kShuffled
  SharedPattern pattern = SharedPattern::kNan;
};

std::string to_string(const Schedule& schedule);
const std::vector<Schedule>& all_schedules();  // the first one is the default
void set_schedule(const Schedule& schedule);   // holds for all launches from now on

// A kernel did what no kernel may do. The message names the kernel, the block and the thread.
struct Fault : Error {
  explicit Fault(std::string message) : Error(ExitCode::kFailure, std::move(message)) {}
};

struct GridShape {
  unsigned x = 1, y = 1, threads = 1;
  size_t shared_bytes = 0;  // dynamic
};

constexpr size_t kMaxSharedBytes = 48 * 1024;  // a kernel gets these, static or dynamic, without asking for more

// Throws Fault.
void run_grid(const char* kernel, const GridShape& shape, const std::function<void()>& thread);

// The functions below are for the bodies of kernels.

// A place in the source: std::source_location, which clang-tidy 14 does not know.
struct Where {
  const char* file = "";
  int line = 0;
};

void barrier(Where where);

// The block's memory for one declaration, the same for all threads; `key` is any address of that declaration's own.
void* static_shared(const void* key, size_t bytes);
void* dynamic_shared();

}  // namespace bn::simt
