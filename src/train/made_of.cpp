#include "train/made_of.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"

namespace bn {

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

std::string expect_same_making(const RunFolder& folder, const Provenance& before, const Provenance& now,
                               OtherComputation otherwise) {
  const std::vector<std::string> differences = differences_of_data(before, now);
  if (!differences.empty()) {
    throw DataError(fmt::format("--resume: the data of '{}' are not those that it was trained on: {}", folder.path(),
                                fmt::join(differences, "; ")));
  }
  if (before.computation == now.computation) return "";
  if (otherwise == OtherComputation::kRefused) {
    throw UnsupportedError(fmt::format(
        "--resume: '{}' was computed by {} and would go on with {}, so its last bits would not be those of a "
        "run that never stopped; --allow-different-bits goes on all the same, and records it",
        folder.path(), before.computation, now.computation));
  }
  return before.computation;
}

}  // namespace bn
