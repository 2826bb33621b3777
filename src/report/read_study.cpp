#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "bn/error.hpp"
#include "bn/report.hpp"
#include "report/study.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn::report {
namespace {

namespace fs = std::filesystem;

// The data that the runs were measured on. Accuracies on different images must not be compared.
std::string data_of(const Config& config) {
  const DataOptions& data = config.data;
  std::string text = fmt::format("{}", fmt::join(data.validation, " "));
  if (data.kind == DatasetKind::kShapes) {
    text = fmt::format("{} generated shapes of {} pixels, seed {}", data.shapes.validation_images,
                       data.shapes.image_size, data.shapes.seed);
  } else if (data.split.validation > 0) {
    text = fmt::format("{:g} % of {}, chosen by seed {}", 100 * data.split.validation, fmt::join(data.train, " "),
                       data.split.seed);
  }
  if (data.classes_limit > 0) text += fmt::format(", the first {} classes", data.classes_limit);
  return text + fmt::format(" ({} classes)", config.model.classes);
}

void expect_same_data(const Study& study) {
  const Run& first = study.arms.front().runs.front();
  for (const Run* run : study.runs()) {
    if (data_of(run->config) == data_of(first.config)) continue;
    throw DataError(
        fmt::format("the runs were validated on different data, so their accuracies cannot be compared:\n  {}: {}\n"
                    "  {}: {}\nMake a report of each.",
                    first.folder, data_of(first.config), run->folder, data_of(run->config)));
  }
}

// The same by what the runs recorded of their images, which one path may have named at different times. Where others
// were trained on, note_provenance() says so.
void expect_same_images(const Study& study) {
  const Run* first = nullptr;
  for (const Run* run : study.runs()) {
    if (!run->provenance) continue;
    if (first == nullptr) first = run;
    Provenance validated = *run->provenance;
    validated.training = first->provenance->training;
    const std::vector<std::string> differences = differences_between(*first->provenance, validated);
    if (differences.empty()) continue;
    throw DataError(
        fmt::format("the runs were validated on different data, so their accuracies cannot be compared:\n"
                    "  {} and {}: {}\nMake a report of each.",
                    first->folder, run->folder, fmt::join(differences, "; ")));
  }
}

// The differences, except the seed and the keys that no result depends on.
std::vector<std::string> differences(const Config& a, const Config& b) {
  std::vector<std::string> lines = diff(a, b);
  std::erase_if(lines, [](const std::string& line) {
    for (const char* key : {"train.seed:", "threads:", "data.workers:", "data.slots:", "data.on_corrupt:",
                            "train.log_every:", "train.checkpoint_every:", "train.keep_checkpoints:", "train.probe."}) {
      if (line.starts_with(key)) return true;
    }
    return false;
  });
  return lines;
}

void add_run(Arm& arm, Run run) {
  if (const Run* same = arm.find(run.seed)) {
    throw DataError(fmt::format("'{}' and '{}' are both runs of {} with seed {}; give one of them", same->folder,
                                run.folder, arm.name, run.seed));
  }
  if (!arm.runs.empty()) {
    const std::vector<std::string> lines = differences(arm.config(), run.config);
    if (!lines.empty()) {
      throw DataError(fmt::format("the runs '{}' and '{}' of arm {} differ in more than their seed:\n  {}",
                                  arm.runs.front().folder, run.folder, arm.name, fmt::join(lines, "\n  ")));
    }
  }
  arm.runs.push_back(std::move(run));
}

bool has_begun(const std::string& folder) { return fs::exists(folder + "/log.jsonl"); }

// A sweep at its start has many runs that have not begun: a sentence tells those of an arm.
std::string not_begun(const std::string& arm, const std::vector<uint64_t>& seeds) {
  if (seeds.size() == 1) return fmt::format("{} with seed {} is left out: it has not begun.", arm, seeds.front());
  return fmt::format("{} is left out with seeds {} and {}: these runs have not begun.", arm,
                     fmt::join(seeds.begin(), seeds.end() - 1, ", "), seeds.back());
}

void read_sweep(const std::string& folder, Study& study, std::string& baseline) {
  const std::string path = folder + "/sweep.json";
  std::string text;
  read_file(path, text);
  std::vector<std::pair<std::string, std::vector<uint64_t>>> waiting;  // arms and the seeds that have not begun
  try {
    const auto sweep = nlohmann::json::parse(text);
    study.name = sweep.at("name").get<std::string>();
    if (baseline.empty()) baseline = sweep.value("baseline", "");
    for (const auto& entry : sweep.at("runs")) {
      const auto arm = entry.at("arm").get<std::string>(), run_folder = entry.at("folder").get<std::string>();
      const std::string run_path = fs::path(run_folder).is_absolute() ? run_folder : folder + "/" + run_folder;
      const std::string message = entry.value("message", "");
      const auto seed = entry.at("seed").get<uint64_t>();
      if (!has_begun(run_path) && message.empty()) {
        const auto of_arm = std::ranges::find_if(waiting, [&](const auto& a) { return a.first == arm; });
        (of_arm == waiting.end() ? waiting.emplace_back(arm, std::vector<uint64_t>{}) : *of_arm).second.push_back(seed);
        continue;
      }
      if (!has_begun(run_path)) {
        study.notes.push_back(fmt::format("{} with seed {} is left out: it crashed: {}.", arm, seed, message));
        continue;
      }
      std::optional<Run> run;
      try {
        run = read_run(run_path);
      } catch (const Error& error) {
        if (message.empty()) throw;  // the run did not crash, so its results count
        const bool is_told = message.ends_with(error.what());
        study.notes.push_back(fmt::format("{} with seed {} is left out: it crashed: {}{}.", arm, seed, message,
                                          is_told ? "" : fmt::format("; its folder cannot be read: {}", error.what())));
        continue;
      }
      if (!run->has_ended() && !message.empty()) run->state = "crashed: " + message;
      add_run(study.arm_named(arm), std::move(*run));
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("'{}' is not the record of a sweep: {}", path, error.what()));
  }
  for (const auto& [arm, seeds] : waiting) study.notes.push_back(not_begun(arm, seeds));
}

// "runs/bn_x5/seed_3" and "runs/bn_x5_seed3" are both of arm bn_x5.
std::string arm_name_of(const Run& run) {
  fs::path path = fs::absolute(run.folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  std::string name = path.filename().string();
  for (const char* form : {"seed{}", "seed_{}", "seed-{}", "seed={}", "{}"}) {
    const std::string seed = fmt::format(fmt::runtime(form), run.seed);
    if (name == seed) return path.parent_path().filename().string();
    for (const char separator : {'_', '-', '.'}) {
      if (name.ends_with(separator + seed)) return name.substr(0, name.size() - seed.size() - 1);
    }
  }
  return name;
}

void add_listed_run(Run run, Study& study) {
  for (Arm& arm : study.arms) {
    if (differences(arm.config(), run.config).empty()) return add_run(arm, std::move(run));
  }
  const std::string name = arm_name_of(run);
  std::string unique = name;
  const auto is_taken = [&](const Arm& arm) { return arm.name == unique; };
  for (int i = 2; std::ranges::any_of(study.arms, is_taken); ++i) unique = fmt::format("{} ({})", name, i);
  add_run(study.arm_named(unique), std::move(run));
}

void add_kept_study(const std::string& folder, Study& study, std::string& baseline) {
  Study kept = read_kept_study(folder);
  study.name = kept.name;
  study.kept_figures = kept.kept_figures;
  study.note_validation_set(kept.validation_images, kept.majority);
  if (baseline.empty()) baseline = kept.arms[kept.baseline].name;
  study.notes.insert(study.notes.end(), kept.notes.begin(), kept.notes.end());
  for (Arm& arm : kept.arms) {
    for (Run& run : arm.runs) add_run(study.arm_named(arm.name), std::move(run));
  }
}

std::string kept_study_above(const std::string& path) {
  for (fs::path above = fs::path(path).parent_path(); !above.empty(); above = above.parent_path()) {
    if (is_kept_study(above.string())) return above.string();
    if (above == above.parent_path()) break;
  }
  return is_kept_study(".") ? "." : "";
}

void add_kept_runs(const std::string& kept, const std::string& path, Study& study) {
  const std::string wanted = fs::path(path).lexically_proximate(kept).lexically_normal().string();
  Study whole = read_kept_study(kept);
  study.note_validation_set(whole.validation_images, whole.majority);
  std::vector<std::string> folders;
  bool is_found = false;
  for (Arm& arm : whole.arms) {
    for (Run& run : arm.runs) {
      const std::string folder = relative_folder(run, kept);
      folders.push_back(folder);
      if (folder != wanted && !folder.starts_with(wanted + "/")) continue;
      add_listed_run(std::move(run), study);
      is_found = true;
    }
  }
  if (!is_found) {
    throw DataError(
        fmt::format("the kept study '{}' has no run '{}'; its runs are {}", kept, wanted, fmt::join(folders, ", ")));
  }
}

// Runs that have not ended are no results: how far they got is chance.
void leave_out_unfinished(Study& study) {
  for (Arm& arm : study.arms) {
    for (const Run& run : arm.runs) {
      if (run.has_ended()) continue;
      study.notes.push_back(fmt::format("{} with seed {} is left out: it {}.", arm.name, run.seed, run.state));
    }
    std::erase_if(arm.runs, [](const Run& run) { return !run.has_ended(); });
    std::ranges::sort(arm.runs, [](const Run& a, const Run& b) { return a.seed < b.seed; });
  }
  std::erase_if(study.arms, [](const Arm& arm) { return arm.runs.empty(); });
}

// "plain with seed 1 and bn with seed 2", or with so many more.
std::string names_of(const std::vector<std::string>& runs) {
  return runs.size() == 1 ? runs.front() : fmt::format("{} and {} more", runs.front(), runs.size() - 1);
}

// Adds a sentence if other images to train on, or another computation, stand behind a difference, or if nothing tells.
void note_provenance(Study& study) {
  const Run* first = nullptr;
  std::string first_name, other_data, other_computation;
  std::vector<std::string> of_other_data, computed_otherwise, damaged, without;
  for (const Arm& arm : study.arms) {
    for (const Run& run : arm.runs) {
      const std::string name = fmt::format("{} with seed {}", arm.name, run.seed);
      if (!run.provenance) {
        (run.has_damaged_provenance ? damaged : without).push_back(name);
        continue;
      }
      const DataRecord& validation = run.provenance->validation;
      study.note_validation_set(validation.images, static_cast<double>(validation.largest_class) /
                                                       static_cast<double>(std::max<int64_t>(validation.images, 1)));
      if (first == nullptr) {
        first = &run;
        first_name = name;
        continue;
      }
      const std::vector<std::string> differences = differences_between(*first->provenance, *run.provenance);
      if (!differences.empty()) {
        if (of_other_data.empty()) other_data = fmt::format("{}", fmt::join(differences, "; "));
        of_other_data.push_back(name);
      }
      if (run.provenance->computation == first->provenance->computation) continue;
      if (computed_otherwise.empty()) other_computation = run.provenance->computation;
      computed_otherwise.push_back(name);
    }
  }
  if (!damaged.empty()) {
    study.notes.push_back(
        fmt::format("made_of.json of {} is damaged, so nothing tells which images stand behind the accuracies.",
                    names_of(damaged)));
  }
  if (first != nullptr && !without.empty()) {
    study.notes.push_back(fmt::format("Nothing tells whether {} saw the images of {}, for there is no record of it.",
                                      names_of(without), first_name));
  }
  if (!of_other_data.empty()) {
    study.notes.push_back(fmt::format("{} did not see the images of {}, so more than the networks differs: {}.",
                                      names_of(of_other_data), first_name, other_data));
  }
  if (!computed_otherwise.empty()) {
    study.notes.push_back(fmt::format("{} {} computed by {}, {} by {}: their last bits differ for that reason too.",
                                      names_of(computed_otherwise), computed_otherwise.size() == 1 ? "was" : "were",
                                      other_computation, first_name, first->provenance->computation));
  }
}

// A folder's name may hold what would break the lines and the JSON of a kept study.
std::string shown_name(std::string name) {
  const bool is_whole = is_utf8(name);
  std::ranges::replace_if(
      name,
      [is_whole](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < ' ' || byte == 0x7F || (byte > 0x7F && !is_whole);
      },
      '?');
  return name;
}

void choose_baseline(Study& study, const std::string& asked) {
  if (asked.empty()) return;
  const std::string name = shown_name(asked);
  std::vector<std::string> names;
  for (size_t i = 0; i < study.arms.size(); ++i) {
    names.push_back(study.arms[i].name);
    if (names.back() == name) {
      study.baseline = i;
      return;
    }
  }
  throw ConfigError(
      fmt::format("the baseline '{}' has no run that has ended; the arms are: {}", name, fmt::join(names, ", ")));
}

// A sweep may list one configuration under two names, and runs it once: it counts once, if it can as the baseline.
void leave_out_copies(Study& study) {
  const auto folders_of = [](const Arm& arm) {
    std::vector<std::string> folders;
    for (const Run& run : arm.runs) folders.push_back(run.folder);
    return folders;
  };
  for (size_t i = study.arms.size(); i-- > 0;) {
    if (i == study.baseline) continue;
    for (size_t k = 0; k < study.arms.size(); ++k) {
      if (k == i || (k > i && k != study.baseline) || folders_of(study.arms[k]) != folders_of(study.arms[i])) continue;
      study.notes.push_back(
          fmt::format("{} is left out: its runs are those of {}.", study.arms[i].name, study.arms[k].name));
      study.arms.erase(study.arms.begin() + static_cast<std::ptrdiff_t>(i));
      if (i < study.baseline) --study.baseline;
      break;
    }
  }
}

}  // namespace

const Run* Arm::find(uint64_t seed) const {
  const auto found = std::ranges::find(runs, seed, &Run::seed);
  return found == runs.end() ? nullptr : &*found;
}

std::vector<uint64_t> Study::seeds() const {
  std::set<uint64_t> seeds;
  for (const Run* run : runs()) seeds.insert(run->seed);
  return {seeds.begin(), seeds.end()};
}

std::vector<const Run*> Study::runs() const {
  std::vector<const Run*> all;
  for (const Arm& arm : arms) {
    for (const Run& run : arm.runs) all.push_back(&run);
  }
  return all;
}

void Study::note_validation_set(int64_t images, double share_of_largest_class) {
  if (images > 0 && (validation_images == 0 || images < validation_images)) validation_images = images;
  majority = std::max(majority, share_of_largest_class);
}

Arm& Study::arm_named(const std::string& arm_name) {
  const std::string shown = shown_name(arm_name);
  for (Arm& arm : arms) {
    if (arm.name == shown) return arm;
  }
  return arms.emplace_back(Arm{.name = shown});
}

Study read_study(const std::vector<std::string>& inputs, const std::string& baseline) {
  Study study;
  std::string baseline_name = baseline;
  for (const std::string& input : inputs) {
    if (fs::exists(input + "/sweep.json")) {
      read_sweep(input, study, baseline_name);
    } else if (is_kept_study(input)) {
      add_kept_study(input, study, baseline_name);
    } else if (const std::string kept = fs::exists(input) ? "" : kept_study_above(input); !kept.empty()) {
      add_kept_runs(kept, input, study);
    } else if (inputs.size() > 1 && fs::exists(input + "/config.yaml") && !has_begun(input)) {
      study.notes.push_back(fmt::format("{} is left out: it has not begun.", input));  // such as runs/* names
    } else {
      add_listed_run(read_run(input), study);
    }
  }
  if (study.name.empty()) study.name = fmt::format("{} run{}", inputs.size(), inputs.size() == 1 ? "" : "s");
  leave_out_unfinished(study);
  if (study.arms.empty()) {
    throw DataError(fmt::format("none of the runs has finished or diverged, so there is nothing to report:\n  {}",
                                fmt::join(study.notes, "\n  ")));
  }
  expect_same_data(study);
  expect_same_images(study);
  note_provenance(study);
  choose_baseline(study, baseline_name);
  leave_out_copies(study);
  return study;
}

}  // namespace bn::report

namespace bn {

std::vector<std::string> run_folders(const std::string& input) {
  const std::string path = input + "/sweep.json";
  std::string text;
  if (!std::filesystem::is_directory(input) || read_file(path, text) == ReadResult::kMissing) {
    report::read_run(input);
    return {input};
  }
  std::vector<std::string> folders;
  try {
    const auto sweep = nlohmann::json::parse(text);
    for (const auto& run : sweep.at("runs")) {
      folders.push_back((std::filesystem::path(input) / run.at("folder").get<std::string>()).string());
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("'{}' is not the record of a sweep: {}", path, error.what()));
  }
  return folders;
}

}  // namespace bn
