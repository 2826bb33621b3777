#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bn/cpu_backend.hpp"
#include "bn/evaluate.hpp"
#include "bn/exchange.hpp"
#include "bn/version.hpp"
#include "commands/commands.hpp"
#include "commands/trained_model.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

struct ExportArguments {
  std::string run, onnx;
  std::string which = "best";
  bool raw = false;
};

// The metadata tell how to prepare the model's input, and which run it came from.
std::vector<std::pair<std::string, std::string>> metadata_of(const TrainedModel& model, bool raw) {
  const DataOptions& data = model.config.data;
  std::vector<std::pair<std::string, std::string>> metadata;
  if (!data.trained_classes.empty()) {
    metadata.emplace_back("classes", fmt::format("{}", fmt::join(data.trained_classes, "\n")));
  }
  // How `predict` decodes an image before the model sees it.
  metadata.emplace_back("color_order", data.image_channels == 3 ? "RGB" : "grey");
  metadata.emplace_back("interpolation",
                        "where both sides shrink, means over each pixel's area (OpenCV's INTER_AREA); else between "
                        "neighbours (INTER_LINEAR)");
  metadata.emplace_back("longer_side", "round(longer * resize_shorter / shorter)");
  metadata.emplace_back("crop", "the centre; its first row and column are (size - image_size) / 2, rounded down");
  metadata.emplace_back("orientation", "turned as EXIF says");
  metadata.emplace_back("resize_shorter", fmt::to_string(photo_shorter_side(data)));
  metadata.emplace_back("image_size", fmt::to_string(data.image_size));
  metadata.emplace_back("mean", fmt::format("{}", fmt::join(data.mean, " ")));
  metadata.emplace_back("std", fmt::format("{}", fmt::join(data.std, " ")));
  if (raw) metadata.emplace_back("input", "(pixel / 255 - mean) / std, channel by channel");
  if (data.binarize >= 0) metadata.emplace_back("binarize", fmt::to_string(data.binarize));
  metadata.emplace_back("step", fmt::to_string(model.info.progress.step));
  metadata.emplace_back("exporter", "bninception " + source_version());
  metadata.emplace_back("config", model.info.config);
  if (model.info.provenance) metadata.emplace_back("made_of", to_json(*model.info.provenance));
  return metadata;
}

// ONNX begins with its version, the field 1 of one byte, and the producer's name, the field 2.
bool is_onnx_of_ours(const std::string& beginning) {
  return beginning.starts_with('\x08') && beginning.find("\022\013bninception") == 2;
}

ExitCode run_export(const ExportArguments& arguments) {
  expect_open_output();
  TrainedModel model = read_model(arguments.run, arguments.which);
  expect_replaceable("--onnx", arguments.onnx, {model.checkpoint}, is_onnx_of_ours);
  const std::unique_ptr<Backend> backend = make_cpu_backend({});  // whatever the network was trained on
  load_parameters(model, *backend);
  if (model.config.data.trained_classes.empty()) {
    tell(model.checkpoint + ": it names no classes, so the model has numbers alone\n");
  }
  const DataOptions& data = model.config.data;
  export_onnx(arguments.onnx, *model.parameters,
              {.input = arguments.raw ? OnnxInput::kNormalized : OnnxInput::kPixels,
               .normalization = normalization_of(data),
               .binarize = data.binarize,
               .weights = model.weights,
               .metadata = metadata_of(model, arguments.raw)});
  tell(trailing_averages(model));
  const Shape image = model.net.image_shape();
  const std::string input = arguments.raw
                                ? fmt::format("f32 [batch, {}, {}, {}], normalised", image.c, image.h, image.w)
                                : fmt::format("u8 [batch, {}, {}, {}]", image.h, image.w, image.c);
  const std::string summary = fmt::format("{}: images {} -> logits f32 [batch, {}], from {}\n", arguments.onnx, input,
                                          model.net.classes(), model.checkpoint);
  // Standard output may be the model, of which a line would be part.
  is_descriptor(arguments.onnx) ? tell(summary) : print(summary);
  return ExitCode::kSuccess;
}

}  // namespace

void add_export_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand("export", "A run or checkpoint as a model for other programs");
  command->add_option("run", arguments->run, "Run folder or .safetensors checkpoint")->required();
  command->add_option("--onnx", arguments->onnx, "The ONNX file to write")->required();
  command->add_flag("--raw", arguments->raw,
                    "Take normalised f32 [batch, c, h, w] instead of pixels, u8 [batch, h, w, c]");
  add_checkpoint_option(*command, arguments->which);
  command->footer(
      "The model normalises pixels itself. It takes images as the evaluation does after decoding: the shorter side\n"
      "resized, by areas (OpenCV's INTER_AREA) where both sides shrink and else by INTER_LINEAR, then the centre cut "
      "out.\n"
      "Its metadata_props have the class names, a line each, those sizes, the mean and deviation, the configuration "
      "and\n"
      "what the run was made of.");
  command->callback([arguments, &exit_code] { exit_code = run_export(*arguments); });
}

}  // namespace bn
