// bninception: subcommands only; each lives in src/commands.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "bn/error.hpp"
#include "commands/commands.hpp"
#include "core/files.hpp"

namespace {

constexpr const char* kFooter = R"(Exit codes:
  0  success
  1  unexpected failure
  2  bad command line
  3  bad configuration
  4  missing or damaged data
  5  missing, damaged or mismatching checkpoint
  6  this machine or build cannot do what was asked
  7  cannot write (disk full, permissions), or a disk failed
  8  training diverged: a loss or parameter became non-finite (recorded in the run's log)
  9  interrupted; a checkpoint was written, continue with --resume

Data sets are named relative to the environment variable BN_DATA_ROOT.
Example: bninception train configs/quickstart/batch_norm.yaml --out runs/first --set train.seed=2)";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Trains Inception-style networks and reproduces the experiments of Ioffe & Szegedy 2015 (Batch Normalization).",
      "bninception"};
  app.require_subcommand(1);
  app.footer(kFooter);
  bn::raise_open_file_limit();
  bn::ExitCode exit_code = bn::ExitCode::kSuccess;
  bn::add_train_command(app, exit_code);
  bn::add_evaluate_command(app, exit_code);
  bn::add_sweep_command(app, exit_code);
  bn::add_profile_command(app, exit_code);
  bn::add_report_command(app, exit_code);
  bn::add_config_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(bn::ExitCode::kUsage);
  } catch (const bn::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(bn::ExitCode::kFailure);
  }
  return static_cast<int>(exit_code);
}
