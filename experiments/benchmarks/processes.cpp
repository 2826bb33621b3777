// The exchange of a step's gradients between processes, as training makes it, against MPI's own all-reduce. Started by
// mpirun; the first process prints lines of "NAME VALUE", times in milliseconds. For processes.sh.
#include <fmt/format.h>
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <vector>

#include "benchmark.hpp"
#include "bn/error.hpp"
#include "bn/group.hpp"
#include "support/allocation_count.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

// All begin together, and the last one's end counts.
double seconds_of_all(const std::function<void()>& work) {
  MPI_Barrier(MPI_COMM_WORLD);
  const auto start = Clock::now();
  work();
  MPI_Barrier(MPI_COMM_WORLD);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// In turns, so that noise on the machine meets both.
void compare(Group& group, int64_t values, int64_t rounds) {
  std::vector<float> ordered(static_cast<size_t>(values), 1), library = ordered;
  const auto sum = [&] { group.sum(ordered); };
  const auto all_reduce = [&] {
    MPI_Allreduce(MPI_IN_PLACE, library.data(), static_cast<int>(values), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  };
  sum();
  all_reduce();
  std::vector<double> ours, theirs, quotients;
  for (int64_t round = 0; round < rounds; ++round) {
    ours.push_back(seconds_of_all(sum));
    theirs.push_back(seconds_of_all(all_reduce));
    quotients.push_back(ours.back() / theirs.back());
  }
  int64_t allocations = 0;
  {
    const test::AllocationCount count;
    sum();
    allocations = count.own();
  }
  if (!group.is_first()) return;
  fmt::print("processes {}\nbytes {}\n", group.place().world, 4 * values);
  fmt::print("ordered_ms {:.4g}\nall_reduce_ms {:.4g}\n", 1e3 * median(ours), 1e3 * median(theirs));
  fmt::print("ordered_least_ms {:.4g}\nall_reduce_least_ms {:.4g}\n", 1e3 * *std::min_element(ours.begin(), ours.end()),
             1e3 * *std::min_element(theirs.begin(), theirs.end()));
  fmt::print("quotient {:.4g}\nallocations {}\n", median(quotients), allocations);
}

int run(int argc, char** argv) {
  CLI::App app("The exchange between processes that mpirun started");
  int64_t values = 11'180'000, rounds = 21;  // the gradients of BN-Inception
  app.add_option("--values", values, "Floats to add");
  app.add_option("--rounds", rounds, "Rounds");
  CLI11_PARSE(app, argc, argv);
  const std::unique_ptr<Group> group = open_group();
  if (group->is_alone()) throw Error(ExitCode::kUsage, "start it with mpirun -n 2");
  compare(*group, values, rounds);
  return 0;
}

}  // namespace
}  // namespace bn

int main(int argc, char** argv) {
  try {
    return bn::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
