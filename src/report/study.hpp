// The runs of a report as they lie in their folders, sorted into arms: the runs that differ in their seed alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/provenance.hpp"
#include "bn/run_log.hpp"

namespace bn::report {

// A report shows these of a log, and no more digits of a loss, a learning rate or images a second. An accuracy is a
// count over images, so a kept study has all of its digits.
struct Column {
  const char* name;
  std::optional<double> LogRecord::*field;
  const char* format;
};
inline constexpr Column kColumns[] = {
    {"loss", &LogRecord::loss, "{:.5g}"},
    {"learning_rate", &LogRecord::learning_rate, "{:.5g}"},
    {"validation_top1", &LogRecord::validation_top1, "{}"},
    {"validation_top5", &LogRecord::validation_top5, "{}"},
    {"images_per_second", &LogRecord::images_per_second, "{:.0f}"},
    {"seconds", &LogRecord::seconds, "{:.0f}"},
};

enum class RunEnd { kFinished, kDiverged, kUnfinished };

struct Run {
  std::string folder{};
  uint64_t seed = 0;
  Config config{};
  std::string config_text{};               // the stored text; an earlier version may have written it
  std::string version{};                   // the program's: git.txt
  std::vector<LogRecord> rows{};           // what a report shows of the log, in order of steps: take_log()
  std::optional<Provenance> provenance{};  // none in folders of earlier versions and in kept studies
  bool has_damaged_provenance = false;     // there is a file of it, which cannot be read
  RunEnd end = RunEnd::kUnfinished;
  std::string state{};    // "finished", "diverged at step 3", "crashed: ..."
  int64_t end_step = 0;   // the step of the record that gave `end` and `state`
  int64_t last_step = 0;  // the last record's

  bool has_ended() const { return end != RunEnd::kUnfinished; }
};

struct Point {
  int64_t step = 0;
  double value = 0;
};
// The rows of the run that have the field.
std::vector<Point> curve_of(const Run& run, std::optional<double> LogRecord::*field);
// The first evaluation with the highest accuracy; nullopt before any.
std::optional<Point> best_accuracy(const Run& run);
// The median of the log's rates; nullopt when there are none.
std::optional<double> images_per_second(const Run& run);

struct Arm {
  std::string name{};
  std::vector<Run> runs{};  // sorted by seed

  const Config& config() const { return runs.front().config; }
  const Run* find(uint64_t seed) const;
};

struct Study {
  std::string name{};
  std::vector<Arm> arms{};
  size_t baseline = 0;
  std::vector<std::string> notes{};         // sentences that a reader must know: runs that were left out
  std::vector<std::string> kept_figures{};  // names of the figures that a kept study has
  int64_t validation_images = 0;            // the fewest that a run recorded; 0 = none did
  double majority = 0;                      // the largest share of them that one class has; 0 = no run recorded it

  std::vector<const Run*> runs() const;  // all arms'
  std::vector<uint64_t> seeds() const;   // all arms' seeds, ascending
  void note_validation_set(int64_t images, double share_of_largest_class);
  Arm& arm_named(const std::string& arm_name);  // a new one where there is none
};

// Reads a run folder. Throws DataError: no such folder, no run in it, a line that is no record.
Run read_run(const std::string& folder);
// Sets how the run ended, from the last record that says it since a resumed run has more than one end; and its rows. A
// row closes at an evaluation, at a probe's percentiles, at the end, and where a sixtieth of the run has passed since
// the row before. Its loss is the mean over its records. The last one has the median of the images a second. A log that
// was made of such rows gives them again.
void take_log(Run& run, const std::vector<LogRecord>& log);

// The folder that holds the folders of all runs; "" where there is none.
std::filesystem::path folder_of_all(const Study& study);
// "bn_x5/seed_3" below it.
std::string relative_folder(const Run& run, const std::filesystem::path& root);

// A folder that keep_study() wrote, and all runs of it or those of one folder below it, such as "bn_x5/seed_3" or
// "bn_x5". Throws DataError naming the file, and the line, that cannot be read.
bool is_kept_study(const std::string& folder);
Study read_kept_study(const std::string& folder);
// Writes study.yaml and curves.csv: all that a report needs, of the runs that have ended.
void keep_study(const Study& study, const std::string& folder);

// Reads folders of sweeps, of kept studies and of runs. RUN may lie in a kept study: KEPT/bn_x5/seed_3, or KEPT/bn_x5
// for all seeds. Runs of a list belong to one arm when their configurations differ in the seed alone; it is called
// after the folder. Throws as write_report does.
Study read_study(const std::vector<std::string>& inputs, const std::string& baseline);

}  // namespace bn::report
