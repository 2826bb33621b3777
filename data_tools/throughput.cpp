// bn-data throughput: how fast the loader fills batches, with nothing else to do.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>

#include "bn/loader.hpp"
#include "commands.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct ThroughputArguments {
  DataOptions data{.kind = DatasetKind::kTar};
  LoaderOptions loader{.batch = 32, .seed = 1};
  double seconds = 5;
  int64_t images = 0;  // used instead of the seconds where it is not 0
};

struct Usage {
  int64_t peak_kilobytes = 0;
  double cpu_seconds = 0;  // all threads together
};

Usage usage_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return {.peak_kilobytes = usage.ru_maxrss, .cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

void measure(ThroughputArguments& arguments) {
  for (std::string& path : arguments.data.train) path = std::filesystem::absolute(path).string();
  if (!arguments.data.classes.empty()) {
    arguments.data.classes = std::filesystem::absolute(arguments.data.classes).string();
  }
  const auto set = open_dataset(arguments.data, Split::kTrain);
  Loader loader(*set, arguments.data, arguments.loader);
  Batch batch;
  // The measurement leaves out the first batches: they allocate memory and read the disk for the first time.
  for (int64_t i = 0; i < std::min<int64_t>(loader.batches_per_epoch(), 8); ++i) loader.next(batch);
  const Usage before = usage_so_far();
  const auto start = std::chrono::steady_clock::now();
  int64_t images = 0;
  const auto goes_on = [&] {
    return arguments.images > 0 ? images < arguments.images : seconds_since(start) < arguments.seconds;
  };
  do {
    loader.next(batch);
    images += batch.valid;
  } while (goes_on());
  const double seconds = seconds_since(start);
  const Usage after = usage_so_far();
  const auto count = static_cast<double>(images);
  say("{:.1f} images/s, {:.1f} a second of CPU time ({} images in {:.2f} s, {} workers); peak memory {:.1f} MB, of it "
      "{:.1f} MB while measured\n",
      count / seconds, count / (after.cpu_seconds - before.cpu_seconds), images, seconds, arguments.data.workers,
      static_cast<double>(after.peak_kilobytes) / 1e3,
      static_cast<double>(after.peak_kilobytes - before.peak_kilobytes) / 1e3);
}

// A range of CLI11 holds nan, too.
std::string problem_of_seconds(const std::string& text) {
  const std::optional<double> seconds = number_in<double>(text);
  const bool is_time = seconds && std::isfinite(*seconds) && *seconds > 0;
  return is_time ? "" : fmt::format("got '{}', expected a number of seconds above 0", text);
}

}  // namespace

void add_throughput_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<ThroughputArguments>();
  DataOptions& data = arguments->data;
  data.workers = 0;
  CLI::App* command = app.add_subcommand("throughput", "Training images a second that the loader delivers");
  add_choice(*command, "--kind", data.kind, "tar, folder or packed [tar]",
             {{"tar", DatasetKind::kTar}, {"folder", DatasetKind::kFolder}, {"packed", DatasetKind::kPacked}});
  command->add_option("PATHS", data.train, "Tar files, a folder of class folders, or a packed set")->required();
  command->add_option("--classes", data.classes, "File of class names");
  command->add_option("--image-size", data.image_size, "Side of the network's input")->capture_default_str();
  command->add_option("--min-area", data.augment.min_area, "Smallest crop")->capture_default_str();
  command->add_option("--distortion", data.distortion, "Strength, 0 to 1")->capture_default_str();
  add_choice(*command, "--decoder", data.decoder, "jpeg_turbo or opencv [jpeg_turbo]",
             {{"jpeg_turbo", Decoder::kJpegTurbo}, {"opencv", Decoder::kOpencv}});
  add_choice(*command, "--cache", data.cache, "none or decoded [none]",
             {{"none", Cache::kNone}, {"decoded", Cache::kDecoded}});
  command->add_option("--batch", arguments->loader.batch, "Images a batch")->capture_default_str();
  command->add_option("--workers", data.workers, "Decoding threads; 0 = the calling thread")->capture_default_str();
  command->add_option("--seconds", arguments->seconds, "How long to measure")
      ->capture_default_str()
      ->check(CLI::Validator(problem_of_seconds, ""));
  command->add_option("--images", arguments->images, "How many images to measure instead")
      ->check(CLI::NonNegativeNumber);
  command->callback([arguments, &exit_code] {
    expect_open_output();
    measure(*arguments);
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
