#include "commands/evaluation_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands/outputs.hpp"
#include "core/csv.hpp"

namespace bn {
namespace {

using Json = nlohmann::ordered_json;

// An error rate, from the share of images that were right.
struct ErrorRate {
  double value = 0;
  Interval interval{};
};

ErrorRate error_of(double right, int64_t images) {
  const auto wrong = static_cast<int64_t>(std::llround((1 - right) * static_cast<double>(images)));
  return {.value = 1 - right, .interval = wilson_interval(wrong, images)};
}

Json to_json(const ErrorRate& error) {
  return {{"value", error.value}, {"low", error.interval.low}, {"high", error.interval.high}};
}

std::string in_percent(const ErrorRate& error) {
  return fmt::format("{:.2f} % [{:.2f}, {:.2f}]", 100 * error.value, 100 * error.interval.low,
                     100 * error.interval.high);
}

std::string name_of_class(const EvaluationReport& report, size_t index) {
  return index < report.class_names.size() ? report.class_names[index] : fmt::format("{}", index);
}

void print_json(const EvaluationReport& report) {
  const EvaluationResult& result = report.result;
  Json members = Json::array(), classes = Json::array();
  for (const auto& member : report.members) {
    members.push_back({{"checkpoint", member.checkpoint}, {"step", member.step}, {"statistics", member.statistics}});
  }
  for (size_t i = 0; i < result.classes.size(); ++i) {
    const ClassScore& score = result.classes[i];
    classes.push_back({{"class", name_of_class(report, i)}, {"images", score.images}, {"right", score.right}});
  }
  const Json object{{"checkpoint", report.members.front().checkpoint},
                    {"step", report.members.front().step},
                    {"statistics", report.members.front().statistics},
                    {"members", members},
                    {"crops", report.crops},
                    {"images", result.images},
                    {"skipped", result.skipped},
                    {"skipped_names", result.skipped_names},
                    {"excluded", report.excluded},
                    {"left_out", report.left_out.count},
                    {"left_out_names", report.left_out.names},
                    {"loss", result.loss},
                    {"top1", result.top1},
                    {"top5", result.top5},
                    {"top1_error", to_json(error_of(result.top1, result.images))},
                    {"top5_error", to_json(error_of(result.top5, result.images))},
                    {"classes", classes},
                    {"seconds", result.seconds},
                    {"backend", report.backend}};
  std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

std::string describe_members(const EvaluationReport& report) {
  if (report.members.size() > 1) return fmt::format("{} networks", report.members.size());
  return fmt::format("{}, step {}", report.members.front().checkpoint, report.members.front().step);
}

// Names each kind of statistics once, in the order of the members: "moving", or "moving, population(100)".
std::string describe_statistics(const EvaluationReport& report) {
  std::vector<std::string> kinds;
  for (const auto& member : report.members) {
    if (std::find(kinds.begin(), kinds.end(), member.statistics) == kinds.end()) kinds.push_back(member.statistics);
  }
  return fmt::format("statistics of batch normalisation: {}\n", fmt::join(kinds, ", "));
}

std::string describe_skipped(const EvaluationResult& result) {
  if (result.skipped == 0) return "";
  const int64_t unnamed = result.skipped - static_cast<int64_t>(result.skipped_names.size());
  return fmt::format("skipped, as they cannot be read: {}{}\n", fmt::join(result.skipped_names, ", "),
                     unnamed > 0 ? fmt::format(" and {} more", unnamed) : "");
}

std::string describe_left_out(const LeftOut& left_out) {
  if (left_out.count == 0) return "";
  return fmt::format("left out, as {} no images of the set: {}\n", left_out.count == 1 ? "it is" : "they are",
                     left_out.list());
}

void print_text(const EvaluationReport& report, const ReportStyle& style) {
  const EvaluationResult& result = report.result;
  std::string text = describe_members(report);
  if (report.crops > 1) text += fmt::format(", {} crops", report.crops);
  text += fmt::format(": top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} over {} images ({} skipped", 100 * result.top1,
                      100 * result.top5, result.loss, result.images, result.skipped);
  if (report.excluded > 0) text += fmt::format(", {} excluded", report.excluded);
  text += fmt::format("), {:.0f} images/s\n", static_cast<double>(result.images) / result.seconds);
  text +=
      fmt::format("error with its 95 % interval: top-1 {}, top-5 {}\n",
                  in_percent(error_of(result.top1, result.images)), in_percent(error_of(result.top5, result.images)));
  text += describe_statistics(report) + describe_skipped(result) + describe_left_out(report.left_out);
  for (size_t i = 0; style.per_class && i < result.classes.size(); ++i) {
    const ClassScore& score = result.classes[i];
    if (score.images == 0) {
      text += fmt::format("{:<20} no image\n", name_of_class(report, i));
      continue;
    }
    text += fmt::format("{:<20} {:>5} of {:>5} right, {:.1f} %\n", name_of_class(report, i), score.right, score.images,
                        100.0 * static_cast<double>(score.right) / static_cast<double>(score.images));
  }
  std::printf("%s", text.c_str());
}

void append(AtomicFile& file, const std::string& text) { file.append(text.data(), static_cast<int64_t>(text.size())); }

// The file that is there before is replaced when it is one of these.
AtomicFile open_prediction_file(const std::string& path) {
  expect_replaceable("--csv", path, {}, [](const std::string& beginning) { return beginning.starts_with("image,"); });
  return AtomicFile(path);
}

}  // namespace

void print_report(const EvaluationReport& report, const ReportStyle& style) {
  style.json ? print_json(report) : print_text(report, style);
}

PredictionFile::PredictionFile(const std::string& path, const Dataset& images)
    : images_(images), file_(open_prediction_file(path)) {
  append(file_,
         "image,label,rank,label_probability,class1,probability1,class2,probability2,class3,probability3,class4,"
         "probability4,class5,probability5\n");
}

std::string PredictionFile::class_name(int32_t index) const {
  const auto& names = images_.class_names();
  return static_cast<size_t>(index) < names.size() ? names[static_cast<size_t>(index)] : fmt::format("{}", index);
}

void PredictionFile::write(const Prediction& prediction) {
  const std::string image = images_.name_in_set(prediction.image);
  std::string line = fmt::format("{},{},{},{:.6g}", csv_field(image), csv_field(class_name(prediction.label)),
                                 prediction.rank, prediction.label_probability);
  for (size_t i = 0; i < 5; ++i) {
    if (i < prediction.classes.size()) {
      line += fmt::format(",{},{:.6g}", csv_field(class_name(prediction.classes[i])), prediction.probabilities[i]);
    } else {
      line += ",,";
    }
  }
  append(file_, line + "\n");
}

void PredictionFile::close() { file_.commit(); }

}  // namespace bn
