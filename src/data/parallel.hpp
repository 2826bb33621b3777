// Work over numbered items by a few threads, for the tools and for the preparations before training.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace bn {

using Work = std::function<void(int64_t item)>;

// Runs items 0..count-1, each once, in the calling thread and workers - 1 others. make_work is called once in each of
// them, so that a thread can keep things to itself. Rethrows the first error, after which no further item is begun.
inline void parallel_for(int64_t count, int64_t workers, const std::function<Work()>& make_work) {
  std::atomic<int64_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;  // guards error
  std::exception_ptr error;
  const auto run = [&] {
    try {
      const Work work = make_work();
      for (int64_t item = next++; item < count && !failed; item = next++) work(item);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      failed = true;
    }
  };
  std::vector<std::thread> threads;
  try {
    for (int64_t i = 1; i < std::min(workers, count); ++i) threads.emplace_back(run);
  } catch (const std::system_error&) {  // no more threads are to be had: those there are do the work
  }
  run();
  for (auto& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace bn
