// The answers that `bninception predict` prints, a line for each image.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bn/activations.hpp"
#include "bn/dataset.hpp"
#include "bn/evaluate.hpp"
#include "commands/trained_model.hpp"

namespace bn {

enum class AnswerForm { kText, kJson, kCsv };

struct AnswerOptions {
  AnswerForm form = AnswerForm::kText;
  int64_t top = 5;
  int64_t crops = 1;
  std::string features{};   // a row or op whose output is printed in place of the classes; "": none
  std::string heat_maps{};  // folder for a picture of each image; "": none
};

class Answers {
 public:
  // Throws ConfigError for features or heat maps that the network does not have, StorageError for a folder that cannot
  // be made. The model has no plan and no parameters yet.
  Answers(const AnswerOptions& options, const TrainedModel& model, const Dataset& images, const DataOptions& data);

  // The ops whose outputs the model's plan has to keep.
  std::vector<std::string> kept() const;
  // Prints what comes before all lines. The model has its plan and its parameters now.
  void begin(Backend& backend);
  void print(const Prediction& prediction);
  // Where the heat maps lie, and what their colours mean; "" where none was drawn.
  std::string legend() const;
  bool has(int64_t image) const { return is_answered_[static_cast<size_t>(image)]; }

 private:
  std::string class_name(int32_t index) const;
  std::string class_words(int32_t index) const;
  std::string text_of(const Prediction& prediction, const std::string& picture) const;
  std::string json_of(const Prediction& prediction, const std::string& picture) const;
  std::string csv_of(const Prediction& prediction) const;
  std::vector<float> features_of(const Prediction& prediction) const;
  std::string draw(const Prediction& prediction);
  size_t shown(const Prediction& prediction) const;

  const AnswerOptions options_;
  const TrainedModel& model_;
  const Dataset& images_;
  const DataOptions data_;
  Backend* backend_ = nullptr;
  std::string features_op_;
  std::optional<ClassActivation> activation_;
  std::vector<std::string> pictures_;
  std::vector<bool> is_answered_;
};

}  // namespace bn
