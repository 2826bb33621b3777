#include "commands/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bn/pictures.hpp"
#include "commands/outputs.hpp"
#include "core/csv.hpp"
#include "core/files.hpp"

namespace bn {

Answers::Answers(const AnswerOptions& options, const TrainedModel& model, const Dataset& images,
                 const DataOptions& data)
    : options_(options), model_(model), images_(images), data_(data), is_answered_(static_cast<size_t>(images.size())) {
  if (!options_.features.empty()) features_op_ = output_op_of_row(model.net, options_.features);
  if (options_.heat_maps.empty()) return;
  activation_.emplace(model.net);
  std::vector<std::string> photos;
  for (int64_t i = 0; i < images.size(); ++i) photos.push_back(images.name(i));
  expect_apart("--heatmap", options_.heat_maps, photos);
  create_folder(options_.heat_maps);
}

std::vector<std::string> Answers::kept() const {
  std::vector<std::string> ops;
  if (!features_op_.empty()) ops.push_back(features_op_);
  if (activation_) ops.push_back(activation_->features());
  return ops;
}

void Answers::begin(Backend& backend) {
  backend_ = &backend;
  if (activation_) activation_->read_weights(*model_.parameters, model_.plan->options().weights);
  if (options_.form != AnswerForm::kCsv) return;
  std::string heading = "image";
  if (!features_op_.empty()) {
    const int64_t features = model_.plan->output(features_op_).shape.c;
    for (int64_t i = 1; i <= features; ++i) heading += fmt::format(",feature{}", i);
  } else {
    for (int64_t i = 1; i <= std::min(options_.top, model_.net.classes()); ++i) {
      heading += fmt::format(",class{0},probability{0}", i);
    }
  }
  std::printf("%s\n", heading.c_str());
}

void Answers::print(const Prediction& prediction) {
  is_answered_[static_cast<size_t>(prediction.image)] = true;
  const std::string picture = activation_ ? draw(prediction) : "";
  const std::string line = options_.form == AnswerForm::kJson  ? json_of(prediction, picture)
                           : options_.form == AnswerForm::kCsv ? csv_of(prediction)
                                                               : text_of(prediction, picture);
  std::printf("%s\n", line.c_str());
}

std::string Answers::legend() const {
  if (pictures_.empty()) return "";
  return fmt::format(
      "heat maps in {}: red speaks most for the likeliest class, then yellow, green and blue; what keeps its own "
      "colours does not speak for it, or lies outside of the square that the network sees\n",
      options_.heat_maps);
}

size_t Answers::shown(const Prediction& prediction) const {
  return std::min(prediction.classes.size(), static_cast<size_t>(options_.top));
}

std::string Answers::class_name(int32_t index) const {
  const std::vector<std::string>& names = images_.class_names();
  return static_cast<size_t>(index) < names.size() ? names[static_cast<size_t>(index)] : fmt::format("{}", index);
}

std::string Answers::class_words(int32_t index) const {
  if (!model_.info.provenance) return "";
  const std::vector<std::string>& words = model_.info.provenance->class_words;
  return static_cast<size_t>(index) < words.size() ? words[static_cast<size_t>(index)] : "";
}

std::string Answers::text_of(const Prediction& prediction, const std::string& picture) const {
  std::string text = images_.name(prediction.image) + ":";
  for (size_t i = 0; i < shown(prediction); ++i) {
    const std::string words = class_words(prediction.classes[i]);
    text += fmt::format("{} {}{} {:.1f} %", i == 0 ? "" : ",", class_name(prediction.classes[i]),
                        words.empty() ? "" : " (" + words.substr(0, words.find(',')) + ")",
                        100 * prediction.probabilities[i]);
  }
  return picture.empty() ? text : text + " -> " + picture;
}

std::string Answers::json_of(const Prediction& prediction, const std::string& picture) const {
  using Json = nlohmann::ordered_json;
  Json json{{"image", images_.name(prediction.image)}, {"classes", Json::array()}};
  for (size_t i = 0; i < shown(prediction); ++i) {
    Json one{{"class", class_name(prediction.classes[i])}, {"probability", prediction.probabilities[i]}};
    if (const std::string words = class_words(prediction.classes[i]); !words.empty()) one["words"] = words;
    json["classes"].push_back(std::move(one));
  }
  if (!features_op_.empty()) json["features"] = features_of(prediction);
  if (!picture.empty()) json["heatmap"] = picture;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Answers::csv_of(const Prediction& prediction) const {
  std::string line = csv_field(images_.name(prediction.image));
  if (!features_op_.empty()) {
    for (const float value : features_of(prediction)) line += fmt::format(",{:.6g}", value);
    return line;
  }
  for (size_t i = 0; i < shown(prediction); ++i) {
    line += fmt::format(",{},{:.6g}", csv_field(class_name(prediction.classes[i])), prediction.probabilities[i]);
  }
  return line;
}

// The mean over the positions of a map, and over the crops.
std::vector<float> Answers::features_of(const Prediction& prediction) const {
  std::vector<float> means;
  for (int64_t crop = 0; crop < options_.crops; ++crop) {
    const std::vector<float> of_crop =
        mean_over_positions(output_of_image(*model_.plan, *backend_, features_op_, prediction.place + crop));
    means.resize(of_crop.size());
    for (size_t i = 0; i < means.size(); ++i) means[i] += of_crop[i] / static_cast<float>(options_.crops);
  }
  return means;
}

// Draws where the likeliest class was seen. Images of one name in several folders get pictures of several names.
std::string Answers::draw(const Prediction& prediction) {
  const ImageOutput output = output_of_image(*model_.plan, *backend_, activation_->features(), prediction.place);
  const ImageOutput map = activation_->map(output, prediction.classes.front());
  const std::string stem = std::filesystem::path(images_.name(prediction.image)).stem().string();
  std::string path;
  for (int number = 1; path.empty() || std::find(pictures_.begin(), pictures_.end(), path) != pictures_.end();
       ++number) {
    path = fmt::format("{}/{}{}.png", options_.heat_maps, stem, number == 1 ? "" : fmt::format("-{}", number));
  }
  pictures_.push_back(path);
  draw_heat_map(images_, prediction.image, data_, {.height = map.height, .width = map.width, .values = map.values},
                path);
  return path;
}

}  // namespace bn
