// Loaded before the C library (LD_PRELOAD): a call of the system fails. BN_FAILING_CALL is NAME:NUMBER:ERROR, such as
// write:3:28 for ENOSPC at the third write(), or NAME:NUMBER:short for half of the bytes. pread:9+:5 has the ninth and
// all later ones fail. BN_CALLS names a file that gets the number of calls of each name when the program ends, and
// BN_FAILED one that is made when the call failed.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

enum Call {
  kOpen,
  kRead,
  kPread,
  kWrite,
  kPwrite,
  kFsync,
  kRename,
  kLink,
  kUnlink,
  kClose,
  kMkdir,
  kReaddir,
  kStat,
  kFstat,
  kCalls
};
constexpr const char* kNames[kCalls] = {"open", "read",   "pread", "write", "pwrite",  "fsync", "rename",
                                        "link", "unlink", "close", "mkdir", "readdir", "stat",  "fstat"};

constexpr int kShort = -1;

struct Plan {
  int call = kCalls;
  long number = 0;
  int error = 0;  // kShort: half of the bytes
  bool stays = false;
};

Plan read_plan() {
  Plan plan;
  const char* text = std::getenv("BN_FAILING_CALL");
  const std::string_view words = text == nullptr ? "" : text;
  const size_t number = words.find(':') + 1, error = words.rfind(':') + 1;
  if (number == 0 || error <= number) return plan;
  const char* last = words.data() + words.size();
  plan.stays = *std::from_chars(words.data() + number, last, plan.number).ptr == '+';
  for (int call = 0; call < kCalls; ++call) {
    if (words.substr(0, number - 1) == kNames[call]) plan.call = call;
  }
  plan.error = kShort;
  if (words.substr(error) != "short") std::from_chars(words.data() + error, last, plan.error);
  return plan;
}

std::atomic<long> counts[kCalls];

// The error of this call, 0 = none.
int error_of(Call call) {
  static const Plan kPlan = read_plan();
  const long number = ++counts[call];
  if (call != kPlan.call || number < kPlan.number || (number > kPlan.number && !kPlan.stays)) return 0;
  if (const char* failed = std::getenv("BN_FAILED")) {
    const long file = syscall(SYS_openat, AT_FDCWD, failed, O_WRONLY | O_CREAT, 0644);
    syscall(SYS_close, file);
  }
  return kPlan.error;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int failing(int error) {
  errno = error;
  return -1;
}

struct WriteCounts {
  ~WriteCounts() {
    const char* path = std::getenv("BN_CALLS");
    if (path == nullptr) return;
    std::FILE* file = std::fopen(path, "w");
    for (int call = 0; call < kCalls; ++call) std::fprintf(file, "%s %ld\n", kNames[call], counts[call].load());
    std::fclose(file);
  }
} write_counts;

}  // namespace

#define FAIL_OR_SHORTEN(call, bytes)    \
  const int error = error_of(call);     \
  if (error > 0) return failing(error); \
  if (error == kShort && (bytes) > 1) (bytes) /= 2

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (const int error = error_of(kOpen); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*, int, ...)>("open");
  return kFunction(path, flags, mode);
}

ssize_t read(int file, void* data, size_t bytes) {
  FAIL_OR_SHORTEN(kRead, bytes);
  static const auto kFunction = real<ssize_t (*)(int, void*, size_t)>("read");
  return kFunction(file, data, bytes);
}

ssize_t pread(int file, void* data, size_t bytes, off_t offset) {
  FAIL_OR_SHORTEN(kPread, bytes);
  static const auto kFunction = real<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return kFunction(file, data, bytes, offset);
}

ssize_t write(int file, const void* data, size_t bytes) {
  FAIL_OR_SHORTEN(kWrite, bytes);
  static const auto kFunction = real<ssize_t (*)(int, const void*, size_t)>("write");
  return kFunction(file, data, bytes);
}

ssize_t pwrite(int file, const void* data, size_t bytes, off_t offset) {
  FAIL_OR_SHORTEN(kPwrite, bytes);
  static const auto kFunction = real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return kFunction(file, data, bytes, offset);
}

int fsync(int file) {
  if (const int error = error_of(kFsync); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(int)>("fsync");
  return kFunction(file);
}

int rename(const char* from, const char* to) noexcept {
  if (const int error = error_of(kRename); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*, const char*)>("rename");
  return kFunction(from, to);
}

int link(const char* from, const char* to) noexcept {
  if (const int error = error_of(kLink); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*, const char*)>("link");
  return kFunction(from, to);
}

int unlink(const char* path) noexcept {
  if (const int error = error_of(kUnlink); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*)>("unlink");
  return kFunction(path);
}

// The descriptor is closed all the same, as Linux does.
int close(int file) {
  const int error = error_of(kClose);
  static const auto kFunction = real<int (*)(int)>("close");
  const int result = kFunction(file);
  return error > 0 ? failing(error) : result;
}

dirent* readdir(DIR* folder) {
  if (const int error = error_of(kReaddir); error > 0) {
    errno = error;
    return nullptr;
  }
  static const auto kFunction = real<dirent* (*)(DIR*)>("readdir");
  return kFunction(folder);
}

int stat(const char* path, struct stat* out) noexcept {
  if (const int error = error_of(kStat); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*, struct stat*)>("stat");
  return kFunction(path, out);
}

int fstat(int file, struct stat* out) noexcept {
  if (const int error = error_of(kFstat); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(int, struct stat*)>("fstat");
  return kFunction(file, out);
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (const int error = error_of(kMkdir); error > 0) return failing(error);
  static const auto kFunction = real<int (*)(const char*, mode_t)>("mkdir");
  return kFunction(path, mode);
}

}  // extern "C"
