// The training images of the parts that this process computes, and how well the network knows them.
#pragma once

#include <memory>
#include <vector>

#include "bn/group.hpp"
#include "bn/loader.hpp"
#include "bn/plan.hpp"

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

struct PartScore {
  double loss = 0;            // mean over the part's images
  double top1 = 0, top5 = 0;  // fractions of them
};

// Scores the training plan's last forward pass.
PartScore score_part(const Plan& plan, Backend& backend);

// The mean over the parts of all processes, in the order of the parts.
PartScore mean_over_parts(Group& group, const std::vector<PartScore>& own);

}  // namespace bn
