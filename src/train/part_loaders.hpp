// The training images of the parts that this process computes.
#pragma once

#include <memory>
#include <vector>

#include "bn/group.hpp"
#include "bn/loader.hpp"

namespace bn {

class PartLoaders {
 public:
  // A loader for each own part; they share data.workers. Throws as Loader does.
  PartLoaders(const Dataset& images, const DataOptions& data, const LoaderOptions& options, const OwnParts& own,
              int64_t parts);

  int64_t batches_per_epoch() const { return loaders_.front()->batches_per_epoch(); }
  void next(int64_t own_part, Batch& batch) { loaders_[static_cast<size_t>(own_part)]->next(batch); }
  LoaderCounters counters() const;                     // sums over this process's parts
  LoaderCounters counters_of_all(Group& group) const;  // sums over all processes, without their waiting

 private:
  std::vector<std::unique_ptr<Loader>> loaders_;
};

}  // namespace bn
