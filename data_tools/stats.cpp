// bn-data stats: figures of a packed set, and a contact sheet.
#include "packing/stats.hpp"

#include <filesystem>
#include <memory>

#include "commands.hpp"
#include "packing/encode.hpp"
#include "system/files.hpp"
#include "system/usable_cores.hpp"

namespace bn {
namespace {

struct StatsArguments {
  std::string folder, contact_sheet;
  Split split = Split::kTrain;
  int64_t measured = 2000, workers = usable_cores().count;
  DataOptions data{.kind = DatasetKind::kPacked, .workers = 1};
  int64_t rows = 8, columns = 9;
  uint64_t seed = 1;
};

void print_extent(const char* name, const Extent& extent) {
  say("  {:<7} {} to {}, mean {:.1f}\n", name, extent.least, extent.most, extent.mean);
}

void print_stats(const SetStats& stats, const StatsArguments& arguments) {
  say("{}: {} images\n", split_name(arguments.split), stats.images);
  print_extent("width", stats.width);
  print_extent("height", stats.height);
  print_extent("bytes", stats.bytes);
  say("{}of the pixels of {} images, scaled to 0..1:\n", list_traits(stats.traits), stats.measured);
  say("  mean: [{:.4f}]\n  std: [{:.4f}]\n", fmt::join(stats.mean, ", "), fmt::join(stats.deviation, ", "));
  for (size_t k = 0; k < 3; ++k) {
    say("  eigenvector [{:.4f}] of the RGB covariance, eigenvalue {:.6f}\n", fmt::join(stats.eigenvectors[k], ", "),
        stats.eigenvalues[k]);
  }
  say("  lighting: [{:.4f}]\n", fmt::join(stats.lighting, ", "));
}

void draw_sheet(StatsArguments& arguments) {
  arguments.data.train = arguments.data.validation = {std::filesystem::absolute(arguments.folder).string()};
  const Image sheet =
      draw_contact_sheet(arguments.data, arguments.split, arguments.rows, arguments.columns, arguments.seed);
  write_sheet(sheet.view(), arguments.contact_sheet);
  say("{}: {} images of the {} set, as evaluation sees them and then as training does\n", arguments.contact_sheet,
      arguments.rows, split_name(arguments.split));
}

}  // namespace

void add_stats_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<StatsArguments>();
  DataOptions& data = arguments->data;
  CLI::App* command = app.add_subcommand("stats", "Sizes, kinds and colours of a packed set, and a look at it");
  command->add_option("DIR", arguments->folder, "Folder made by bn-data pack")->required();
  add_choice(*command, "--split", arguments->split, "train or val [train]",
             {{"train", Split::kTrain}, {"val", Split::kValidation}, {"validation", Split::kValidation}});
  command->add_option("--images", arguments->measured, "Decode this many for the colours")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--workers", arguments->workers, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--contact-sheet", arguments->contact_sheet,
                      "Also write a PNG of augmented images: a row an image, the first column plain");
  command->add_option("--image-size", data.image_size, "Of the sheet: side of the network's input")
      ->capture_default_str();
  command->add_option("--resize-shorter", data.resize_shorter, "Of the sheet's first column")->capture_default_str();
  command->add_option("--min-area", data.augment.min_area, "Of the sheet: smallest crop")->capture_default_str();
  command->add_option("--distortion", data.distortion, "Of the sheet: strength, 0 to 1")->capture_default_str();
  command->add_option("--rows", arguments->rows, "Of the sheet")->capture_default_str();
  command->add_option("--columns", arguments->columns, "Of the sheet")->capture_default_str();
  command->add_option("--seed", arguments->seed, "Of the sheet")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->callback([arguments, &exit_code] {
    expect_open_output();
    print_stats(measure_stats(std::filesystem::absolute(arguments->folder).string(), arguments->split,
                              arguments->measured, arguments->workers),
                *arguments);
    if (!arguments->contact_sheet.empty()) draw_sheet(*arguments);
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
