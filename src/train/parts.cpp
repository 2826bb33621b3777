#include "train/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "bn/evaluate.hpp"

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
  std::string own_names;
  for (const std::string& name : mine.skipped_names) own_names += name + '\0';
  for (const std::string& names : group.gather(own_names)) {
    std::istringstream stream(names);
    for (std::string name; std::getline(stream, name, '\0');) all.skipped_names.push_back(name);
  }
  return all;
}

PartScore score_part(const Plan& plan, Backend& backend) {
  const int64_t batch = plan.logits().shape.n, classes = plan.logits().shape.c;
  std::vector<float> logits(static_cast<size_t>(batch * classes));
  std::vector<int32_t> labels(static_cast<size_t>(batch));
  backend.download(logits.data(), plan.logits().data, plan.logits().bytes());
  backend.download(labels.data(), plan.labels().data, plan.labels().bytes());
  PartScore result{.loss = plan.read_loss()};
  for (int64_t i = 0; i < batch; ++i) {
    const Score score =
        score_logits(&logits[static_cast<size_t>(i * classes)], classes, labels[static_cast<size_t>(i)]);
    result.top1 += score.rank < 1 ? 1 : 0;
    result.top5 += score.rank < 5 ? 1 : 0;
  }
  result.top1 /= static_cast<double>(batch);
  result.top5 /= static_cast<double>(batch);
  return result;
}

PartScore mean_over_parts(Group& group, const std::vector<PartScore>& own) {
  constexpr size_t kValues = 3;
  std::vector<double> mine, all(kValues * own.size() * static_cast<size_t>(group.place().world));
  for (const PartScore& score : own) mine.insert(mine.end(), {score.loss, score.top1, score.top5});
  group.gather(mine, all);
  PartScore mean;
  for (size_t i = 0; i < all.size(); i += kValues) {
    mean.loss += all[i];
    mean.top1 += all[i + 1];
    mean.top5 += all[i + 2];
  }
  const size_t count = all.size() / kValues;
  const auto parts = static_cast<double>(count);
  return {.loss = mean.loss / parts, .top1 = mean.top1 / parts, .top5 = mean.top5 / parts};
}

}  // namespace bn
