#include "commands/evaluation_page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/pictures.hpp"
#include "commands/first_filters.hpp"
#include "core/files.hpp"

namespace bn {
namespace {

constexpr size_t kMistakes = 24;

// The wrong answer that gave the right class less is the worse one.
bool is_worse(const Prediction& a, const Prediction& b) { return a.label_probability < b.label_probability; }

std::string class_name(const EvaluationReport& report, size_t index) {
  return index < report.class_names.size() ? report.class_names[index] : fmt::format("{}", index);
}

}  // namespace

EvaluationPageMaker::EvaluationPageMaker(std::string folder, const Dataset& images, const DataOptions& data)
    : folder_(std::move(folder)), images_(images), data_(data) {
  create_folder(folder_ + "/images");
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
  EvaluationPage page{
      .title = fmt::format("top-1 {:.2f} % of {} images", 100 * result.top1, result.images),
      .subtitle = fmt::format("{}, step {}; top-5 {:.2f} %, loss {:.4f}, {} crop{} of each image",
                              report.members.front().checkpoint, report.members.front().step, 100 * result.top5,
                              result.loss, report.crops, report.crops == 1 ? "" : "s"),
      .answers = answers_};
  const std::string filters = "images/filters.png";
  if (draw_first_filters(model, folder_ + "/" + filters)) page.filters = filters;
  if (report.members.size() > 1) page.subtitle += fmt::format("; {} networks together", report.members.size());
  for (size_t c = 0; c < result.classes.size(); ++c) {
    page.classes.push_back(
        {.name = class_name(report, c), .images = result.classes[c].images, .right = result.classes[c].right});
  }
  std::sort_heap(worst_.begin(), worst_.end(), is_worse);
  for (const Prediction& prediction : worst_) page.mistakes.push_back(show(prediction, page.mistakes.size(), report));
  write_evaluation_page(page, folder_);
}

EvaluationPage::Mistake EvaluationPageMaker::show(const Prediction& prediction, size_t number,
                                                  const EvaluationReport& report) const {
  constexpr int64_t kSide = 192;
  constexpr size_t kAnswers = 3;
  EvaluationPage::Mistake mistake{.picture = fmt::format("images/mistake{:02}.png", number + 1),
                                  .image = images_.name_in_set(prediction.image),
                                  .label = class_name(report, static_cast<size_t>(prediction.label)),
                                  .label_probability = prediction.label_probability};
  for (size_t i = 0; i < std::min(kAnswers, prediction.classes.size()); ++i) {
    mistake.answers.push_back(fmt::format("{} {:.1f} %", class_name(report, static_cast<size_t>(prediction.classes[i])),
                                          100 * prediction.probabilities[i]));
  }
  draw_thumbnail(images_, prediction.image, data_, kSide, folder_ + "/" + mistake.picture);
  return mistake;
}

}  // namespace bn
