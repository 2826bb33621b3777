// An experiment: every option of a run, read from YAML with positions, a base and overrides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bn/backend_options.hpp"
#include "bn/data_options.hpp"
#include "bn/model_options.hpp"
#include "bn/plan_options.hpp"
#include "bn/train_options.hpp"

namespace bn {

enum class Device { kCpu, kCuda };

// Whether CPUs exchange gradients while others are still computed. kWhereFaster: between machines. No bit depends on
// it.
enum class Overlap { kWhereFaster, kAlways, kNever };

struct DistributedOptions {
  Overlap overlap = Overlap::kWhereFaster;
  int64_t timeout_seconds = 120;  // a process that waited for the others so long ends with ExitCode::kPeerLost
};

struct Config {
  ModelOptions model;  // `model.network:` names the table's file, relative to the YAML file
  DataOptions data;
  TrainOptions train;
  DType precision = DType::kF32;
  Device device = Device::kCpu;
  CpuOptions cpu{};  // all but its number of threads
  CudaOptions cuda{};
  int64_t threads = 0;  // 0 = OMP_NUM_THREADS, else all usable; the resolved configuration holds the number used
  PlanPasses passes{};  // `plan.passes`
  DistributedOptions distributed{};
};

// Reads the file, its chain of `base:` files and `key.path=value` overrides. A relative path that names no file is
// looked up among the installed experiments. Throws ConfigError:
// "file.yaml:12:3: train.momentm: unknown key; did you mean train.momentum?", or several of these, a line each.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {});
Config parse_config(const std::string& yaml, const std::string& name);  // self-contained text, such as a resolved one

// The resolved whole as YAML (the network's table included); parse_config(to_yaml(c)) == c.
std::string to_yaml(const Config& config);
// Every "key.path" with its value, but for the network's table.
std::vector<std::pair<std::string, std::string>> values_of(const Config& config);
// "key.path: a -> b", one difference a line.
std::vector<std::string> diff(const Config& a, const Config& b);
// The same, without the keys that a run may change when it continues: its bits up to there do not depend on them.
std::vector<std::string> experiment_diff(const Config& a, const Config& b);
// Every key with what it expects, its default in brackets and what it means; given prefixes such as
// "train.learning_rate", these keys and those inside them. Throws ConfigError for a prefix that is no key.
std::string config_help(const std::vector<std::string>& prefixes = {});
// The same as a JSON Schema (draft-07), which editors check and complete a file by.
std::string config_schema();
// The key whose last part is this one, such as train.epochs for "epochs"; the shortest where several match.
struct NamedKey {
  std::string path;
  bool holds_keys = false;  // a map of further keys
};
std::optional<NamedKey> find_key(const std::string& last_part);
// Constraints between keys (epochs or steps, ...). Throws ConfigError. load_config calls it.
void check(const Config& config);

}  // namespace bn
