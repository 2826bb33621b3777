#include "config/schema.hpp"

namespace bn::config {
namespace {

// Upper bounds keep a slip of the hand from becoming an overflow in a size; none is a real limit.
constexpr int64_t kMaxChannels = 16'384;
constexpr int64_t kMaxSide = 4'096;
constexpr int64_t kMaxBatch = 1'048'576;
constexpr int64_t kMaxImages = 1'000'000'000'000;
constexpr int64_t kMaxSteps = 1'000'000'000'000;
constexpr double kMaxReal = 1e30;  // stays finite as a float

constexpr IntegerRange kChannels{1, kMaxChannels};
constexpr IntegerRange kChannelsOrNone{0, kMaxChannels};
constexpr IntegerRange kSide{1, kMaxSide};
constexpr IntegerRange kImageChannels{1, 4};
constexpr IntegerRange kPatch{1, 31};
constexpr IntegerRange kStride{1, 8};
constexpr IntegerRange kEverySteps{1, kMaxSteps};
constexpr IntegerRange kStepsOrZero{0, kMaxSteps};
constexpr RealRange kPositive{0, kMaxReal, Bound::kOpen, Bound::kClosed};
constexpr RealRange kNotNegative{0, kMaxReal};
constexpr RealRange kFraction{0, 1, Bound::kClosed, Bound::kOpen};  // below 1

Field field(std::string name, Target target, std::string help) {
  return {.name = std::move(name), .target = std::move(target), .help = std::move(help)};
}
Field required(std::string name, Target target, std::string help) {
  Field result = field(std::move(name), std::move(target), std::move(help));
  result.presence = Presence::kRequired;
  return result;
}
Field terse(std::string name, Target target, std::string omitted, std::string help) {
  Field result = field(std::move(name), std::move(target), std::move(help));
  result.presence = Presence::kTerse;
  result.omitted = std::move(omitted);
  return result;
}

WordTarget pool_words(PoolKind& kind) {
  return words(kind, {{"max", PoolKind::kMax}, {"average", PoolKind::kAverage}});
}

// --- the network's table

Fields describe_row(TableRow& row) {
  Fields fields{required("row", TextTarget{&row.name}, "name of the row, the first part of its ops' names")};
  const auto add = [&fields](Field f) { fields.push_back(std::move(f)); };
  switch (row.type) {
    case RowType::kConvolution:
      add(required("patch", IntegerTarget{&row.patch, kPatch}, "side of the kernel"));
      add(terse("stride", IntegerTarget{&row.stride, kStride}, "1", "step of the window"));
      add(terse("reduce", IntegerTarget{&row.reduce, kChannelsOrNone}, "0",
                "channels of a 1x1 convolution before it; 0 = none"));
      add(required("filters", IntegerTarget{&row.filters, kChannels}, "output channels"));
      add(terse("depth_multiplier", IntegerTarget{&row.depth_multiplier, {0, 64}}, "0",
                "makes it separable, with this many depthwise filters a channel; 0 = dense"));
      break;
    case RowType::kMaxPool:
      add(required("patch", IntegerTarget{&row.patch, kPatch}, "side of the window"));
      add(terse("stride", IntegerTarget{&row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kAveragePool:
      add(required("patch", IntegerTarget{&row.patch, {0, 31}}, "side of the window; 0 = the whole map"));
      add(terse("stride", IntegerTarget{&row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kInception:
      add(terse("stride", IntegerTarget{&row.stride, {1, 2}}, "1",
                "of the last convolution of each branch and the pool"));
      add(required("1x1", IntegerTarget{&row.conv1x1, kChannelsOrNone},
                   "filters of the 1x1 branch; 0 = no such branch"));
      add(required("3x3_reduce", IntegerTarget{&row.conv3x3_reduce, kChannels}, "1x1 filters before the 3x3"));
      add(required("3x3", IntegerTarget{&row.conv3x3, kChannels}, "3x3 filters"));
      add(required("double_3x3_reduce", IntegerTarget{&row.double3x3_reduce, kChannels},
                   "1x1 filters before the two 3x3"));
      add(required("double_3x3", IntegerTarget{&row.double3x3, kChannels}, "filters of both 3x3 of the double branch"));
      add(required("pool", pool_words(row.pool), "kind of the pool branch"));
      add(required("projection", IntegerTarget{&row.projection, kChannelsOrNone},
                   "1x1 filters after the pool; 0 = pass through"));
      break;
  }
  return fields;
}

TaggedTarget row_target(TableRow& row) {
  const WordTarget type = words(row.type, {{"convolution", RowType::kConvolution},
                                           {"max_pool", RowType::kMaxPool},
                                           {"average_pool", RowType::kAveragePool},
                                           {"inception", RowType::kInception}});
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
      required("after", TextTarget{&head.after}, "row whose output feeds it"),
      field("pool_patch", IntegerTarget{&head.pool_patch, kPatch}, "side of its average pool"),
      field("pool_stride", IntegerTarget{&head.pool_stride, kStride}, "step of its average pool"),
      field("filters", IntegerTarget{&head.filters, kChannels}, "filters of its 1x1 convolution"),
      field("units", IntegerTarget{&head.units, kChannels}, "units of its linear layer"),
      field("weight", RealTarget{&head.weight, kNotNegative}, "of its loss"),
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
      required("image_size", IntegerTarget{&table.image_size, kSide}, "side of the network's input"),
      required("image_channels", IntegerTarget{&table.image_channels, kImageChannels}, "of the network's input"),
      required("rows", rows_target(table.rows), "the table, a row of Fig. 5 a line"),
      terse("pool_border",
            words(table.pool_border,
                  {{"exclude_padding", PoolBorder::kExcludePadding}, {"include_padding", PoolBorder::kIncludePadding}}),
            "exclude_padding", "whether the padding counts in the divisor of an average pool"),
      field("local_response_norm",
            GroupTarget{{
                field("after", TextListTarget{&table.local_response_norm_after},
                      "rows it follows where model.local_response_norm is true"),
                field("size", IntegerTarget{&norm.size, {1, 1'024}}, "channels in its window"),
                field("alpha", RealTarget{&norm.alpha, kNotNegative}, "divided by the size, as Caffe does"),
                field("beta", RealTarget{&norm.beta, kNotNegative}, "exponent"),
                field("k", RealTarget{&norm.k, kPositive}, "added to the sum"),
            }},
            "where and how local response normalisation stands"),
      field("auxiliary", auxiliary_target(table.auxiliary), "second classifier, for training only"),
  };
}

Fields describe_table(MlpTable& table) {
  return {
      required("image_size", IntegerTarget{&table.image_size, kSide}, "side of the network's input"),
      required("image_channels", IntegerTarget{&table.image_channels, kImageChannels}, "of the network's input"),
      required("hidden", IntegerListTarget{&table.hidden, kChannels}, "units of each hidden layer"),
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

// --- the groups of an experiment file

Fields describe_batch_norm(ModelOptions& model) {
  BatchNorm& norm = model.batch_norm;
  return {
      field("scope",
            words(norm.scope,
                  {{"spatial", BatchNormScope::kSpatial}, {"per_activation", BatchNormScope::kPerActivation}}),
            "statistics per feature map, or per activation over the batch alone"),
      field("eps", RealTarget{&norm.eps, kPositive}, "added to the variance"),
      field("implementation",
            words(norm.implementation, {{"custom", BatchNormImplementation::kCustom},
                                        {"onednn", BatchNormImplementation::kOnednn},
                                        {"cudnn", BatchNormImplementation::kCudnn}}),
            "custom: this project's kernels; onednn on the CPU, cudnn on CUDA"),
      field("synchronised_parts", IntegerTarget{&norm.synchronised_parts, {1, 4'096}},
            "so many of train.parts share their statistics in training; needs a process for each part"),
      field("placement",
            words(model.placement, {{"before_activation", BatchNormPlacement::kBeforeActivation},
                                    {"after_activation", BatchNormPlacement::kAfterActivation}}),
            "before the nonlinearity, as the paper; or after it, where the layer keeps its bias"),
      field("gamma", words(model.gamma, {{"learned", Affine::kLearned}, {"fixed", Affine::kFixed}}),
            "the scale after normalising; fixed: 1"),
      field("beta", words(model.beta, {{"learned", Affine::kLearned}, {"fixed", Affine::kFixed}}),
            "the shift after normalising; fixed: 0"),
  };
}

Fields describe_model(ModelOptions& model) {
  return {
      required("network", network_target(model.table), "path of a table file, relative to this file; or the table"),
      field("classes", IntegerTarget{&model.classes, {2, kMaxChannels}}, "outputs of the last layer"),
      field("normalization",
            words(model.normalization, {{"none", Normalization::kNone}, {"batch", Normalization::kBatch}}),
            "batch normalisation at every nonlinearity, or a bias instead"),
      field("activation", words(model.activation, {{"relu", Activation::kRelu}, {"sigmoid", Activation::kSigmoid}}),
            "the nonlinearity"),
      field("local_response_norm", FlagTarget{&model.local_response_norm}, "where the table says"),
      field("dropout", RealTarget{&model.dropout, kFraction}, "rate before the last linear layer"),
      field("width", RealTarget{&model.width, {0, 8, Bound::kOpen, Bound::kClosed}},
            "multiplies every filter count of the table, rounded to a multiple of 8"),
      field("init_scale", RealTarget{&model.init_scale, kPositive}, "multiplies the initial deviation of convolutions"),
      field("per_activation", TextListTarget{&model.per_activation},
            "rows whose batch norms are per-activation whatever batch_norm.scope says"),
      field("init_from", TextTarget{&model.init_from},
            "a checkpoint, or a run folder for its best one, that training starts from, relative to the working "
            "directory; a classifier of other classes is drawn anew; empty = all is drawn"),
      field(
          "freeze", TextListTarget{&model.freeze},
          "rows that do not learn, such as [conv1, conv2, inception_3]: names of rows, or how they begin; their batch "
          "norms keep the population's statistics"),
  };
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
      field("train", TextListTarget{&data.train},
            "paths, relative to BN_DATA_ROOT; mnist: images and labels, folder and packed: one, tar: tar files or "
            "folders of them"),
      field("validation", TextListTarget{&data.validation}, "the same for the validation images"),
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
      field("std", RealListTarget{&data.std, kPositive}, "per channel, of pixels scaled to 0..1"),
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
      field("lighting", RealListTarget{&data.lighting, {-kMaxReal, kMaxReal}},
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
      field("initial", RealTarget{&rate.initial, kPositive}, "of the first step, or of the warm-up's end"),
      field("decay_factor", RealTarget{&rate.decay_factor, {0, 1, Bound::kOpen, Bound::kClosed}},
            "of staircase and smooth: multiplies the rate once an interval; 1 = constant"),
      field("decay_epochs", RealTarget{&rate.decay_epochs, kNotNegative}, "the interval in epochs, or ..."),
      field("decay_steps", IntegerTarget{&rate.decay_steps, kStepsOrZero}, "... in steps, or ..."),
      field("decay_at_epochs", RealListTarget{&rate.decay_at_epochs, kPositive},
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
      field("parts", IntegerTarget{&train.parts, {1, 4'096}},
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
            GroupTarget{{field("passes",
                               GroupTarget{{field("fuse_activation", FlagTarget{&config.passes.fuse_activation},
                                                  "batch norm and its activation in one step"),
                                            field("eliminate_concat", FlagTarget{&config.passes.eliminate_concat},
                                                  "what a concatenation joins is written in place"),
                                            field("share_memory", FlagTarget{&config.passes.share_memory},
                                                  "values share memory where their lifetimes allow it")}},
                               "rewrites done when the network is compiled")}},
            "how steps are made of ops"),
      field("distributed",
            GroupTarget{{field("timeout_seconds", IntegerTarget{&config.distributed.timeout_seconds, {1, 1'000'000}},
                               "a process that waits longer for the others ends, with exit code 10")}},
            "several processes, as mpirun starts them"),
  };
}

}  // namespace bn::config
