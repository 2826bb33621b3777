#include "support/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace bn::test {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
    read_end = ends[0];
    write_end = ends[1];
  }
};

// Appends the bytes that have come; false at the end of the stream.
bool drain_once(int file, std::string& text) {
  std::array<char, 4096> block;
  const ssize_t count = read(file, block.data(), block.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  text.append(block.data(), static_cast<size_t>(count));
  return true;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waitpid");
  }
  return status;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Calls only functions that are safe between fork and exec.
[[noreturn]] void become(char* const* command, char* const* environment, const char* folder, int out, int err) {
  setpgid(0, 0);  // so that its own children can be ended with it
  const int input = open("/dev/null", O_RDONLY);
  dup2(input, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (*folder == '\0' || chdir(folder) == 0) execve(command[0], command, environment);
  _exit(127);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (!added.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : added) variables.push_back(fmt::format("{}={}", name, value));
  return variables;
}

}  // namespace

std::string result_in_child(const std::function<std::string()>& action) {
  const Pipe pipe;
  fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw_errno("fork");
  if (child == 0) {
    std::string text;
    try {
      text = action();
    } catch (const std::exception& error) {
      text = std::string("exception: ") + error.what();
    }
    const bool written = write(pipe.write_end, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(written ? 0 : 1);
  }
  close(pipe.write_end);
  std::string text;
  while (drain_once(pipe.read_end, text)) continue;
  close(pipe.read_end);
  if (const int code = exit_code_of(wait_for(child)); code != 0) {
    throw std::runtime_error("the child ended with code " + std::to_string(code));
  }
  return text;
}

void run_and_kill(std::chrono::microseconds lifetime, const std::function<void()>& action) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw_errno("fork");
  if (child == 0) {
    try {
      action();
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
    }
    _exit(1);
  }
  std::this_thread::sleep_for(lifetime);
  kill(child, SIGKILL);
  const int status = wait_for(child);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) throw std::runtime_error("the child ended by itself");
}

RunningProgram::RunningProgram(const std::vector<std::string>& command, const ProgramOptions& options)
    : deadline_(Clock::now() + options.timeout) {
  std::vector<std::string> words = command, variables = environment_with(options.environment);
  const std::vector<char*> arguments = pointers_to(words), environment = pointers_to(variables);
  const Pipe out, err;
  fflush(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) {
    become(arguments.data(), environment.data(), options.folder.c_str(), out.write_end, err.write_end);
  }
  setpgid(pid_, pid_);  // whoever comes first
  close(out.write_end);
  close(err.write_end);
  out_ = out.read_end;
  err_ = err.read_end;
}

RunningProgram::~RunningProgram() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
  }
  if (out_ >= 0) close(out_);
  if (err_ >= 0) close(err_);
}

void RunningProgram::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

bool RunningProgram::has_ended() const {
  siginfo_t info{};
  const bool asked = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  return !asked || info.si_pid == pid_;
}

void RunningProgram::read_available(std::chrono::milliseconds patience) {
  std::array<pollfd, 2> files{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};  // poll skips negative ones
  if (poll(files.data(), files.size(), static_cast<int>(patience.count())) <= 0) return;
  const auto drain = [](const pollfd& ready, int& file, std::string& text) {
    if (ready.revents == 0 || drain_once(file, text)) return;
    close(file);
    file = -1;
  };
  drain(files[0], out_, result_.out);
  drain(files[1], err_, result_.err);
}

ProgramResult RunningProgram::wait() {
  while (out_ >= 0 || err_ >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    if (left.count() <= 0 && !result_.timed_out) {
      result_.timed_out = true;
      kill(-pid_, SIGKILL);
    }
    read_available(result_.timed_out ? std::chrono::milliseconds(1000) : left);
  }
  if (pid_ > 0) result_.exit_code = exit_code_of(wait_for(pid_));
  pid_ = -1;
  return result_;
}

ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options) {
  return RunningProgram(command, options).wait();
}

bool wait_until(std::chrono::milliseconds patience, const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace bn::test
