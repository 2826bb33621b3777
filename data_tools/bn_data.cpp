// bn-data: makes and inspects data sets.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "bn/error.hpp"
#include "data/shapes.hpp"

namespace {

enum class Splits { kTrain, kValidation, kBoth };

struct ShapesCommand {
  bn::ShapesOptions shapes;
  Splits splits = Splits::kBoth;
  std::string out, contact_sheet;
};

CLI::App* add_shapes(CLI::App& app, ShapesCommand& command) {
  auto* shapes = app.add_subcommand("shapes", "Write the generated set as PNG files in class folders");
  shapes->add_option("--out", command.out,
                     "Folder to write to: OUT/train/<class>/*.png and OUT/validation/<class>/*.png");
  shapes->add_option("--images", command.shapes.train_images, "Training images")->capture_default_str();
  shapes->add_option("--validation-images", command.shapes.validation_images, "Validation images")
      ->capture_default_str();
  shapes->add_option("--size", command.shapes.image_size, "Height and width in pixels")->capture_default_str();
  shapes->add_option("--seed", command.shapes.seed, "Seed of everything drawn")->capture_default_str();
  shapes->add_option("--split", command.splits, "train, validation or both (the default)")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Splits>{
              {"train", Splits::kTrain}, {"validation", Splits::kValidation}, {"both", Splits::kBoth}},
          CLI::ignore_case))
      ->option_text("TEXT");
  shapes->add_option("--contact-sheet", command.contact_sheet, "Also write one PNG with a row of samples per class");
  return shapes;
}

void run(const ShapesCommand& command) {
  if (command.out.empty() && command.contact_sheet.empty()) {
    throw bn::Error(bn::ExitCode::kUsage, "shapes needs --out FOLDER or --contact-sheet FILE");
  }
  const auto write = [&](bn::Split split, const char* name, int64_t images) {
    const std::string folder = command.out + "/" + name;
    bn::write_shapes_folder(command.shapes, split, folder);
    std::printf("%s: %lld images of %lld classes\n", folder.c_str(), static_cast<long long>(images),
                static_cast<long long>(bn::kShapeNames.size()));
  };
  if (!command.out.empty()) {
    if (command.splits != Splits::kValidation) write(bn::Split::kTrain, "train", command.shapes.train_images);
    if (command.splits != Splits::kTrain) {
      write(bn::Split::kValidation, "validation", command.shapes.validation_images);
    }
  }
  if (!command.contact_sheet.empty()) {
    constexpr int64_t kColumns = 16;
    const auto split = command.splits == Splits::kValidation ? bn::Split::kValidation : bn::Split::kTrain;
    bn::write_contact_sheet(command.shapes, split, kColumns, command.contact_sheet);
    std::printf("%s: %lld images of each class\n", command.contact_sheet.c_str(), static_cast<long long>(kColumns));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes the data sets that bninception trains on.");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 success, 1 unexpected failure, 2 wrong usage, 3 unusable option, 4 unusable data, 7 cannot "
      "write.");
  ShapesCommand shapes;
  add_shapes(app, shapes);
  try {
    app.parse(argc, argv);
    run(shapes);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(bn::ExitCode::kUsage);
  } catch (const bn::Error& error) {
    std::fprintf(stderr, "bn-data: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bn-data: %s\n", error.what());
    return static_cast<int>(bn::ExitCode::kFailure);
  }
}
