#include "packing/shape_files.hpp"

#include <memory>
#include <string>

#include "commands.hpp"
#include "data/shapes.hpp"

namespace bn {
namespace {

constexpr int64_t kMostImages = 10'000'000;

enum class Splits { kTrain, kValidation, kBoth };

struct ShapesCommand {
  ShapesOptions shapes;
  Splits splits = Splits::kBoth;
  std::string out, contact_sheet;
};

CLI::App* add_options(CLI::App& app, ShapesCommand& command) {
  auto* shapes = app.add_subcommand("shapes", "Write the generated set as PNG files in class folders");
  shapes->add_option("--out", command.out,
                     "Folder to write to: OUT/train/<class>/*.png and OUT/validation/<class>/*.png");
  shapes->add_option("--images", command.shapes.train_images, "Training images")
      ->check(CLI::Range(int64_t{1}, kMostImages))
      ->capture_default_str();
  shapes->add_option("--validation-images", command.shapes.validation_images, "Validation images")
      ->check(CLI::Range(int64_t{1}, kMostImages))
      ->capture_default_str();
  shapes->add_option("--size", command.shapes.image_size, "Height and width in pixels")->capture_default_str();
  shapes->add_option("--seed", command.shapes.seed, "Seed of everything drawn")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_choice(*shapes, "--split", command.splits, "train, validation or both (the default)",
             {{"train", Splits::kTrain}, {"validation", Splits::kValidation}, {"both", Splits::kBoth}});
  shapes->add_option("--contact-sheet", command.contact_sheet, "Also write one PNG with a row of samples per class");
  return shapes;
}

void run(const ShapesCommand& command) {
  if (command.out.empty() && command.contact_sheet.empty()) {
    throw Error(ExitCode::kUsage, "shapes needs --out FOLDER or --contact-sheet FILE");
  }
  const auto write = [&](Split split, const char* name, int64_t images) {
    const std::string folder = command.out + "/" + name;
    write_shapes_folder(command.shapes, split, folder);
    say("{}: {} images of {} classes\n", folder, images, kShapeNames.size());
  };
  if (!command.out.empty()) {
    if (command.splits != Splits::kValidation) write(Split::kTrain, "train", command.shapes.train_images);
    if (command.splits != Splits::kTrain) {
      write(Split::kValidation, "validation", command.shapes.validation_images);
    }
  }
  if (!command.contact_sheet.empty()) {
    constexpr int64_t kColumns = 16;
    const auto split = command.splits == Splits::kValidation ? Split::kValidation : Split::kTrain;
    write_contact_sheet(command.shapes, split, kColumns, command.contact_sheet);
    say("{}: {} images of each class\n", command.contact_sheet, kColumns);
  }
}

}  // namespace

void add_shapes_command(CLI::App& app, ExitCode& exit_code) {
  auto command = std::make_shared<ShapesCommand>();
  add_options(app, *command)->callback([command, &exit_code] {
    run(*command);
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
