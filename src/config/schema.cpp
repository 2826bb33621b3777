#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "config/declare.hpp"
#include "config/yaml_node.hpp"
#include "core/utf8.hpp"

namespace bn::config {
namespace {

std::string problem_of_paths(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (path.empty()) return "got an empty path, expected a file or folder";
    if (!is_utf8(path)) {  // a checkpoint keeps the configuration as JSON
      return fmt::format(
          "got {}, which is not UTF-8, so a checkpoint cannot name it; expected another name, such as a symbolic "
          "link's",
          quote(path));
    }
  }
  return "";
}

std::string problem_of_deviations(const std::vector<double>& deviations) {
  for (const double deviation : deviations) {
    if (std::isfinite(static_cast<float>(1 / (255 * deviation)))) continue;
    return fmt::format("got {}, by which no pixel can be divided in single precision", deviation);
  }
  return "";
}

std::string problem_of_lighting(const std::vector<double>& lighting) {
  if (lighting.size() == 9) return "";
  return fmt::format("got {} values, expected nine: three directions of R, G and B", lighting.size());
}

std::string problem_of_initial_rate(double rate) {
  return static_cast<float>(rate) == 0 ? fmt::format("got {}, which is 0 in single precision", rate) : "";
}

std::string problem_of_epochs(const std::vector<double>& epochs) {
  if (std::adjacent_find(epochs.begin(), epochs.end(), std::greater_equal<>()) == epochs.end()) return "";
  return fmt::format("got [{}], expected ascending epochs", fmt::join(epochs, ", "));
}

std::string problem_of_parts(int64_t parts) {
  return std::has_single_bit(static_cast<uint64_t>(parts)) ? "" : fmt::format("got {}, expected a power of two", parts);
}

Fields describe_data(DataOptions& data) {
  AugmentOptions& augment = data.augment;
  return {
      field("kind",
            words(data.kind, {{"shapes", DatasetKind::kShapes},
                              {"mnist", DatasetKind::kMnist},
                              {"folder", DatasetKind::kFolder},
                              {"tar", DatasetKind::kTar},
                              {"packed", DatasetKind::kPacked}}),
            "generated shapes, idx files, a folder of class folders, tars of them, or a folder made by bn-data pack"),
      field(
          "train", TextListTarget{&data.train}, [&data] { return problem_of_paths(data.train); },
          "paths, relative to BN_DATA_ROOT; mnist: images and labels, folder and packed: one, tar: tar files or "
          "folders of them"),
      field(
          "validation", TextListTarget{&data.validation}, [&data] { return problem_of_paths(data.validation); },
          "the same for the validation images"),
      field("split",
            GroupTarget{{
                field("validation", RealTarget{&data.split.validation, kFraction},
                      "share of each class; equal files stay together, and no class is without training images"),
                field("seed", SeedTarget{&data.split.seed}, "of the choice, which names and places do not change"),
            }},
            "of kinds folder and tar: takes the validation images from data.train, where data.validation is empty"),
      field("classes", TextTarget{&data.classes},
            "file of class names in index order, the first word of each line; empty = sorted names"),
      field("classes_limit", IntegerTarget{&data.classes_limit, {0, kMaxChannels}}, "first classes only; 0 = all"),
      field("shapes",
            GroupTarget{{
                field("image_size", IntegerTarget{&data.shapes.image_size, {16, 512}}, "side of a drawn image"),
                field("train_images", IntegerTarget{&data.shapes.train_images, {1, kMaxImages}}, "drawn for training"),
                field("validation_images", IntegerTarget{&data.shapes.validation_images, {1, kMaxImages}},
                      "drawn for validation"),
                field("seed", SeedTarget{&data.shapes.seed}, "of the drawings"),
            }},
            "the generated set"),
      field("image_size", IntegerTarget{&data.image_size, kSide}, "side of the network's input"),
      field("image_channels", IntegerTarget{&data.image_channels, kImageChannels}, "3 = RGB, 1 = grey"),
      field("resize_shorter", IntegerTarget{&data.resize_shorter, {0, kMaxSide}},
            "evaluation: shorter side, before the centre crop; 0 = as it is"),
      field("binarize", IntegerTarget{&data.binarize, {-1, 255}}, "pixels above become 255, others 0; -1 = off"),
      field("mean", RealListTarget{&data.mean, {-kMaxReal, kMaxReal}}, "per channel, of pixels scaled to 0..1"),
      field(
          "std", RealListTarget{&data.std, kPositive}, [&data] { return problem_of_deviations(data.std); },
          "per channel, of pixels scaled to 0..1"),
      field(
          "augment",
          GroupTarget{{
              field("random_crop", FlagTarget{&augment.random_crop},
                    "crop of a random area and aspect, resized to image_size"),
              field("min_area", RealTarget{&augment.min_area, {0, 1, Bound::kOpen, Bound::kClosed}},
                    "smallest part of the image's area"),
              field("max_area", RealTarget{&augment.max_area, {0, 1, Bound::kOpen, Bound::kClosed}}, "largest part"),
              field("min_aspect", RealTarget{&augment.min_aspect, {0.01, 100}}, "narrowest width / height"),
              field("max_aspect", RealTarget{&augment.max_aspect, {0.01, 100}}, "widest width / height"),
              field("flip", FlagTarget{&augment.flip}, "mirror every other image, at random"),
              field("interpolation",
                    words(augment.interpolation, {{"area", Interpolation::kArea}, {"random", Interpolation::kRandom}}),
                    "area: averages where the crop shrinks, else bilinear; random: one of four methods an image"),
          }},
          "of training images"),
      field("distortion", RealTarget{&data.distortion, {0, 1}},
            "strength of brightness, contrast, saturation, hue and lighting drawn for each training image; 0 = off"),
      field(
          "lighting", RealListTarget{&data.lighting, {-kMaxReal, kMaxReal}},
          [&data] { return problem_of_lighting(data.lighting); },
          "of distortion: three directions of R, G, B, as bn-data stats prints them; preset to ImageNet's"),
      field("shuffle",
            words(data.shuffle, {{"none", Shuffle::kNone},
                                 {"shards", Shuffle::kShards},
                                 {"within_shard", Shuffle::kWithinShard},
                                 {"full", Shuffle::kFull}}),
            "order of the training images, drawn each epoch: of whole shards (tar files), of them and within, of all"),
      field("on_corrupt",
            words(data.on_corrupt,
                  {{"fail", OnCorrupt::kFail}, {"skip", OnCorrupt::kSkip}, {"quarantine", OnCorrupt::kQuarantine}}),
            "an image that cannot be decoded ends the run, or the next takes its place; quarantine: and it is copied "
            "into the run folder"),
      field("decoder", words(data.decoder, {{"jpeg_turbo", Decoder::kJpegTurbo}, {"opencv", Decoder::kOpencv}}),
            "of JPEG; other formats are always OpenCV's"),
      field("exif_orientation",
            words(data.exif_orientation, {{"ignore", ExifOrientation::kIgnore}, {"apply", ExifOrientation::kApply}}),
            "whether a JPEG is turned as its camera noted"),
      field("cache",
            words(data.cache, {{"none", Cache::kNone}, {"decoded", Cache::kDecoded}, {"shrunk", Cache::kShrunk}}),
            "decoded: all pixels in memory from the start, up to 2 GB; shrunk: those of training images, at twice the "
            "size that evaluation resizes to"),
      field("workers", IntegerTarget{&data.workers, {0, 1'024}}, "decoding threads; 0 = none of their own"),
      field("slots", IntegerTarget{&data.slots, {1, 1'024}}, "batches prepared ahead"),
  };
}

Fields describe_learning_rate(LearningRateOptions& rate) {
  return {
      field(
          "initial", RealTarget{&rate.initial, kPositive}, [&rate] { return problem_of_initial_rate(rate.initial); },
          "of the first step, or of the warm-up's end"),
      field("decay_factor", RealTarget{&rate.decay_factor, {0, 1, Bound::kOpen, Bound::kClosed}},
            "of staircase and smooth: multiplies the rate once an interval; 1 = constant"),
      field("decay_epochs", RealTarget{&rate.decay_epochs, kNotNegative}, "the interval in epochs, or ..."),
      field("decay_steps", IntegerTarget{&rate.decay_steps, kStepsOrZero}, "... in steps, or ..."),
      field(
          "decay_at_epochs", RealListTarget{&rate.decay_at_epochs, kPositive},
          [&rate] { return problem_of_epochs(rate.decay_at_epochs); },
          "... the epochs at which a staircase decays, such as [30, 60, 80]; the other two are 0"),
      field("shape",
            words(rate.shape, {{"staircase", DecayShape::kStaircase},
                               {"smooth", DecayShape::kSmooth},
                               {"cosine", DecayShape::kCosine},
                               {"polynomial", DecayShape::kPolynomial}}),
            "staircase decays at the end of each interval, smooth a little every step; cosine and polynomial fall to 0 "
            "over the run: initial * (1 + cos(pi t)) / 2 and initial * (1 - t) ^ power, t the share of the steps done"),
      field("power", RealTarget{&rate.power, {0, 100, Bound::kOpen, Bound::kClosed}}, "of polynomial; 1 = linear"),
      field("warmup_epochs", RealTarget{&rate.warmup_epochs, {0, 1e9}},
            "the rate is multiplied by a factor that rises linearly to 1 over so many epochs; 0 = none"),
      field("warmup_from", RealTarget{&rate.warmup_from, kNotNegative}, "the rate of the first step of a warm-up"),
  };
}

Fields describe_init(InitOptions& init) {
  return {
      field("kind",
            words(init.kind, {{"gaussian", InitKind::kGaussian}, {"xavier", InitKind::kXavier}, {"he", InitKind::kHe}}),
            "deviation of the weights: std, sqrt(2/(fan_in+fan_out)), sqrt(2/fan_in)"),
      field("std", RealTarget{&init.std, kPositive}, "of kind gaussian"),
      field("bias", RealTarget{&init.bias, {-kMaxReal, kMaxReal}}, "initial value of biases"),
  };
}

Fields describe_probe(ProbeOptions& probe) {
  return {
      field("op", TextTarget{&probe.op}, "name of the op whose input is watched, such as hidden3/act; empty = off"),
      field("unit", IntegerTarget{&probe.unit, {0, kMaxImages}}, "which of the values of that input"),
      field("images", IntegerTarget{&probe.images, {1, kMaxBatch}}, "validation images it is measured over"),
      field("every", IntegerTarget{&probe.every, kEverySteps}, "steps between two measurements"),
  };
}

Fields describe_train(TrainOptions& train) {
  return {
      field("batch", IntegerTarget{&train.batch, {1, kMaxBatch}}, "images a step, of each part"),
      field(
          "parts", IntegerTarget{&train.parts, {1, 4'096}}, [&train] { return problem_of_parts(train.parts); },
          "of a step's images, each with batch statistics of its own; several processes share them"),
      field("epochs", RealTarget{&train.epochs, {0, 1e9}}, "length of the run in epochs, or ..."),
      field("steps", IntegerTarget{&train.steps, kStepsOrZero}, "... in steps; the other one is 0"),
      field("seed", SeedTarget{&train.seed}, "of initial weights, order, augmentation and dropout"),
      field("learning_rate", GroupTarget{describe_learning_rate(train.learning_rate)}, "the schedule"),
      field("momentum", RealTarget{&train.momentum, kFraction}, "0 = plain gradient descent"),
      field(
          "momentum_kind",
          words(train.momentum_kind, {{"classical", MomentumKind::kClassical}, {"nesterov", MomentumKind::kNesterov}}),
          "Sutskever et al. 2013, eq. 1-2 or 3-4"),
      field("l2", RealTarget{&train.l2, kNotNegative}, "weight decay: the gradient gains l2 * value"),
      field("l2_scope", words(train.l2_scope, {{"weights", DecayScope::kWeights}, {"all", DecayScope::kAll}}),
            "weights alone, or biases, gamma and beta too"),
      field("init", GroupTarget{describe_init(train.init)}, "initial weights"),
      field("average", words(train.average, {{"none", AverageKind::kNone}, {"polyak", AverageKind::kPolyak}}),
            "evaluate with averaged parameters"),
      field("average_decay", RealTarget{&train.average_decay, kFraction}, "of average: polyak"),
      field("statistics",
            words(train.statistics,
                  {{"moving_average", StatisticsKind::kMovingAverage}, {"population", StatisticsKind::kPopulation}}),
            "where evaluation's means and variances come from; population: Algorithm 2"),
      field("statistics_decay", RealTarget{&train.statistics_decay, kFraction}, "of statistics: moving_average"),
      field("statistics_batches", IntegerTarget{&train.statistics_batches, {1, kMaxSteps}},
            "of statistics: population"),
      field("log_every", IntegerTarget{&train.log_every, kEverySteps}, "steps"),
      field("evaluate_every", IntegerTarget{&train.evaluate_every, kStepsOrZero}, "steps; 0 = once an epoch"),
      field("evaluate_batch", IntegerTarget{&train.evaluate_batch, {1, kMaxBatch}}, "images at a time in evaluation"),
      field("checkpoint_every", IntegerTarget{&train.checkpoint_every, kStepsOrZero},
            "steps; 0 = with each evaluation"),
      field("keep_checkpoints", IntegerTarget{&train.keep_checkpoints, {1, 1'000'000}},
            "the last ones; the best is kept beside them"),
      field("probe", GroupTarget{describe_probe(train.probe)},
            "percentiles of one unit's value over fixed images, as in Fig. 1 b and c"),
  };
}

Fields describe_cpu(CpuOptions& cpu) {
  return {
      field("winograd", FlagTarget{&cpu.winograd},
            "3x3 convolutions of stride 1 that multiply in f32 go by Winograd's F(4x4, 3x3) where it is quicker"),
      field(
          "bfloat16_math",
          words(cpu.bfloat16_math,
                {{"automatic", Bfloat16Math::kAutomatic}, {"bf16", Bfloat16Math::kBf16}, {"f32", Bfloat16Math::kF32}}),
          "how convolutions and linear layers multiply in precision: bf16; automatic: as is quicker on this kind of "
          "CPU"),
  };
}

Fields describe_cuda(CudaOptions& cuda) {
  return {
      field("device", IntegerTarget{&cuda.device, {0, 1023}}, "which GPU, from 0"),
      field("float32_math",
            words(cuda.float32_math, {{"exact", Float32Math::kExact}, {"tf32", Float32Math::kTensorFloat32}}),
            "how convolutions and linear layers multiply in precision: f32"),
      field("convolutions",
            words(cuda.convolution_choice,
                  {{"heuristic", ConvolutionChoice::kHeuristic}, {"measured", ConvolutionChoice::kMeasured}}),
            "how cuDNN's algorithm is chosen; a measured choice can differ from run to run, but a resumed run keeps "
            "its own"),
  };
}

}  // namespace

Fields describe(Config& config) {
  return {
      required("model", GroupTarget{describe_model(config.model)}, "the network and its switches"),
      field("batch_norm", GroupTarget{describe_batch_norm(config.model)}, "where normalization is batch"),
      field("data", GroupTarget{describe_data(config.data)}, "images and labels"),
      field("train", GroupTarget{describe_train(config.train)}, "optimisation, logging, checkpoints"),
      field("device", words(config.device, {{"cpu", Device::kCpu}, {"cuda", Device::kCuda}}), "where it runs"),
      field("cpu", GroupTarget{describe_cpu(config.cpu)}, "of device: cpu"),
      field("cuda", GroupTarget{describe_cuda(config.cuda)}, "of device: cuda"),
      field("precision", words(config.precision, {{"f32", DType::kF32}, {"bf16", DType::kBf16}}),
            "type in which activations and their gradients are stored"),
      field("threads", IntegerTarget{&config.threads, {0, 4'096}},
            "of the CPU's kernels; 0 = OMP_NUM_THREADS, else all usable cores"),
      field("plan",
            GroupTarget{{field(
                "passes",
                GroupTarget{{field("fuse_activation", FlagTarget{&config.passes.fuse_activation},
                                   "batch norm and its activation in one step"),
                             field("eliminate_concat", FlagTarget{&config.passes.eliminate_concat},
                                   "what a concatenation joins is written in place"),
                             field("share_memory", FlagTarget{&config.passes.share_memory},
                                   "values share memory where their lifetimes allow it"),
                             field("merge_siblings",
                                   words(config.passes.merge_siblings, {{"where_faster", MergeSiblings::kWhereFaster},
                                                                        {"always", MergeSiblings::kAlways},
                                                                        {"never", MergeSiblings::kNever}}),
                                   "1x1 convolutions of one value, with their batch norms, are one in "
                                   "training; where_faster: on a GPU"),
                             field("fuse_gradient_sum", FlagTarget{&config.passes.fuse_gradient_sum},
                                   "a pool adds the gradients that other ops give its input")}},
                "rewrites done when the network is compiled")}},
            "how steps are made of ops"),
      field("distributed",
            GroupTarget{{field("timeout_seconds", IntegerTarget{&config.distributed.timeout_seconds, {1, 1'000'000}},
                               "a process that waits longer for the others ends, with exit code 10")}},
            "several processes, as mpirun starts them"),
  };
}

}  // namespace bn::config
