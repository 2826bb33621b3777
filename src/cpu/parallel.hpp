// How ops divide work among threads: fixed shares of a fixed list of tasks. What a task computes never depends on the
// number of threads, so neither does a result.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace bn::cpu {

// Below this many elements one thread is done before another has woken.
constexpr int64_t kParallelElements = 32768;

inline bool worth_threads(int64_t elements) { return elements >= kParallelElements; }

inline int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

struct Share {
  int64_t begin, end;
};

// The calling thread's contiguous share of `tasks`, inside a parallel region. The same in every region, so a second
// pass over the same tasks finds them in this thread's cache: last ones first.
inline Share share_of(int64_t tasks) {
  const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
  return {tasks * thread / threads, tasks * (thread + 1) / threads};
}

// Calls work(begin, end) with each thread's share of `tasks`, where it has one. They touch so many elements.
template <class Work>
void in_shares(int64_t tasks, int64_t elements, const Work& work) {
#pragma omp parallel if (worth_threads(elements))
  {
    const Share mine = share_of(tasks);
    if (mine.begin < mine.end) work(mine.begin, mine.end);
  }
}

// Calls work(first, count) with each thread's share of `count` elements, which is made of whole spans.
template <class Work>
void in_spans(int64_t count, int64_t span, int64_t elements, const Work& work) {
  in_shares(divide_up(count, span), elements,
            [&](int64_t begin, int64_t end) { work(begin * span, std::min(count, end * span) - begin * span); });
}

}  // namespace bn::cpu
