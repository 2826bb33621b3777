// The sweep file: which configurations, overrides and seeds, and the runs that follow from them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "bn/error.hpp"
#include "bn/sweep.hpp"
#include "config/layers.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using config::fail;
using config::NodeKind;
using config::Override;
using config::YamlEntry;
using config::YamlNode;

// A set of overrides, and what it is called in the arm's name ("" = nothing).
struct Variation {
  std::string label;
  std::vector<Override> overrides;
};

bool is_plain(const std::string& text) {
  return !text.empty() && text.front() != '.' && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '=' || c == '+';
  });
}

// An arm names a folder.
std::string made_plain(std::string text) {
  for (char& c : text) {
    if (!is_plain("x" + std::string(1, c))) c = '_';
  }
  return text;
}

constexpr size_t kMostRuns = 10'000;
constexpr const char* kSetsSeed = "sets train.seed, expected the key `seeds` to list them";

// Refuses a seed in any form, such as `train={seed: 3}`: beside `seeds` it would have no effect.
void refuse_seed(const Override& override) {
  const YamlNode tree = config::parse_override(override);
  const YamlEntry* train = tree.find("train");
  if (train != nullptr && train->value.find("seed") != nullptr) fail(tree.position, "", kSetsSeed);
}

Override override_of(const std::string& key, const YamlNode& value, const config::Position& position) {
  return {key + "=" + config::print_flow(value), config::to_string(position)};
}

class Reader {
 public:
  Reader(const YamlNode& tree, const std::vector<std::string>& last, Sweep& sweep) : tree_(tree), sweep_(sweep) {
    for (const std::string& override : last) last_.push_back(Override::on_command_line(override));
  }
  void read() {
    expect_keys(tree_, "", {"name", "baseline", "images", "configs", "seeds", "set", "overrides", "grid"});
    const YamlNode* name = find("name");
    if (name == nullptr) fail(tree_.position, "name", "is missing, expected the name of the sweep, and of its folder");
    sweep_.name = read_plain(*name, "name");
    if (const YamlNode* images = find("images")) read_images(*images);
    const std::vector<uint64_t> seeds = read_seeds();
    const size_t repetitions = std::max<size_t>(seeds.size(), 1);
    const std::vector<SweepRun> arms = make_arms(repetitions);
    for (size_t i = 0; i < repetitions; ++i) {
      for (const SweepRun& arm : arms) {
        SweepRun& run = sweep_.runs.emplace_back(arm);
        if (!seeds.empty()) run.config.train.seed = seeds[i];
        run.folder = fmt::format("{}/seed_{}", run.arm, run.config.train.seed);
      }
    }
    find_repetitions();
    read_baseline();
  }

 private:
  struct ConfigEntry {
    std::string arm{}, path{};
    std::vector<Override> overrides{};
    std::optional<uint64_t> seed{};
    config::Position position{};
  };

  static void refuse(const YamlNode& node, const std::string& path, const std::string& expected) {
    fail(node.position, path, fmt::format("got {}, expected {}", config::shown(node), expected));
  }
  static void expect_keys(const YamlNode& map, const std::string& path, const std::vector<std::string>& known) {
    if (map.kind != NodeKind::kMap) refuse(map, path, "a map of " + join(known));
    for (const YamlEntry& entry : map.entries) {
      if (std::ranges::find(known, entry.key) != known.end()) continue;
      fail(entry.position, config::join_path(path, config::printable(entry.key)),
           fmt::format("unknown key, expected one of {}{}", join(known), suggestion(entry.key, known)));
    }
  }

  static const std::vector<YamlNode>& list_items(const YamlNode& node, const std::string& path,
                                                 const std::string& expected) {
    if (node.kind != NodeKind::kList || node.items.empty()) refuse(node, path, expected);
    return node.items;
  }

  static int64_t read_count(const YamlNode& node, const std::string& path) {
    const std::optional<int64_t> value = number_in<int64_t>(node.text);
    if (node.kind != NodeKind::kScalar || !value || *value < 0) refuse(node, path, "a whole number, 0 or more");
    return *value;
  }

  static std::string read_plain(const YamlNode& node, const std::string& path) {
    if (node.kind != NodeKind::kScalar || !is_plain(node.text)) {
      refuse(node, path, "a name of letters, digits and _-.=+, since it names a folder");
    }
    return node.text;
  }

  static std::vector<Override> read_set(const YamlNode& node, const std::string& path) {
    if (node.kind != NodeKind::kMap) refuse(node, path, "a map such as {train.l2: 0}");
    std::vector<Override> overrides;
    for (const YamlEntry& entry : node.entries) {
      if (entry.key == "train.seed") fail(entry.position, path, kSetsSeed);
      overrides.push_back(override_of(entry.key, entry.value, entry.position));
    }
    return overrides;
  }

  const YamlNode* find(const char* key) const {
    const YamlEntry* entry = tree_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }
  // empty: each configuration's own
  std::vector<uint64_t> read_seeds() const {
    const YamlNode* node = find("seeds");
    std::vector<uint64_t> seeds;
    std::set<uint64_t> known;
    if (node == nullptr) return seeds;
    for (const YamlNode& item : list_items(*node, "seeds", "a list of seeds such as [1, 2, 3]")) {
      seeds.push_back(static_cast<uint64_t>(read_count(item, "seeds")));
      if (!known.insert(seeds.back()).second) {
        fail(item.position, "seeds", fmt::format("lists {} twice", seeds.back()));
      }
    }
    return seeds;
  }

  std::vector<ConfigEntry> read_configs() const {
    const YamlNode* node = find("configs");
    if (node == nullptr) fail(tree_.position, "configs", "is missing, expected a list of configuration files");
    std::vector<ConfigEntry> configs;
    for (const YamlNode& item : list_items(*node, "configs", "a list of configuration files")) {
      const std::string path = fmt::format("configs[{}]", configs.size());
      ConfigEntry entry{.position = item.position};
      const YamlNode* file = &item;
      if (item.kind == NodeKind::kMap) {
        expect_keys(item, path, {"config", "arm", "set", "seed"});
        if (item.find("config") == nullptr) fail(item.position, path, "names no `config`, expected a file");
        file = &item.find("config")->value;
        if (const YamlEntry* arm = item.find("arm")) entry.arm = read_plain(arm->value, path + ".arm");
        if (const YamlEntry* set = item.find("set")) entry.overrides = read_set(set->value, path + ".set");
        if (const YamlEntry* seed = item.find("seed")) {
          if (find("seeds") != nullptr)
            fail(seed->position, path + ".seed", "the key `seeds` lists the seeds of all arms");
          entry.seed = static_cast<uint64_t>(read_count(seed->value, path + ".seed"));
        }
      }
      entry.path = config::path_from(*file, path);
      if (!std::filesystem::is_regular_file(entry.path)) {
        fail(file->position, path,
             fmt::format("cannot read {}: no such configuration file", config::quote(entry.path)));
      }
      if (entry.arm.empty()) entry.arm = made_plain(std::filesystem::path(entry.path).stem().string());
      configs.push_back(std::move(entry));
    }
    return configs;
  }

  std::vector<Variation> read_alternatives() const {
    const YamlNode* node = find("overrides");
    if (node == nullptr) return {{}};
    std::vector<Variation> alternatives;
    for (const YamlNode& item : list_items(*node, "overrides", "a list such as [{arm: no_l2, set: {train.l2: 0}}]")) {
      const std::string path = fmt::format("overrides[{}]", alternatives.size());
      expect_keys(item, path, {"arm", "set"});
      Variation variation;
      if (const YamlEntry* arm = item.find("arm")) variation.label = read_plain(arm->value, path + ".arm");
      if (const YamlEntry* set = item.find("set")) variation.overrides = read_set(set->value, path + ".set");
      alternatives.push_back(std::move(variation));
    }
    return alternatives;
  }

  // Every combination, the last key changing first.
  std::vector<Variation> read_grid() const {
    std::vector<Variation> combinations{{}};
    const YamlNode* node = find("grid");
    if (node == nullptr) return combinations;
    if (node->kind != NodeKind::kMap) refuse(*node, "grid", "a map such as {train.l2: [0, 0.0001]}");
    for (const YamlEntry& axis : node->entries) {
      const std::string path = config::join_path("grid", config::printable(axis.key));
      if (axis.key == "train.seed") fail(axis.position, path, "expected the key `seeds` to list the seeds");
      std::vector<Variation> longer;
      const std::vector<YamlNode>& values = list_items(axis.value, path, "a list of values");
      if (combinations.size() * values.size() > kMostRuns) {
        fail(axis.position, "grid",
             fmt::format("makes {} combinations and more, at most {} are accepted", combinations.size() * values.size(),
                         kMostRuns));
      }
      for (const Variation& combination : combinations) {
        for (const YamlNode& value : values) {
          const std::string text = config::print_flow(value);
          const std::string label = made_plain(axis.key.substr(axis.key.find('.') + 1) + "=" + text);
          Variation& next = longer.emplace_back(combination);
          next.label += (next.label.empty() ? "" : "-") + label;
          next.overrides.push_back(override_of(axis.key, value, value.position));
        }
      }
      combinations = std::move(longer);
    }
    return combinations;
  }

  // Refuses too many runs before any two lists are combined.
  std::vector<Variation> read_variations(size_t configs, size_t seeds) const {
    std::vector<Variation> variations;
    const std::vector<Variation> grid = read_grid(), alternatives = read_alternatives();
    const double runs = static_cast<double>(configs) * static_cast<double>(alternatives.size()) *
                        static_cast<double>(grid.size()) * static_cast<double>(seeds);
    if (runs > kMostRuns) {
      fail(tree_.position, "",
           fmt::format("makes {:.0f} runs of {} configs, {} overrides, {} combinations of the grid and {} seeds; at "
                       "most {} are accepted",
                       runs, configs, alternatives.size(), grid.size(), seeds, kMostRuns));
    }
    for (const Variation& alternative : alternatives) {
      for (const Variation& combination : grid) {
        Variation& both = variations.emplace_back(alternative);
        both.label += (both.label.empty() || combination.label.empty() ? "" : "-") + combination.label;
        both.overrides.insert(both.overrides.end(), combination.overrides.begin(), combination.overrides.end());
      }
    }
    return variations;
  }

  // A run of each arm, its seed still to be set.
  std::vector<SweepRun> make_arms(size_t seeds) const {
    const YamlNode* set = find("set");
    const std::vector<Override> common = set == nullptr ? std::vector<Override>{} : read_set(*set, "set");
    const std::vector<ConfigEntry> configs = read_configs();
    const std::vector<Variation> variations = read_variations(configs.size(), seeds);
    std::vector<SweepRun> arms;
    std::set<std::string> names;
    for (const ConfigEntry& entry : configs) {
      for (const Variation& variation : variations) {
        SweepRun run{.arm = entry.arm + (variation.label.empty() ? "" : "-") + variation.label,
                     .config_path = entry.path};
        std::vector<Override> overrides = common;
        for (const auto* more : {&entry.overrides, &variation.overrides, &last_}) {
          overrides.insert(overrides.end(), more->begin(), more->end());
        }
        for (const Override& override : overrides) run.overrides.push_back(override.text);
        if (!names.insert(run.arm).second) {
          fail(entry.position, "configs", fmt::format("two arms are called {}; `arm: NAME` tells them apart", run.arm));
        }
        try {
          run.config = config::load(run.config_path, overrides);
          for (const Override& override : overrides) refuse_seed(override);
          if (entry.seed) run.config.train.seed = *entry.seed;
        } catch (Error& error) {
          error.add_context(fmt::format("{}: arm {}", sweep_.path, run.arm));
          throw;
        }
        arms.push_back(std::move(run));
      }
    }
    return arms;
  }

  void find_repetitions() const {
    std::map<std::string, size_t> first_with;  // key: the resolved configuration
    for (size_t i = 0; i < sweep_.runs.size(); ++i) {
      const auto [first, is_new] = first_with.try_emplace(to_yaml(sweep_.runs[i].config), i);
      if (is_new) continue;
      sweep_.runs[i].same_as = first->second;
      sweep_.runs[i].folder = sweep_.runs[first->second].folder;
    }
  }

  void read_baseline() const {
    std::vector<std::string> arms;
    for (const SweepRun& run : sweep_.runs) arms.push_back(run.arm);
    const YamlNode* node = find("baseline");
    sweep_.baseline = node == nullptr ? arms.front() : node->text;
    if (std::ranges::find(arms, sweep_.baseline) == arms.end()) {
      refuse(*node, "baseline", "the name of an arm" + suggestion(sweep_.baseline, arms));
    }
  }

  void read_images(const YamlNode& node) const {
    expect_keys(node, "images", {"train", "validation"});
    if (const YamlEntry* train = node.find("train")) sweep_.training_images = read_count(train->value, "images.train");
    if (const YamlEntry* validation = node.find("validation")) {
      sweep_.validation_images = read_count(validation->value, "images.validation");
    }
  }

  const YamlNode& tree_;
  std::vector<Override> last_;  // these go over all others
  Sweep& sweep_;
};

}  // namespace

const char* name_of(RunState state) {
  constexpr const char* kNames[] = {"pending", "running", "finished", "diverged", "crashed", "interrupted"};
  return kNames[static_cast<int>(state)];
}

Sweep load_sweep(const std::string& path, const std::vector<std::string>& overrides) {
  Sweep sweep{.path = path};
  const YamlNode tree = config::parse_file(path);
  read_file(path, sweep.text);
  Reader(tree, overrides, sweep).read();
  return sweep;
}

}  // namespace bn
