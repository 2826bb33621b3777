// The results that `bninception evaluate` prints and writes.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/evaluate.hpp"
#include "bn/report.hpp"
#include "commands/trained_model.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"

namespace bn {

// The class's name, or its number where it has none.
std::string class_name(const std::vector<std::string>& names, int64_t index);

struct ReportStyle {
  bool json = false;
  bool per_class = false;
};

struct EvaluationReport {
  struct Member {
    std::string checkpoint{};
    int64_t step = 0;
    std::string statistics{};              // batch normalisation's: moving, population(N), or none where there is none
    std::optional<bool> are_own_images{};  // the set is what its training was validated on; nullopt: nothing tells
  };
  std::vector<Member> members{};
  int64_t crops = 1, excluded = 0;
  std::string backend{};
  std::vector<std::string> class_names{};
  LeftOut left_out{};
  EvaluationResult result{};
};
void print_report(const EvaluationReport& report, const ReportStyle& style);

// A line for each image: its name, its label, the label's rank and probability, and the five likeliest classes.
class PredictionFile {
 public:
  PredictionFile(const std::string& path, const Dataset& images);  // StorageError where it cannot be written
  void write(const Prediction& prediction);
  void close();  // the file appears whole, or not at all

 private:
  const Dataset& images_;
  AtomicFile file_;
};

// Collects what the page about an evaluation shows, while the images are scored.
class EvaluationPageMaker {
 public:
  // Makes the folder, which receives index.html and images/. Throws StorageError, and ConfigError where files that
  // somebody else made would be replaced.
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

// Shows a person how far the evaluation is. On standard error: on a terminal one line, rewritten in place; elsewhere a
// line each half a minute.
class EvaluationProgress {
 public:
  EvaluationProgress() = default;
  ~EvaluationProgress();  // clears the line
  EvaluationProgress(const EvaluationProgress&) = delete;
  EvaluationProgress& operator=(const EvaluationProgress&) = delete;

  void show(int64_t images, int64_t all);

 private:
  LiveLine line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace bn
