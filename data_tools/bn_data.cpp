// bn-data: makes and inspects data sets.
#include "bn/dataset.hpp"
#include "bn/version.hpp"
#include "command_line/command_line.hpp"
#include "commands.hpp"
#include "system/files.hpp"

namespace bn {

void ProgressReport::show(const PackProgress& progress) {
  if (!is_due()) return;
  const double rate = static_cast<double>(progress.images - progress.found) / seconds_since(start_);
  const double left = rate > 0 ? static_cast<double>(progress.total - progress.images) / rate : 0;
  line_.show(fmt::format("{} {} of {} images, {:.0f} images/s, {} left", verb_, progress.images, progress.total, rate,
                         describe_duration(left)));
}

void ProgressReport::show_bytes(int64_t done, int64_t total) {
  if (!is_due()) return;
  const double rate = static_cast<double>(done) / seconds_since(start_);
  line_.show(fmt::format("{} {:.1f} of {:.1f} GB, {:.0f} MB/s, {} left", verb_, static_cast<double>(done) / 1e9,
                         static_cast<double>(total) / 1e9, rate / 1e6,
                         describe_duration(static_cast<double>(total - done) / rate)));
}

}  // namespace bn

int main(int argc, char** argv) {
  using bn::ExitCode;
  bn::open_standard_descriptors();
  CLI::App app("Makes and inspects the data sets that bninception trains on.", "bn-data");
  app.require_subcommand(1);
  app.set_version_flag("--version", "bn-data " + bn::program_version() + ", sources " + bn::source_version() +
                                        "\nimages: " + bn::image_library());
  app.footer(bn::exit_code_help({ExitCode::kSuccess, ExitCode::kFailure, ExitCode::kUsage, ExitCode::kConfig,
                                 ExitCode::kData, ExitCode::kUnsupported, ExitCode::kStorage}) +
             "\n\nOf verify, 4 says that a problem was found.");
  ExitCode exit_code = ExitCode::kFailure;
  bn::add_pack_command(app, exit_code);
  bn::add_verify_command(app, exit_code);
  bn::add_stats_command(app, exit_code);
  bn::add_throughput_command(app, exit_code);
  bn::add_shapes_command(app, exit_code);
  bn::raise_open_file_limit();
  return bn::run_command_line(app, argc, argv, exit_code, {.error_prefix = "bn-data"});
}
