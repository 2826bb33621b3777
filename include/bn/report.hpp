// Reports: the paper's Figures 2 and 3 and what they say, from run folders alone.
#pragma once

#include <string>
#include <vector>

namespace bn {

struct ReportOptions {
  std::vector<std::string> inputs{};  // folders of sweeps (with a sweep.json), kept studies (curves.csv) or runs
  std::string out{};                  // folder; receives index.html, report.md, figures/*.{svg,png,gp}
  // Writes what a repository keeps instead: report.md with its first figures, study.json, configs.yaml, curves.csv.
  // `inputs` may name `out` later.
  bool keep = false;
  std::string baseline{};  // an arm; empty = the sweep's baseline, else the first arm
};

// Returns a line for each thing the verdict says. Throws DataError: no such folder, a folder that holds no run, a line
// that is no record, no run that has ended, runs of different data; ConfigError: an unknown baseline;
// UnsupportedError: no gnuplot; StorageError.
std::vector<std::string> write_report(const ReportOptions& options);

}  // namespace bn
