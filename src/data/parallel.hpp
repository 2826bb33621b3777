// Work over numbered items by a few threads, for the tools and for the preparations before training.
#pragma once

#include <cstdint>
#include <functional>

namespace bn {

using Work = std::function<void(int64_t item)>;

// Runs items 0..count-1, each once, in the calling thread and workers - 1 others. make_work is called once in each of
// them, so that a thread can keep things to itself. Rethrows the first error, after which no further item is begun.
void parallel_for(int64_t count, int64_t workers, const std::function<Work()>& make_work);

}  // namespace bn
