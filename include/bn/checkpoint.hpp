// Checkpoints: safetensors, written to a temporary name, synced, renamed; checksummed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
};
// Throws CheckpointError: unreadable, checksum, or the first tensor (in the network's order) whose name or shape does
// not fit; the parameters are then untouched. An average in the file is ignored when the parameters have none.
CheckpointInfo load_checkpoint(const std::string& path, Parameters& parameters);
// Reads a file and proves it undamaged. Throws CheckpointError.
CheckpointInfo read_checkpoint_info(const std::string& path);

}  // namespace bn
