#include "faults/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/program.hpp"
#include "support/run_record.hpp"
#include "support/shapes_experiment.hpp"

namespace bn::test {
namespace {

const std::string kExperiment =
    "model: {network: network.yaml, classes: 10, normalization: batch}\n" + shapes_data(100, 40) +
    R"(train: {batch: 20, steps: 40, learning_rate: {initial: 0.1, decay_factor: 0.5, decay_steps: 15},
  statistics_decay: 0.7, log_every: 1, evaluate_every: 15, evaluate_batch: 20, checkpoint_every: 7}
threads: 1
)";
constexpr const char* kNetwork = "{kind: mlp, image_size: 16, image_channels: 1, hidden: [24, 24]}\n";

int64_t number_in(const char* variable, int64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

}  // namespace

int64_t trials(int64_t few) { return number_in("BN_FAULT_TRIALS", few); }
uint64_t first_seed() { return static_cast<uint64_t>(number_in("BN_FAULT_SEED", 1)); }

Tally::~Tally() {
  int64_t all = 0;
  std::string parts;
  for (const auto& [outcome, count] : counts_) {
    all += count;
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, outcome);
  }
  std::printf("%s: %ld trials: %s\n", name_.c_str(), static_cast<long>(all), parts.c_str());
}

std::string what_is_wrong(const ProgramResult& result) {
  if (result.timed_out) return "it did not end";
  if (result.exit_code < 0 || result.exit_code > 9)
    return fmt::format("exit code {}: {}", result.exit_code, result.err);
  if (result.exit_code != 0 && result.exit_code != 8 && result.err.empty()) {
    return fmt::format("exit code {} without a word", result.exit_code);
  }
  return "";
}

std::map<std::string, std::string> files_below(const std::string& folder, const std::vector<std::string>& except) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string();
    const bool is_wanted = entry.is_regular_file() && std::find(except.begin(), except.end(), name) == except.end();
    if (is_wanted) files[name] = read_bytes(entry.path().string());
  }
  return files;
}

Experiment::Experiment(std::vector<std::string> more) : overrides_(std::move(more)) {
  write_bytes(root_ / "experiment.yaml", kExperiment);
  write_bytes(root_ / "network.yaml", kNetwork);
}

std::vector<std::string> Experiment::train(const std::string& run, const std::vector<std::string>& more) const {
  std::vector<std::string> words{"train", root_ / "experiment.yaml", "--out", root_ / run, "--quiet"};
  for (const std::string& override : overrides_) words.insert(words.end(), {"--set", override});
  words.insert(words.end(), more.begin(), more.end());
  return bninception_command(words);
}

std::map<std::string, std::string> Experiment::result(const std::string& run) const {
  std::map<std::string, std::string> files = files_below(root_ / (run + "/checkpoints"));
  // A checkpoint that was found damaged, and one of a stop between two others, are no part of the result.
  std::erase_if(files, [](const auto& file) {
    return file.first != "best.safetensors" && file.first != "step_000000040.safetensors";
  });
  files["curve"] = fmt::format("{}\n", fmt::join(curve(RunFolder(root_ / run)), "\n"));
  return files;
}

void flip_bit(std::string& bytes, std::mt19937_64& random) {
  const size_t bit = random() % (8 * bytes.size());
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
}

void mutate(std::string& bytes, std::mt19937_64& random) {
  for (uint64_t changes = 1 + random() % 3; changes > 0 && !bytes.empty(); --changes) {
    const size_t at = random() % bytes.size(), length = std::min<size_t>(random() % 40, bytes.size() - at);
    switch (random() % 5) {
      case 0:
        bytes.erase(at, length);
        break;
      case 1:
        bytes.insert(random() % bytes.size(), bytes.substr(at, length));
        break;
      case 2:
        bytes[at] = static_cast<char>(random() % 256);
        break;
      case 3:
        flip_bit(bytes, random);
        break;
      default: {
        constexpr const char* kWords[] = {"0",     "-1", "1e999", "nan",  ": ", "{",  "]",
                                          "\"",    "\t", "\n",    "null", "*a", "&a", "18446744073709551616",
                                          "!!str", "%",  "\xff",  "- ",   "#",  "'",  "true"};
        bytes.insert(at, kWords[random() % std::size(kWords)]);
      }
    }
  }
}

}  // namespace bn::test
