#include "bn/group.hpp"

#include <gtest/gtest.h>

#include <array>

#include "bn/rng.hpp"
#include "support/error_message.hpp"
#include "support/thread_group.hpp"

namespace bn {
namespace {

using test::error_message;
using test::ThreadGroup;

std::vector<float> values_of_part(int64_t part) {
  RandomStream random(3, static_cast<uint64_t>(part));
  std::vector<float> values(1003);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

// The sum over eight parts by this many processes: each adds its own parts by the tree, the group the processes' sums.
std::vector<float> sum_over_processes(int64_t processes) {
  std::vector<float> sum;
  ThreadGroup(processes).run([&](Group& group) {
    const OwnParts own = own_parts(8, group.place());
    std::vector<std::vector<float>> parts;
    std::vector<float*> terms;
    for (int64_t i = 0; i < own.count; ++i) parts.push_back(values_of_part(own.first + i));
    for (std::vector<float>& part : parts) terms.push_back(part.data());
    add_by_tree(terms, static_cast<int64_t>(parts[0].size()));
    group.sum(parts[0]);
    if (group.is_first()) sum = parts[0];
  });
  return sum;
}

TEST(Sum, HasTheSameBitsForEveryNumberOfProcesses) {
  const std::vector<float> one = sum_over_processes(1);
  std::vector<float> in_order(one.size(), 0.0F);
  for (int64_t part = 0; part < 8; ++part) {
    const std::vector<float> values = values_of_part(part);
    for (size_t i = 0; i < in_order.size(); ++i) in_order[i] += values[i];
  }
  EXPECT_NE(one, in_order) << "these values cannot tell one order from another";
  for (const int64_t processes : {2, 4, 8}) EXPECT_EQ(sum_over_processes(processes), one) << processes;
}

TEST(Gather, HasTheValuesByRank) {
  ThreadGroup(3).run([](Group& group) {
    const auto rank = static_cast<double>(group.place().rank);
    const std::array<double, 2> mine{rank, 10 * rank};
    std::array<double, 6> all{};
    group.gather(mine, all);
    EXPECT_EQ(all, (std::array<double, 6>{0, 0, 1, 10, 2, 20}));
    EXPECT_EQ(group.gather(std::string(static_cast<size_t>(group.place().rank), 'x')),
              (std::vector<std::string>{"", "x", "xx"}));
  });
}

TEST(Together, AllThrowTheFirstError) {
  ThreadGroup(4).run([](Group& group) {
    const std::string message = error_message<AgreedError>([&] {
      together(group, [&] {
        if (group.place().rank >= 2) throw DataError("the image is damaged");
      });
    });
    EXPECT_EQ(message, "process 2 on host2: the image is damaged");
  });
}

TEST(Together, KeepsTheExitCode) {
  ThreadGroup(2).run([](Group& group) {
    try {
      in_first(group, [] { throw StorageError("the disk is full"); });
      ADD_FAILURE();
    } catch (const AgreedError& error) {
      EXPECT_EQ(error.exit_code(), ExitCode::kStorage);
      EXPECT_STREQ(error.what(), "the disk is full");
    }
  });
}

TEST(Together, AProcessAloneKeepsItsError) {
  EXPECT_EQ(error_message<DataError>([] { together(*alone(), [] { throw DataError("as it was"); }); }), "as it was");
}

TEST(Agreement, NamesTheValueAndTheHost) {
  ThreadGroup(2).run([](Group& group) {
    const std::string message = error_message<AgreedError>([&] {
      expect_agreement(group, {{.name = "the version", .value = "1"},
                               {.name = "train.seed", .value = group.is_first() ? "5" : "6"}});
    });
    EXPECT_EQ(message,
              "the processes must agree on train.seed, but process 0 on host0 has 5, and process 1 on host1 has 6");
  });
}

TEST(OwnParts, AreDividedInOrder) {
  const OwnParts second = own_parts(8, {.rank = 1, .world = 4});
  EXPECT_EQ(second.first, 2);
  EXPECT_EQ(second.count, 2);
  EXPECT_EQ(error_message<ConfigError>([] { own_parts(6, {}); }),
            "train.parts is 6, expected a power of two: 1, 2, 4, ...");
  EXPECT_EQ(
      error_message<ConfigError>([] { own_parts(4, {.rank = 0, .world = 3}); }),
      "3 processes cannot share train.parts: 4; start 1, 2 or 4, or set train.parts to a multiple of the processes, "
      "a power of two, which is another experiment: parts x batch images a step");
}

}  // namespace
}  // namespace bn
