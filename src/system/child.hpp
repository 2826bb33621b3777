// A child process: another program beside this one, its output in a file.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "system/files.hpp"

namespace bn {

// A file in memory for the output of a child: nothing is left of it, however this process ends.
class ChildOutput {
 public:
  ChildOutput();  // throws StorageError
  std::string path() const;
  std::string text() const;  // so far

 private:
  FileDescriptor memory_;
};

// Every program that this one starts, a training or gnuplot, is one of these. The destructor asks it to end (SIGTERM),
// since a training then saves what it has, and kills it after `patience`. When this process dies, however it dies, the
// child is asked to end too, so that nothing trains on unwatched.
class Child {
 public:
  // The first word is the program: a path, or a name that is looked for in PATH. Both output streams are appended to
  // the file. Throws UnsupportedError when it cannot be started ("cannot start 'gnuplot': No such file or directory"),
  // StorageError.
  Child(const std::vector<std::string>& command, const std::string& output_path,
        std::chrono::milliseconds patience = std::chrono::seconds(10));
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  bool has_ended();         // does not wait; StorageError where the system cannot tell
  void ask_to_end() const;  // SIGTERM
  int wait();               // exit code; 128 + signal when one ended it, as a shell reports it

 private:
  void reap(int status);
  bool look();

  std::chrono::milliseconds patience_;
  pid_t pid_ = -1;
  int exit_code_ = -1;
};

}  // namespace bn
