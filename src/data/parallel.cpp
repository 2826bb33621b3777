#include "data/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace bn {

void parallel_for(int64_t count, int64_t workers, const std::function<Work()>& make_work) {
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
