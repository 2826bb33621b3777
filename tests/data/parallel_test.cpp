#include "data/parallel.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <stdexcept>

#include "support/child_process.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

TEST(ParallelFor, DoesEachItemOnce) {
  for (const int64_t workers : {1, 2, 7, 100}) {
    std::vector<std::atomic<int>> done(50);
    parallel_for(50, workers, [&] { return [&](int64_t item) { ++done[static_cast<size_t>(item)]; }; });
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(ParallelFor, RethrowsAnError) {
  const auto fail = [] {
    parallel_for(9, 3, [] {
      return [](int64_t item) {
        if (item == 4) throw std::runtime_error("item 4");
      };
    });
  };
  EXPECT_EQ(test::error_message<std::runtime_error>(fail), "item 4");
}

TEST(ParallelFor, MakesDoWithTheThreadsThereAre) {
  EXPECT_EQ(test::result_in_child([] {
              pthread_attr_t attributes;
              pthread_attr_init(&attributes);
              pthread_attr_setstacksize(&attributes, size_t{1} << 46);  // more than there is
              pthread_setattr_default_np(&attributes);
              std::atomic<int> done = 0;
              parallel_for(20, 8, [&] { return [&](int64_t) { ++done; }; });
              return std::to_string(done);
            }),
            "20");
}

}  // namespace
}  // namespace bn
