// A checkpoint is Parameters::named_tensors() plus, as metadata, where training stands and the resolved configuration.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "bn/checkpoint.hpp"
#include "bn/error.hpp"
#include "run/safetensors.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

constexpr int64_t kFormatVersion = 1;
constexpr std::string_view kAveragePrefix = "average/";

[[noreturn]] void fail(const SafetensorsFile& file, const std::string& why) {
  throw CheckpointError(fmt::format("checkpoint '{}' {}", file.path(), why));
}

[[noreturn]] void fail_foreign(const SafetensorsFile& file, const std::string& why) {
  fail(file, "was not written by bninception: " + why);
}

const std::string& require(const SafetensorsFile& file, const std::string& key) {
  const std::string* text = file.metadata(key);
  if (text == nullptr) fail_foreign(file, fmt::format("it has no '{}'", key));
  return *text;
}

template <class Number>
Number require_number(const SafetensorsFile& file, const std::string& key) {
  const std::string& text = require(file, key);
  const std::optional<Number> value = number_in<Number>(text);
  if (!value) fail_foreign(file, fmt::format("its '{}' is '{}'", key, text));
  return *value;
}

// Nothing in a checkpoint of an earlier version.
std::optional<Provenance> provenance_of(const SafetensorsFile& file) {
  const std::string* text = file.metadata("made_of");
  if (text == nullptr) return std::nullopt;
  std::optional<Provenance> provenance = provenance_from_json(*text);
  if (!provenance) fail_foreign(file, "its 'made_of' does not say what the run was made of");
  return provenance;
}

CheckpointInfo read_info(const SafetensorsFile& file) {
  const auto version = require_number<int64_t>(file, "format_version");
  if (version != kFormatVersion) {
    fail(file, fmt::format("has format version {}; this program reads version {}", version, kFormatVersion));
  }
  const Progress progress{.step = require_number<int64_t>(file, "step"),
                          .best_top1 = require_number<double>(file, "best_top1"),
                          .best_step = require_number<int64_t>(file, "best_step")};
  const bool has_best = progress.best_top1 >= 0 && progress.best_top1 <= 1;
  if (progress.step < 0 || progress.best_step < 0 || progress.best_step > progress.step ||
      !(has_best || progress.best_top1 == -1)) {
    fail_foreign(
        file, fmt::format("step {}, best top-1 {} at step {}", progress.step, progress.best_top1, progress.best_step));
  }
  return {.progress = progress,
          .config = require(file, "config"),
          .provenance = provenance_of(file),
          .checksum = require(file, "checksum")};
}

struct StoredEntry {
  const SafetensorsEntry* entry = nullptr;
  bool wanted = false;
};
using StoredEntries = std::map<std::string, StoredEntry>;

StoredEntries index_entries(const SafetensorsFile& file) {
  StoredEntries stored;
  for (const SafetensorsEntry& entry : file.entries()) stored[entry.name] = {.entry = &entry};
  return stored;
}

[[noreturn]] void fail_match(const SafetensorsFile& file, const std::string& why) {
  fail(file, "was written by another network: " + why);
}

struct Loaded {
  Tensor to{};
  const SafetensorsEntry* from = nullptr;
};

constexpr std::string_view kValuePrefix = "value/", kPopulationPrefix = "population/";

// kAll: load_checkpoint()'s tensors; the file has each, and no other. kLearned: those of load_values() alone.
enum class Wanted { kAll, kLearned };

// Lists what is loaded, in the network's order, and proves that the file is of the same network but for what is left
// out.
std::vector<Loaded> match(const SafetensorsFile& file, const Parameters& parameters, Wanted wanted,
                          const std::vector<std::string>& left_out) {
  const auto counts = [wanted](const std::string& name) {
    return wanted == Wanted::kAll || name.starts_with(kValuePrefix) || name.starts_with(kPopulationPrefix);
  };
  StoredEntries stored = index_entries(file);
  std::vector<Loaded> loaded;
  for (const auto& [name, tensor] : parameters.named_tensors()) {
    if (!counts(name)) continue;
    const bool is_value = name.starts_with(kValuePrefix);
    const std::string parameter = is_value ? name.substr(kValuePrefix.size()) : "";
    const auto found = stored.find(name);
    if (found != stored.end()) found->second.wanted = true;
    if (std::ranges::find(left_out, parameter) != left_out.end()) continue;
    if (found == stored.end() && name.starts_with(kAveragePrefix)) {
      fail(file, fmt::format("holds no average of the parameters ('{}' is missing): it was written with "
                             "train.average: none",
                             name));
    }
    if (found == stored.end()) fail_match(file, fmt::format("it has no '{}'", name));
    const SafetensorsEntry* from = found->second.entry;
    if (from->dims != dims_of(tensor.shape)) {
      fail_match(file,
                 fmt::format("'{}' is {} there and {} here", name, to_string(from->dims), to_string(tensor.shape)));
    }
    const auto average = stored.find(std::string(kAveragePrefix) + parameter);
    if (wanted == Wanted::kLearned && is_value && average != stored.end()) from = average->second.entry;
    loaded.push_back({.to = tensor, .from = from});
  }
  for (const SafetensorsEntry& entry : file.entries()) {
    // An average that this run does not keep loses nothing by being left.
    if (!counts(entry.name) || stored.at(entry.name).wanted || entry.name.starts_with(kAveragePrefix)) continue;
    fail_match(file, fmt::format("its '{}' ({}) does not exist here", entry.name, to_string(entry.dims)));
  }
  return loaded;
}

void expect_sound(const SafetensorsFile& file, const std::string& name, const std::vector<float>& values) {
  const bool is_variance = name.starts_with(kPopulationPrefix) && name.ends_with("/var");
  const std::string unsound = unsound_value(name, values, is_variance ? ValueKind::kVariance : ValueKind::kAny);
  if (!unsound.empty()) fail(file, "cannot be used: " + unsound);
}

void load(const std::vector<Loaded>& loaded, const SafetensorsFile& file, Parameters& parameters) {
  std::vector<std::vector<float>> data;  // all of it first: no half-loaded parameters
  data.reserve(loaded.size());
  for (const Loaded& value : loaded) {
    data.push_back(file.read(*value.from));
    expect_sound(file, value.from->name, data.back());
  }
  for (size_t i = 0; i < loaded.size(); ++i) {
    parameters.backend().upload(loaded[i].to.data, data[i].data(), loaded[i].to.bytes());
  }
}

}  // namespace

void save_checkpoint(const std::string& path, const Parameters& parameters, const Progress& progress,
                     const std::string& config, const Provenance& provenance) {
  const std::vector<NamedTensor> tensors = parameters.named_tensors();
  std::vector<SafetensorsEntry> entries;
  entries.reserve(tensors.size());
  for (const NamedTensor& named : tensors) entries.push_back({.name = named.name, .dims = dims_of(named.tensor.shape)});
  const SafetensorsMetadata metadata{
      {"format_version", fmt::to_string(kFormatVersion)},
      {"step", fmt::to_string(progress.step)},
      {"best_top1", fmt::to_string(progress.best_top1)},
      {"best_step", fmt::to_string(progress.best_step)},
      {"statistics_updates", fmt::to_string(parameters.statistics_updates)},
      {"config", config},
      {"made_of", to_json(provenance)},
  };
  write_safetensors(path, metadata, entries, [&](size_t index, std::span<float> values) {
    const Tensor& tensor = tensors[index].tensor;
    parameters.backend().download(values.data(), tensor.data, tensor.bytes());
  });
}

CheckpointInfo load_checkpoint(const std::string& path, Parameters& parameters) {
  const SafetensorsFile file(path);
  CheckpointInfo info = read_info(file);
  const auto statistics_updates = require_number<int64_t>(file, "statistics_updates");
  if (statistics_updates < 0) {
    fail_foreign(file, fmt::format("statistics_updates {}", statistics_updates));
  }
  load(match(file, parameters, Wanted::kAll, {}), file, parameters);
  parameters.statistics_updates = statistics_updates;
  return info;
}

CheckpointInfo load_values(const std::string& path, Parameters& parameters, const std::vector<std::string>& left_out) {
  const SafetensorsFile file(path);
  CheckpointInfo info = read_info(file);
  load(match(file, parameters, Wanted::kLearned, left_out), file, parameters);
  if (parameters.has_average()) parameters.reset_average();
  return info;
}

CheckpointInfo read_checkpoint_info(const std::string& path) { return read_info(SafetensorsFile(path)); }

}  // namespace bn
