// A child process: another program beside this one, its output in a file.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bn {

// Killed and awaited at the latest by the destructor. When this process dies, however it dies, the child is asked to
// end (SIGTERM), so that nothing trains on unwatched.
class Child {
 public:
  // The first word is the program's path. Both output streams are appended to the file. Throws StorageError.
  Child(const std::vector<std::string>& command, const std::string& output_path);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  bool has_ended();         // does not wait
  void ask_to_end() const;  // SIGTERM
  int wait();               // exit code; 128 + signal when one ended it, as a shell reports it

 private:
  void reap(int status);

  pid_t pid_ = -1;
  int exit_code_ = -1;
};

}  // namespace bn
