#include "run/log_tail.hpp"

#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

constexpr const char* kStart = R"({"event":"start","step":0,"epoch":0,"seconds":0.5})"
                               "\n";
constexpr const char* kStep10 = R"({"event":"train","step":10,"epoch":0.1,"loss":2,"seconds":1})"
                                "\n";
constexpr const char* kEvaluated20 = R"({"event":"evaluate","step":20,"epoch":0.2,"validation_top1":0.4,"seconds":3})"
                                     "\n";
constexpr const char* kEvaluated30 = R"({"event":"evaluate","step":30,"epoch":0.3,"validation_top1":0.3,"seconds":5})"
                                     "\n";

TEST(LogTail, FollowsAGrowingLog) {
  const TemporaryFolder folder;
  const std::string path = folder / "log.jsonl";
  LogTail tail(path);
  EXPECT_EQ(tail.update().last_event, "");
  write_bytes(path, std::string(kStart) + kStep10 + R"({"event":"train","st)");
  EXPECT_EQ(tail.update().last_event, "train");
  EXPECT_EQ(tail.update().step, 10);
  EXPECT_FALSE(tail.update().seconds_per_step.has_value());
  write_bytes(path, std::string(kStart) + kStep10 + kEvaluated20 + kEvaluated30);
  const RunProgress& progress = tail.update();
  EXPECT_EQ(progress.step, 30);
  EXPECT_DOUBLE_EQ(*progress.top1, 0.3);
  EXPECT_DOUBLE_EQ(*progress.best_top1, 0.4);
  EXPECT_DOUBLE_EQ(*progress.seconds_per_step, 0.2);
}

TEST(LogTail, AShorterLogIsReadAgain) {
  const TemporaryFolder folder;
  const std::string path = folder / "log.jsonl";
  write_bytes(path, std::string(kStart) + kStep10 + kEvaluated20);
  LogTail tail(path);
  EXPECT_EQ(tail.update().step, 20);
  write_bytes(path, std::string(kStart) + kStep10);
  EXPECT_EQ(tail.update().step, 10);
  EXPECT_FALSE(tail.update().top1.has_value());
}

TEST(LogTail, WhatIsNoRecordIsPassedOver) {
  const TemporaryFolder folder;
  write_bytes(folder / "log.jsonl", std::string(kStart) + "garbage\n[1]\n" + kEvaluated20);
  EXPECT_EQ(LogTail(folder / "log.jsonl").update().step, 20);
}

TEST(LogTail, ARecordWithAWrongTypeIsPassedOver) {
  const TemporaryFolder folder;
  for (const char* line : {R"({"event":"train","step":"30","epoch":0})", R"({"event":7,"step":30,"epoch":0})",
                           R"({"event":"train","step":1e300,"epoch":0})", R"({"event":"train","step":-30,"epoch":0})",
                           R"({"event":"train","step":30,"epoch":0,"seconds":"long"})",
                           R"({"event":"evaluate","step":30,"epoch":0,"validation_top1":[1]})"}) {
    write_bytes(folder / "log.jsonl", std::string(kStart) + kEvaluated20 + line + "\n");
    const RunProgress progress = LogTail(folder / "log.jsonl").update();
    EXPECT_EQ(progress.step, 20) << line;
    EXPECT_EQ(progress.last_event, "evaluate") << line;
  }
}

}  // namespace
}  // namespace bn::test
