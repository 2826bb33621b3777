// Checkpoints: safetensors, written to a temporary name, synced, renamed; checksummed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bn/parameters.hpp"
#include "bn/provenance.hpp"

namespace bn {

// Training's position, saved with every checkpoint. The data position follows from `step` alone.
struct Progress {
  int64_t step = 0;  // steps done
  double best_top1 = -1;
  int64_t best_step = 0;
};

// Throws StorageError; the previous file of that name is then untouched.
void save_checkpoint(const std::string& path, const Parameters& parameters, const Progress& progress,
                     const std::string& config, const Provenance& provenance = {});
struct CheckpointInfo {
  Progress progress{};
  std::string config{};                    // the resolved configuration, YAML
  std::optional<Provenance> provenance{};  // none in checkpoints of earlier versions
  std::string checksum{};                  // "xxh3-64:..." of the file
};
// Throws StorageError where a disk fails, and CheckpointError: no file, its checksum, or the first tensor (in the
// network's order) whose name or shape does not fit, or that holds a value which is not finite or a variance below 0;
// the parameters are then untouched. An average in the file is ignored when the parameters have none.
CheckpointInfo load_checkpoint(const std::string& path, Parameters& parameters);
// Loads what another run has learned: the values that its evaluation used (the average, where it kept one) and the
// population statistics. Velocities and counters stay as they are, and so do the parameters that are named in
// `left_out`, such as "logits/linear/w". Errors as load_checkpoint().
CheckpointInfo load_values(const std::string& path, Parameters& parameters, const std::vector<std::string>& left_out);
// Reads a file and proves it undamaged. Throws CheckpointError.
CheckpointInfo read_checkpoint_info(const std::string& path);

}  // namespace bn
