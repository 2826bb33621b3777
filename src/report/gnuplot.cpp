#include "report/gnuplot.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "bn/error.hpp"
#include "core/files.hpp"

namespace bn::report {
namespace {

// Runs the command, its words to the file `messages`; its exit status, 127 or more when it did not end well.
int run(const std::vector<std::string>& command, const std::string& messages) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = -1;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    unlink(messages.c_str());
    throw UnsupportedError(
        fmt::format("figures are drawn by gnuplot, which cannot be started: {}; Debian's package is gnuplot-nox",
                    errno_text(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void draw(const FigureScript& figure, const std::string& folder, FigureFiles files) {
  const std::string path = fmt::format("{}/{}", folder, figure.name);
  write_file(path + ".gp",
             fmt::format("# usage: gnuplot -c {}.gp svg|png FILE\n"
                         "format = ARG1; file = ARG2; width = {}; height = {}\n{}\nset termoption noenhanced\n{}",
                         figure.name, figure.width, figure.height, kFigureStyle, figure.body));
  for (const std::string format : {"svg", "png"}) {
    if (files == FigureFiles::kSvgAlone && format != "svg") continue;
    const std::string messages = path + ".messages";
    const int status = run({"gnuplot", "-c", path + ".gp", format, fmt::format("{}.{}", path, format)}, messages);
    std::string text;
    read_file(messages, text);
    unlink(messages.c_str());
    if (status != 0) throw Error(ExitCode::kFailure, fmt::format("gnuplot could not draw {}.gp:\n{}", path, text));
  }
  if (files == FigureFiles::kSvgAlone) unlink((path + ".gp").c_str());
}

// Between single quotes only they themselves mean something; draw() turns off the markup of _ and ^.
std::string gnuplot_quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    if (c != '\n') quoted += c;
  }
  return quoted + "'";
}

}  // namespace bn::report
