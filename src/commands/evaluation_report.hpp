// The results that `bninception evaluate` prints and writes.
#pragma once

#include <string>
#include <vector>

#include "bn/evaluate.hpp"
#include "core/files.hpp"

namespace bn {

struct ReportStyle {
  bool json = false;
  bool per_class = false;
};

struct EvaluationReport {
  struct Member {
    std::string checkpoint{};
    int64_t step = 0;
    std::string statistics{};  // batch normalisation's: moving, population(N), or none where there is none
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
  std::string class_name(int32_t index) const;

  const Dataset& images_;
  AtomicFile file_;
};

}  // namespace bn
