// bninception: subcommands only; each lives in src/commands.
#include <CLI/CLI.hpp>

#include "bn/cpu_backend.hpp"
#include "bn/cuda_backend.hpp"
#include "bn/version.hpp"
#include "command_line/command_line.hpp"
#include "commands/commands.hpp"
#include "system/files.hpp"

namespace {

constexpr const char* kNotes = R"(

Data sets are named relative to the environment variable BN_DATA_ROOT.

Example: bninception train configs/quickstart/batch_norm.yaml --out runs/first --set train.seed=2)";

std::string versions() {
  const std::string cuda = bn::cuda_library();
  return "bninception " + bn::program_version() + ", sources " + bn::source_version() +
         "\nbackend cpu: " + bn::cpu_library() +
         "\nbackend cuda: " + (cuda.empty() ? "not built" : "built as a module, for " + cuda);
}

}  // namespace

int main(int argc, char** argv) {
  using bn::ExitCode;
  bn::open_standard_descriptors();
  CLI::App app{
      "Trains Inception-style networks and reproduces the experiments of Ioffe & Szegedy 2015 (Batch Normalization).",
      "bninception"};
  app.require_subcommand(1);
  app.set_version_flag("--version", versions());
  app.footer(bn::exit_code_help({ExitCode::kSuccess, ExitCode::kFailure, ExitCode::kUsage, ExitCode::kConfig,
                                 ExitCode::kData, ExitCode::kCheckpoint, ExitCode::kUnsupported, ExitCode::kStorage,
                                 ExitCode::kDiverged, ExitCode::kInterrupted, ExitCode::kPeerLost}) +
             kNotes);
  bn::raise_open_file_limit();
  ExitCode exit_code = ExitCode::kSuccess;
  bn::add_new_command(app, exit_code);
  bn::add_train_command(app, exit_code);
  bn::add_evaluate_command(app, exit_code);
  bn::add_predict_command(app, exit_code);
  bn::add_export_command(app, exit_code);
  bn::add_convert_command(app, exit_code);
  bn::add_sweep_command(app, exit_code);
  bn::add_profile_command(app, exit_code);
  bn::add_report_command(app, exit_code);
  bn::add_config_command(app, exit_code);
  return bn::run_command_line(app, argc, argv, exit_code,
                              {.error_prefix = "error", .explain_option = bn::explain_option});
}
