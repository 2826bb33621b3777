#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "bn/checkpoint.hpp"
#include "bn/error.hpp"
#include "bn/model_options.hpp"
#include "run/fixtures.hpp"
#include "run/safetensors.hpp"
#include "support/child_process.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const Progress kProgress{.step = 12'345'678'901, .best_top1 = 0.1 + 0.2, .best_step = 77};
const std::string kConfig = "train:\n  seed: 1\n";

// The message of a load that must fail, and the proof that it changed nothing.
std::string load_error(const std::string& path, SmallModel& model) {
  const std::string before = model.bits();
  std::string message = error_message<CheckpointError>([&] { load_checkpoint(path, model.parameters()); });
  EXPECT_EQ(model.bits(), before);
  return message;
}

std::string save_error(const std::string& path, const Parameters& parameters) {
  return error_message<StorageError>([&] { save_checkpoint(path, parameters, kProgress, kConfig); });
}

TEST(Provenance, IsKeptAndCompared) {
  const TemporaryFolder folder;
  SmallModel model;
  const Provenance before{.classes = {"ant", "bee"},
                          .class_words = {"Formica", ""},
                          .training = {.images = 24, .fingerprint = "00aa"},
                          .validation = {.images = 8, .fingerprint = "00bb"},
                          .computation = "a library, 2 threads"};
  save_checkpoint(folder / "a", model.parameters(), kProgress, kConfig, before);
  const std::optional<Provenance> stored = read_checkpoint_info(folder / "a").provenance;
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->computation, before.computation);
  EXPECT_EQ(stored->class_words, before.class_words);
  EXPECT_EQ(differences_of_data(before, *stored), std::vector<std::string>{});
  Provenance now = before;
  now.classes = {"ant", "asp", "bee"};
  now.training.images = 30;
  now.validation.fingerprint = "00cc";
  EXPECT_EQ(
      differences_of_data(before, now),
      (std::vector<std::string>{"class 1 was 'bee' and is 'asp' now", "the training set had 24 images and has 30 now",
                                "the validation set has as many images, 8, but not the same ones"}));
  now.classes = {"ant"};
  EXPECT_EQ(differences_of_data(before, now).front(), "class 1 was 'bee' and is none now");
  EXPECT_FALSE(provenance_from_json("[1]"));
  EXPECT_FALSE(stored->origin);
  now.origin = Origin{.checkpoint = "runs/a", .step = 12, .checksum = "xxh3-64:00"};
  EXPECT_EQ(provenance_from_json(to_json(now))->origin, now.origin);
}

TEST(Provenance, ComparesContentsWhereBothTellThem) {
  const DataRecord earlier{.images = 24, .fingerprint = "00aa"}, now{.images = 24, .fingerprint = "00aa-01"};
  EXPECT_TRUE(is_same_data(earlier, now));
  EXPECT_TRUE(is_same_data(now, earlier));
  EXPECT_FALSE(is_same_data(now, {.images = 24, .fingerprint = "00aa-02"}));
  EXPECT_FALSE(is_same_data(earlier, {.images = 24, .fingerprint = "00ab-01"}));
  EXPECT_FALSE(is_same_data(now, {.images = 25, .fingerprint = "00aa-01"}));
  const DataRecord of_large{.images = 24, .fingerprint = "00aa-2-01"};
  EXPECT_TRUE(is_same_data(now, of_large));
  EXPECT_TRUE(is_same_data(earlier, of_large));
  EXPECT_FALSE(is_same_data(of_large, {.images = 24, .fingerprint = "00aa-2-02"}));
  EXPECT_FALSE(is_same_data(of_large, {.images = 24, .fingerprint = "00ab-01"}));
}

TEST(Checkpoint, RoundTripsEveryBit) {
  const TemporaryFolder folder;
  SmallModel saved({}, Averaging::kPolyak), loaded({}, Averaging::kPolyak);
  saved.fill(1);
  loaded.fill(2);
  save_checkpoint(folder / "a", saved.parameters(), kProgress, kConfig);
  const CheckpointInfo info = load_checkpoint(folder / "a", loaded.parameters());
  EXPECT_EQ(loaded.bits(), saved.bits());
  EXPECT_EQ(info.progress.step, kProgress.step);
  EXPECT_EQ(info.progress.best_top1, kProgress.best_top1);
  EXPECT_EQ(info.progress.best_step, kProgress.best_step);
  EXPECT_EQ(info.config, kConfig);
  const CheckpointInfo read = read_checkpoint_info(folder / "a");
  EXPECT_EQ(read.progress.step, kProgress.step);
  EXPECT_EQ(read.config, kConfig);
}

TEST(Checkpoint, SavingTwiceGivesTheSameBytes) {
  const TemporaryFolder folder;
  SmallModel model;
  model.fill(1);
  save_checkpoint(folder / "a", model.parameters(), kProgress, kConfig);
  save_checkpoint(folder / "b", model.parameters(), kProgress, kConfig);
  EXPECT_EQ(read_bytes(folder / "a"), read_bytes(folder / "b"));
}

std::vector<float> values_of(SmallModel& model, const std::string& name) {
  for (const NamedTensor& named : model.parameters().named_tensors()) {
    if (named.name != name) continue;
    const float* values = named.tensor.as<float>();
    return {values, values + named.tensor.shape.elements()};
  }
  return {};
}

TEST(LoadValues, TakesValuesAndStatisticsButNoVelocity) {
  const TemporaryFolder folder;
  SmallModel saved, loaded;
  saved.parameters().initialize(1, {});
  loaded.parameters().initialize(2, {});
  loaded.parameters().statistics_updates = 5;
  save_checkpoint(folder / "a", saved.parameters(), kProgress, kConfig);
  const std::vector<float> drawn = values_of(loaded, "value/output/linear/w");
  const CheckpointInfo info = load_values(folder / "a", loaded.parameters(), {"output/linear/w", "output/bias/bias"});
  EXPECT_EQ(info.progress.step, kProgress.step);
  EXPECT_EQ(info.checksum.substr(0, 8), "xxh3-64:");
  EXPECT_EQ(values_of(loaded, "value/hidden/linear/w"), values_of(saved, "value/hidden/linear/w"));
  EXPECT_EQ(values_of(loaded, "population/hidden/bn/var"), values_of(saved, "population/hidden/bn/var"));
  EXPECT_EQ(values_of(loaded, "value/output/linear/w"), drawn);
  EXPECT_EQ(values_of(loaded, "velocity/hidden/linear/w"), std::vector<float>(30, 0.0F));
  EXPECT_EQ(loaded.parameters().statistics_updates, 5);
}

TEST(LoadValues, TakesTheAverageWhereThereIsOne) {
  const TemporaryFolder folder;
  SmallModel saved({}, Averaging::kPolyak), loaded, averaging({}, Averaging::kPolyak);
  saved.parameters().initialize(1, {});
  const std::vector<float> average = values_of(saved, "average/hidden/linear/w");
  for (const NamedTensor& named : saved.parameters().named_tensors()) {
    if (named.name == "value/hidden/linear/w") named.tensor.as<float>()[0] += 1;
  }
  save_checkpoint(folder / "a", saved.parameters(), kProgress, kConfig);
  load_values(folder / "a", loaded.parameters(), {});
  EXPECT_EQ(values_of(loaded, "value/hidden/linear/w"), average);
  load_values(folder / "a", averaging.parameters(), {});
  EXPECT_EQ(values_of(averaging, "average/hidden/linear/w"), average);
}

TEST(LoadValues, NamesTheFirstTensorOfAnotherNetwork) {
  const TemporaryFolder folder;
  SmallModel saved, wider({.hidden = 7});
  save_checkpoint(folder / "a", saved.parameters(), kProgress, kConfig);
  const std::string before = wider.bits();
  EXPECT_EQ(error_message<CheckpointError>([&] { load_values(folder / "a", wider.parameters(), {}); }),
            "checkpoint '" + folder.path() +
                "/a' was written by another network: 'value/hidden/linear/w' is 5x1x1x6 "
                "there and 7x1x1x6 here");
  EXPECT_EQ(wider.bits(), before);
}

TEST(Checkpoint, NamesTheFirstTensorOfAnotherShape) {
  const TemporaryFolder folder;
  SmallModel saved, wider({.hidden = 7});
  saved.fill(1);
  wider.fill(2);
  save_checkpoint(folder / "a", saved.parameters(), {}, kConfig);
  EXPECT_EQ(load_error(folder / "a", wider), "checkpoint '" + folder.path() +
                                                 "/a' was written by another network: 'value/hidden/linear/w' is "
                                                 "5x1x1x6 there and 7x1x1x6 here");
}

TEST(Checkpoint, NamesTheFirstTensorThatIsMissing) {
  const TemporaryFolder folder;
  SmallModel saved({.normalization = Normalization::kNone}), normalized;
  saved.fill(1);
  normalized.fill(2);
  save_checkpoint(folder / "a", saved.parameters(), {}, kConfig);
  EXPECT_EQ(load_error(folder / "a", normalized),
            "checkpoint '" + folder.path() + "/a' was written by another network: it has no 'value/hidden/bn/gamma'");
}

TEST(Checkpoint, NamesTheFirstTensorThatIsUnexpected) {
  const TemporaryFolder folder;
  SmallModel model;
  model.fill(1);
  const SafetensorsMetadata metadata{{"format_version", "1"}, {"step", "0"},  {"best_top1", "-1"},
                                     {"best_step", "0"},      {"config", ""}, {"statistics_updates", "0"}};
  std::vector<SafetensorsEntry> entries;
  for (const NamedTensor& named : model.parameters().named_tensors())
    entries.push_back({.name = named.name, .dims = dims_of(named.tensor.shape)});
  entries.push_back({"value/more/w", {1, 1, 1, 4}});
  write_safetensors(folder / "a", metadata, entries, [](size_t, std::span<float>) {});
  EXPECT_EQ(load_error(folder / "a", model),
            "checkpoint '" + folder.path() +
                "/a' was written by another network: its 'value/more/w' (1x1x1x4) does not exist here");
}

TEST(Checkpoint, AverageThatNobodyWantsIsIgnored) {
  const TemporaryFolder folder;
  SmallModel averaged({}, Averaging::kPolyak), plain, again;
  averaged.fill(1);
  save_checkpoint(folder / "a", averaged.parameters(), kProgress, kConfig);
  load_checkpoint(folder / "a", plain.parameters());
  save_checkpoint(folder / "b", plain.parameters(), kProgress, kConfig);
  load_checkpoint(folder / "b", again.parameters());
  EXPECT_EQ(again.bits(), plain.bits());
  const Tensor was = averaged.parameters().value(0), is = plain.parameters().value(0);
  EXPECT_EQ(std::memcmp(was.data, is.data, static_cast<size_t>(was.bytes())), 0);
}

TEST(Checkpoint, AverageThatIsMissingIsAnError) {
  const TemporaryFolder folder;
  SmallModel plain, averaged({}, Averaging::kPolyak);
  plain.fill(1);
  averaged.fill(2);
  save_checkpoint(folder / "a", plain.parameters(), {}, kConfig);
  EXPECT_EQ(load_error(folder / "a", averaged),
            "checkpoint '" + folder.path() +
                "/a' holds no average of the parameters ('average/hidden/linear/w' is missing): it was written with "
                "train.average: none");
}

TEST(Checkpoint, DamageLoadsNothing) {
  const TemporaryFolder folder;
  SmallModel model;
  model.fill(1);
  save_checkpoint(folder / "a", model.parameters(), {}, kConfig);
  std::string bytes = read_bytes(folder / "a");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_bytes(folder / "a", bytes);
  model.fill(2);
  EXPECT_THAT(load_error(folder / "a", model), HasSubstr("a' is damaged: its checksum is "));
  EXPECT_THAT(load_error(folder / "none", model), HasSubstr("No such file or directory"));
}

TEST(Checkpoint, AnotherVersionAndMissingMetadata) {
  const TemporaryFolder folder;
  const auto message_for = [&](const SafetensorsMetadata& metadata) {
    write_safetensors(folder / "a", metadata, {}, {});
    return error_message<CheckpointError>([&] { read_checkpoint_info(folder / "a"); });
  };
  EXPECT_THAT(message_for({{"format_version", "2"}}), HasSubstr("has format version 2; this program reads version 1"));
  EXPECT_THAT(message_for({}), HasSubstr("it has no 'format_version'"));
  EXPECT_THAT(message_for({{"format_version", "1"}}), HasSubstr("it has no 'step'"));
  EXPECT_THAT(message_for({{"format_version", "1"}, {"step", "12x"}}), HasSubstr("its 'step' is '12x'"));
}

// Its checksum is right, its numbers are not.
TEST(Checkpoint, NumbersThatTrainingCannotHaveWritten) {
  const TemporaryFolder folder;
  SmallModel model;
  for (const Progress& progress : {Progress{.step = -1}, Progress{.step = 5, .best_top1 = 2},
                                   Progress{.step = 5, .best_top1 = std::numeric_limits<double>::infinity()},
                                   Progress{.step = 5, .best_top1 = 0.5, .best_step = 6}}) {
    save_checkpoint(folder / "a", model.parameters(), progress, kConfig);
    EXPECT_THAT(load_error(folder / "a", model), HasSubstr("a' was not written by bninception: step "));
  }
  model.parameters().statistics_updates = -3;
  save_checkpoint(folder / "a", model.parameters(), {.step = 5}, kConfig);
  EXPECT_THAT(load_error(folder / "a", model), HasSubstr("a' was not written by bninception: statistics_updates -3"));
}

// ReLU would hide a NaN behind a zero.
TEST(Checkpoint, ValuesThatTrainingDoesNotSaveAreNamed) {
  const TemporaryFolder folder;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto error_with = [&](const std::string& name, float value) {
    SmallModel model, loaded;
    model.fill(1);
    loaded.fill(2);
    for (const NamedTensor& named : model.parameters().named_tensors()) {
      if (named.name == name) named.tensor.as<float>()[2] = value;
    }
    save_checkpoint(folder / "a", model.parameters(), kProgress, kConfig);
    const std::string before = loaded.bits();
    const std::string by_resuming = load_error(folder / "a", loaded);
    if (!name.starts_with("velocity/")) {
      EXPECT_EQ(error_message<CheckpointError>([&] { load_values(folder / "a", loaded.parameters(), {}); }),
                by_resuming);
    }
    EXPECT_EQ(loaded.bits(), before);
    return by_resuming;
  };
  const std::string unusable = "checkpoint '" + folder.path() + "/a' cannot be used: value 2 of ";
  EXPECT_EQ(error_with("value/hidden/linear/w", std::nanf("")), unusable + "'value/hidden/linear/w' is nan");
  EXPECT_EQ(error_with("velocity/output/bias/bias", kInfinity), unusable + "'velocity/output/bias/bias' is inf");
  EXPECT_EQ(error_with("population/hidden/bn/mean", -kInfinity), unusable + "'population/hidden/bn/mean' is -inf");
  EXPECT_EQ(error_with("population/hidden/bn/var", -5), unusable + "'population/hidden/bn/var' is -5");
}

TEST(Checkpoint, WhatItWasMadeOfIsReadOrRefused) {
  const TemporaryFolder folder;
  const SafetensorsMetadata metadata{{"format_version", "1"}, {"step", "0"},  {"best_top1", "-1"},
                                     {"best_step", "0"},      {"config", ""}, {"made_of", "{"}};
  write_safetensors(folder / "a", metadata, {}, {});
  EXPECT_EQ(error_message<CheckpointError>([&] { read_checkpoint_info(folder / "a"); }),
            "checkpoint '" + folder.path() +
                "/a' was not written by bninception: its 'made_of' does not say what the run was made of");
}

TEST(Checkpoint, FullDiskKeepsThePreviousFile) {
  const TemporaryFolder folder;
  SmallModel model;
  model.fill(1);
  save_checkpoint(folder / "a", model.parameters(), kProgress, kConfig);
  const std::string before = read_bytes(folder / "a");
  // The limits cut the file where the disk could be full: in the length, the header, the data.
  for (const size_t limit : {size_t{0}, size_t{4}, size_t{100}, before.size() / 2, before.size() - 1}) {
    const std::string message = result_in_child([&] {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit size{limit, limit};
      if (setrlimit(RLIMIT_FSIZE, &size) != 0) return std::string("cannot limit");
      return save_error(folder / "a", model.parameters());
    });
    EXPECT_EQ(message, "cannot write '" + folder.path() + "/a': File too large") << limit;
    EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"a"}) << limit;
    EXPECT_EQ(read_bytes(folder / "a"), before) << limit;
  }
  EXPECT_EQ(load_checkpoint(folder / "a", model.parameters()).progress.step, kProgress.step);
}

TEST(Checkpoint, UnwritableFolderIsNamed) {
  const TemporaryFolder folder;
  SmallModel model;
  model.fill(1);
  EXPECT_EQ(save_error(folder / "none/a", model.parameters()),
            "cannot write '" + folder.path() + "/none/a': No such file or directory");
  ASSERT_EQ(chmod(folder.path().c_str(), 0555), 0);
  const std::string message = result_in_child([&] {
    if (getuid() == 0 && setuid(65'534) != 0) return std::string("cannot drop privileges");  // root may write anywhere
    return save_error(folder / "a", model.parameters());
  });
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(message, "cannot write '" + folder.path() + "/a': Permission denied");
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(Checkpoint, RenameThatFailsLeavesNothingBehind) {
  const TemporaryFolder folder;
  SmallModel model;
  std::filesystem::create_directory(folder / "a");
  EXPECT_EQ(save_error(folder / "a", model.parameters()), "cannot write '" + folder.path() + "/a': Is a directory");
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"a"});
}

}  // namespace
}  // namespace bn::test
