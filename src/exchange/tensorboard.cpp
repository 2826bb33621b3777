// Each record of the log becomes one event. A wall time is the start of the run plus the seconds that it has trained,
// so TensorBoard's relative time is the time of training, over resumes too.
#include "bn/exchange.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "bn/error.hpp"
#include "exchange/event_framing.hpp"
#include "exchange/tensorboard.pb.h"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using tensorboard::Event;
using tensorboard::HParamsPluginData;
using tensorboard::Summary;

struct Scalar {
  const char* tag;
  std::optional<double> LogRecord::*value;
};
constexpr Scalar kScalars[] = {
    {"loss/train", &LogRecord::loss},
    {"loss/validation", &LogRecord::validation_loss},
    {"top1/train", &LogRecord::train_top1},
    {"top1/validation", &LogRecord::validation_top1},
    {"top5/train", &LogRecord::train_top5},
    {"top5/validation", &LogRecord::validation_top5},
    {"learning_rate", &LogRecord::learning_rate},
    {"speed/images_per_second", &LogRecord::images_per_second},
    {"speed/data_wait_share", &LogRecord::data_wait_share},
    {"speed/communication_share", &LogRecord::communication_share},
};

void add_scalar(Summary& summary, const std::string& tag, double value) {
  Summary::Value& added = *summary.add_value();
  added.set_tag(tag);
  added.set_simple_value(static_cast<float>(value));
}

// Three percentiles of a probe's values are known. The histogram has the middle 70 % in two buckets, and counts the
// others at the 15th and at the 85th percentile: buckets without a width.
void add_percentiles(Summary& summary, const std::vector<double>& percentiles) {
  constexpr const char* kTags[] = {"probe/percentile_15", "probe/percentile_50", "probe/percentile_85"};
  constexpr double kPercent[] = {15, 35, 35, 15};
  if (percentiles.size() != std::size(kTags)) return;
  for (size_t i = 0; i < std::size(kTags); ++i) add_scalar(summary, kTags[i], percentiles[i]);
  if (!std::ranges::all_of(percentiles, [](double value) { return std::isfinite(value); })) return;
  Summary::Value& value = *summary.add_value();
  value.set_tag("probe");
  tensorboard::HistogramProto& histogram = *value.mutable_histo();
  histogram.set_min(percentiles.front());
  histogram.set_max(percentiles.back());
  double num = 0, sum = 0, sum_squares = 0, left = percentiles.front();
  for (size_t i = 0; i < std::size(kPercent); ++i) {
    const double right = percentiles[std::min(i, percentiles.size() - 1)], middle = (left + right) / 2;
    histogram.add_bucket_limit(right);
    histogram.add_bucket(kPercent[i]);
    num += kPercent[i];
    sum += kPercent[i] * middle;
    sum_squares += kPercent[i] * middle * middle;
    left = right;
  }
  histogram.set_num(num);
  histogram.set_sum(sum);
  histogram.set_sum_squares(sum_squares);
}

// The hparams plugin reads its messages from the metadata of a value; the value itself is an empty tensor.
void add_hparams(Summary& summary, const char* tag, const HParamsPluginData& data) {
  Summary::Value& value = *summary.add_value();
  value.set_tag(tag);
  tensorboard::SummaryMetadata::PluginData& plugin = *value.mutable_metadata()->mutable_plugin_data();
  plugin.set_plugin_name("hparams");
  data.SerializeToString(plugin.mutable_content());
  value.mutable_tensor()->set_dtype(tensorboard::TensorProto::DT_FLOAT);
  value.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(0);
}

void set_hyperparameter(tensorboard::SessionStartInfo::Value& value, const std::string& text) {
  if (const std::optional<double> number = number_in<double>(text)) {
    value.set_number_value(*number);
  } else if (text == "true" || text == "false") {
    value.set_bool_value(text == "true");
  } else {
    value.set_string_value(text);
  }
}

// A PNG file has its width and height, big-endian, at bytes 16 and 20.
void add_picture(Summary& summary, const TensorBoardPicture& picture) {
  constexpr size_t kWidth = 16, kHeight = 20;
  constexpr int kRgb = 3;
  const auto number_at = [&](size_t place) {
    uint32_t number = 0;
    for (size_t i = 0; i < sizeof(number); ++i) number = number << 8U | static_cast<uint8_t>(picture.png.at(place + i));
    return static_cast<int>(number);
  };
  Summary::Value& value = *summary.add_value();
  value.set_tag(picture.tag);
  value.mutable_image()->set_width(number_at(kWidth));
  value.mutable_image()->set_height(number_at(kHeight));
  value.mutable_image()->set_colorspace(kRgb);
  value.mutable_image()->set_encoded_image_string(picture.png);
}

bool is_same(const LogRecord& a, const LogRecord& b) {
  return a.event == b.event && a.step == b.step && a.seconds == b.seconds;
}

// The first one is the start; each later one makes TensorBoard forget this step and those behind it.
Event session_at(int64_t step, double wall_time) {
  Event event;
  event.set_step(step);
  event.set_wall_time(wall_time);
  event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  return event;
}

// The log's record, if TensorBoard shows something of it.
std::optional<Event> event_of(const LogRecord& record, double start) {
  Event event;
  event.set_step(record.step);
  event.set_wall_time(start + record.seconds.value_or(0));
  Summary& summary = *event.mutable_summary();
  for (const Scalar& scalar : kScalars) {
    if (record.*scalar.value) add_scalar(summary, scalar.tag, *(record.*scalar.value));
  }
  add_percentiles(summary, record.percentiles);
  // TensorBoard shows the first of several ends, so one that a resume can undo does not count.
  const bool has_diverged = record.event == "diverged";
  if (record.event == "end" || has_diverged) {
    HParamsPluginData data;
    data.mutable_session_end_info()->set_status(has_diverged ? tensorboard::SessionEndInfo::STATUS_FAILURE
                                                             : tensorboard::SessionEndInfo::STATUS_SUCCESS);
    data.mutable_session_end_info()->set_end_time_secs(event.wall_time());
    add_hparams(summary, "_hparams_/session_end_info", data);
  }
  if (summary.value_size() == 0) return std::nullopt;
  return event;
}

}  // namespace

TensorBoardFile::TensorBoardFile(const std::string& folder, const TensorBoardRun& run)
    : path_(folder + "/events.out.tfevents.bninception"), start_(run.start) {
  Event version;
  version.set_wall_time(start_);
  version.set_file_version("brain.Event:2");
  add(version.SerializeAsString());
  add(session_at(0, start_).SerializeAsString());
  HParamsPluginData data;
  data.mutable_session_start_info()->set_start_time_secs(start_);
  for (const auto& [key, value] : run.hyperparameters) {
    set_hyperparameter((*data.mutable_session_start_info()->mutable_hparams())[key], value);
  }
  Event begin;
  begin.set_wall_time(start_);
  add_hparams(*begin.mutable_summary(), "_hparams_/session_start_info", data);
  add(begin.SerializeAsString());
  for (const TensorBoardPicture& picture : run.pictures) {
    Event event;
    event.set_wall_time(start_);
    event.set_step(picture.step);
    add_picture(*event.mutable_summary(), picture);
    add(event.SerializeAsString());
  }
}

void TensorBoardFile::update(const std::vector<LogRecord>& log) {
  const auto [kept, added] = std::mismatch(log_.begin(), log_.end(), log.begin(), log.end(), is_same);
  if (kept != log_.end()) {
    const int64_t step = kept == log_.begin() ? 0 : std::prev(kept)->step + 1;
    add(session_at(step, start_).SerializeAsString());
  }
  for (auto record = added; record != log.end(); ++record) {
    if (const std::optional<Event> event = event_of(*record, start_)) add(event->SerializeAsString());
  }
  write_pending();
  log_ = log;
}

void TensorBoardFile::add(const std::string& event) {
  pending_ += exchange::framed(event);
  ++events_;
}

void TensorBoardFile::write_pending() {
  if (!is_begun_) {
    create_folder(std::filesystem::path(path_).parent_path().string());
    write_file(path_, pending_);
    is_begun_ = true;
  } else if (!pending_.empty()) {
    const FileDescriptor file(open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!file) throw StorageError(fmt::format("cannot write '{}': {}", path_, errno_text(errno)));
    for (std::string_view rest = pending_; !rest.empty();) {
      const ssize_t count = write(file.get(), rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw StorageError(fmt::format("cannot write '{}': {}", path_, errno_text(errno)));
      rest.remove_prefix(static_cast<size_t>(count));
    }
  }
  pending_.clear();
}

}  // namespace bn
