// The commands export and convert, which write networks for other programs and read theirs.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "support/small_inception.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const std::string kInception = "model:\n  network: " + small_inception_text(16) + R"(  classes: 10
  normalization: batch
data:
  kind: shapes
  shapes: {image_size: 16, train_images: 40, validation_images: 20, seed: 1}
  image_size: 16
  resize_shorter: 0
  augment: {random_crop: false}
train: {batch: 20, steps: 2, evaluate_every: 2, evaluate_batch: 20}
threads: 1
)";

class Exchange : public testing::Test {
 protected:
  std::string train(const Words& keys = {}) const {
    return test::train(folder_.write("experiment.yaml", kInception), folder_ / "run", test::set(keys));
  }

  const TemporaryFolder folder_;
};

TEST_F(Exchange, ExportSaysWhatTheModelTakesAndGives) {
  const std::string run = train(), checkpoint = run + "/checkpoints/best.safetensors";
  EXPECT_EQ(output_of({"export", run, "--onnx", folder_ / "a.onnx"}),
            folder_ / "a.onnx" + ": images u8 [batch, 16, 16, 3] -> logits f32 [batch, 10], from " + checkpoint + "\n");
  const std::string model = read_bytes(folder_ / "a.onnx");
  EXPECT_THAT(model, HasSubstr("arrow\ncrescent\ncross\n"));
  EXPECT_THAT(model, HasSubstr("Transpose"));
  EXPECT_THAT(model, HasSubstr("means over each pixel's area (OpenCV's INTER_AREA); else"));
  EXPECT_THAT(model, HasSubstr("round(longer * resize_shorter / shorter)"));
  EXPECT_THAT(model, testing::Not(HasSubstr("(pixel / 255 - mean) / std")));
  EXPECT_THAT(output_of({"export", checkpoint, "--raw", "--onnx", folder_ / "raw.onnx"}),
              HasSubstr("images f32 [batch, 3, 16, 16], normalised -> logits f32 [batch, 10]"));
  EXPECT_THAT(read_bytes(folder_ / "raw.onnx"), testing::Not(HasSubstr("Transpose")));
  EXPECT_THAT(read_bytes(folder_ / "raw.onnx"), HasSubstr("(pixel / 255 - mean) / std"));
}

TEST_F(Exchange, ExportSaysWhatItCannotDo) {
  EXPECT_EQ(error_of(5, {"export", folder_ / "nowhere", "--onnx", folder_ / "a.onnx"}),
            "error: " + folder_ / "nowhere" + ": no such file or folder\n");
  const std::string run = train({"model.local_response_norm=true", "model.network.local_response_norm.after=[conv1]",
                                 "model.network.local_response_norm.size=4"});
  EXPECT_EQ(error_of(6, {"export", run, "--onnx", folder_ / "a.onnx"}),
            "error: conv1/lrn: local_response_norm size 4 has no counterpart in ONNX: a window of an even number of "
            "channels has another centre\n");
}

TEST_F(Exchange, ExportToNowhereIsAStorageError) {
  EXPECT_EQ(error_of(7, {"export", train(), "--onnx", folder_ / "none/a.onnx"}),
            "error: cannot write '" + folder_ / "none/a.onnx" + "': No such file or directory\n");
}

// The shell's unit is 512 bytes: too few for the model.
TEST_F(Exchange, ExportLeavesNothingHalfWritten) {
  const Words words = bninception_command({"export", train(), "--onnx", folder_ / "a.onnx"});
  const ProgramResult result = run_program(joined({"/bin/sh", "-c", "ulimit -f 10; exec \"$@\"", "sh"}, words));
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.err, "error: cannot write '" + folder_ / "a.onnx" + "': File too large\n");
  for (const std::string& name : names_in(folder_.path())) EXPECT_THAT(name, testing::Not(HasSubstr("onnx")));
}

// A file that somebody else made, or that is read, stays as it is.
TEST_F(Exchange, ReplacesNoFileOfAnotherKind) {
  const std::string run = train({"train.steps=3", "train.evaluate_every=3", "train.statistics_decay=0.1"});
  const std::string best = run + "/checkpoints/best.safetensors", photo = folder_ / "photo.jpg";
  write_bytes(photo, "\xff\xd8 a photo");
  const std::string before = read_bytes(best);
  const auto refused = [](const Words& words) { return error_of(3, words); };
  EXPECT_EQ(refused({"export", run, "--onnx", photo}),
            "error: --onnx: '" + photo + "' is there already and was not written by this command: give another name\n");
  EXPECT_EQ(refused({"export", run, "--onnx", best}),
            "error: --onnx: '" + best + "' is what is read: give another name\n");
  std::filesystem::copy_file(best, folder_ / "copy.safetensors");
  EXPECT_EQ(refused({"export", folder_ / "copy.safetensors", "--onnx", best}),
            "error: --onnx: '" + best + "' is a run's checkpoint: give another name\n");
  EXPECT_EQ(refused({"convert", run, best, "--names", "pytorch"}),
            "error: OUT: '" + best + "' is what is read: give another name\n");
  EXPECT_EQ(refused({"convert", run, photo, "--names", "pytorch"}),
            "error: OUT: '" + photo + "' is there already and was not written by this command: give another name\n");
  EXPECT_EQ(refused({"evaluate", run, "--csv", photo}),
            "error: --csv: '" + photo + "' is there already and was not written by this command: give another name\n");
  write_bytes(folder_ / "index.html", "<p>a page of somebody else");
  const std::string page =
      "'" + folder_ / "index.html' is there already and was not written by this command: give another name\n";
  EXPECT_EQ(refused({"evaluate", run, "--page", folder_.path()}), "error: --page: " + page);
  EXPECT_EQ(refused({"report", run, "--out", folder_.path()}), "error: --out: " + page);
  // The same kinds of files, of other programs.
  const auto stays = [&](const std::string& name, const std::string& bytes, const Words& words) {
    const std::string file = folder_.write(name, bytes);
    EXPECT_THAT(refused(joined(words, {file})),
                HasSubstr("'" + file + "' is there already and was not written by this command: give another name\n"));
    EXPECT_EQ(read_bytes(file), bytes);
  };
  stays("torch.onnx", std::string("\x08\x08\x12\x07pytorch\x1a\x03") + "2.1", {"export", run, "--onnx"});
  stays("labels.csv", "image,label\na.jpg,dog\n", {"evaluate", run, "--csv"});
  std::string tensors(8, '\0');
  tensors += R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})";
  stays("torch.safetensors", tensors, {"convert", run, "--names", "pytorch"});
  stays("torch.safetensors", tensors,
        {"convert", run, "--names", "bninception", "--config", folder_ / "experiment.yaml"});
  EXPECT_EQ(read_bytes(photo), "\xff\xd8 a photo");
  EXPECT_TRUE(read_bytes(best) == before);
  // A command replaces its own files.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(bninception({"export", run, "--onnx", folder_ / "a.onnx"}).exit_code, 0);
    EXPECT_EQ(bninception({"convert", run, folder_ / "a.safetensors", "--names", "pytorch"}).exit_code, 0);
    EXPECT_EQ(bninception({"evaluate", run, "--csv", folder_ / "a.csv", "--page", folder_ / "page"}).exit_code, 0);
    EXPECT_EQ(bninception({"report", run, "--out", folder_ / "report"}).exit_code, 0);
  }
}

// There and back: the same accuracy and loss.
TEST_F(Exchange, ConvertsToPytorchAndBack) {
  const std::string run = train();
  EXPECT_EQ(output_of({"convert", run, folder_ / "there", "--names", "pytorch"}), folder_ / "there\n");
  output_of({"convert", folder_ / "there", folder_ / "back.safetensors", "--names", "bninception", "--config",
             folder_ / "experiment.yaml"});
  const auto score = [](const std::string& path) {
    const auto report = nlohmann::json::parse(output_of({"evaluate", path, "--json"}));
    return std::pair{report.at("loss").get<double>(), report.at("top1").get<double>()};
  };
  EXPECT_EQ(score(folder_ / "back.safetensors"), score(run));
}

TEST_F(Exchange, ConvertSaysWhatItCannotDo) {
  const std::string run = train();
  const std::string in = folder_ / "in", out = folder_ / "out", experiment = folder_ / "experiment.yaml";
  error_of(2, {"convert", run, out});
  error_of(2, {"convert", run, out, "--names", "pytorch", "--checkpoint", "first"});
  EXPECT_EQ(error_of(3, {"convert", in, out, "--names", "bninception"}),
            "error: --names bninception needs --config FILE, the experiment that describes the network, such as "
            "imagenet/public_bn_inception.yaml\n");
  EXPECT_THAT(error_of(5, {"convert", in, out, "--names", "bninception", "--config", experiment}),
              HasSubstr("/in' cannot be opened: No such file or directory"));
  // A checkpoint has other names.
  const std::string ours = run + "/checkpoints/best.safetensors";
  EXPECT_THAT(error_of(5, {"convert", ours, out, "--names", "bninception", "--config", experiment}),
              HasSubstr("has no 'conv1_3x3_s2.weight', which conv1/conv needs"));
  // And what PyTorch wrote is no checkpoint.
  output_of({"convert", run, folder_ / "there", "--names", "pytorch"});
  EXPECT_THAT(error_of(5, {"evaluate", folder_ / "there"}),
              HasSubstr("was not written by bninception: 'conv1_3x3_s2.bias' does not have four dimensions; "
                        "`bninception convert` reads the files of other programs"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

}  // namespace
}  // namespace bn::test
