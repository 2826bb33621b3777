// Child processes for what must not happen to the test itself: lost privileges, resource limits, a violent end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bn::test {

// Returns the result of `action` in a fork of this process, or "exception: ..." when it throws one.
std::string result_in_child(const std::function<std::string()>& action);

// Runs `action` in a fork and ends it with SIGKILL after `lifetime`. Throws when it ended by itself before.
void run_and_kill(std::chrono::microseconds lifetime, const std::function<void()>& action);

struct ProgramOptions {
  std::map<std::string, std::string> environment{};  // added to this process's
  std::string folder{};                              // working directory; empty: this process's
  std::chrono::milliseconds timeout{60'000};         // then SIGKILL
};

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when one ended it, as a shell reports it
  bool timed_out = false;
  std::string out, err;
};

// Starts the program (no shell; the first word is its path), without input, and waits for its end.
ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options = {});

// A program that runs beside the test; killed and awaited at the latest by the destructor.
class RunningProgram {
 public:
  RunningProgram(const std::vector<std::string>& command, const ProgramOptions& options = {});
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  ~RunningProgram();

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  bool has_ended() const;
  ProgramResult wait();  // waits for the end; returns everything it has written

 private:
  void read_available(std::chrono::milliseconds patience);

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  std::chrono::steady_clock::time_point deadline_;
  ProgramResult result_;
};

// Asks every few milliseconds; returns whether it became true in time.
bool wait_until(std::chrono::milliseconds patience, const std::function<bool()>& condition);

}  // namespace bn::test
