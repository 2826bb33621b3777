#include "train/part_scores.hpp"

#include "bn/evaluate.hpp"

namespace bn {

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
