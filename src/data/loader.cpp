// A ring of batches that workers fill ahead of the caller. Worker w takes the next batch number, fills that batch alone
// in slot number % slots, and marks it ready; the caller takes them in order. What a batch holds does not depend on
// who fills it (batch_filler.hpp), so neither does the run.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "bn/error.hpp"
#include "bn/loader.hpp"
#include "data/augment.hpp"
#include "data/batch_filler.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

// Decoding ahead must not take a core from the step that is running. On Linux the priority is the thread's own; where
// it cannot be lowered, nothing is lost.
void lower_priority_of_this_thread() {
  constexpr int kLower = 5;
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kLower);
}

}  // namespace

// Without workers there is one slot, which the caller fills.
struct Loader::Impl {
  Impl(const Dataset& dataset, const DataOptions& data_options, const LoaderOptions& loader_options)
      : data(data_options), options(loader_options), to_fill(options.first_batch), to_deliver(options.first_batch) {
    fillers.emplace_back(dataset, data, options);
    if (options.split == Split::kValidation) end = fillers.front().batches_per_epoch();
    if (data.workers < 0) throw ConfigError(fmt::format("data: workers must be 0 or more, not {}", data.workers));
    if (data.slots < 1) throw ConfigError(fmt::format("data: slots must be at least 1, not {}", data.slots));
    if (to_fill < 0 || to_fill > end) throw ConfigError(fmt::format("data: there is no batch {}", to_fill));
    use_no_opencv_threads();
    for (int64_t i = 1; i < data.workers; ++i) fillers.emplace_back(dataset, data, options);
    slots.resize(static_cast<size_t>(data.workers == 0 ? 1 : data.slots));
    for (auto& slot : slots) slot.batch = fillers.front().make_storage();
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    slot_freed.notify_all();
    for (auto& worker : workers) worker.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The constructor does not start threads: if one cannot be started, the destructor must join those that were.
  void start() {
    for (int64_t i = 0; i < data.workers; ++i) {
      workers.emplace_back([this, &filler = fillers[static_cast<size_t>(i)]] { work(filler); });
    }
  }

  // Waits for the next batch, valid until the next call; null after the last. Rethrows the error of who filled it.
  BatchStorage* take() {
    std::unique_lock lock(mutex);
    release_delivered();
    if (to_deliver == end) return nullptr;
    Slot& slot = slot_of(to_deliver);
    if (!slot.ready) {
      const auto start = Clock::now();
      if (workers.empty()) {
        lock.unlock();
        fill(fillers.front(), to_deliver);
        lock.lock();
      } else {
        slot_ready.wait(lock, [&] { return slot.ready; });
      }
      wait_seconds += seconds_since(start);
    }
    if (slot.error) std::rethrow_exception(slot.error);
    ++to_deliver;
    count_skipped(slot.batch);
    return &slot.batch;
  }

  struct Slot {
    BatchStorage batch;
    std::exception_ptr error;
    bool ready = false;
  };

  Slot& slot_of(int64_t batch) { return slots[static_cast<size_t>(batch) % slots.size()]; }

  // Gives the batch delivered last back to the workers. The caller holds the lock.
  void release_delivered() {
    if (first_kept == to_deliver) return;
    slot_of(first_kept).ready = false;
    ++first_kept;
    slot_freed.notify_one();
  }

  void work(BatchFiller& filler) {
    lower_priority_of_this_thread();
    for (int64_t batch = 0; next_to_fill(batch);) fill(filler, batch);
  }

  void fill(BatchFiller& filler, int64_t batch) {
    Slot& slot = slot_of(batch);
    std::exception_ptr error;
    try {
      filler.fill(batch, slot.batch, stop);
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex);
      slot.error = std::move(error);
      slot.ready = true;
    }
    slot_ready.notify_one();
  }

  // Waits for a free slot. Returns false when there is nothing more to do.
  bool next_to_fill(int64_t& batch) {
    std::unique_lock lock(mutex);
    const auto count = static_cast<int64_t>(slots.size());
    slot_freed.wait(lock, [&] { return stop || to_fill == end || to_fill < first_kept + count; });
    if (stop || to_fill == end) return false;
    batch = to_fill++;
    return true;
  }

  void count_skipped(const BatchStorage& batch) {
    constexpr size_t kNames = 100;
    skipped += static_cast<int64_t>(batch.skipped.size());
    for (const auto& name : batch.skipped) {
      const bool known = std::ranges::find(skipped_names, name) != skipped_names.end();
      if (!known && skipped_names.size() < kNames) skipped_names.push_back(name);
    }
  }

  const DataOptions data;
  const LoaderOptions options;
  std::vector<BatchFiller> fillers;  // one per worker
  std::vector<Slot> slots;
  int64_t end = std::numeric_limits<int64_t>::max();  // batches to deliver
  std::mutex mutex;                                   // guards the three numbers and each slot's error and ready
  int64_t to_fill, to_deliver;
  int64_t first_kept = to_deliver;  // batches before it were given back
  std::atomic<bool> stop = false;
  std::condition_variable slot_freed, slot_ready;
  double wait_seconds = 0;
  int64_t skipped = 0;
  std::vector<std::string> skipped_names;
  std::vector<std::thread> workers;
};

Loader::Loader(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(dataset, data, options)) {
  impl_->start();
}

Loader::~Loader() = default;

int64_t Loader::batches_per_epoch() const { return impl_->fillers.front().batches_per_epoch(); }

bool Loader::next(Batch& batch) {
  if (impl_->options.finish_reading) impl_->options.finish_reading();
  BatchStorage* filled = impl_->take();
  if (filled == nullptr) return false;
  const auto& data = impl_->data;
  const Shape shape{impl_->options.batch, data.image_size, data.image_size, data.image_channels};
  batch = {.images = dense(filled->images.data(), DType::kU8, shape),
           .labels = filled->labels.data(),
           .valid = filled->valid,
           .first_index = filled->first_index,
           .epoch = filled->epoch};
  return true;
}

LoaderCounters Loader::counters() const {
  return {.wait_seconds = impl_->wait_seconds, .skipped = impl_->skipped, .skipped_names = impl_->skipped_names};
}

}  // namespace bn
