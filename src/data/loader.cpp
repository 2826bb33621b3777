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
#include "core/duration.hpp"
#include "data/augment.hpp"
#include "data/batch_filler.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

// Decoding ahead must not take a core from the step that is running. On Linux the priority is the thread's own; where
// it cannot be lowered, nothing is lost.
void lower_priority_of_this_thread() {
  constexpr int kLower = 5;
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kLower);
}

constexpr int64_t kNoEnd = std::numeric_limits<int64_t>::max();

class Ring {
 public:
  Ring(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options, int64_t end)
      : end_(end), to_fill_(options.first_batch), to_deliver_(options.first_batch), first_kept_(options.first_batch) {
    for (int64_t i = 0; i < data.workers; ++i) fillers_.emplace_back(dataset, data, options);
    slots_.resize(static_cast<size_t>(data.slots));
    for (auto& slot : slots_) slot.batch = fillers_.front().make_storage();
  }

  ~Ring() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    slot_freed_.notify_all();
    for (auto& worker : workers_) worker.join();
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // The constructor does not start threads: if one cannot be started, the destructor must join those that were.
  void start() {
    for (auto& filler : fillers_) workers_.emplace_back([this, &filler] { work(filler); });
  }

  // Waits for the next batch, valid until the next call; null after the last. Rethrows a worker's error.
  BatchStorage* take() {
    std::unique_lock lock(mutex_);
    release_delivered();
    if (to_deliver_ == end_) return nullptr;
    Slot& slot = slot_of(to_deliver_);
    if (!slot.ready) {
      const auto start = Clock::now();
      slot_ready_.wait(lock, [&] { return slot.ready; });
      wait_seconds_ += seconds_since(start);
    }
    if (slot.error) std::rethrow_exception(slot.error);
    ++to_deliver_;
    return &slot.batch;
  }

  double wait_seconds() const { return wait_seconds_; }

 private:
  struct Slot {
    BatchStorage batch;
    std::exception_ptr error;
    bool ready = false;
  };

  Slot& slot_of(int64_t batch) { return slots_[static_cast<size_t>(batch) % slots_.size()]; }

  // Gives the batch delivered last back to the workers. The caller holds the lock.
  void release_delivered() {
    if (first_kept_ == to_deliver_) return;
    slot_of(first_kept_).ready = false;
    ++first_kept_;
    slot_freed_.notify_one();
  }

  void work(BatchFiller& filler) {
    lower_priority_of_this_thread();
    int64_t batch = 0;
    while (next_to_fill(batch)) {
      Slot& slot = slot_of(batch);
      std::exception_ptr error;
      try {
        filler.fill(batch, slot.batch, stop_);
      } catch (...) {
        error = std::current_exception();
      }
      {
        const std::lock_guard lock(mutex_);
        slot.error = std::move(error);
        slot.ready = true;
      }
      slot_ready_.notify_one();
    }
  }

  // Waits for a free slot. Returns false when there is nothing more to do.
  bool next_to_fill(int64_t& batch) {
    std::unique_lock lock(mutex_);
    const auto slots = static_cast<int64_t>(slots_.size());
    slot_freed_.wait(lock, [&] { return stop_ || to_fill_ == end_ || to_fill_ < first_kept_ + slots; });
    if (stop_ || to_fill_ == end_) return false;
    batch = to_fill_++;
    return true;
  }

  const int64_t end_;
  std::vector<BatchFiller> fillers_;  // one per worker
  std::vector<Slot> slots_;
  std::mutex mutex_;  // guards the three numbers and each slot's error and ready
  int64_t to_fill_, to_deliver_;
  int64_t first_kept_;  // batches before it were given back
  std::atomic<bool> stop_ = false;
  std::condition_variable slot_freed_, slot_ready_;
  double wait_seconds_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace

struct Loader::Impl {
  Impl(const Dataset& dataset, const DataOptions& data_options, const LoaderOptions& loader_options)
      : data(data_options),
        options(loader_options),
        filler(dataset, data, options),
        end(options.split == Split::kTrain ? kNoEnd : filler.batches_per_epoch()),
        next_batch(options.first_batch) {
    if (data.workers < 0) throw ConfigError(fmt::format("data: workers must be 0 or more, not {}", data.workers));
    if (data.slots < 1) throw ConfigError(fmt::format("data: slots must be at least 1, not {}", data.slots));
    if (next_batch < 0 || next_batch > end) throw ConfigError(fmt::format("data: there is no batch {}", next_batch));
    use_no_opencv_threads();
    if (data.workers == 0) {
      storage = filler.make_storage();
    } else {
      ring = std::make_unique<Ring>(dataset, data, options, end);
      ring->start();
    }
  }

  BatchStorage* fill_here() {
    if (next_batch == end) return nullptr;
    const auto start = Clock::now();
    filler.fill(next_batch, storage, never_stop);
    wait_seconds += seconds_since(start);
    ++next_batch;
    return &storage;
  }

  void count_skipped(const BatchStorage& batch) {
    constexpr size_t kNames = 100;
    skipped += static_cast<int64_t>(batch.skipped.size());
    for (const auto& name : batch.skipped) {
      const bool known = std::find(skipped_names.begin(), skipped_names.end(), name) != skipped_names.end();
      if (!known && skipped_names.size() < kNames) skipped_names.push_back(name);
    }
  }

  const DataOptions data;
  const LoaderOptions options;
  BatchFiller filler;    // fills in the calling thread when there are no workers
  BatchStorage storage;  // likewise
  const int64_t end;     // batches to deliver
  int64_t next_batch;
  const std::atomic<bool> never_stop = false;
  double wait_seconds = 0;
  int64_t skipped = 0;
  std::vector<std::string> skipped_names;
  std::unique_ptr<Ring> ring;  // null without workers
};

Loader::Loader(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(dataset, data, options)) {}

Loader::~Loader() = default;

int64_t Loader::batches_per_epoch() const { return impl_->filler.batches_per_epoch(); }

bool Loader::next(Batch& batch) {
  if (impl_->options.finish_reading) impl_->options.finish_reading();
  BatchStorage* filled = impl_->ring ? impl_->ring->take() : impl_->fill_here();
  if (filled == nullptr) return false;
  impl_->count_skipped(*filled);
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
  return {.wait_seconds = impl_->ring ? impl_->ring->wait_seconds() : impl_->wait_seconds,
          .skipped = impl_->skipped,
          .skipped_names = impl_->skipped_names};
}

}  // namespace bn
