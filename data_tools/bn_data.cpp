// bn-data: makes and inspects data sets.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "commands.hpp"
#include "core/files.hpp"

int main(int argc, char** argv) {
  CLI::App app("Makes and inspects the data sets that bninception trains on.");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 success, 1 unexpected failure, 2 wrong usage, 3 unusable option, 4 unusable data (of verify: a\n"
      "problem was found), 6 not in this build, 7 cannot write, or a disk failed.");
  bn::ExitCode exit_code = bn::ExitCode::kFailure;
  bn::add_pack_command(app, exit_code);
  bn::add_verify_command(app, exit_code);
  bn::add_stats_command(app, exit_code);
  bn::add_throughput_command(app, exit_code);
  bn::add_shapes_command(app, exit_code);
  bn::raise_open_file_limit();
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of write(), as a full disk is
  try {
    app.parse(argc, argv);
    return static_cast<int>(exit_code);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(bn::ExitCode::kUsage);
  } catch (const bn::Error& error) {
    std::fprintf(stderr, "bn-data: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bn-data: %s\n", error.what());
    return static_cast<int>(bn::ExitCode::kFailure);
  }
}
