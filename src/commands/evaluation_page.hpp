// Collects what the page about an evaluation shows, while the images are scored.
#pragma once

#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/evaluate.hpp"
#include "bn/report.hpp"
#include "commands/evaluation_report.hpp"
#include "commands/trained_model.hpp"

namespace bn {

class EvaluationPageMaker {
 public:
  // Makes the folder, which receives index.html and images/. Throws StorageError.
  EvaluationPageMaker(std::string folder, const Dataset& images, const DataOptions& data);

  void add(const Prediction& prediction);
  // Draws the pictures and writes the page. The filters are those of `model`, which has its parameters.
  void write(const EvaluationReport& report, const TrainedModel& model);

 private:
  EvaluationPage::Mistake show(const Prediction& prediction, size_t number, const EvaluationReport& report) const;

  const std::string folder_;
  const Dataset& images_;
  const DataOptions data_;
  std::map<std::pair<int32_t, int32_t>, int64_t> answers_;
  std::vector<Prediction> worst_;  // a heap: the least bad of them first
};

}  // namespace bn
