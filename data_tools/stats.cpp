// bn-data stats: figures of a packed set, and a contact sheet.
#include "packing/stats.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "commands.hpp"
#include "core/files.hpp"
#include "core/usable_cores.hpp"
#include "packing/encode.hpp"

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
  std::printf("  %-7s %lld to %lld, mean %.1f\n", name, static_cast<long long>(extent.least),
              static_cast<long long>(extent.most), extent.mean);
}

void print_stats(const SetStats& stats, const StatsArguments& arguments) {
  std::printf("%s: %lld images\n", split_name(arguments.split).c_str(), static_cast<long long>(stats.images));
  print_extent("width", stats.width);
  print_extent("height", stats.height);
  print_extent("bytes", stats.bytes);
  for (size_t i = 0; i < stats.traits.size(); ++i) {
    if (stats.traits[i] > 0) std::printf("  %s: %lld\n", kTraitNames[i], static_cast<long long>(stats.traits[i]));
  }
  std::printf("of the pixels of %lld images, scaled to 0..1:\n", static_cast<long long>(stats.measured));
  std::printf("%s\n", fmt::format("  mean: [{:.4f}]\n  std: [{:.4f}]", fmt::join(stats.mean, ", "),
                                  fmt::join(stats.deviation, ", "))
                          .c_str());
  for (size_t k = 0; k < 3; ++k) {
    std::printf("%s\n", fmt::format("  eigenvector [{:.4f}] of the RGB covariance, eigenvalue {:.6f}",
                                    fmt::join(stats.eigenvectors[k], ", "), stats.eigenvalues[k])
                            .c_str());
  }
  std::printf("%s\n", fmt::format("  lighting: [{:.4f}]", fmt::join(stats.lighting, ", ")).c_str());
}

void write_sheet(StatsArguments& arguments) {
  arguments.data.train = arguments.data.validation = {std::filesystem::absolute(arguments.folder).string()};
  const Image sheet =
      draw_contact_sheet(arguments.data, arguments.split, arguments.rows, arguments.columns, arguments.seed);
  const std::vector<uint8_t> png = encode_png(sheet.view());
  write_file(arguments.contact_sheet, {reinterpret_cast<const char*>(png.data()), png.size()});
  std::printf("%s: %lld images of the %s set, as evaluation sees them and then as training does\n",
              arguments.contact_sheet.c_str(), static_cast<long long>(arguments.rows),
              split_name(arguments.split).c_str());
}

}  // namespace

void add_stats_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<StatsArguments>();
  DataOptions& data = arguments->data;
  CLI::App* command = app.add_subcommand("stats", "Sizes, kinds and colours of a packed set, and a look at it");
  command->add_option("DIR", arguments->folder, "Folder made by bn-data pack")->required();
  command->add_option("--split", arguments->split, "train or val [train]")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Split>{
              {"train", Split::kTrain}, {"val", Split::kValidation}, {"validation", Split::kValidation}},
          CLI::ignore_case))
      ->option_text("TEXT");
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
  command->add_option("--seed", arguments->seed, "Of the sheet")->capture_default_str();
  command->callback([arguments, &exit_code] {
    print_stats(measure_stats(std::filesystem::absolute(arguments->folder).string(), arguments->split,
                              arguments->measured, arguments->workers),
                *arguments);
    if (!arguments->contact_sheet.empty()) write_sheet(*arguments);
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
