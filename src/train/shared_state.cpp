#include "train/shared_state.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>

namespace bn {
namespace {

std::vector<std::byte> copy_of(const Tensor& tensor, Backend& backend) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes()));
  backend.download(bytes.data(), tensor.data, tensor.bytes());
  return bytes;
}

void share(Group& group, const Tensor& tensor, Backend& backend) {
  std::vector<std::byte> bytes = copy_of(tensor, backend);
  group.broadcast(bytes);
  if (!group.is_first()) backend.upload(tensor.data, bytes.data(), tensor.bytes());
}

}  // namespace

void share_state(Group& group, Parameters& parameters, Progress& progress) {
  if (group.is_alone()) return;
  struct Numbers {
    Progress progress;
    int64_t statistics_updates;
  };
  std::array<Numbers, 1> numbers{Numbers{progress, parameters.statistics_updates}};
  group.broadcast(std::as_writable_bytes(std::span(numbers)));
  progress = numbers.front().progress;
  parameters.statistics_updates = numbers.front().statistics_updates;
  for (const NamedTensor& named : parameters.named_tensors()) share(group, named.tensor, parameters.backend());
}

void share(Group& group, bool& value) { group.broadcast(std::as_writable_bytes(std::span(&value, 1))); }

void expect_same_parameters(Group& group, const Parameters& parameters, int64_t step) {
  if (group.is_alone()) return;
  const std::vector<std::byte> values = copy_of(parameters.value_slab(), parameters.backend());
  const uint64_t hash = XXH3_64bits(values.data(), values.size());
  const std::vector<std::string> hashes = group.gather(fmt::format("{:016x}", hash));
  const std::vector<std::string> hosts = group.gather(group.place().host);
  for (size_t rank = 1; rank < hashes.size(); ++rank) {
    if (hashes[rank] == hashes[0]) continue;
    throw AgreedError(
        ExitCode::kFailure,
        fmt::format("after step {} the parameters of process {} on {} are not those of process 0 on {}, so one of the "
                    "two computes wrongly; nothing was saved at this step, and the last checkpoint is sound: continue "
                    "with --resume, without that machine if it happens again",
                    step, rank, hosts[rank], hosts[0]));
  }
}

}  // namespace bn
