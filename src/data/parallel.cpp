#include "data/parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
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
  for (int64_t i = 1; i < workers; ++i) threads.emplace_back(run);
  run();
  for (auto& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace bn
