#include "system/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "bn/error.hpp"

namespace bn {
namespace {

constexpr auto kGracePoll = std::chrono::milliseconds(10);

// Calls only functions that are safe between fork and exec. Writes to `failure` why the program cannot be started.
[[noreturn]] void become(char* const* command, int output, int failure, pid_t parent) {
  setpgid(0, 0);  // Ctrl-C reaches the parent alone, which ends its children in order
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // it died before it could be watched
  // The new program starts with the usual handling of what this one handles or blocks, and of SIGPIPE. What was ignored
  // when this one started stays so.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) signal(number, SIG_DFL);
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = open("/dev/null", O_RDONLY);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp(command[0], command);
  const int error = errno;
  if (write(failure, &error, sizeof(error)) < 0) _exit(126);
  _exit(127);
}

}  // namespace

ChildOutput::ChildOutput() : memory_(memfd_create("output of a process", MFD_CLOEXEC)) {
  if (!memory_) throw StorageError(fmt::format("cannot keep the output of a process: {}", errno_text(errno)));
}

std::string ChildOutput::path() const { return fmt::format("/proc/self/fd/{}", memory_.get()); }

std::string ChildOutput::text() const {
  std::string text;
  read_file(path(), text);
  return text;
}

Child::Child(const std::vector<std::string>& command, const std::string& output_path,
             std::chrono::milliseconds patience)
    : patience_(patience) {
  const FileDescriptor output(open(output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!output) throw StorageError(fmt::format("cannot write '{}': {}", output_path, errno_text(errno)));
  std::vector<std::string> words = command;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw StorageError(fmt::format("cannot start a process: {}", errno_text(errno)));
  const FileDescriptor failure(ends[0]);
  FileDescriptor failure_in_child(ends[1]);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw StorageError(fmt::format("cannot start a process: {}", errno_text(errno)));
  if (pid_ == 0) become(pointers.data(), output.get(), failure_in_child.get(), parent);
  setpgid(pid_, pid_);  // whoever comes first
  failure_in_child.reset();
  int error = 0;
  ssize_t count = 0;
  do count = read(failure.get(), &error, sizeof(error));
  while (count < 0 && errno == EINTR);
  if (count != sizeof(error)) return;  // the program has begun: that closed its end
  wait();
  throw UnsupportedError(fmt::format("cannot start '{}': {}", command[0], errno_text(error)));
}

Child::~Child() {
  ask_to_end();
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  while (look() && pid_ >= 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(kGracePoll);
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
}

void Child::reap(int status) {
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
}

// False when somebody else has awaited the process: its number may be another's by now.
bool Child::look() {
  int status = 0;
  const pid_t ended = pid_ < 0 ? 0 : waitpid(pid_, &status, WNOHANG);
  if (ended > 0) reap(status);
  if (ended >= 0 || errno == EINTR) return true;
  pid_ = -1;
  return false;
}

bool Child::has_ended() {
  if (!look()) throw StorageError(fmt::format("cannot wait for a process: {}", errno_text(errno)));
  return pid_ < 0;
}

void Child::ask_to_end() const {
  if (pid_ >= 0) kill(pid_, SIGTERM);
}

int Child::wait() {
  int status = 0;
  while (pid_ >= 0) {
    if (waitpid(pid_, &status, 0) == pid_) {
      reap(status);
    } else if (errno != EINTR) {
      pid_ = -1;
      throw StorageError(fmt::format("cannot wait for a process: {}", errno_text(errno)));
    }
  }
  return exit_code_;
}

}  // namespace bn
