// bn-data pack: archives and folders into shards.
#include "packing/pack.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "commands.hpp"
#include "data/class_list.hpp"
#include "packing/imagenet.hpp"
#include "system/files.hpp"
#include "system/usable_cores.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

struct PackArguments {
  std::vector<std::string> train, validation;
  std::string classes;
  PackOptions pack;
  int64_t shards = 0, validation_shards = 0;  // 0 = chosen
  bool skip_md5 = false;

  const std::vector<std::string>& paths(Split split) const { return split == Split::kTrain ? train : validation; }
};

void add_common_options(CLI::App& command, PackArguments& arguments) {
  PackOptions& pack = arguments.pack;
  command.add_option("--out", pack.out, "Folder to write to")->required();
  command.add_option("--shards", arguments.shards, "Training shards [imagenet: 1024, folder: 64]")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--validation-shards", arguments.validation_shards, "Validation shards [a sixteenth]")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--classes", arguments.classes,
                     "File of class names in index order, the first word of each line; others are left out");
  command.add_option("--seed", pack.seed, "Which image comes into which shard, and where")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--resize-shorter", pack.resize_shorter,
                  "Encode larger images anew, with this shorter side; 0 = pack all as they are")
      ->capture_default_str();
  command.add_option("--quality", pack.quality, "Of the JPEGs encoded anew")->capture_default_str();
  command
      .add_option("--decoded", pack.decoded_size,
                  "Pack pixels instead: the centre square, of this side; 0 = pack files")
      ->capture_default_str();
  add_choice(command, "--exif-orientation", pack.exif_orientation,
             "ignore or apply that of images encoded anew or packed as pixels, which keep no EXIF data [ignore]",
             {{"ignore", ExifOrientation::kIgnore}, {"apply", ExifOrientation::kApply}});
  add_choice(command, "--on-corrupt", pack.on_corrupt, "fail or skip an image that cannot be decoded [fail]",
             {{"fail", OnCorrupt::kFail}, {"skip", OnCorrupt::kSkip}});
  pack.workers = usable_cores().count;
  command.add_option("--workers", pack.workers, "Threads")->capture_default_str();
}

// Not the name of a list of sums, as users have them.
std::string md5_note(const PackArguments& arguments, Split split) {
  return fmt::format("{}/{}.md5.checked", arguments.pack.out, split_name(split));
}

Origin origin_of(const std::string& path, Split split, const PackArguments& arguments) {
  const ImagenetArchive official = imagenet_archive(split);
  const auto size = static_cast<int64_t>(fs::file_size(path));
  if (size != official.bytes) {
    say("{} has {} bytes, the official archive {}: there is no MD5 to compare it with\n", path, size, official.bytes);
  }
  if (arguments.skip_md5) return Origin::kAny;
  ProgressReport report("MD5 of");
  return check_archive(path, official, md5_note(arguments, split),
                       [&](int64_t done) { report.show_bytes(done, size); });
}

void print_summary(const PackSummary& summary, const PackOptions& options) {
  say("{} {} set: {} images in {} shards, {:.1f} MB", options.out, split_name(options.split), summary.images,
      summary.shards, static_cast<double>(summary.bytes) / 1e6);
  if (summary.shards_found > 0) say(" ({} of the shards were there already)", summary.shards_found);
  say("\n{}", list_traits(summary.traits));
  if (summary.left_out > 0) say("  left out, undecodable: {}\n", summary.left_out);
  for (const std::string& name : summary.left_out_names) say("    {}\n", name);
}

void pack_split(const Dataset& source, Split split, PackArguments& arguments) {
  PackOptions options = arguments.pack;
  options.split = split;
  options.shards = arguments.shards;
  if (split == Split::kValidation) {
    options.shards =
        arguments.validation_shards > 0 ? arguments.validation_shards : std::max<int64_t>(arguments.shards / 16, 1);
  }
  PackSummary summary;
  {
    ProgressReport report("packed");
    summary = pack(source, options, [&](const PackProgress& progress) { report.show(progress); });
  }
  print_summary(summary, options);
  if (const LeftOut left_out = source.left_out(); left_out.count > 0) {
    say("  left out, as no images of the set: {}\n", left_out.list());
  }
}

ClassList imagenet_class_list(PackArguments& arguments) {
  std::vector<std::string> names;
  if (arguments.classes.empty()) {
    for (const ImagenetClass& one : imagenet_classes()) names.push_back(one.name);
  } else {
    names = read_class_file(arguments.classes, 0).names();
  }
  for (const std::string& name : names) {
    const auto& all = imagenet_classes();
    const auto known = std::ranges::find(all, name, &ImagenetClass::name);
    if (known == all.end()) throw DataError(fmt::format("'{}' is no class of ImageNet 2012", name));
    arguments.pack.class_lines.push_back(name + " " + known->description);
  }
  return ClassList(std::move(names), "the classes of ImageNet");
}

void pack_imagenet(PackArguments& arguments) {
  constexpr int64_t kShards = 1024;
  if (arguments.shards == 0) arguments.shards = kShards;
  const ClassList classes = imagenet_class_list(arguments);
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    for (const std::string& path : arguments.paths(split)) {
      const auto source = open_imagenet_archive(path, split, classes);
      arguments.pack.origin = origin_of(path, split, arguments);
      pack_split(*source, split, arguments);
    }
  }
  // The notes go last: a run that continues in the validation set still has to compare the training set.
  for (const Split split : {Split::kTrain, Split::kValidation}) fs::remove(md5_note(arguments, split));
}

DataOptions folder_options(const PackArguments& arguments) {
  DataOptions options;
  const auto absolute = [](const std::string& path) { return path.empty() ? path : fs::absolute(path).string(); };
  for (const std::string& path : arguments.train) options.train.push_back(absolute(path));
  for (const std::string& path : arguments.validation) options.validation.push_back(absolute(path));
  options.classes = absolute(arguments.classes);
  return options;
}

void pack_folder(PackArguments& arguments) {
  constexpr int64_t kShards = 64;
  if (arguments.shards == 0) arguments.shards = kShards;
  DataOptions options = folder_options(arguments);
  const auto is_folder = [&](Split split) { return fs::is_directory(arguments.paths(split).front()); };
  const bool both = !arguments.train.empty() && !arguments.validation.empty();
  // The classes of the training set are those of the validation set too, unless they are named.
  if (both && arguments.classes.empty() && is_folder(Split::kTrain) != is_folder(Split::kValidation)) {
    throw Error(ExitCode::kUsage,
                "one of --train and --val is a folder and the other a tar; give two of a kind, or name the classes "
                "with --classes");
  }
  // Both are opened first: that their classes differ is said before hours of packing.
  std::map<Split, std::unique_ptr<Dataset>> sets;
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    if (arguments.paths(split).empty()) continue;
    options.kind = is_folder(split) ? DatasetKind::kFolder : DatasetKind::kTar;
    sets[split] = open_dataset(options, split);
  }
  for (const auto& [split, set] : sets) pack_split(*set, split, arguments);
}

void require_a_split(const PackArguments& arguments) {
  if (arguments.train.empty() && arguments.validation.empty()) {
    throw Error(ExitCode::kUsage, "pack needs --train, --val or both");
  }
}

}  // namespace

void add_pack_command(CLI::App& app, ExitCode& exit_code) {
  CLI::App* command = app.add_subcommand("pack", "Pack images into shards that train in random order at full speed");
  command->require_subcommand(1);
  command->footer(
      "The folder receives classes.txt, train-NNNNN.tar and val-NNNNN.tar (plain tars of KEY.jpg and KEY.cls) and\n"
      "train.index and val.index. Every image is decoded once, strictly. A command that was interrupted, even killed,\n"
      "is continued by giving it again; the result has the same bytes. Train with data.kind: packed.");

  auto imagenet = std::make_shared<PackArguments>();
  CLI::App* archives = command->add_subcommand("imagenet", "The two official archives of ImageNet 2012, as they are");
  archives->add_option("--train", imagenet->train, "ILSVRC2012_img_train.tar")->expected(1)->check(CLI::ExistingFile);
  archives->add_option("--val", imagenet->validation, "ILSVRC2012_img_val.tar")->expected(1)->check(CLI::ExistingFile);
  archives->add_flag("--no-md5", imagenet->skip_md5, "Do not compare the archives with their published MD5");
  add_common_options(*archives, *imagenet);
  archives->callback([imagenet, &exit_code] {
    require_a_split(*imagenet);
    pack_imagenet(*imagenet);
    exit_code = ExitCode::kSuccess;
  });

  auto folder = std::make_shared<PackArguments>();
  CLI::App* tree = command->add_subcommand("folder", "A folder of class folders, or tars of class folders");
  tree->add_option("--train", folder->train, "A folder, or one tar or more")->check(CLI::ExistingPath);
  tree->add_option("--val", folder->validation, "The same for validation")->check(CLI::ExistingPath);
  add_common_options(*tree, *folder);
  tree->callback([folder, &exit_code] {
    require_a_split(*folder);
    pack_folder(*folder);
    exit_code = ExitCode::kSuccess;
  });
}

}  // namespace bn
