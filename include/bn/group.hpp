// The processes that train one network together. Knows no network and no device.
//
// The images of a step are divided into parts, which define the experiment: each part has its own batch, statistics and
// loss. The processes share the parts, so that their number decides how long a step takes and not what it computes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bn/error.hpp"

namespace bn {

struct Place {
  int64_t rank = 0, world = 1;
  std::string host{};
};

// Every function but place(), wait_at_most(), watch() and abort() must be called by all processes in the same order,
// with equal sizes where not said otherwise. Memory is the host's.
class Group {
 public:
  virtual ~Group() = default;
  virtual const Place& place() const = 0;
  bool is_first() const { return place().rank == 0; }
  bool is_alone() const { return place().world == 1; }

  // Replaces the values of each process by the sum over all, added pairwise by one fixed tree over the ranks: the same
  // bits in every process. The world is a power of two. Allocates nothing once it was called with as many values.
  virtual void sum(std::span<float> values) = 0;
  // Whether any thread may call, one at a time; else only the one that opened the group.
  virtual bool serves_any_thread() const { return true; }
  // The same sum, by a thread that sleeps while it waits for the others, and so leaves its core to those that compute.
  virtual void sum_patiently(std::span<float> values) { sum(values); }
  // all[rank * mine.size() + i] = mine[i] of that process. Allocates nothing.
  virtual void gather(std::span<const double> mine, std::span<double> all) = 0;
  // Every process's bytes, by rank; their lengths may differ.
  virtual std::vector<std::string> gather(const std::string& mine) = 0;
  // The bytes of rank 0 replace those of the others.
  virtual void broadcast(std::span<std::byte> bytes) = 0;

  // How long a call waits for the other processes; then this process ends with ExitCode::kPeerLost.
  virtual void wait_at_most(std::chrono::seconds patience) = 0;
  // Runs wait(), a call of another library that waits for the other processes, under the same limit.
  virtual void watch(const std::function<void()>& wait) = 0;
  // Ends all processes at once, as far as they can be reached.
  [[noreturn]] virtual void abort(ExitCode exit_code) = 0;
};

// A process that trains by itself: every function is trivial.
std::unique_ptr<Group> alone();

// The processes that a launcher (mpirun, srun) started together with this one, over MPI; alone() where there is no
// launcher, or where it started this process alone. Throws UnsupportedError when this program was built without MPI.
std::unique_ptr<Group> open_group();

// All processes must call it.
bool is_on_one_host(Group& group);

// An error that every process of the group throws. Its message names the process that had it, unless it is the first.
struct AgreedError : Error {
  using Error::Error;
};

// Runs work() in every process. Where it throws in one, all of them throw the first such process's error as an
// AgreedError; where it throws an AgreedError, that one is all processes' already. A process alone throws what work()
// throws.
void together(Group& group, const std::function<void()>& work);
// Likewise, but only the first process works.
void in_first(Group& group, const std::function<void()>& work);

// A value that must be equal in all processes has a name that a user understands.
struct Agreement {
  std::string name{};
  std::string value{};
  ExitCode exit_code = ExitCode::kConfig;  // the program's when the values differ
};
// Throws an AgreedError that names the first value of which another process has a different one, and its host.
void expect_agreement(Group& group, const std::vector<Agreement>& values);

// The parts that this process computes: [first, first + count).
struct OwnParts {
  int64_t first = 0, count = 1;
};
// Throws ConfigError unless parts and the number of processes are powers of two and the processes divide the parts.
OwnParts own_parts(int64_t parts, const Place& place);

}  // namespace bn
