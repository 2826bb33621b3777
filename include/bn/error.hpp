// Errors: one base class of all exceptions, an exit code for each class of failure, and a place to name the op.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bn {

// Exit codes of the programs, one per class of failure; listed in `bninception --help`.
enum class ExitCode : int {
  kSuccess = 0,
  kFailure = 1,      // anything unexpected
  kUsage = 2,        // bad command line
  kConfig = 3,       // bad configuration file or value
  kData = 4,         // missing, damaged or unusable data
  kCheckpoint = 5,   // missing, damaged or mismatching checkpoint
  kUnsupported = 6,  // the machine or this build cannot do what was asked
  kStorage = 7,      // cannot write (full disk, permissions), or a disk failed
  kDiverged = 8,     // a non-finite loss, parameter or output: in training of this paper, a result
  kInterrupted = 9,  // SIGINT, SIGTERM, SIGHUP or SIGUSR1; of training, a checkpoint was written
  kPeerLost = 10,    // another process of this run ended or cannot be reached
};

// Base of everything this project throws. what() is a whole sentence for the user.
class Error : public std::runtime_error {
 public:
  Error(ExitCode exit_code, std::string message)
      : std::runtime_error(message), exit_code_(exit_code), message_(std::move(message)) {}

  ExitCode exit_code() const noexcept { return exit_code_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Prefixes where it happened ("inception_3a/3x3/bn backward"); the first caller wins.
  void add_context(std::string_view where) {
    if (has_context_) return;
    message_ = std::string(where) + ": " + message_;
    has_context_ = true;
  }

 private:
  ExitCode exit_code_;
  std::string message_;
  bool has_context_ = false;
};

struct ConfigError : Error {
  explicit ConfigError(std::string message) : Error(ExitCode::kConfig, std::move(message)) {}
};
struct DataError : Error {
  explicit DataError(std::string message) : Error(ExitCode::kData, std::move(message)) {}
};
struct CheckpointError : Error {
  explicit CheckpointError(std::string message) : Error(ExitCode::kCheckpoint, std::move(message)) {}
};
struct UnsupportedError : Error {
  explicit UnsupportedError(std::string message) : Error(ExitCode::kUnsupported, std::move(message)) {}
};
struct StorageError : Error {
  explicit StorageError(std::string message) : Error(ExitCode::kStorage, std::move(message)) {}
};
// A network's outputs are not finite.
struct DivergedError : Error {
  explicit DivergedError(std::string message) : Error(ExitCode::kDiverged, std::move(message)) {}
};
// A signal asked the program to end.
struct InterruptedError : Error {
  explicit InterruptedError(std::string message) : Error(ExitCode::kInterrupted, std::move(message)) {}
};
// A device's memory does not suffice.
struct OutOfMemoryError : Error {
  OutOfMemoryError(int64_t asked, int64_t free, int64_t total, const std::string& device,
                   const std::string& advice = "");
  int64_t asked_bytes, free_bytes;
};
// Shapes that do not fit together: a mistake in a network's description.
struct ShapeError : Error {
  explicit ShapeError(std::string message) : Error(ExitCode::kConfig, std::move(message)) {}
};

}  // namespace bn
