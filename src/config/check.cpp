#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "config/layers.hpp"
#include "config/schema.hpp"
#include "config/yaml_node.hpp"
#include "system/text.hpp"

namespace bn::config {
namespace {

struct ExpectedPaths {
  size_t least = 0, most = 0;
  const char* what = "";
};

ExpectedPaths expected_paths(DatasetKind kind) {
  switch (kind) {
    case DatasetKind::kShapes:
      return {0, 0, "none: kind shapes is generated"};
    case DatasetKind::kMnist:
      return {2, 2, "two for kind mnist: images, labels"};
    case DatasetKind::kFolder:
      return {1, 1, "one for kind folder"};
    case DatasetKind::kTar:
      return {1, SIZE_MAX, "one or more for kind tar"};
    case DatasetKind::kPacked:
      return {1, 1, "one for kind packed: the folder"};
  }
  return {};
}

class Checker {
 public:
  explicit Checker(const Config& config) : config_(config) {}

  std::vector<Problem> run() && {
    Config copy = config_;
    check_rules(describe(copy), "");
    check_length();
    check_learning_rate();
    check_table();
    check_input();
    check_data();
    check_classes();
    check_device();
    if (!has_problem_in("model")) check_network();
    return std::move(problems_);
  }

 private:
  void add(std::string path, std::string message, std::string other_path = "") {
    problems_.push_back({std::move(path), std::move(message), std::move(other_path)});
  }

  // True if this key, or one inside it, has a problem already: those that follow from it are not told too.
  bool has_problem_in(const std::string& path) const {
    return std::ranges::any_of(problems_, [&](const Problem& p) { return is_in(p.path, path); });
  }

  void check_rules(const Fields& fields, const std::string& path) {
    for (const Field& field : fields) {
      const std::string key = join_path(path, field.name);
      if (field.rule) {
        if (std::string problem = field.rule(); !problem.empty()) add(key, std::move(problem));
      }
      if (const auto* group = std::get_if<GroupTarget>(&field.target)) check_rules(group->fields, key);
      if (const auto* tagged = std::get_if<TaggedTarget>(&field.target)) check_rules(tagged->fields(), key);
    }
  }

  void check_length() {
    const TrainOptions& train = config_.train;
    if ((train.epochs > 0) == (train.steps > 0)) {
      add("train.steps",
          fmt::format("got steps {} and epochs {}, expected exactly one of them above 0", train.steps, train.epochs),
          "train.epochs");
    }
    const int64_t synchronised = config_.model.batch_norm.synchronised_parts;
    if (train.parts % synchronised != 0) {
      add("batch_norm.synchronised_parts",
          fmt::format("got {}, expected a number that divides train.parts, {}", synchronised, train.parts));
    }
  }

  void check_learning_rate() {
    const LearningRateOptions& rate = config_.train.learning_rate;
    const std::string path = "train.learning_rate.";
    check_keys_of_shape(rate);
    if (has_problem_in("train.learning_rate")) return;
    const std::string given =
        fmt::format("got decay_steps {} and decay_epochs {}", rate.decay_steps, rate.decay_epochs);
    const bool has_interval = rate.decay_epochs > 0 || rate.decay_steps > 0, has_places = !rate.decay_at_epochs.empty();
    if (rate.decay_epochs > 0 && rate.decay_steps > 0) {
      add(path + "decay_steps", given + ", expected one of them, the other 0", path + "decay_epochs");
    }
    if (has_interval && has_places) {
      add(path + "decay_at_epochs", "names the epochs of the decay beside an interval: " + given + ", expected both 0",
          path + (rate.decay_epochs > 0 ? "decay_epochs" : "decay_steps"));
    }
    if (rate.decay_factor != 1 && !has_interval && !has_places) {
      add(path + "decay_factor",
          fmt::format("is {}, but there is no interval: {}, expected one of them above 0", rate.decay_factor, given));
    }
    if (rate.decay_factor == 1 && has_places) {
      add(path + "decay_at_epochs", "names epochs, but decay_factor is 1, expected it below 1");
    }
    check_warmup(rate);
  }

  // Keys that a layer above has set although the shape makes nothing of them.
  void check_keys_of_shape(const LearningRateOptions& rate) {
    const LearningRateOptions preset;
    const std::pair<std::string_view, bool> changed[] = {
        {"decay_factor", rate.decay_factor != preset.decay_factor},
        {"decay_epochs", rate.decay_epochs != preset.decay_epochs},
        {"decay_steps", rate.decay_steps != preset.decay_steps},
        {"decay_at_epochs", rate.decay_at_epochs != preset.decay_at_epochs},
        {"power", rate.power != preset.power},
    };
    const auto& [shape, meaningless] = kShapeKeys.at(static_cast<size_t>(rate.shape));
    for (const auto& [key, is_changed] : changed) {
      if (!is_changed || std::ranges::find(meaningless, key) == meaningless.end()) continue;
      add(fmt::format("train.learning_rate.{}", key), fmt::format("does not apply to shape {}", shape),
          "train.learning_rate.shape");
    }
  }

  void check_warmup(const LearningRateOptions& rate) {
    const std::string epochs = "train.learning_rate.warmup_epochs", from = "train.learning_rate.warmup_from";
    if (rate.warmup_from > 0 && rate.warmup_epochs == 0) {
      add(from,
          fmt::format("is {}, but there is no warm-up: warmup_epochs is 0, expected it above 0", rate.warmup_from));
    }
    if (rate.warmup_from > rate.initial) {
      add(from,
          fmt::format("got {}, expected at most initial, {}, to which the rate rises", rate.warmup_from, rate.initial));
    }
    const double run = config_.train.epochs;  // a length in steps is compared by the trainer
    if (run > 0 && rate.warmup_epochs > run) {
      add(epochs, fmt::format("got {}, expected at most the run's train.epochs, {}", rate.warmup_epochs, run));
    }
  }

  void check_table() {
    if (const auto* table = std::get_if<InceptionTable>(&config_.model.table)) {
      check_rows(*table);
      check_row_references(*table);
    } else {
      check_mlp();
    }
    check_freeze();
  }

  void check_freeze() {
    if (has_problem_in("model.network")) return;
    const std::vector<std::string> rows = row_names(config_.model);
    for (const std::string& name : config_.model.freeze) {
      const auto begins_so = [&](const std::string& row) { return !name.empty() && row.starts_with(name); };
      if (std::ranges::any_of(rows, begins_so)) continue;
      add("model.freeze", fmt::format("got {}, expected a row of the network, or how the names of some begin{}",
                                      quote(name), suggestion(name, rows)));
    }
  }

  void check_rows(const InceptionTable& table) {
    // Taken by ops that do not come from rows, and by what the network gets.
    std::set<std::string> names{"images", "labels", "dropout", "logits", "loss", "auxiliary"};
    for (const TableRow& row : table.rows) {
      const std::string path = "model.network.rows." + printable(row.name);
      const bool plain = !row.name.empty() && row.name.find_first_not_of(
                                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                                                  "QRSTUVWXYZ0123456789_-") == std::string::npos;
      if (!plain) add(path, fmt::format("got the name {}, expected letters, digits, _ and -", quote(row.name)));
      if (!names.insert(row.name).second) add(path, "the name is taken, expected another one");
      if (row.type != RowType::kInception || row.stride == 1) continue;
      const std::string where = fmt::format("got {{}}, expected 0 in a module of stride {}: ", row.stride);
      if (row.conv1x1 != 0) add(path + ".1x1", fmt::format(fmt::runtime(where + "it has no 1x1 branch"), row.conv1x1));
      if (row.projection != 0) {
        add(path + ".projection", fmt::format(fmt::runtime(where + "its pool passes through"), row.projection));
      }
    }
  }

  void expect_row(const InceptionTable& table, const std::string& name, const std::string& path) {
    std::vector<std::string> rows;
    for (const TableRow& row : table.rows) rows.push_back(row.name);
    if (std::ranges::find(rows, name) != rows.end()) return;
    add(path, fmt::format("got {}, expected a row of the network{}", quote(name), suggestion(name, rows)));
  }

  void check_row_references(const InceptionTable& table) {
    if (has_problem_in("model.network.rows")) return;
    for (const std::string& row : table.local_response_norm_after) {
      expect_row(table, row, "model.network.local_response_norm.after");
    }
    for (const std::string& row : config_.model.per_activation) expect_row(table, row, "model.per_activation");
    if (table.auxiliary) expect_row(table, table.auxiliary->after, "model.network.auxiliary.after");
    if (config_.model.local_response_norm && table.local_response_norm_after.empty()) {
      add("model.local_response_norm", "is true, but model.network.local_response_norm.after names no row");
    }
  }

  void check_mlp() {
    const char* what = "does not apply to a network of kind mlp";
    if (config_.model.local_response_norm) add("model.local_response_norm", what);
    if (!config_.model.per_activation.empty()) add("model.per_activation", what);
    if (config_.model.width != 1.0) add("model.width", what);
  }

  void check_input() {
    const auto [side, channels] = std::visit(
        [](const auto& table) { return std::pair(table.image_size, table.image_channels); }, config_.model.table);
    const DataOptions& data = config_.data;
    if (data.image_size != side) {
      add("data.image_size",
          fmt::format("got {}, expected {} as model.network.image_size says", data.image_size, side));
    }
    if (data.image_channels != channels) {
      add("data.image_channels",
          fmt::format("got {}, expected {} as model.network.image_channels says", data.image_channels, channels));
    }
    if (has_problem_in("data.image_channels")) return;
    for (const auto& [name, values] : {std::pair("data.mean", &data.mean), std::pair("data.std", &data.std)}) {
      if (static_cast<int64_t>(values->size()) == data.image_channels) continue;
      add(name,
          fmt::format("got {} values, expected one for each of the {} channels", values->size(), data.image_channels));
    }
  }

  void check_paths(const std::vector<std::string>& paths, const std::string& key) {
    const ExpectedPaths expected = expected_paths(config_.data.kind);
    if (paths.size() >= expected.least && paths.size() <= expected.most) return;
    const std::string got = expected.least < expected.most ? "no path" : fmt::format("{} paths", paths.size());
    add(key, fmt::format("got {}, expected {}", got, expected.what));
  }

  void check_split(const DataOptions& data) {
    if (data.kind != DatasetKind::kFolder && data.kind != DatasetKind::kTar) {
      add("data.split.validation",
          fmt::format("got {}, expected 0: only kinds folder and tar are split", data.split.validation));
    } else if (!data.validation.empty()) {
      add("data.split.validation",
          fmt::format("got {}, expected 0 where data.validation names the validation images, or no path there",
                      data.split.validation));
    }
  }

  void check_data() {
    const DataOptions& data = config_.data;
    check_paths(data.train, "data.train");
    data.split.validation > 0 ? check_split(data) : check_paths(data.validation, "data.validation");
    const bool is_too_small = data.resize_shorter != 0 && data.resize_shorter < data.image_size;
    if (is_too_small && !has_problem_in("data.image_size")) {
      add("data.resize_shorter",
          fmt::format("got {}, expected 0 or at least data.image_size, {}, which is cropped from it",
                      data.resize_shorter, data.image_size));
    }
    if (data.cache != Cache::kNone && (data.kind == DatasetKind::kShapes || data.kind == DatasetKind::kMnist)) {
      add("data.cache", fmt::format("got {}, expected none: this set is in memory already",
                                    data.cache == Cache::kDecoded ? "decoded" : "shrunk"));
    }
    const bool has_shards = data.kind == DatasetKind::kTar || data.kind == DatasetKind::kPacked;
    if ((data.shuffle == Shuffle::kShards || data.shuffle == Shuffle::kWithinShard) && !has_shards) {
      add("data.shuffle", "orders by shards, which only kinds tar and packed have; expected none or full");
    }
    if (data.distortion > 0 && data.image_channels != 3 && !has_problem_in("data.image_channels")) {
      add("data.distortion", fmt::format("got {}, expected 0 for images without colours", data.distortion));
    }
    const AugmentOptions& augment = data.augment;
    if (augment.min_area > augment.max_area) {
      add("data.augment.min_area",
          fmt::format("got {}, expected at most data.augment.max_area, {}", augment.min_area, augment.max_area));
    }
    if (augment.min_aspect > augment.max_aspect) {
      add("data.augment.min_aspect",
          fmt::format("got {}, expected at most data.augment.max_aspect, {}", augment.min_aspect, augment.max_aspect));
    }
  }

  void check_classes() {
    const DataOptions& data = config_.data;
    const bool ten = data.kind == DatasetKind::kShapes || (data.kind == DatasetKind::kMnist && data.classes.empty());
    if (data.kind == DatasetKind::kShapes && !data.classes.empty()) {
      add("data.classes", "names a file, expected nothing: generated shapes have their own classes");
    }
    if (ten && data.classes_limit > 10) {
      add("data.classes_limit", fmt::format("got {}, but this set has 10 classes", data.classes_limit));
    }
    const int64_t classes = data.classes_limit > 0 ? data.classes_limit : (ten ? 10 : config_.model.classes);
    if (config_.model.classes != classes && !has_problem_in("data.classes_limit")) {
      add("model.classes", fmt::format("got {}, expected {} as the data has", config_.model.classes, classes));
    }
  }

  void check_device() {
    if (config_.model.normalization == Normalization::kNone) return;
    const auto implementation = config_.model.batch_norm.implementation;
    if (config_.model.batch_norm.synchronised_parts > 1 && implementation != BatchNormImplementation::kCustom) {
      add("batch_norm.synchronised_parts", "got more than 1, which needs batch_norm.implementation: custom");
    }
    const std::string path = "batch_norm.implementation";
    if (config_.device == Device::kCpu && implementation == BatchNormImplementation::kCudnn) {
      add(path, "got cudnn, which needs device: cuda, expected custom or onednn for device: cpu");
    }
    if (config_.device == Device::kCuda && implementation == BatchNormImplementation::kOnednn) {
      add(path, "got onednn, which needs device: cpu, expected custom or cudnn for device: cuda");
    }
  }

  // Checks that only the built network allows: shapes that fit, the probe's op, how many values a batch norm sees.
  void check_network() {
    try {
      const Net net = build_network(config_.model);
      check_probe(net);
      check_batch_norms(net);
    } catch (const Error& error) {
      add("model.network", error.what());
    }
  }

  void check_probe(const Net& net) {
    const ProbeOptions& probe = config_.train.probe;
    if (probe.op.empty()) return;
    std::vector<std::string> names;
    for (const Node& node : net.nodes()) names.push_back(node.name);
    const Node* node = net.find(probe.op);
    if (node == nullptr) {
      add("train.probe.op",
          fmt::format("got {}, expected an op of the network or \"\"{}", quote(probe.op), suggestion(probe.op, names)));
      return;
    }
    const int64_t units = net.values().at(static_cast<size_t>(node->inputs.at(0).index)).shape.elements();
    if (probe.unit >= units) {
      add("train.probe.unit",
          fmt::format("got {}, expected less than the {} inputs of {}", probe.unit, units, probe.op));
    }
  }

  void check_batch_norms(const Net& net) {
    for (const Node& node : net.nodes()) {
      const auto* norm = std::get_if<BatchNorm>(&node.spec);
      if (norm == nullptr) continue;
      const Shape& shape = net.values().at(static_cast<size_t>(node.output.index)).shape;
      const int64_t positions = norm->scope == BatchNormScope::kSpatial ? shape.h * shape.w : 1;
      if (config_.train.batch * positions * norm->synchronised_parts >= 2) continue;
      add("train.batch", fmt::format("got {}, expected at least 2: {} would normalise over a single value",
                                     config_.train.batch, node.name));
      return;
    }
  }

  const Config& config_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> problems_of(const Config& config) { return Checker(config).run(); }

}  // namespace bn::config
