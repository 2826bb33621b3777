#include "train/part_loaders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace bn {

PartLoaders::PartLoaders(const Dataset& images, const DataOptions& data, const LoaderOptions& options,
                         const OwnParts& own, int64_t parts) {
  DataOptions share = data;
  if (share.workers > 0) share.workers = std::max<int64_t>(1, share.workers / own.count);
  LoaderOptions of_part = options;
  of_part.part.world = parts;
  for (int64_t i = 0; i < own.count; ++i) {
    of_part.part.rank = own.first + i;
    loaders_.push_back(std::make_unique<Loader>(images, share, of_part));
  }
}

LoaderCounters PartLoaders::counters() const {
  LoaderCounters sum;
  for (const auto& loader : loaders_) {
    const LoaderCounters counters = loader->counters();
    sum.wait_seconds += counters.wait_seconds;
    sum.skipped += counters.skipped;
    sum.skipped_names.insert(sum.skipped_names.end(), counters.skipped_names.begin(), counters.skipped_names.end());
  }
  return sum;
}

LoaderCounters PartLoaders::counters_of_all(Group& group) const {
  LoaderCounters mine = counters();
  if (group.is_alone()) return mine;
  LoaderCounters all;
  for (const std::string& count : group.gather(fmt::to_string(mine.skipped))) all.skipped += std::stoll(count);
  for (const std::string& names : group.gather(fmt::format("{}", fmt::join(mine.skipped_names, "\n")))) {
    std::istringstream lines(names);
    for (std::string name; std::getline(lines, name);) all.skipped_names.push_back(name);
  }
  return all;
}

}  // namespace bn
