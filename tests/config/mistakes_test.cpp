// Several mistakes at once: each is told, in the order of the lines, and none that only follows from another.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "config/fixtures.hpp"

namespace bn::test {
namespace {

TEST(Mistakes, AreAllListedByPosition) {
  EXPECT_EQ(parse_error("train:\n  batch: many\n  l2: -1\n  momentm: 0.5\ndevice: gpu\n" + kExperiment),
            "4 mistakes:\n"
            "  run.yaml:2:10: train.batch: got 'many', expected an integer from 1 to 1048576\n"
            "  run.yaml:3:7: train.l2: got '-1', expected a number of at least 0\n"
            "  run.yaml:4:3: train.momentm: unknown key; did you mean train.momentum?\n"
            "  run.yaml:5:9: device: got 'gpu', expected one of: cpu, cuda; did you mean cpu?");
}

TEST(Mistakes, AreListedWithinListsAndRows) {
  EXPECT_EQ(parse_error(kExperiment + kTrain + "batch_norm: {eps: 0}\nthreads: -1\n").substr(0, 11), "2 mistakes:");
  EXPECT_EQ(parse_error("data: {mean: [x, 1, y]}\n"),
            "2 mistakes:\n"
            "  run.yaml:1:15: data.mean[0]: got 'x', expected a number\n"
            "  run.yaml:1:21: data.mean[2]: got 'y', expected a number");
  EXPECT_EQ(parse_error("model:\n  network:\n    kind: inception\n    image_size: 8\n    image_channels: 3\n    rows:\n"
                        "      - {row: a, type: max_pool, patch: 0}\n"
                        "      - {row: b, type: max_pool, patch: 3, filters: 8, stridde: 2}\n"
                        "    hidden: [8]\n"),
            "4 mistakes:\n"
            "  run.yaml:7:41: model.network.rows.a.patch: got '0', expected an integer from 1 to 31\n"
            "  run.yaml:8:44: model.network.rows.b.filters: does not apply to type max_pool, only to: convolution\n"
            "  run.yaml:8:56: model.network.rows.b.stridde: unknown key; did you mean model.network.rows.b.stride?\n"
            "  run.yaml:9:5: model.network.hidden: does not apply to kind inception, only to: mlp");
}

TEST(Mistakes, OfAFileStandBeforeThoseOfItsBaseAndOfOverrides) {
  const TemporaryFolder folder;
  const std::string table =
      folder.write("table.yaml", "kind: mlp\nimage_size: 32\nimage_channels: 3\nhidden: [8]\nhiden: 3\n");
  const std::string base = folder.write(
      "base.yaml", "model: {network: table.yaml, classes: 1}\ndata: {image_size: 32, resize_shorter: 0}\n" + kTrain);
  const std::string run = folder.write("run.yaml", "base: base.yaml\nthreads: some\n");
  EXPECT_EQ(load_error(run, {"train.l2=x", "train.batch", "base=other.yaml"}),
            fmt::format("6 mistakes:\n"
                        "  {}:2:10: threads: got 'some', expected an integer from 0 to 4096\n"
                        "  {}:1:39: model.classes: got '1', expected an integer from 2 to 16384\n"
                        "  {}:5:1: model.network.hiden: unknown key; did you mean model.network.hidden?\n"
                        "  --set train.l2=x: train.l2: got 'x', expected a number of at least 0\n"
                        "  --set train.batch: expected key.path=value, such as train.batch=60\n"
                        "  --set base=other.yaml: base: is only read from a file",
                        run, base, table));
}

TEST(Mistakes, WhatIsMissingMayBeWhatAMistakenKeyMeant) {
  EXPECT_EQ(parse_error("modle: {}\n"), "run.yaml:1:1: modle: unknown key; did you mean model?");
  EXPECT_EQ(parse_error("model: {netwrok: {}}\n"),
            "run.yaml:1:9: model.netwrok: unknown key; did you mean model.network?");
}

TEST(Mistakes, OfKeysTogetherAreListedOnceEachIsRight) {
  const std::string together = "  classes_limit: 11\n  shuffle: shards\ntrain: {steps: 3, epochs: 2}\n";
  const std::string start =
      "model:\n  network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}\n  classes: 10\n"
      "data:\n  image_size: 32\n  resize_shorter: 0\n";
  EXPECT_EQ(parse_error(start + together),
            "3 mistakes:\n"
            "  run.yaml:7:3: data.classes_limit: got 11, but this set has 10 classes\n"
            "  run.yaml:8:3: data.shuffle: orders by shards, which only kinds tar and packed have; expected none or "
            "full\n"
            "  run.yaml:9:9: train.steps: got steps 3 and epochs 2, expected exactly one of them above 0");
  EXPECT_EQ(parse_error(start + together + "threads: x\n"),
            "run.yaml:10:10: threads: got 'x', expected an integer from 0 to 4096");
}

TEST(Mistakes, ThatFollowFromAnotherAreNotTold) {
  const std::string data = "data: {image_size: 32, resize_shorter: 0, image_channels: 1, distortion: 0.5}\n";
  // Neither the three values of data.mean and data.std nor the distortion of grey images.
  EXPECT_EQ(parse_error("model:\n  network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}\n"
                        "  classes: 10\n" +
                        data + kTrain),
            "run.yaml:4:43: data.image_channels: got 1, expected 3 as model.network.image_channels says");
  // The probe's op cannot be looked for in a network that cannot be built.
  EXPECT_EQ(parse_error("model:\n  network: {kind: mlp, image_size: 32, image_channels: 3, hidden: []}\n"
                        "  classes: 10\ndata: {image_size: 32, resize_shorter: 0}\n"
                        "train: {steps: 3, probe: {op: nothing}}\n"),
            "run.yaml:2:59: model.network.hidden: is empty, expected at least one layer");
}

TEST(Mistakes, OfAnotherGroupDoNotHideThoseOfTheNetwork) {
  EXPECT_EQ(parse_error(kExperiment + "train: {probe: {op: nothing}}\n"),
            "2 mistakes:\n"
            "  run.yaml:5:1: train.steps: got steps 0 and epochs 0, expected exactly one of them above 0\n"
            "  run.yaml:5:17: train.probe.op: got 'nothing', expected an op of the network or \"\"");
}

TEST(Mistakes, EndTheReadingWhenTheyAreTooMany) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += fmt::format("k{}: 1\n", i);
  const std::string message = parse_error(text);
  EXPECT_EQ(message.substr(0, message.find('\n')), "50 mistakes, and perhaps more:");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 50);
}

TEST(Mistakes, OfSyntaxEndItAtOnce) {
  EXPECT_EQ(parse_error("trian: 3\ntrain:\n  batch: 1\n    steps: 2\n"),
            "run.yaml:4:10: not valid YAML: illegal map value");
}

}  // namespace
}  // namespace bn::test
