#include "train/describe.hpp"

#include <fmt/format.h>

namespace bn {
namespace {

// Empty when there was nothing.
std::string describe_left_out(const LeftOut& left_out, const char* set) {
  if (left_out.count == 0) return "";
  return fmt::format("; left out beside the {} images: {}", set, left_out.list());
}

// Nothing is said of a step that is one batch.
std::string describe_parts(const TrainOptions& train, const Place& place) {
  if (train.parts == 1) return "";
  return fmt::format("; {} parts x {} = {} images a step, by {} process{}; the learning rate is as given", train.parts,
                     train.batch, train.parts * train.batch, place.world, place.world == 1 ? "" : "es");
}

}  // namespace

std::string describe_skipped(int64_t count, const std::vector<std::string>& names) {
  if (count == 0) return "";
  const auto images = static_cast<int64_t>(names.size());
  const std::string often = count == images ? "" : fmt::format(", {} times in all", count);
  return fmt::format("undecodable images were skipped{}: {}", often, fmt::join(names, ", "));
}

std::string describe_start(const RunParts& run, const std::string& note) {
  std::string text =
      fmt::format("{}; {} parameters; {:.1f} M multiply-adds per image; {} training and {} validation images",
                  run.backend.name(), run.net.parameter_count(), static_cast<double>(run.net.multiply_adds()) / 1e6,
                  run.training.size(), run.validation.size());
  text += describe_parts(run.config.train, run.place) + note;
  text += describe_left_out(run.training.left_out(), "training");
  text += describe_left_out(run.validation.left_out(), "validation");
  return text;
}

}  // namespace bn
