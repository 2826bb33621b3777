#include "commands/evaluation_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "bn/pictures.hpp"
#include "system/outputs.hpp"
#include "system/text.hpp"

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

Json to_json(const std::optional<bool>& known) { return known ? Json(*known) : Json(nullptr); }

std::string in_percent(const ErrorRate& error) {
  return fmt::format("{:.2f} % [{:.2f}, {:.2f}]", 100 * error.value, 100 * error.interval.low,
                     100 * error.interval.high);
}

void print_json(const EvaluationReport& report) {
  const EvaluationResult& result = report.result;
  Json members = Json::array(), classes = Json::array();
  for (const auto& member : report.members) {
    members.push_back({{"checkpoint", member.checkpoint},
                       {"step", member.step},
                       {"statistics", member.statistics},
                       {"same_images", to_json(member.are_own_images)}});
  }
  for (size_t i = 0; i < result.classes.size(); ++i) {
    const ClassScore& score = result.classes[i];
    classes.push_back({{"class", class_name(report.class_names, static_cast<int64_t>(i))},
                       {"images", score.images},
                       {"right", score.right}});
  }
  const Json object{{"checkpoint", report.members.front().checkpoint},
                    {"step", report.members.front().step},
                    {"statistics", report.members.front().statistics},
                    {"same_images", to_json(report.members.front().are_own_images)},
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
  print(json_text(object) + "\n");
}

std::string describe_members(const EvaluationReport& report) {
  if (report.members.size() > 1) return fmt::format("{} networks", report.members.size());
  return fmt::format("{}, step {}", report.members.front().checkpoint, report.members.front().step);
}

// Names each kind of statistics once, in the order of the members: "moving", or "moving, population(100)".
std::string describe_statistics(const EvaluationReport& report) {
  std::vector<std::string> kinds;
  for (const auto& member : report.members) {
    if (std::ranges::find(kinds, member.statistics) == kinds.end()) kinds.push_back(member.statistics);
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
    text += fmt::format("{:<20} ", class_name(report.class_names, static_cast<int64_t>(i)));
    text += score.images == 0
                ? "no image\n"
                : fmt::format("{:>5} of {:>5} right, {:.1f} %\n", score.right, score.images,
                              100.0 * static_cast<double>(score.right) / static_cast<double>(score.images));
  }
  print(text);
}

constexpr const char* kCsvHeading =
    "image,label,rank,label_probability,class1,probability1,class2,probability2,class3,probability3,class4,"
    "probability4,class5,probability5\n";

// The file that is there before is replaced when it is one of these.
AtomicFile open_prediction_file(const std::string& path) {
  expect_replaceable("--csv", path, {},
                     [](const std::string& beginning) { return beginning.starts_with(kCsvHeading); });
  return AtomicFile(path);
}

constexpr size_t kMistakes = 24;
constexpr const char *kGenerator = "bninception evaluate", *kFilters = "images/filters.png";

std::string mistake_picture(size_t number) { return fmt::format("images/mistake{:02}.png", number + 1); }

// The wrong answer that gave the right class less is the worse one.
bool is_worse(const Prediction& a, const Prediction& b) { return a.label_probability < b.label_probability; }

}  // namespace

std::string class_name(const std::vector<std::string>& names, int64_t index) {
  const auto place = static_cast<size_t>(index);
  return place < names.size() ? names[place] : fmt::to_string(index);
}

void print_report(const EvaluationReport& report, const ReportStyle& style) {
  style.json ? print_json(report) : print_text(report, style);
}

PredictionFile::PredictionFile(const std::string& path, const Dataset& images)
    : images_(images), file_(open_prediction_file(path)) {
  file_.append(kCsvHeading);
}

void PredictionFile::write(const Prediction& prediction) {
  const auto name = [&](int32_t index) { return csv_field(class_name(images_.class_names(), index)); };
  std::string line = fmt::format("{},{},{},{:.6g}", csv_field(images_.name_in_set(prediction.image)),
                                 name(prediction.label), prediction.rank, prediction.label_probability);
  for (size_t i = 0; i < 5; ++i) {
    const bool is_there = i < prediction.classes.size();
    line += is_there ? fmt::format(",{},{:.6g}", name(prediction.classes[i]), prediction.probabilities[i]) : ",,";
  }
  file_.append(line + "\n");
}

void PredictionFile::close() { file_.commit(); }

EvaluationPageMaker::EvaluationPageMaker(std::string folder, const Dataset& images, const DataOptions& data)
    : folder_(std::move(folder)), images_(images), data_(data) {
  std::vector<std::string> files{"index.html", kFilters};
  for (size_t number = 0; number < kMistakes; ++number) files.push_back(mistake_picture(number));
  const FileDescriptor turn = take_turn(folder_);
  expect_own_files("--page", folder_, files, {page_mark(kGenerator)});
  create_folder(folder_ + "/images");
  begin_page(folder_, kGenerator);
}

void EvaluationPageMaker::add(const Prediction& prediction) {
  ++answers_[{prediction.label, prediction.classes.front()}];
  if (prediction.classes.front() == prediction.label) return;
  worst_.push_back(prediction);
  std::push_heap(worst_.begin(), worst_.end(), is_worse);
  if (worst_.size() <= kMistakes) return;
  std::pop_heap(worst_.begin(), worst_.end(), is_worse);
  worst_.pop_back();
}

void EvaluationPageMaker::write(const EvaluationReport& report, const TrainedModel& model) {
  const EvaluationResult& result = report.result;
  const FileDescriptor turn = take_turn(folder_);  // from the first picture to the page that shows it
  EvaluationPage page{
      .title = fmt::format("top-1 {:.2f} % of {} images", 100 * result.top1, result.images),
      .subtitle = fmt::format("{}, step {}; top-5 {:.2f} %, loss {:.4f}, {} crop{} of each image",
                              report.members.front().checkpoint, report.members.front().step, 100 * result.top5,
                              result.loss, report.crops, report.crops == 1 ? "" : "s"),
      .answers = answers_};
  if (const std::optional<std::string> picture = picture_of_first_filters(model)) {
    write_file(fmt::format("{}/{}", folder_, kFilters), *picture);
    page.filters = kFilters;
  }
  if (report.members.size() > 1) page.subtitle += fmt::format("; {} networks together", report.members.size());
  for (size_t c = 0; c < result.classes.size(); ++c) {
    page.classes.push_back({.name = class_name(report.class_names, static_cast<int64_t>(c)),
                            .images = result.classes[c].images,
                            .right = result.classes[c].right});
  }
  std::sort_heap(worst_.begin(), worst_.end(), is_worse);
  for (const Prediction& prediction : worst_) page.mistakes.push_back(show(prediction, page.mistakes.size(), report));
  write_evaluation_page(page, folder_);
}

EvaluationPage::Mistake EvaluationPageMaker::show(const Prediction& prediction, size_t number,
                                                  const EvaluationReport& report) const {
  constexpr int64_t kSide = 192;
  constexpr size_t kAnswers = 3;
  EvaluationPage::Mistake mistake{.picture = mistake_picture(number),
                                  .image = images_.name_in_set(prediction.image),
                                  .label = class_name(report.class_names, prediction.label),
                                  .label_probability = prediction.label_probability};
  for (size_t i = 0; i < std::min(kAnswers, prediction.classes.size()); ++i) {
    mistake.answers.push_back(fmt::format("{} {:.1f} %", class_name(report.class_names, prediction.classes[i]),
                                          100 * prediction.probabilities[i]));
  }
  draw_thumbnail(images_, prediction.image, data_, kSide, folder_ + "/" + mistake.picture);
  return mistake;
}

EvaluationProgress::~EvaluationProgress() { line_.erase(); }

void EvaluationProgress::show(int64_t images, int64_t all) {
  if (images == 0 || !line_.is_due(1, 30)) return;
  const double rate = static_cast<double>(images) / seconds_since(start_);
  line_.show(fmt::format("{}/{} images  {:.{}f} images/s  {} left", images, all, rate, rate < 10 ? 1 : 0,
                         describe_duration(static_cast<double>(all - images) / rate)));
}

}  // namespace bn
