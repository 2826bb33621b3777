// This finds what must be alike in all processes of a run, and before and after it is resumed.
#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <sstream>

#include "bn/error.hpp"
#include "system/files.hpp"
#include "train/trainer.hpp"

namespace bn {
namespace {

std::string choices_path(const RunFolder& folder) { return folder.path() + "/engines.txt"; }

// The first line of `before` that is not in `now`, or "".
std::string first_changed_line(const std::string& before, const std::string& now) {
  std::istringstream lines(before);
  for (std::string line; std::getline(lines, line);) {
    if (("\n" + now).find("\n" + line + "\n") == std::string::npos) return line;
  }
  return "";
}

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

void expect_same_data(Group& group, const Provenance& own) {
  const auto describe = [](const DataRecord& data) {
    return fmt::format("{} images with fingerprint {}", data.images, data.fingerprint);
  };
  expect_agreement(group,
                   {{.name = "the training images", .value = describe(own.training), .exit_code = ExitCode::kData},
                    {.name = "the validation images", .value = describe(own.validation), .exit_code = ExitCode::kData},
                    {.name = "the classes",
                     .value = fmt::format("{}", fmt::join(own.classes, ", ")),
                     .exit_code = ExitCode::kData}});
}

void expect_same_choices(Group& group, const Backend& backend) {
  const std::vector<std::string> all = group.gather(backend.choices()), hosts = group.gather(group.place().host);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw AgreedError(ExitCode::kUnsupported,
                      fmt::format("the processes must compute by the same engines, but that of process 0 on {} for {} "
                                  "is not that of process {} on {}; their GPUs and libraries must be of one kind",
                                  hosts[0], first_changed_line(all[0], all[rank]), rank, hosts[rank]));
  }
}

std::string expect_same_provenance(const RunFolder& folder, const Provenance& before, const Provenance& now,
                                   OtherComputation otherwise) {
  const std::vector<std::string> differences = differences_of_data(before, now);
  if (!differences.empty()) {
    throw DataError(fmt::format("--resume: the data of '{}' are not those that it was trained on: {}", folder.path(),
                                fmt::join(differences, "; ")));
  }
  if (before.computation == now.computation) return "";
  if (otherwise == OtherComputation::kRefused) {
    throw UnsupportedError(
        fmt::format("--resume: '{}' was computed by {} and would go on with {}, so its last bits would not be those of "
                    "a run that never stopped; --allow-different-bits goes on all the same, and records it",
                    folder.path(), before.computation, now.computation));
  }
  return before.computation;
}

void store_choices(const Backend& backend, const RunFolder& folder) {
  const std::string choices = backend.choices();
  if (!choices.empty()) write_file(choices_path(folder), choices);
}

std::string repeat_choices(Backend& backend, const RunFolder& folder) {
  std::string choices;
  if (read_file(choices_path(folder), choices) == ReadResult::kMissing) return "";
  backend.repeat_choices(choices);
  return choices;
}

std::string expect_same_choices(const RunFolder& folder, const std::string& before, const std::string& now,
                                OtherComputation otherwise) {
  std::string changed = first_changed_line(before, now);
  if (!changed.empty() && otherwise == OtherComputation::kRefused) {
    throw UnsupportedError(
        fmt::format("--resume: '{}' used an engine that is not offered here ({}), so its last bits would not be those "
                    "of a run that never stopped; --allow-different-bits goes on all the same, and records it",
                    folder.path(), changed));
  }
  return changed;
}

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
