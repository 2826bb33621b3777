#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "bn/run_log.hpp"
#include "support/child_process.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(RunLog, RoundTripsEveryField) {
  const TemporaryFolder folder;
  const LogRecord record{.event = "train",
                         .step = 12'345'678'901,
                         .epoch = 1.0 / 3.0,
                         .loss = 0.1 + 0.2,
                         .learning_rate = 4.9e-324,
                         .images_per_second = 1e300,
                         .data_wait_share = 0.0,
                         .communication_share = 0.25,
                         .train_top1 = 0.75,
                         .train_top5 = 1.0,
                         .validation_top1 = 0.5,
                         .validation_top5 = 0.875,
                         .validation_loss = 2.302585092994046,
                         .seconds = 3.5,
                         .percentiles = {-1.25, 0.0, 1.0 / 7.0},
                         .message = "a \"quoted\" line\nand another, π"};
  RunLog(folder / "log.jsonl", 0).write(record);
  const std::vector<LogRecord> records = read_log(folder / "log.jsonl");
  ASSERT_EQ(records.size(), 1U);
  const LogRecord& back = records[0];
  EXPECT_EQ(back.event, record.event);
  EXPECT_EQ(back.step, record.step);
  EXPECT_EQ(back.epoch, record.epoch);
  EXPECT_EQ(back.loss, record.loss);
  EXPECT_EQ(back.learning_rate, record.learning_rate);
  EXPECT_EQ(back.images_per_second, record.images_per_second);
  EXPECT_EQ(back.data_wait_share, record.data_wait_share);
  EXPECT_EQ(back.communication_share, record.communication_share);
  EXPECT_EQ(back.train_top1, record.train_top1);
  EXPECT_EQ(back.train_top5, record.train_top5);
  EXPECT_EQ(back.validation_top1, record.validation_top1);
  EXPECT_EQ(back.validation_top5, record.validation_top5);
  EXPECT_EQ(back.validation_loss, record.validation_loss);
  EXPECT_EQ(back.seconds, record.seconds);
  EXPECT_EQ(back.percentiles, record.percentiles);
  EXPECT_EQ(back.message, record.message);
}

TEST(RunLog, LeavesOutWhatIsAbsent) {
  const TemporaryFolder folder;
  RunLog(folder / "log.jsonl", 0).write({.event = "train", .step = 5, .epoch = 0.5, .loss = 2.25});
  EXPECT_EQ(read_bytes(folder / "log.jsonl"), R"({"event":"train","step":5,"epoch":0.5,"loss":2.25})"
                                              "\n");
  const LogRecord back = read_log(folder / "log.jsonl").at(0);
  EXPECT_EQ(back.learning_rate, std::nullopt);
  EXPECT_TRUE(back.percentiles.empty());
  EXPECT_EQ(back.message, "");
}

TEST(RunLog, NonFiniteNumbersAreStrings) {
  const TemporaryFolder folder;
  {
    RunLog log(folder / "log.jsonl", 0);
    log.write({.event = "diverged", .step = 5, .loss = std::nan("")});
    log.write({.event = "diverged", .step = 6, .loss = kInfinity, .percentiles = {-kInfinity, 0.0, std::nan("")}});
  }
  EXPECT_THAT(read_bytes(folder / "log.jsonl"), HasSubstr(R"("loss":"nan")"));
  EXPECT_THAT(read_bytes(folder / "log.jsonl"), HasSubstr(R"("loss":"inf","percentiles":["-inf",0.0,"nan"])"));
  const std::vector<LogRecord> records = read_log(folder / "log.jsonl");
  EXPECT_TRUE(std::isnan(records.at(0).loss.value()));
  EXPECT_EQ(records.at(1).loss, kInfinity);
  EXPECT_EQ(records.at(1).percentiles.at(0), -kInfinity);
  EXPECT_TRUE(std::isnan(records.at(1).percentiles.at(2)));
}

TEST(RunLog, MessageThatIsNotUtf8IsStillWritten) {
  const TemporaryFolder folder;
  RunLog(folder / "log.jsonl", 0).write({.event = "end", .message = "cannot read 'a\xff.jpg'"});
  EXPECT_EQ(read_log(folder / "log.jsonl").at(0).message, "cannot read 'a\xef\xbf\xbd.jpg'");
}

TEST(RunLog, ResumeDropsWhatTheCheckpointDoesNotKnow) {
  const TemporaryFolder folder;
  {
    RunLog log(folder / "log.jsonl", 0);
    for (const int64_t step : {0, 10, 20, 20, 30}) log.write({.event = "train", .step = step});
  }
  const std::string all = read_bytes(folder / "log.jsonl");
  {
    RunLog log(folder / "log.jsonl", 20);
    EXPECT_EQ(read_bytes(folder / "log.jsonl"), all.substr(0, all.rfind('{')));
    log.write({.event = "start", .step = 20});
  }
  std::vector<int64_t> steps;
  for (const LogRecord& record : read_log(folder / "log.jsonl")) steps.push_back(record.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{0, 10, 20, 20, 20}));
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"log.jsonl"});
}

TEST(RunLog, TornLastLineCostsItselfOnly) {
  const TemporaryFolder folder;
  {
    RunLog log(folder / "log.jsonl", 0);
    for (const int64_t step : {10, 20}) log.write({.event = "train", .step = step, .loss = 0.5});
  }
  const std::string all = read_bytes(folder / "log.jsonl");
  const std::string first = all.substr(0, all.find('\n') + 1);
  for (size_t length = first.size(); length < all.size(); length += 5) {
    write_bytes(folder / "log.jsonl", all.substr(0, length));
    ASSERT_EQ(read_log(folder / "log.jsonl").size(), 1U) << length;
    RunLog(folder / "log.jsonl", 20).write({.event = "train", .step = 20, .loss = 0.5});
    ASSERT_EQ(read_bytes(folder / "log.jsonl"), all) << length;
  }
}

TEST(RunLog, ALineThatIsNoRecordIsNamed) {
  const TemporaryFolder folder;
  const std::string good = R"({"event":"train","step":1,"epoch":0.5})";
  for (const std::string bad :
       {"{\"event\":\"tr", "[]", "7", "{\"event\":\"train\",\"step\":\"x\",\"epoch\":1}",
        "{\"event\":\"train\",\"step\":1,\"epoch\":\"much\"}", "", "{\"event\":\"train\",\"step\":-5,\"epoch\":1}",
        "{\"event\":\"train\",\"step\":5.5,\"epoch\":1}", "{\"event\":\"train\",\"step\":1e300,\"epoch\":1}",
        "{\"event\":\"train\",\"step\":9223372036854775808,\"epoch\":1}"}) {
    write_bytes(folder / "log.jsonl", fmt::format("{0}\n{1}\n{0}\n", good, bad));
    const std::string message = error_message<DataError>([&] { read_log(folder / "log.jsonl"); });
    EXPECT_TRUE(message.starts_with(folder.path() + "/log.jsonl:2: not a record of a run log: ")) << message;
    EXPECT_EQ(error_message<DataError>([&] { RunLog(folder / "log.jsonl", 9); }), message);
  }
}

TEST(RunLog, UnknownFieldsOfALaterVersionAreIgnored) {
  const TemporaryFolder folder;
  write_bytes(folder / "log.jsonl", R"({"event":"train","step":1,"epoch":0.5,"watts":[300]})"
                                    "\n");
  EXPECT_EQ(read_log(folder / "log.jsonl").at(0).step, 1);
}

TEST(RunLog, MissingAndUnwritable) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_message<DataError>([&] { read_log(folder / "log.jsonl"); }),
            "run log '" + folder.path() + "/log.jsonl' does not exist");
  EXPECT_EQ(error_message<StorageError>([&] { RunLog(folder / "none/log.jsonl", 0); }),
            "cannot write '" + folder.path() + "/none/log.jsonl': No such file or directory");
  EXPECT_EQ(error_message<StorageError>([&] { RunLog(folder.path(), 0); }),
            "cannot read '" + folder.path() + "': Is a directory");
}

TEST(RunLog, FullDisk) {
  const TemporaryFolder folder;
  RunLog(folder / "log.jsonl", 0).write({.event = "train", .step = 1});
  const size_t size = read_bytes(folder / "log.jsonl").size();
  const auto message_at = [&](size_t limit) {
    return result_in_child([&]() -> std::string {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit largest{limit, limit};
      if (setrlimit(RLIMIT_FSIZE, &largest) != 0) return "cannot limit";
      return error_message<StorageError>([&] { RunLog(folder / "log.jsonl", 1).write({.event = "train", .step = 2}); });
    });
  };
  const std::string expected = "cannot write '" + folder.path() + "/log.jsonl': File too large";
  EXPECT_EQ(message_at(size), expected);
  EXPECT_EQ(message_at(size + 10), expected);
  EXPECT_EQ(read_log(folder / "log.jsonl").size(), 1U);  // the torn line does not count
}

TEST(RunLog, WhatCouldNotBeWrittenFollowsLater) {
  const TemporaryFolder folder;
  const std::string steps = result_in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    RunLog log(folder / "log.jsonl", 0);
    const rlimit small{10, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    error_message<StorageError>([&] { log.write({.event = "train", .step = 1}); });
    error_message<StorageError>([&] { log.write({.event = "train", .step = 2}); });
    setrlimit(RLIMIT_FSIZE, &before);
    log.write({.event = "error", .step = 2});
    std::string all;
    for (const LogRecord& record : read_log(folder / "log.jsonl"))
      all += fmt::format("{} {} ", record.event, record.step);
    return all;
  });
  EXPECT_EQ(steps, "train 1 train 2 error 2 ");
}

}  // namespace
}  // namespace bn::test
