#include "cuda/updates.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

namespace bn::cuda {

namespace {

SgdRule rule_of(const SgdUpdate& update) {
  return {.momentum = update.momentum, .kind = update.kind, .step = update.step};
}

// The part of an update's span from element `first` on.
SgdRange range_of(const SgdUpdate& update, int64_t first, int64_t count) {
  return {.value = update.value.as<float>() + first,
          .velocity = update.velocity.as<float>() + first,
          .gradient = update.gradient.as<float>() + first,
          .count = count,
          .l2 = update.l2};
}

// Moves the first copy that `is_wanted` out of the list; null where there is none.
template <class F>
std::optional<WeightCopy> take(std::vector<WeightCopy>& copies, const F& is_wanted) {
  const auto found = std::find_if(copies.begin(), copies.end(), is_wanted);
  if (found == copies.end()) return {};
  const WeightCopy copy = *found;
  copies.erase(found);
  return copy;
}

// Divides an update at the weights that are packed in bf16, and takes their copies out of `packs`, and those of their
// gradients out of `unpacks`: the update makes them itself.
void divide(std::vector<SgdRange>& ranges, const SgdUpdate& update, std::vector<WeightCopy>& unpacks,
            std::vector<WeightCopy>& packs) {
  const auto* values = update.value.as<const float>();
  const int64_t end = update.value.shape.elements();
  const auto add_plain = [&](int64_t first, int64_t next) {
    if (first < next) ranges.push_back(range_of(update, first, next - first));
  };
  int64_t done = 0;
  while (done < end) {
    // The next weights of the span: `packs` is in the order of their addresses.
    const std::optional<WeightCopy> pack = take(packs, [&](const WeightCopy& copy) {
      const auto* from = static_cast<const float*>(copy.from);
      return copy.to_dtype == DType::kBf16 && from >= values + done &&
             from + copy.rows * copy.from_width <= values + end;
    });
    if (!pack) break;
    const int64_t first = static_cast<const float*>(pack->from) - values;
    add_plain(done, first);
    SgdRange range = range_of(update, first, pack->rows * pack->from_width);
    range.rounded = pack->to;
    range.width = pack->from_width;
    range.packed_width = pack->to_width;
    const std::optional<WeightCopy> unpack = take(unpacks, [&](const WeightCopy& copy) {
      return copy.to == range.gradient && copy.from_dtype == DType::kBf16 && copy.rows == pack->rows &&
             copy.to_width == pack->from_width && copy.from_width == pack->to_width;
    });
    if (unpack) {
      range.gradient = unpack->from;
      range.gradient_type = DType::kBf16;
    }
    ranges.push_back(range);
    done = first + range.count;
  }
  add_plain(done, end);
}

}  // namespace

void update(const Context& context, std::span<const SgdUpdate> updates, GatheredWork unpacks, GatheredWork packs) {
  std::sort(packs.copies.begin(), packs.copies.end(),
            [](const WeightCopy& a, const WeightCopy& b) { return std::less<>()(a.from, b.from); });
  std::vector<std::pair<SgdRule, std::vector<SgdRange>>> launches;
  for (const SgdUpdate& update : updates) {
    const SgdRule rule = rule_of(update);
    if (launches.empty() || launches.back().first != rule) launches.push_back({rule, {}});
    divide(launches.back().second, update, unpacks.copies, packs.copies);
  }
  start(context, unpacks);
  for (const auto& [rule, ranges] : launches) sgd_ranges(context, ranges, rule);
  start(context, packs);
}

}  // namespace bn::cuda
