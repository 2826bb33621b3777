// The group over MPI: a module that src/group/launched.cpp loads when a launcher started this process. Plain MPI 3.1,
// so that each cluster's own library serves.
//
// Sums are exchanged in slices that stay in the cache. The owner of a part of the slice receives that part from all
// processes, adds by the tree and hands the sum to all: as many bytes as an all-reduce, whose order of adding would
// depend on the library, the number of processes and the length.
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <thread>

#include "bn/group.hpp"
#include "group/tree.hpp"

namespace bn::mpi {
namespace {

constexpr int64_t kSlice = int64_t{1} << 19;  // floats exchanged at a time: 2 MB
constexpr std::chrono::seconds kPatience{120};
constexpr std::chrono::microseconds kNap{100};

void check(int result, const char* call) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(result, text, &length);
  throw Error(ExitCode::kPeerLost, fmt::format("{} failed: {}; another process of this run ended or cannot be reached",
                                               call, std::string(text, static_cast<size_t>(length))));
}

#define BN_MPI(call) check(call, #call)

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, HOST_NAME_MAX);
  return name;
}

Place place_of_this_process() {
  int rank = 0, world = 1;
  BN_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  BN_MPI(MPI_Comm_size(MPI_COMM_WORLD, &world));
  return {.rank = rank, .world = world, .host = host_name()};
}

// MPI counts in ints.
int count_of(size_t values) {
  if (values > INT_MAX) throw Error(ExitCode::kFailure, "A message between processes is too long for MPI.");
  return static_cast<int>(values);
}

// Ends this process when the others are silent for too long: no call of MPI returns after a link broke or a process was
// stopped.
class Watchdog {
 public:
  Watchdog(const Place& place, std::chrono::seconds patience);
  ~Watchdog() { stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void wait_at_most(std::chrono::seconds patience);
  void stop();

  // This process waits for others from its construction to its destruction.
  class Wait {
   public:
    explicit Wait(Watchdog& watchdog) : watchdog_(watchdog) { watchdog_.begin(); }
    ~Wait() { watchdog_.end(); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  using Clock = std::chrono::steady_clock;

  void begin();
  void end();
  void watch();

  const Place place_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::chrono::seconds patience_;
  bool is_waiting_ = false;
  Clock::duration waited_{};  // without what this process was stopped for
  bool stop_ = false;
  std::thread thread_;
};

Watchdog::Watchdog(const Place& place, std::chrono::seconds patience)
    : place_(place), patience_(patience), thread_([this] { watch(); }) {}

void Watchdog::wait_at_most(std::chrono::seconds patience) {
  const std::lock_guard lock(mutex_);
  patience_ = patience;
}

void Watchdog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Nobody is woken: the thread looks often enough.
void Watchdog::begin() {
  const std::lock_guard lock(mutex_);
  is_waiting_ = true;
  waited_ = {};
}

void Watchdog::end() {
  const std::lock_guard lock(mutex_);
  is_waiting_ = false;
}

void Watchdog::watch() {
  constexpr std::chrono::milliseconds kLook{200};
  std::unique_lock lock(mutex_);
  for (auto looked = Clock::now(); !stop_;) {
    changed_.wait_for(lock, kLook);
    const auto now = Clock::now();
    waited_ += std::min<Clock::duration>(now - looked, 2 * kLook);  // more: it was stopped, or got no core
    looked = now;
    if (stop_ || !is_waiting_ || waited_ < patience_) continue;
    std::fprintf(
        stderr,
        "error: process %d on %s has waited %d s for the others: another process of this run ended or cannot be "
        "reached; continue with --resume (distributed.timeout_seconds sets the patience)\n",
        static_cast<int>(place_.rank), place_.host.c_str(), static_cast<int>(patience_.count()));
    std::fflush(stderr);
    _exit(static_cast<int>(ExitCode::kPeerLost));  // without cleaning up: that would wait, too
  }
}

class MpiGroup final : public Group {
 public:
  explicit MpiGroup(bool serves_any_thread)
      : serves_any_thread_(serves_any_thread), place_(place_of_this_process()), watchdog_(place_, kPatience) {
    BN_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    const auto world = static_cast<size_t>(place_.world);
    requests_.resize(2 * world);
    terms_.resize(world);
    counts_.resize(world);
    offsets_.resize(world);
  }
  ~MpiGroup() override {
    watchdog_.stop();
    MPI_Finalize();
  }
  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;

  const Place& place() const override { return place_; }
  bool serves_any_thread() const override { return serves_any_thread_; }

  void sum(std::span<float> values) override { sum(values, Waiting::kSpins); }
  void sum_patiently(std::span<float> values) override { sum(values, Waiting::kSleeps); }

  void gather(std::span<const double> mine, std::span<double> all) override {
    const Watchdog::Wait wait(watchdog_);
    const int count = count_of(mine.size());
    BN_MPI(MPI_Allgather(mine.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, MPI_COMM_WORLD));
  }

  std::vector<std::string> gather(const std::string& mine) override {
    const Watchdog::Wait wait(watchdog_);
    const int length = count_of(mine.size());
    BN_MPI(MPI_Allgather(&length, 1, MPI_INT, counts_.data(), 1, MPI_INT, MPI_COMM_WORLD));
    std::exclusive_scan(counts_.begin(), counts_.end(), offsets_.begin(), 0);
    const auto total = std::accumulate(counts_.begin(), counts_.end(), size_t{0});
    std::string bytes(total, '\0');
    count_of(total);
    BN_MPI(MPI_Allgatherv(mine.data(), length, MPI_CHAR, bytes.data(), counts_.data(), offsets_.data(), MPI_CHAR,
                          MPI_COMM_WORLD));
    std::vector<std::string> all;
    for (size_t rank = 0; rank < counts_.size(); ++rank) {
      all.push_back(bytes.substr(static_cast<size_t>(offsets_[rank]), static_cast<size_t>(counts_[rank])));
    }
    return all;
  }

  void broadcast(std::span<std::byte> bytes) override {
    constexpr size_t kMost = size_t{1} << 28;
    const Watchdog::Wait wait(watchdog_);
    for (size_t begin = 0; begin < bytes.size(); begin += kMost) {
      const auto piece = bytes.subspan(begin, std::min(kMost, bytes.size() - begin));
      BN_MPI(MPI_Bcast(piece.data(), count_of(piece.size()), MPI_BYTE, 0, MPI_COMM_WORLD));
    }
  }

  void wait_at_most(std::chrono::seconds patience) override { watchdog_.wait_at_most(patience); }

  void watch(const std::function<void()>& wait) override {
    const Watchdog::Wait watched(watchdog_);
    wait();
  }

  void abort(ExitCode exit_code) override {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(exit_code));
    _exit(static_cast<int>(exit_code));
  }

 private:
  // While it waits for others.
  enum class Waiting { kSpins, kSleeps };

  void sum(std::span<float> values, Waiting waiting) {
    const auto world = static_cast<size_t>(place_.world);
    const size_t longest = std::min<size_t>(values.size(), kSlice);
    received_.resize(std::max(received_.size(), (longest + world - 1) / world * world));
    const Watchdog::Wait wait(watchdog_);
    for (size_t begin = 0; begin < values.size(); begin += kSlice) {
      sum_slice(values.subspan(begin, std::min<size_t>(kSlice, values.size() - begin)), waiting);
    }
  }

  // Process k owns the k-th of `world` chunks of the slice; the last ones may be shorter, or empty.
  void sum_slice(std::span<float> slice, Waiting waiting) {
    const auto world = static_cast<size_t>(place_.world), me = static_cast<size_t>(place_.rank);
    const size_t chunk = (slice.size() + world - 1) / world;
    for (size_t k = 0; k < world; ++k) {
      const size_t begin = std::min(slice.size(), k * chunk), end = std::min(slice.size(), begin + chunk);
      offsets_[k] = static_cast<int>(begin);
      counts_[k] = static_cast<int>(end - begin);
      terms_[k] = k == me ? slice.data() + begin : received_.data() + k * chunk;
    }
    int requests = 0;
    for (size_t k = 0; k < world; ++k) {
      if (k == me || counts_[me] == 0) continue;
      BN_MPI(MPI_Irecv(terms_[k], counts_[me], MPI_FLOAT, static_cast<int>(k), 0, MPI_COMM_WORLD,
                       &requests_[static_cast<size_t>(requests++)]));
    }
    for (size_t k = 0; k < world; ++k) {
      if (k == me || counts_[k] == 0) continue;
      BN_MPI(MPI_Isend(slice.data() + offsets_[k], counts_[k], MPI_FLOAT, static_cast<int>(k), 0, MPI_COMM_WORLD,
                       &requests_[static_cast<size_t>(requests++)]));
    }
    wait_for(requests, waiting);
    add_by_tree(terms_, counts_[me]);
    if (me != 0) std::copy_n(terms_[0], counts_[me], slice.data() + offsets_[me]);
    BN_MPI(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, slice.data(), counts_.data(), offsets_.data(), MPI_FLOAT,
                           MPI_COMM_WORLD, requests_.data()));
    wait_for(1, waiting);
  }

  // MPI's own waiting keeps a core busy.
  void wait_for(int requests, Waiting waiting) {
    if (waiting == Waiting::kSpins) {
      BN_MPI(MPI_Waitall(requests, requests_.data(), MPI_STATUSES_IGNORE));
      return;
    }
    for (;;) {
      int done = 0;
      BN_MPI(MPI_Testall(requests, requests_.data(), &done, MPI_STATUSES_IGNORE));
      if (done != 0) return;
      std::this_thread::sleep_for(kNap);
    }
  }

  bool serves_any_thread_;
  Place place_;
  Watchdog watchdog_;
  std::vector<MPI_Request> requests_;
  std::vector<float*> terms_;
  std::vector<int> counts_, offsets_;  // scratch of one call
  std::vector<float> received_;
};

}  // namespace
}  // namespace bn::mpi

extern "C" bn::Group* bn_open_mpi_group() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  auto group = std::make_unique<bn::mpi::MpiGroup>(provided >= MPI_THREAD_SERIALIZED);
  return group.release();
}
