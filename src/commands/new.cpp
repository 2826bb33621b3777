#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "bn/error.hpp"
#include "commands/commands.hpp"
#include "commands/photo_recipe.hpp"
#include "commands/photo_set.hpp"
#include "core/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string images, out;
};

std::string file_to_write(const NewArguments& arguments) {
  std::string out = arguments.out;
  if (out.empty()) {
    fs::path place(arguments.images);
    if (!place.has_filename()) place = place.parent_path();  // "photos/"
    std::error_code error;
    out = fs::canonical(place, error).stem().string() + ".yaml";
  }
  if (std::error_code error; fs::exists(fs::symlink_status(out, error))) {
    throw ConfigError(fmt::format("{} is there already; name another file with --out, or remove it", out));
  }
  return out;
}

// A word of a shell's command line.
std::string shell_word(const std::string& text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("/._-+,:@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string describe(const PhotoSet& set) {
  const auto [least, most] = std::minmax_element(set.counts.begin(), set.counts.end());
  const std::string counts = *least == *most ? fmt::to_string(*least) : fmt::format("{} to {}", *least, *most);
  std::string text = fmt::format("{}: {} classes of {} images, {} x {} pixels at the median\n", set.place,
                                 set.classes.size(), counts, set.survey.median_width, set.survey.median_height);
  text += fmt::format("{} images to train on, {} to validate{}\n", set.training, set.validation,
                      set.data.split.validation > 0 ? ", chosen by their contents" : "");
  for (const std::string& remark : set.remarks) text += "note: " + remark + "\n";
  return text;
}

ExitCode run_new(const NewArguments& arguments) {
  const PhotoSet set = look_at_photos(arguments.images);
  const std::string out = file_to_write(arguments);
  const PhotoRecipe recipe = choose_recipe(set.training, set.survey.median_shorter);
  write_file(out, to_yaml(set, recipe));
  load_config(out);  // throws unless the file can be trained
  const std::string program = shell_word(program_invocation_name);
  const std::string run = "runs/" + fs::path(out).stem().string();
  std::printf("%s", fmt::format("{}wrote {}: Inception at {}x{} pixels, {} steps in {} epochs. Next:\n"
                                "  {} train {} --out {}\n"
                                "  {} predict {} {}\n",
                                describe(set), out, recipe.image_size, recipe.image_size,
                                recipe.epochs * recipe.steps_per_epoch, recipe.epochs, program, shell_word(out),
                                shell_word(run), program, shell_word(run),
                                set.example.empty() ? "PHOTO.jpg" : shell_word(set.example))
                        .c_str());
  return ExitCode::kSuccess;
}

}  // namespace

void add_new_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<NewArguments>();
  CLI::App* command = app.add_subcommand("new", "Write the YAML file that trains on images of one's own");
  command
      ->add_option("images", arguments->images,
                   "Folder with a folder of images for each class, or a tar file of such folders; where a folder holds "
                   "train and val (valid, validation, test), these are the two sets")
      ->required();
  command->add_option("--out", arguments->out, "YAML file to write [NAME-OF-IMAGES.yaml]");
  command->footer(
      "Nothing is copied: data.split of the file keeps a fifth of each class for validation, chosen by what the files\n"
      "hold, so it stays the same when files are moved or renamed, and copies of a file never are on both sides.");
  command->callback([arguments, &exit_code] { exit_code = run_new(*arguments); });
}

}  // namespace bn
