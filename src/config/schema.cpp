#include "config/schema.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "system/text.hpp"

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

std::string problem_of_initial_rate(const double& rate) {
  return static_cast<float>(rate) == 0 ? fmt::format("got {}, which is 0 in single precision", rate) : "";
}

std::string problem_of_epochs(const std::vector<double>& epochs) {
  if (std::adjacent_find(epochs.begin(), epochs.end(), std::greater_equal<>()) == epochs.end()) return "";
  return fmt::format("got [{}], expected ascending epochs", fmt::join(epochs, ", "));
}

std::string problem_of_parts(const int64_t& parts) {
  return std::has_single_bit(static_cast<uint64_t>(parts)) ? "" : fmt::format("got {}, expected a power of two", parts);
}

// --- a network: its table, and the groups `model` and `batch_norm`

Fields describe_row(TableRow& row) {
  Fields fields{required("row", row.name, "name of the row, the first part of its ops' names")};
  const auto add = [&fields](Field f) { fields.push_back(std::move(f)); };
  switch (row.type) {
    case RowType::kConvolution:
      add(required("patch", {row.patch, kPatch},
                   "side of the kernel; at stride 1 an odd one keeps the size, an even one adds 1"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      add(terse("reduce", {row.reduce, kChannelsOrNone}, "0", "channels of a 1x1 convolution before it; 0 = none"));
      add(required("filters", {row.filters, kChannels}, "output channels"));
      add(terse("depth_multiplier", {row.depth_multiplier, {0, 64}}, "0",
                "makes it separable, with this many depthwise filters a channel; 0 = dense"));
      break;
    case RowType::kMaxPool:
      add(required("patch", {row.patch, kPatch}, "side of the window"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kAveragePool:
      add(required("patch", {row.patch, {0, 31}}, "side of the window; 0 = the whole map"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kInception:
      add(terse("stride", {row.stride, {1, 2}}, "1", "of the last convolution of each branch and the pool"));
      add(required("1x1", {row.conv1x1, kChannelsOrNone}, "filters of the 1x1 branch; 0 = no such branch"));
      add(required("3x3_reduce", {row.conv3x3_reduce, kChannels}, "1x1 filters before the 3x3"));
      add(required("3x3", {row.conv3x3, kChannels}, "3x3 filters"));
      add(required("double_3x3_reduce", {row.double3x3_reduce, kChannels}, "1x1 filters before the two 3x3"));
      add(required("double_3x3", {row.double3x3, kChannels}, "filters of both 3x3 of the double branch"));
      add(required("pool", {row.pool, {"max", "average"}}, "kind of the pool branch"));
      add(required("projection", {row.projection, kChannelsOrNone}, "1x1 filters after the pool; 0 = pass through"));
      break;
  }
  return fields;
}

TaggedTarget row_target(TableRow& row) {
  const WordTarget type = words(row.type, {"convolution", "max_pool", "average_pool", "inception"});
  return {.tag = "type",
          .tag_place = 1,
          .words = type.words,
          .index = type.index,
          .fields = [&row] { return describe_row(row); },
          .choose =
              [&row, type](int index) {
                row = TableRow{};
                type.choose(index);
                return describe_row(row);
              },
          .keys =
              [](int index) {
                TableRow scratch;
                return names_of(row_target(scratch).choose(index));
              }};
}

RowsTarget rows_target(std::vector<TableRow>& rows) {
  return {.count = [&rows] { return static_cast<int64_t>(rows.size()); },
          .at = [&rows](int64_t index) { return row_target(rows.at(static_cast<size_t>(index))); },
          .append = [&rows] { return row_target(rows.emplace_back()); },
          .clear = [&rows] { rows.clear(); }};
}

Fields describe_auxiliary(AuxiliaryHead& head) {
  return {
      required("after", head.after, "row whose output feeds it"),
      field("pool_patch", {head.pool_patch, kPatch}, "side of its average pool"),
      field("pool_stride", {head.pool_stride, kStride}, "step of its average pool"),
      field("filters", {head.filters, kChannels}, "filters of its 1x1 convolution"),
      field("units", {head.units, kChannels}, "units of its linear layer"),
      field("weight", {head.weight, kNotNegative}, "of its loss"),
  };
}

OptionalTarget auxiliary_target(std::optional<AuxiliaryHead>& head) {
  return {.present = [&head] { return head.has_value(); },
          .fields = [&head] { return describe_auxiliary(*head); },
          .emplace = [&head] { return describe_auxiliary(head.emplace()); },
          .clear = [&head] { head.reset(); }};
}

Fields describe_table(InceptionTable& table) {
  LocalResponseNorm& norm = table.local_response_norm;
  return {
      required("image_size", {table.image_size, kSide}, "side of the network's input"),
      required("image_channels", {table.image_channels, kImageChannels}, "of the network's input"),
      required(
          "rows",
          {rows_target(table.rows), [&table] { return table.rows.empty() ? "has no row, expected at least one" : ""; }},
          "the table, a row of Fig. 5 a line"),
      terse("pool_border", {table.pool_border, {"exclude_padding", "include_padding"}}, "exclude_padding",
            "whether the padding counts in the divisor of an average pool"),
      field("local_response_norm",
            Fields{
                field("after", table.local_response_norm_after,
                      "rows it follows where model.local_response_norm is true"),
                field("size", {norm.size, {1, 1'024}}, "channels in its window"),
                field("alpha", {norm.alpha, kNotNegative}, "divided by the size, as Caffe does"),
                field("beta", {norm.beta, kNotNegative}, "exponent"),
                field("k", {norm.k, kPositive}, "added to the sum"),
            },
            "where and how local response normalisation stands"),
      field("auxiliary", auxiliary_target(table.auxiliary), "second classifier, for training only"),
  };
}

std::string problem_of_init_scale(const double& scale) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  if (static_cast<float>(scale) >= kLeast) return "";
  return fmt::format("got {}, by which weights would be 0, or nearly; expected at least {:.3g}", scale, kLeast);
}

std::string problem_of_hidden(const std::vector<int64_t>& hidden) {
  return hidden.empty() ? "is empty, expected at least one layer" : "";
}

Fields describe_table(MlpTable& table) {
  return {
      required("image_size", {table.image_size, kSide}, "side of the network's input"),
      required("image_channels", {table.image_channels, kImageChannels}, "of the network's input"),
      required("hidden", {table.hidden, kChannels, problem_of_hidden}, "units of each hidden layer"),
  };
}

TaggedTarget network_target(std::variant<InceptionTable, MlpTable>& table) {
  const auto fields = [&table] { return std::visit([](auto& t) { return describe_table(t); }, table); };
  return {.tag = "kind",
          .words = {"inception", "mlp"},
          .index = [&table] { return static_cast<int>(table.index()); },
          .fields = fields,
          .choose =
              [&table, fields](int index) {
                if (index == 0) table.emplace<InceptionTable>();
                if (index == 1) table.emplace<MlpTable>();
                return fields();
              },
          .keys =
              [](int index) {
                std::variant<InceptionTable, MlpTable> scratch;
                return names_of(network_target(scratch).choose(index));
              }};
}

Fields describe_batch_norm(ModelOptions& model) {
  BatchNorm& norm = model.batch_norm;
  return {
      field("scope", {norm.scope, {"spatial", "per_activation"}},
            "statistics per feature map, or per activation over the batch alone"),
      field("eps", {norm.eps, kPositive}, "added to the variance"),
      field("implementation", {norm.implementation, {"custom", "onednn", "cudnn"}},
            "custom: this project's kernels; onednn on the CPU, cudnn on CUDA"),
      field("synchronised_parts", {norm.synchronised_parts, {1, 4'096}},
            "so many of train.parts share their statistics in training; needs a process for each part"),
      field("placement", {model.placement, {"before_activation", "after_activation"}},
            "before the nonlinearity, as the paper; or after it, where the layer keeps its bias"),
      field("gamma", {model.gamma, {"learned", "fixed"}}, "the scale after normalising; fixed: 1"),
      field("beta", {model.beta, {"learned", "fixed"}}, "the shift after normalising; fixed: 0"),
  };
}

Fields describe_model(ModelOptions& model) {
  return {
      required("network", network_target(model.table), "path of a table file, relative to this file; or the table"),
      field("classes", {model.classes, {2, kMaxChannels}}, "outputs of the last layer"),
      field("normalization", {model.normalization, {"none", "batch"}},
            "batch normalisation at every nonlinearity, or a bias instead"),
      field("activation", {model.activation, {"relu", "sigmoid"}, Activation::kRelu}, "the nonlinearity"),
      field("local_response_norm", model.local_response_norm, "where the table says"),
      field("dropout", {model.dropout, kFraction}, "rate before the last linear layer"),
      field("width", {model.width, {0, 8, Bound::kOpen, Bound::kClosed}},
            "multiplies every filter count of the table, rounded to a multiple of 8"),
      field("init_scale", {model.init_scale, kPositive, problem_of_init_scale},
            "multiplies the initial deviation of convolutions"),
      field("per_activation", model.per_activation,
            "rows whose batch norms are per-activation whatever batch_norm.scope says"),
      field("init_from", model.init_from,
            "a checkpoint, or a run folder for its best one, that training starts from, relative to the working "
            "directory; a classifier of other classes is drawn anew; empty = all is drawn"),
      field("freeze", model.freeze,
            "rows that do not learn, such as [conv1, conv2, inception_3]: names of rows, or how they begin; their "
            "batch norms keep the population's statistics"),
  };
}

// --- the other groups

Fields describe_data(DataOptions& data) {
  AugmentOptions& augment = data.augment;
  return {
      field("kind", {data.kind, {"shapes", "mnist", "folder", "tar", "packed"}},
            "generated shapes, idx files, a folder of class folders, tars of them, or a folder made by bn-data pack"),
      field("train", {data.train, problem_of_paths},
            "paths, relative to BN_DATA_ROOT; mnist: images and labels, folder and packed: one, tar: tar files or "
            "folders of them"),
      field("validation", {data.validation, problem_of_paths}, "the same for the validation images"),
      field("split",
            Fields{
                field("validation", {data.split.validation, kFraction},
                      "share of each class; equal files stay together, and no class is without training images"),
                field("seed", data.split.seed, "of the choice, which names and places do not change"),
            },
            "of kinds folder and tar: takes the validation images from data.train, where data.validation is empty"),
      field("classes", data.classes,
            "file of class names in index order, the first word of each line; empty = sorted names"),
      field("classes_limit", {data.classes_limit, {0, kMaxChannels}}, "first classes only; 0 = all"),
      field("shapes",
            Fields{
                field("image_size", {data.shapes.image_size, {16, 512}}, "side of a drawn image"),
                field("train_images", {data.shapes.train_images, {1, kMaxImages}}, "drawn for training"),
                field("validation_images", {data.shapes.validation_images, {1, kMaxImages}}, "drawn for validation"),
                field("seed", data.shapes.seed, "of the drawings"),
            },
            "the generated set"),
      field("image_size", {data.image_size, kSide}, "side of the network's input"),
      field("image_channels", {data.image_channels, kImageChannels}, "3 = RGB, 1 = grey"),
      field("resize_shorter", {data.resize_shorter, {0, kMaxSide}},
            "evaluation: shorter side, before the centre crop; 0 = as it is"),
      field("binarize", {data.binarize, {-1, 255}}, "pixels above become 255, others 0; -1 = off"),
      field("mean", {data.mean, {-kMaxReal, kMaxReal}}, "per channel, of pixels scaled to 0..1"),
      field("std", {data.std, kPositive, problem_of_deviations}, "per channel, of pixels scaled to 0..1"),
      field("augment",
            Fields{
                field("random_crop", augment.random_crop, "crop of a random area and aspect, resized to image_size"),
                field("min_area", {augment.min_area, {0, 1, Bound::kOpen, Bound::kClosed}},
                      "smallest part of the image's area"),
                field("max_area", {augment.max_area, {0, 1, Bound::kOpen, Bound::kClosed}}, "largest part"),
                field("min_aspect", {augment.min_aspect, {0.01, 100}}, "narrowest width / height"),
                field("max_aspect", {augment.max_aspect, {0.01, 100}}, "widest width / height"),
                field("flip", augment.flip, "mirror every other image, at random"),
                field("interpolation", {augment.interpolation, {"area", "random"}},
                      "area: averages where the crop shrinks, else bilinear; random: one of four methods an image"),
            },
            "of training images"),
      field("distortion", {data.distortion, {0, 1}},
            "strength of brightness, contrast, saturation, hue and lighting drawn for each training image; 0 = off"),
      field("lighting", {data.lighting, {-kMaxReal, kMaxReal}, problem_of_lighting},
            "of distortion: three directions of R, G, B, as bn-data stats prints them; preset to ImageNet's"),
      field("shuffle", {data.shuffle, {"none", "shards", "within_shard", "full"}},
            "order of the training images, drawn each epoch: of whole shards (tar files), of them and within, of all"),
      field("on_corrupt", {data.on_corrupt, {"fail", "skip", "quarantine"}},
            "an image that cannot be decoded ends the run, or the next takes its place; quarantine: and it is copied "
            "into the run folder"),
      field("decoder", {data.decoder, {"jpeg_turbo", "opencv"}}, "of JPEG; other formats are always OpenCV's"),
      field("exif_orientation", {data.exif_orientation, {"ignore", "apply"}},
            "whether a JPEG is turned as its camera noted"),
      field("cache", {data.cache, {"none", "decoded", "shrunk"}},
            "decoded: all pixels in memory from the start, up to 2 GB; shrunk: those of training images, at twice the "
            "size that evaluation resizes to"),
      field("workers", {data.workers, {0, 1'024}}, "decoding threads; 0 = none of their own"),
      field("slots", {data.slots, {1, 1'024}}, "batches prepared ahead"),
  };
}

Fields describe_learning_rate(LearningRateOptions& rate) {
  return {
      field("initial", {rate.initial, kPositive, problem_of_initial_rate},
            "of the first step, or of the warm-up's end"),
      field("decay_factor", {rate.decay_factor, {0, 1, Bound::kOpen, Bound::kClosed}},
            "of staircase and smooth: multiplies the rate once an interval; 1 = constant"),
      field("decay_epochs", {rate.decay_epochs, kNotNegative}, "the interval in epochs, or ..."),
      field("decay_steps", {rate.decay_steps, kStepsOrZero}, "... in steps, or ..."),
      field("decay_at_epochs", {rate.decay_at_epochs, kPositive, problem_of_epochs},
            "... the epochs at which a staircase decays, such as [30, 60, 80]; the other two are 0"),
      field("shape", {rate.shape, {"staircase", "smooth", "cosine", "polynomial"}},
            "staircase decays at the end of each interval, smooth a little every step; cosine and polynomial fall to 0 "
            "over the run: initial * (1 + cos(pi t)) / 2 and initial * (1 - t) ^ power, t the share of the steps done"),
      field("power", {rate.power, {0, 100, Bound::kOpen, Bound::kClosed}}, "of polynomial; 1 = linear"),
      field("warmup_epochs", {rate.warmup_epochs, {0, 1e9}},
            "the rate is multiplied by a factor that rises linearly to 1 over so many epochs; 0 = none"),
      field("warmup_from", {rate.warmup_from, kNotNegative}, "the rate of the first step of a warm-up"),
  };
}

Fields describe_init(InitOptions& init) {
  return {
      field("kind", {init.kind, {"gaussian", "xavier", "he"}},
            "deviation of the weights: std, sqrt(2/(fan_in+fan_out)), sqrt(2/fan_in)"),
      field("std", {init.std, kPositive}, "of kind gaussian"),
      field("bias", {init.bias, {-kMaxReal, kMaxReal}}, "initial value of biases"),
  };
}

Fields describe_probe(ProbeOptions& probe) {
  return {
      field("op", probe.op, "name of the op whose input is watched, such as hidden3/act; empty = off"),
      field("unit", {probe.unit, {0, kMaxImages}}, "which of the values of that input"),
      field("images", {probe.images, {1, kMaxBatch}}, "validation images it is measured over"),
      field("every", {probe.every, kEverySteps}, "steps between two measurements"),
  };
}

Fields describe_train(TrainOptions& train) {
  return {
      field("batch", {train.batch, {1, kMaxBatch}}, "images a step, of each part"),
      field("parts", {train.parts, {1, 4'096}, problem_of_parts},
            "of a step's images, each with batch statistics of its own; several processes share them"),
      field("epochs", {train.epochs, {0, 1e9}}, "length of the run in epochs, or ..."),
      field("steps", {train.steps, kStepsOrZero}, "... in steps; the other one is 0"),
      field("seed", train.seed, "of initial weights, order, augmentation and dropout"),
      field("learning_rate", describe_learning_rate(train.learning_rate), "the schedule"),
      field("momentum", {train.momentum, kFraction}, "0 = plain gradient descent"),
      field("momentum_kind", {train.momentum_kind, {"classical", "nesterov"}}, "Sutskever et al. 2013, eq. 1-2 or 3-4"),
      field("l2", {train.l2, kNotNegative}, "weight decay: the gradient gains l2 * value"),
      field("l2_scope", {train.l2_scope, {"weights", "all"}}, "weights alone, or biases, gamma and beta too"),
      field("init", describe_init(train.init), "initial weights"),
      field("average", {train.average, {"none", "polyak"}}, "evaluate with averaged parameters"),
      field("average_decay", {train.average_decay, kFraction}, "of average: polyak"),
      field("statistics", {train.statistics, {"moving_average", "population"}},
            "where evaluation's means and variances come from; population: Algorithm 2"),
      field("statistics_decay", {train.statistics_decay, kFraction}, "of statistics: moving_average"),
      field("statistics_batches", {train.statistics_batches, {1, kMaxSteps}}, "of statistics: population"),
      field("log_every", {train.log_every, kEverySteps}, "steps"),
      field("evaluate_every", {train.evaluate_every, kStepsOrZero}, "steps; 0 = once an epoch"),
      field("evaluate_batch", {train.evaluate_batch, {1, kMaxBatch}}, "images at a time in evaluation"),
      field("checkpoint_every", {train.checkpoint_every, kStepsOrZero}, "steps; 0 = with each evaluation"),
      field("keep_checkpoints", {train.keep_checkpoints, {1, 1'000'000}},
            "the last ones; the best is kept beside them"),
      field("probe", describe_probe(train.probe),
            "percentiles of one unit's value over fixed images, as in Fig. 1 b and c"),
  };
}

Fields describe_cpu(CpuOptions& cpu) {
  return {
      field("winograd", cpu.winograd,
            "3x3 convolutions of stride 1 that multiply in f32 go by Winograd's F(4x4, 3x3) where it is quicker"),
      field("amx", cpu.amx,
            "some convolutions of stride 1 go by our kernels on AMX where they are quicker; f32 as three products of "
            "bf16"),
      field("bfloat16_math", {cpu.bfloat16_math, {"automatic", "bf16", "f32"}},
            "how convolutions and linear layers multiply in precision: bf16; automatic: as is quicker on this kind of "
            "CPU"),
  };
}

Fields describe_cuda(CudaOptions& cuda) {
  return {
      field("device", {cuda.device, {0, 1023}}, "which GPU, from 0"),
      field("float32_math", {cuda.float32_math, {"exact", "tf32"}},
            "how convolutions and linear layers multiply in precision: f32"),
      field("convolutions", {cuda.convolution_choice, {"heuristic", "measured"}},
            "how cuDNN's algorithm is chosen; a measured choice can differ from run to run, but a resumed run keeps "
            "its own"),
  };
}

}  // namespace

Fields describe(Config& config) {
  return {
      required("model", describe_model(config.model), "the network and its switches"),
      field("batch_norm", describe_batch_norm(config.model), "where normalization is batch"),
      field("data", describe_data(config.data), "images and labels"),
      field("train", describe_train(config.train), "optimisation, logging, checkpoints"),
      field("device", {config.device, {"cpu", "cuda"}}, "where it runs"),
      field("cpu", describe_cpu(config.cpu), "of device: cpu"),
      field("cuda", describe_cuda(config.cuda), "of device: cuda"),
      field("precision", {config.precision, {"f32", "bf16"}},
            "type in which activations and their gradients are stored"),
      field("threads", {config.threads, {0, 4'096}},
            "of the CPU's kernels; 0 = OMP_NUM_THREADS, else all usable cores"),
      field("plan",
            Fields{field(
                "passes",
                Fields{field("fuse_activation", config.passes.fuse_activation,
                             "batch norm and its activation in one step"),
                       field("eliminate_concat", config.passes.eliminate_concat,
                             "what a concatenation joins is written in place"),
                       field("share_memory", config.passes.share_memory,
                             "values share memory where their lifetimes allow it"),
                       field("merge_siblings", {config.passes.merge_siblings, {"where_faster", "always", "never"}},
                             "1x1 convolutions of one value, with their batch norms, are one in training; "
                             "where_faster: on a GPU, and with AVX-512"),
                       field("fuse_gradient_sum", config.passes.fuse_gradient_sum,
                             "a pool adds the gradients that other ops give its input")},
                "rewrites done when the network is compiled")},
            "how steps are made of ops"),
      field("distributed",
            Fields{field("overlap", {config.distributed.overlap, {"where_faster", "always", "never"}},
                         "CPUs exchange gradients while others are still computed, which changes no bit; where_faster: "
                         "between machines"),
                   field("timeout_seconds", {config.distributed.timeout_seconds, {1, 1'000'000}},
                         "a process that waits longer for the others ends, with exit code 10")},
            "several processes, as mpirun starts them"),
  };
}

}  // namespace bn::config
