// A checkpoint is Parameters::named_tensors() plus, as metadata, where training stands and the resolved configuration.
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string_view>

#include "bn/checkpoint.hpp"
#include "bn/error.hpp"
#include "run/safetensors.hpp"

namespace bn {
namespace {

constexpr int64_t kFormatVersion = 1;
constexpr std::string_view kAveragePrefix = "average/";

const std::string& require(const SafetensorsFile& file, const std::string& key) {
  const std::string* text = file.metadata(key);
  if (text == nullptr) {
    throw CheckpointError(
        fmt::format("checkpoint '{}' was not written by bninception: it has no '{}'", file.path(), key));
  }
  return *text;
}

template <class Number>
Number require_number(const SafetensorsFile& file, const std::string& key) {
  const std::string& text = require(file, key);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw CheckpointError(
        fmt::format("checkpoint '{}' was not written by bninception: its '{}' is '{}'", file.path(), key, text));
  }
  return value;
}

std::optional<Provenance> provenance_of(const SafetensorsFile& file) {
  const std::string* text = file.metadata("made_of");
  return text == nullptr ? std::nullopt : provenance_from_json(*text);
}

CheckpointInfo read_info(const SafetensorsFile& file) {
  const auto version = require_number<int64_t>(file, "format_version");
  if (version != kFormatVersion) {
    throw CheckpointError(fmt::format("checkpoint '{}' has format version {}; this program reads version {}",
                                      file.path(), version, kFormatVersion));
  }
  return {.progress = {.step = require_number<int64_t>(file, "step"),
                       .best_top1 = require_number<double>(file, "best_top1"),
                       .best_step = require_number<int64_t>(file, "best_step")},
          .config = require(file, "config"),
          .provenance = provenance_of(file)};
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
  throw CheckpointError(fmt::format("checkpoint '{}' {}", file.path(), why));
}

// Names and shapes, in the network's order.
void match(const SafetensorsFile& file, const std::vector<NamedTensor>& tensors, StoredEntries& stored) {
  for (const NamedTensor& wanted : tensors) {
    const auto found = stored.find(wanted.name);
    if (found == stored.end() && wanted.name.starts_with(kAveragePrefix)) {
      fail_match(file, fmt::format("holds no average of the parameters ('{}' is missing): it was written with "
                                   "train.average: none",
                                   wanted.name));
    }
    if (found == stored.end()) {
      fail_match(file, fmt::format("was written by another network: it has no '{}'", wanted.name));
    }
    if (found->second.entry->dims != dims_of(wanted.tensor.shape)) {
      fail_match(file, fmt::format("was written by another network: '{}' is {} there and {} here", wanted.name,
                                   to_string(found->second.entry->dims), to_string(wanted.tensor.shape)));
    }
    found->second.wanted = true;
  }
  for (const SafetensorsEntry& entry : file.entries()) {
    // An average that this run does not keep loses nothing by being left.
    if (stored.at(entry.name).wanted || entry.name.starts_with(kAveragePrefix)) continue;
    fail_match(file, fmt::format("was written by another network: its '{}' ({}) does not exist here", entry.name,
                                 to_string(entry.dims)));
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
  const std::vector<NamedTensor> tensors = parameters.named_tensors();
  StoredEntries stored = index_entries(file);
  match(file, tensors, stored);
  std::vector<std::vector<float>> data;  // all of it first: no half-loaded parameters
  data.reserve(tensors.size());
  for (const NamedTensor& named : tensors) data.push_back(file.read(*stored.at(named.name).entry));
  for (size_t i = 0; i < tensors.size(); ++i) {
    parameters.backend().upload(tensors[i].tensor.data, data[i].data(), tensors[i].tensor.bytes());
  }
  parameters.statistics_updates = statistics_updates;
  return info;
}

CheckpointInfo read_checkpoint_info(const std::string& path) { return read_info(SafetensorsFile(path)); }

}  // namespace bn
