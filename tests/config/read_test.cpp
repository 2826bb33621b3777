// One key at a time: its type, its range, and what a wrong one makes the user read.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/fixtures.hpp"

namespace bn::test {
namespace {

Config with(const std::string& argument) {
  const TemporaryFolder folder;
  return load_config(folder.write("run.yaml", kExperiment + kTrain), {argument});
}

TEST(Read, GivesEveryTypeItsValue) {
  EXPECT_EQ(with("train.batch=+60").train.batch, 60);
  EXPECT_EQ(with("train.seed=18446744073709551615").train.seed, 18446744073709551615ULL);
  EXPECT_DOUBLE_EQ(with("train.l2=2e-4").train.l2, 2e-4);
  EXPECT_DOUBLE_EQ(with("train.l2=1").train.l2, 1.0);
  EXPECT_EQ(with("batch_norm.eps=1.0e-5").model.batch_norm.eps, 1e-5F);
  EXPECT_FALSE(with("data.augment.flip=false").data.augment.flip);
  EXPECT_EQ(with("train.momentum_kind=nesterov").train.momentum_kind, MomentumKind::kNesterov);
  EXPECT_EQ(with("precision=bf16").precision, DType::kBf16);
  EXPECT_EQ(with("model.network.hidden=[8, 16]").model.table.index(), 1U);
  EXPECT_EQ(std::get<MlpTable>(with("model.network.hidden=[8, 16]").model.table).hidden, (std::vector<int64_t>{8, 16}));
  EXPECT_EQ(with("data.mean=[0.5, -1, 2e-1]").data.mean, (std::vector<double>{0.5, -1, 0.2}));
  EXPECT_FALSE(with("plan.passes.fuse_activation=false").passes.fuse_activation);
  EXPECT_FALSE(with("plan.passes.eliminate_concat=false").passes.eliminate_concat);
  EXPECT_FALSE(with("plan.passes.share_memory=false").passes.share_memory);
  EXPECT_EQ(with("plan.passes.merge_siblings=never").passes.merge_siblings, MergeSiblings::kNever);
  EXPECT_FALSE(with("plan.passes.fuse_gradient_sum=false").passes.fuse_gradient_sum);
  EXPECT_TRUE(with("train.seed=1").cpu.winograd);
  EXPECT_FALSE(with("cpu.winograd=false").cpu.winograd);
  EXPECT_EQ(with("cpu.bfloat16_math=f32").cpu.bfloat16_math, Bfloat16Math::kF32);
  EXPECT_EQ(with("train.probe={op: hidden1/act, unit: 7}").train.probe.op, "hidden1/act");
}

// A resolved configuration of an earlier version is read again, as long as it says what all runs do now.
TEST(Read, PassesOverRetiredKeys) {
  EXPECT_NO_THROW(with("cuda.batch_norm=streamed"));
  EXPECT_CONTAINS(override_error("cuda.batch_norm=on_chip"), "cuda.batch_norm: unknown key");
}

TEST(Read, RefusesWhatIsNoFlag) {
  EXPECT_EQ(override_error("cpu.winograd=maybe"),
            "--set cpu.winograd=maybe: cpu.winograd: got 'maybe', expected one of: true, false");
  EXPECT_EQ(override_error("cpu.winigrad=false"),
            "--set cpu.winigrad=false: cpu.winigrad: unknown key; did you mean cpu.winograd?");
}

TEST(Read, RefusesAnotherType) {
  EXPECT_EQ(override_error("cpu.bfloat16_math=f16"),
            "--set cpu.bfloat16_math=f16: cpu.bfloat16_math: got 'f16', expected one of: automatic, bf16, f32; did you "
            "mean bf16?");
}

TEST(Read, RefusesWhatIsNoInteger) {
  const std::string expected = ", expected an integer from 1 to 1048576";
  EXPECT_EQ(parse_error("train:\n  batch: many\n"), "run.yaml:2:10: train.batch: got 'many'" + expected);
  EXPECT_EQ(parse_error("train: {batch: 1.5}\n"), "run.yaml:1:16: train.batch: got '1.5'" + expected);
  EXPECT_EQ(parse_error("train: {batch: 32 images}\n"), "run.yaml:1:16: train.batch: got '32 images'" + expected);
  EXPECT_EQ(parse_error("train: {batch: \"32\"}\n"), "run.yaml:1:16: train.batch: got the text '32'" + expected);
  EXPECT_EQ(parse_error("train: {batch: [32]}\n"), "run.yaml:1:16: train.batch: got a list" + expected);
  EXPECT_EQ(parse_error("train: {batch: {a: 1}}\n"), "run.yaml:1:16: train.batch: got a map" + expected);
  EXPECT_EQ(parse_error("train:\n  batch:\n"), "run.yaml:2:3: train.batch: got nothing" + expected);
  EXPECT_EQ(parse_error("train: {batch: ~}\n"), "run.yaml:1:9: train.batch: got nothing" + expected);
  EXPECT_EQ(override_error("train.batch=many"), "--set train.batch=many: train.batch: got 'many'" + expected);
}

TEST(Read, RefusesNumbersOutOfRange) {
  EXPECT_EQ(override_error("train.batch=0"),
            "--set train.batch=0: train.batch: got '0', expected an integer from 1 to 1048576");
  EXPECT_EQ(
      override_error("train.batch=99999999999999999999999"),
      "--set train.batch=99999999999999999999999: train.batch: got '99999999999999999999999', expected an integer "
      "from 1 to 1048576");
  EXPECT_EQ(override_error("train.seed=-1"),
            "--set train.seed=-1: train.seed: got '-1', expected an integer from 0 to 18446744073709551615");
  EXPECT_EQ(override_error("model.dropout=1"),
            "--set model.dropout=1: model.dropout: got '1', expected a number of at least 0 and below 1");
  EXPECT_EQ(override_error("batch_norm.eps=0"),
            "--set batch_norm.eps=0: batch_norm.eps: got '0', expected a number above 0");
  EXPECT_EQ(
      override_error("train.learning_rate.decay_factor=1.5"),
      "--set train.learning_rate.decay_factor=1.5: train.learning_rate.decay_factor: got '1.5', expected a number "
      "above 0 and at most 1");
}

TEST(Read, RefusesNumbersThatAreNotFinite) {
  for (const std::string word : {"nan", ".nan", "inf", ".inf", "-inf", "1e999", "1e-999"}) {
    std::string argument = "train.l2=";
    argument += word;
    EXPECT_EQ(override_error(argument),
              fmt::format("--set {}: train.l2: got '{}', expected a number of at least 0", argument, word));
  }
  EXPECT_EQ(override_error("batch_norm.eps=1e300"),
            "--set batch_norm.eps=1e300: batch_norm.eps: got '1e300', expected a number above 0");
  EXPECT_EQ(override_error("data.mean=[0, nan, 0]"),
            "--set data.mean=[0, nan, 0]: data.mean[1]: got 'nan', expected a number");
}

TEST(Read, RefusesUnknownWords) {
  EXPECT_EQ(override_error("model.activation=rellu"),
            "--set model.activation=rellu: model.activation: got 'rellu', expected one of: relu, sigmoid; did you mean "
            "relu?");
  EXPECT_EQ(override_error("device=gpu"),
            "--set device=gpu: device: got 'gpu', expected one of: cpu, cuda; did you mean "
            "cpu?");
  EXPECT_EQ(override_error("data.augment.flip=yes"),
            "--set data.augment.flip=yes: data.augment.flip: got 'yes', expected one of: true, false");
  EXPECT_EQ(override_error("data.classes=cl\xFF.txt"),
            "--set data.classes=cl\xFF.txt: data.classes: got 'cl\xFF.txt', expected text in UTF-8");
  EXPECT_EQ(override_error("data.classes=[a]"),
            "--set data.classes=[a]: data.classes: got a list, expected text (\"\" for "
            "none)");
}

TEST(Read, RefusesAValueWhereAListOrMapBelongs) {
  EXPECT_EQ(override_error("data.mean=0.5"),
            "--set data.mean=0.5: data.mean: got '0.5', expected a list [...], each a number");
  EXPECT_EQ(override_error("data.train=a.tar"),
            "--set data.train=a.tar: data.train: got 'a.tar', expected a list [...] of texts");
  EXPECT_EQ(parse_error("batch_norm: true\n"),
            "run.yaml:1:13: batch_norm: got 'true', expected a map with the keys scope, eps, implementation, "
            "synchronised_parts, placement, gamma, beta");
  EXPECT_EQ(override_error("model.network.hidden=[8, wide]"),
            "--set model.network.hidden=[8, wide]: model.network.hidden[1]: got 'wide', expected an integer from 1 to "
            "16384");
}

TEST(Read, RefusesEndlessLists) {
  std::string list = "8";
  for (int i = 0; i < 5000; ++i) list += ",8";
  EXPECT_CONTAINS(override_error("model.network.hidden=[" + list + "]"),
                  "model.network.hidden: got a list of 5001 items, expected at most 2000");
}

TEST(Read, SuggestsTheNearestKey) {
  EXPECT_EQ(parse_error("train:\n  momentm: 0.9\n"),
            "run.yaml:2:3: train.momentm: unknown key; did you mean train.momentum?");
  EXPECT_EQ(parse_error("trian: {}\n"), "run.yaml:1:1: trian: unknown key; did you mean train?");
  // The key may stand in another group, as the same word or one like it.
  EXPECT_EQ(parse_error("train: {dropout: 0.5}\n"),
            "run.yaml:1:9: train.dropout: unknown key; did you mean model.dropout?");
  EXPECT_EQ(parse_error("momentun: 0.9\n"), "run.yaml:1:1: momentun: unknown key; did you mean train.momentum?");
  EXPECT_EQ(parse_error("train: {initial: 0.5}\n"),
            "run.yaml:1:9: train.initial: unknown key; did you mean train.learning_rate.initial?");
  EXPECT_EQ(override_error("model.network.hiden=[8]"),
            "--set model.network.hiden=[8]: model.network.hiden: unknown key; did you mean model.network.hidden?");
}

TEST(Read, ListsTheKeysWhereNoneIsNear) {
  EXPECT_EQ(parse_error("batch_norm: {zzz: 0.9}\n"),
            "run.yaml:1:14: batch_norm.zzz: unknown key, expected one of: scope, eps, implementation, "
            "synchronised_parts, placement, gamma, beta");
  EXPECT_EQ(parse_error("train.batch: 3\n"),
            "run.yaml:1:1: train.batch: unknown key; a key inside another is written as a map, `train: {batch: 32}`");
}

std::string table_error(const std::string& row) {
  return parse_error(
      "model:\n  network:\n    kind: inception\n    image_size: 8\n    image_channels: 3\n    rows:\n      - " + row +
      "\n");
}

TEST(Read, ReadsARowByItsType) {
  EXPECT_EQ(table_error("{row: pool1, type: max_pool, patch: 3, filters: 8}"),
            "run.yaml:7:48: model.network.rows.pool1.filters: does not apply to type max_pool, only to: convolution");
  EXPECT_EQ(table_error("{row: a, type: inception, 1x1: 8, pool: max}"),
            "5 mistakes:\n"
            "  run.yaml:7:9: model.network.rows.a.3x3_reduce: is missing, expected an integer from 1 to 16384\n"
            "  run.yaml:7:9: model.network.rows.a.3x3: is missing, expected an integer from 1 to 16384\n"
            "  run.yaml:7:9: model.network.rows.a.double_3x3_reduce: is missing, expected an integer from 1 to 16384\n"
            "  run.yaml:7:9: model.network.rows.a.double_3x3: is missing, expected an integer from 1 to 16384\n"
            "  run.yaml:7:9: model.network.rows.a.projection: is missing, expected an integer from 0 to 16384");
  EXPECT_EQ(table_error("{row: a, type: incepton}"),
            "run.yaml:7:24: model.network.rows.a.type: got 'incepton', expected one of: convolution, max_pool, "
            "average_pool, inception; did you mean inception?");
  EXPECT_EQ(table_error("{row: a}"),
            "run.yaml:7:9: model.network.rows.a: has no type, expected one of: convolution, max_pool, average_pool, "
            "inception");
  EXPECT_EQ(table_error("{type: max_pool, patch: 3}"),
            "run.yaml:7:9: model.network.rows[0].row: is missing, expected text");
  EXPECT_EQ(table_error("{row: a, type: convolution, patch: 3, filters: 8, stridde: 2}"),
            "run.yaml:7:59: model.network.rows.a.stridde: unknown key; did you mean model.network.rows.a.stride?");
  EXPECT_EQ(table_error("conv1"),
            "run.yaml:7:9: model.network.rows[0]: got 'conv1', expected a map with `type`, one of: "
            "convolution, max_pool, average_pool, inception");
}

TEST(Read, ReadsANetworkByItsKind) {
  EXPECT_EQ(parse_error("model: {network: {kind: mlp, image_size: 8, image_channels: 1, hidden: [8], rows: []}}\n"),
            "run.yaml:1:77: model.network.rows: does not apply to kind mlp, only to: inception");
  EXPECT_EQ(parse_error("model: {network: {hidden: [8]}}\n"),
            "run.yaml:1:18: model.network: has no kind, expected one of: inception, mlp");
  EXPECT_EQ(parse_error("model: {network: table.yaml}\n"),
            "run.yaml:1:18: model.network: got 'table.yaml', expected a map with `kind`, one of: inception, mlp");
  EXPECT_EQ(parse_error("model: {classes: 10}\n"),
            "run.yaml:1:8: model.network: is missing, expected a map with `kind`, one of: inception, mlp");
  EXPECT_EQ(
      parse_error("train: {steps: 10}\n"),
      "run.yaml:1:1: model: is missing, expected a map with the keys network, classes, normalization, activation, "
      "local_response_norm, dropout, width, init_scale, per_activation, init_from, freeze");
}

TEST(Read, SaysThatAResolvedConfigurationHasNoBase) {
  EXPECT_EQ(parse_error("base: other.yaml\n"),
            "run.yaml:1:1: base: is not read here: a resolved configuration holds every key itself");
}

TEST(Read, ReadsNoneOrAMap) {
  const std::string start =
      "model: {network: {kind: inception, image_size: 8, image_channels: 3, rows: [], auxiliary: ";
  EXPECT_EQ(parse_error(start + "off}}\n"),
            "run.yaml:1:91: model.network.auxiliary: got 'off', expected none or a map");
  EXPECT_EQ(parse_error(start + "{units: 8}}}\n"),
            "run.yaml:1:91: model.network.auxiliary.after: is missing, expected text");
}

}  // namespace
}  // namespace bn::test
