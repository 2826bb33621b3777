// Reports: the paper's Figures 2 and 3 and what they say, from run folders alone; and pages about one evaluation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bn {

struct ReportOptions {
  std::vector<std::string> inputs{};  // folders of sweeps (with a sweep.json), kept studies (curves.csv) or runs
  std::string out{};                  // folder; receives index.html, report.md, figures/*.{svg,png,gp}
  // Writes what a repository keeps instead: study.yaml, curves.csv, and report.md with `figures`. `inputs` may name
  // `out` later.
  bool keep = false;
  std::vector<std::string> figures{};  // used with `keep`; empty = those of the kept study that is read, else none
  std::string baseline{};              // an arm; empty = the sweep's baseline, else the first arm
};

// Returns a line for each thing the verdict says. Throws DataError: no such folder, a folder that holds no run, a line
// that is no record, no run that has ended, runs of different data; ConfigError: an unknown baseline or figure,
// and where files of somebody else would be replaced; UnsupportedError: no gnuplot; StorageError.
std::vector<std::string> write_report(const ReportOptions& options);

// The folders of the runs that an input names: itself, or those of a sweep, of which some may not be there yet. Throws
// DataError as write_report does.
std::vector<std::string> run_folders(const std::string& input);

// An evaluation's page shows all of this.
struct EvaluationPage {
  struct Class {
    std::string name{};
    int64_t images = 0, right = 0;
  };
  struct Mistake {
    std::string picture{};  // file, relative to the page
    std::string image{};    // its name
    std::string label{};
    double label_probability = 0;
    std::vector<std::string> answers{};  // the likeliest classes with their probabilities, in words
  };
  std::string title{}, subtitle{};
  std::vector<Class> classes{};
  std::map<std::pair<int32_t, int32_t>, int64_t> answers{};  // images by their class and the class they were taken for
  std::vector<Mistake> mistakes{};                           // the worst first
  std::string filters{};  // file of a picture of the first convolution's filters; "" = none
};

// Marks a folder as the generator's, where its index.html is not there yet, by one that says that it is not finished.
// Throws StorageError.
void begin_page(const std::string& folder, const std::string& generator);

// Writes `folder`/index.html; the pictures are there already. Throws StorageError.
void write_evaluation_page(const EvaluationPage& page, const std::string& folder);

}  // namespace bn
