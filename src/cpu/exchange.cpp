// The exchange between processes whose backends compute on CPUs.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bn/group.hpp"
#include "cpu/backend.hpp"

namespace bn::cpu {
namespace {

// Every process sends its sums to all processes, and reads those of the ranks that it shares with.
class HostPartExchange final : public PartExchange {
 public:
  HostPartExchange(Group& group, int64_t parts) : group_(group), parts_(parts) {}

  void gather(std::span<const double> mine, std::span<double> all) override {
    const Place& place = group_.place();
    const size_t count = mine.size() * static_cast<size_t>(place.world);
    all_.resize(std::max(all_.size(), count));
    group_.gather(mine, {all_.data(), count});
    const int64_t first = place.rank / parts_ * parts_;
    std::copy_n(all_.begin() + first * static_cast<int64_t>(mine.size()), all.size(), all.begin());
  }

 private:
  Group& group_;
  int64_t parts_;
  std::vector<double> all_;
};

// Sums in a thread of its own, so that a network carries gradients while the other threads compute.
class Courier {
 public:
  explicit Courier(Group& group) : group_(group), thread_([this] { work(); }) {}
  ~Courier() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  void give(std::span<float> values) {
    {
      const std::lock_guard lock(mutex_);
      values_.push_back(values);
    }
    changed_.notify_all();
  }

  // Throws what a sum threw.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return summed_ == values_.size(); });
    values_.clear();
    summed_ = 0;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || summed_ < values_.size(); });
      if (ends_) return;
      const std::span<float> values = values_[summed_];
      lock.unlock();
      std::exception_ptr error;
      try {
        group_.sum_patiently(values);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) error_ = error;
      ++summed_;
      changed_.notify_all();
    }
  }

  Group& group_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::span<float>> values_;  // given since the last wait
  size_t summed_ = 0;                     // of them
  bool ends_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

class HostExchange final : public Exchange {
 public:
  explicit HostExchange(Group& group) : group_(group), bad_steps_(static_cast<size_t>(group.place().world)) {}

  void sum(std::span<const Tensor> slabs, StepState* step) override {
    for (const Tensor& slab : slabs) group_.sum(floats(slab));
    const std::array<double, 1> mine{static_cast<double>(step->first_bad_step)};
    group_.gather(mine, bad_steps_);
    for (const double other : bad_steps_) {
      const auto bad = static_cast<int64_t>(other);
      if (bad >= 0 && (step->first_bad_step < 0 || bad < step->first_bad_step)) step->first_bad_step = bad;
    }
  }

  bool overlaps() const override { return overlaps_ && group_.serves_any_thread(); }
  void begin(const Tensor& values) override {
    if (!courier_) courier_.emplace(group_);
    courier_->give(floats(values));
  }
  void finish() override {
    if (courier_) courier_->wait();
  }

  std::unique_ptr<PartExchange> parts(int64_t parts) override {
    overlaps_ = false;  // the parts exchange statistics while they compute
    return std::make_unique<HostPartExchange>(group_, parts);
  }

 private:
  static std::span<float> floats(const Tensor& values) {
    return {values.as<float>(), static_cast<size_t>(values.shape.elements())};
  }

  Group& group_;
  bool overlaps_ = true;
  std::vector<double> bad_steps_;  // by rank
  std::optional<Courier> courier_;
};

}  // namespace

std::unique_ptr<Exchange> make_exchange(Group& group) { return std::make_unique<HostExchange>(group); }

}  // namespace bn::cpu
