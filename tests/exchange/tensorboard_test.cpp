#include "bn/exchange.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "bn/error.hpp"
#include "exchange/event_framing.hpp"
#include "exchange/random_model.hpp"
#include "exchange/tensorboard.pb.h"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using tensorboard::Event;
using test::ProgramResult;
using test::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;

// The events of a file; each checksum is compared.
std::vector<Event> read_events(const std::string& path) {
  constexpr size_t kHead = 12, kTail = 4;
  const std::string bytes = test::read_bytes(path);
  std::vector<Event> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, &bytes.at(at), sizeof(length));
    const std::string event = bytes.substr(at + kHead, length);
    EXPECT_EQ(bytes.substr(at, kHead + length + kTail), exchange::framed(event));
    EXPECT_TRUE(events.emplace_back().ParseFromString(event));
    at += kHead + length + kTail;
  }
  return events;
}

// "step TAG=value" for each scalar, in the file's order.
std::vector<std::string> scalars_of(const std::vector<Event>& events) {
  std::vector<std::string> scalars;
  for (const Event& event : events) {
    for (const auto& value : event.summary().value()) {
      if (value.value_case() != tensorboard::Summary::Value::kSimpleValue) continue;
      scalars.push_back(fmt::format("{} {}={}", event.step(), value.tag(), value.simple_value()));
    }
  }
  return scalars;
}

const std::vector<LogRecord> kLog{
    {.event = "start", .step = 0, .seconds = 0.5, .message = "cpu"},
    {.event = "probe", .step = 0, .seconds = 0.5, .percentiles = {-1, 0, 2}},
    {.event = "train",
     .step = 10,
     .epoch = 1,
     .loss = 2.5,
     .learning_rate = 0.125,
     .images_per_second = 64,
     .train_top1 = 0.25,
     .seconds = 1.5},
    {.event = "evaluate", .step = 10, .epoch = 1, .validation_top1 = 0.5, .validation_loss = 2.25, .seconds = 2},
};
const LogRecord kNext{.event = "train", .step = 20, .epoch = 2, .loss = 2, .seconds = 3};
const LogRecord kEnd{.event = "end", .step = 20, .epoch = 2, .seconds = 4};

// The check value of CRC-32C, E3069283, masked as TensorFlow's record format says.
TEST(EventFraming, HasMaskedCrc32c) { EXPECT_EQ(exchange::masked_crc32c("123456789"), 0xC78AB0E5U); }

class TensorBoard : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string file_ = folder_ / "run/events.out.tfevents.bninception";
};

TEST_F(TensorBoard, HasWhatTheLogHas) {
  TensorBoardFile file(folder_ / "run", {.start = 1000});
  file.update(kLog);
  const std::vector<Event> events = read_events(file_);
  EXPECT_EQ(static_cast<int64_t>(events.size()), file.events());
  EXPECT_EQ(events.front().file_version(), "brain.Event:2");
  EXPECT_THAT(scalars_of(events),
              ElementsAre("0 probe/percentile_15=-1", "0 probe/percentile_50=0", "0 probe/percentile_85=2",
                          "10 loss/train=2.5", "10 top1/train=0.25", "10 learning_rate=0.125",
                          "10 speed/images_per_second=64", "10 loss/validation=2.25", "10 top1/validation=0.5"));
  EXPECT_EQ(events.back().wall_time(), 1002);
}

TEST_F(TensorBoard, AProbeIsAHistogram) {
  TensorBoardFile(folder_ / "run", {}).update({kLog.at(1)});
  const Event event = read_events(file_).back();
  const auto& value = event.summary().value(3);
  EXPECT_EQ(value.tag(), "probe");
  EXPECT_THAT(value.histo().bucket_limit(), ElementsAre(-1, 0, 2, 2));
  EXPECT_THAT(value.histo().bucket(), ElementsAre(15, 35, 35, 15));
  EXPECT_EQ(value.histo().num(), 100);
  EXPECT_EQ(value.histo().sum(), 15 * -1 + 35 * -0.5 + 35 * 1 + 15 * 2);
}

// A diverged run has such a probe, and its histogram could not be drawn.
TEST_F(TensorBoard, AProbeThatIsNotFiniteHasNoHistogram) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TensorBoardFile(folder_ / "run", {}).update({{.event = "probe", .percentiles = {0, 1, nan}}});
  EXPECT_EQ(read_events(file_).back().summary().value_size(), 3);
}

TEST_F(TensorBoard, HyperparametersAreNumbersTruthsOrTexts) {
  TensorBoardFile(folder_ / "run", {.hyperparameters = {{"a", "1e-3"}, {"b", "true"}, {"c", "[1, 2]"}}}).update({kEnd});
  const std::vector<Event> events = read_events(file_);
  ASSERT_EQ(events.size(), 4U);
  tensorboard::HParamsPluginData data;
  const auto& start = events.at(2).summary().value(0);
  EXPECT_EQ(start.tag(), "_hparams_/session_start_info");
  ASSERT_TRUE(data.ParseFromString(start.metadata().plugin_data().content()));
  const auto& hparams = data.session_start_info().hparams();
  EXPECT_EQ(hparams.at("a").number_value(), 1e-3);
  EXPECT_TRUE(hparams.at("b").bool_value());
  EXPECT_EQ(hparams.at("c").string_value(), "[1, 2]");
  ASSERT_TRUE(data.ParseFromString(events.at(3).summary().value(0).metadata().plugin_data().content()));
  EXPECT_EQ(data.session_end_info().status(), tensorboard::SessionEndInfo::STATUS_SUCCESS);
}

TEST_F(TensorBoard, AGrowingLogOnlyAdds) {
  std::vector<LogRecord> log = kLog;
  TensorBoardFile file(folder_ / "run", {});
  file.update(log);
  const std::string before = test::read_bytes(file_);
  log.push_back(kNext);
  file.update(log);
  EXPECT_TRUE(test::read_bytes(file_).starts_with(before));
  EXPECT_EQ(scalars_of(read_events(file_)).back(), "20 loss/train=2");
  const std::string after = test::read_bytes(file_);
  file.update(log);
  EXPECT_EQ(test::read_bytes(file_), after);
}

// The records that a resume drops lie behind its checkpoint: step 10 stays, 11 and more are forgotten.
TEST_F(TensorBoard, AResumedRunForgetsWhatItDropped) {
  std::vector<LogRecord> log = kLog;
  log.push_back(kNext);
  TensorBoardFile file(folder_ / "run", {});
  file.update(log);
  const size_t before = read_events(file_).size();
  log.back() = {.event = "train", .step = 15, .loss = 1, .seconds = 9};
  file.update(log);
  const std::vector<Event> events = read_events(file_);
  ASSERT_EQ(events.size(), before + 2);
  EXPECT_EQ(events.at(before).session_log().status(), tensorboard::SessionLog::START);
  EXPECT_EQ(events.at(before).step(), 11);
  EXPECT_EQ(scalars_of(events).back(), "15 loss/train=1");
}

TEST_F(TensorBoard, NamesWhatCannotBeWritten) {
  test::write_bytes(folder_ / "taken", "");
  TensorBoardFile file(folder_ / "taken/run", {});
  EXPECT_THAT(test::error_message<StorageError>([&] { file.update(kLog); }), HasSubstr(folder_ / "taken"));
  TensorBoardFile lost(folder_ / "run", {});
  lost.update(kLog);
  std::filesystem::remove_all(folder_ / "run");
  EXPECT_EQ(test::error_message<StorageError>([&] { lost.update({kEnd}); }),
            "cannot write '" + file_ + "': No such file or directory");
}

TEST_F(TensorBoard, ReadsEveryEvent) {
  BN_REQUIRE_PEERS();
  std::vector<LogRecord> log = kLog;
  log.push_back(kNext);
  // The first bytes of a PNG file of 3 x 2 pixels; TensorBoard passes it on to a browser as it is.
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02", 24);
  TensorBoardFile resumed(folder_ / "logs/resumed", {.hyperparameters = {{"train.batch", "32"}, {"device", "cpu"}},
                                                     .pictures = {{.tag = "filters", .step = 10, .png = png}}});
  resumed.update(log);
  log.back() = {.event = "train", .step = 15, .loss = 1, .seconds = 9};
  log.push_back({.event = "end", .step = 15, .seconds = 10});
  resumed.update(log);
  const ProgramResult result = test::run_peer("tensorboard_peer.py", {folder_ / "logs"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "resumed scalars learning_rate 10:0.125\n"
            "resumed scalars loss/train 10:2.5 15:1\n"
            "resumed scalars loss/validation 10:2.25\n"
            "resumed scalars probe/percentile_15 0:-1\n"
            "resumed scalars probe/percentile_50 0:0\n"
            "resumed scalars probe/percentile_85 0:2\n"
            "resumed scalars speed/images_per_second 10:64\n"
            "resumed scalars top1/train 10:0.25\n"
            "resumed scalars top1/validation 10:0.5\n"
            "resumed histograms probe 0:[-1 -1 15] [-1 0 35] [0 2 35] [2 2 15]\n"
            "resumed images filters 10:3x2\n"
            "resumed hparams device=cpu train.batch=32 STATUS_SUCCESS\n");
}

// 20,000 events, as of a long run.
TEST_F(TensorBoard, ReadsEveryEventOfALongRun) {
  BN_REQUIRE_PEERS();
  constexpr int64_t kEvents = 20000;
  std::vector<LogRecord> log;
  for (int64_t step = 1; step <= kEvents; ++step) log.push_back({.event = "train", .step = step, .loss = 1});
  TensorBoardFile(folder_ / "logs/long", {}).update(log);
  const ProgramResult result = test::run_peer("tensorboard_peer.py", {folder_ / "logs", "--count"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("long scalars loss/train 20000 points\n"));
}

}  // namespace
}  // namespace bn
