// Which buffers a plan has, from when to when each is needed, and where it lies: those whose lifetimes do not meet
// share memory. Time counts the steps: forward, then backward.
#pragma once

#include <vector>

#include "plan/graph.hpp"

namespace bn {

constexpr int64_t kBufferAlignment = 64;  // bytes; a cache line

struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;  // times, both inclusive
  int64_t offset = 0;       // set by assign_offsets()
};

struct Lifetimes {
  std::vector<Lifetime> buffers;
  // Indices into buffers; -1: none.
  std::vector<int> value;                  // per value
  std::vector<std::vector<int>> gradient;  // per value, per partial; [0] becomes the sum
  std::vector<int> saved;                  // per node: what its forward leaves to its backward
};

// Per node, the time of its backward; -1: it has none.
std::vector<int> backward_times(const Graph& graph, const BackwardSchedule& schedule);

// backward_time, as above, and saved_bytes are per node. Training alone has gradients and what is saved.
Lifetimes lifetimes_of(const Graph& graph, const BackwardSchedule& schedule, const std::vector<int>& backward_time,
                       const std::vector<int64_t>& saved_bytes, const PlanOptions& options);

// Gives every buffer an offset such that no two that live at the same time overlap; returns the arena's size. Nothing
// else computes an offset.
int64_t assign_offsets(std::vector<Lifetime>& buffers);

}  // namespace bn
