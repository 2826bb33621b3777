#include "system/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "bn/error.hpp"

namespace bn {
namespace {

constexpr std::string_view kTemporaryMark = ".tmp.";

// The process id keeps two processes that write the same name apart, the count two threads. The count begins at random,
// since processes in two containers may have one id.
std::string temporary_name(const std::string& path) {
  static std::atomic<uint64_t> count = std::random_device()();
  return fmt::format("{}{}{}.{}", path, kTemporaryMark, getpid(), count++);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

[[noreturn]] void throw_write_error(const std::string& path, int error) {
  throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(error)));
}

[[noreturn]] void throw_read_error(const std::string& path, int error = errno) {
  throw StorageError(fmt::format("cannot read '{}': {}", path, errno_text(error)));
}

// An open file that a path such as /dev/stdout, /dev/fd/3 or /proc/12/fd/3 stands for.
struct NamedDescriptor {
  bool is_own = false;  // of this process
  int number = -1;
};

// The path must be free of links but for the last part. The system shows descriptors as links in these folders.
std::optional<NamedDescriptor> descriptor_at(const std::filesystem::path& place) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(place.parent_path(), error);
  if (error || folder.filename() != "fd" || !folder.string().starts_with("/proc/")) return std::nullopt;
  const std::string name = place.filename().string();
  if (!is_number(name)) return std::nullopt;
  NamedDescriptor named{.is_own = folder.string().starts_with(fmt::format("/proc/{}/", getpid()))};
  std::from_chars(name.data(), name.data() + name.size(), named.number);
  return named;
}

// A path may lead elsewhere over symbolic links, and nothing need be there yet: this is where it ends.
struct Target {
  std::string path{};  // a descriptor's, where it is one
  std::optional<NamedDescriptor> descriptor{};
};
Target behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // Linux follows no more
  std::filesystem::path place = path;
  std::error_code error;
  for (int i = 0; std::filesystem::is_symlink(place, error); ++i) {
    if (const auto descriptor = descriptor_at(place)) return {.path = place.string(), .descriptor = descriptor};
    if (i == kMostLinks) throw_write_error(path, ELOOP);
    place = place.parent_path() / std::filesystem::read_symlink(place, error);
  }
  return {.path = place.string()};
}

// A rename is only on the disk once its directory is.
void sync_directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const FileDescriptor directory(open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw_write_error(path, errno);
  // EINVAL: this file system does not sync directories.
  if (fsync(directory.get()) != 0 && errno != EINVAL) throw_write_error(path, errno);
}

// Opens the file to read it; nothing, with errno, when that cannot be done.
FileDescriptor open_with_patience(const std::string& path, int flags) {
  for (int failures = 0;;) {
    FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
    if (file) return file;
    if (errno == EINTR) continue;
    if (!can_try_again(++failures)) return {};
  }
}

// Calls take(data, bytes) for each block up to the file's end, or to so many bytes.
template <class Take>
void read_blocks(const FileDescriptor& file, const std::string& path, const Take& take, int64_t most = kAllBytes) {
  std::string block(1 << 16, '\0');
  for (int failures = 0; most > 0;) {
    const ssize_t count = read(file.get(), block.data(), std::min(block.size(), static_cast<size_t>(most)));
    if (count < 0 && (errno == EINTR || can_try_again(++failures))) continue;
    if (count < 0) throw_read_error(path);
    if (count == 0) return;
    take(block.data(), count);
    most -= count;
  }
}

// Calls write_some(from, bytes, bytes written before) until all is written.
template <class Write>
void write_all(const std::string& path, const void* data, int64_t bytes, const Write& write_some) {
  for (int64_t done = 0; done < bytes;) {
    const ssize_t count = write_some(static_cast<const char*>(data) + done, static_cast<size_t>(bytes - done), done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_write_error(path, errno);
    done += count;
  }
}

void copy_file(const std::string& source, const std::string& path) {
  const FileDescriptor input = open_with_patience(source, 0);
  if (!input) throw_read_error(source);
  AtomicFile output(path);
  read_blocks(input, source, [&](const char* data, int64_t bytes) { output.append(data, bytes); });
  output.commit();
}

bool output_was_closed = false;

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() { return std::exchange(fd_, -1); }

void FileDescriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::string errno_text(int error) { return std::generic_category().message(error); }

bool can_try_again(int failures) {
  constexpr int kMostFailures = 5;
  const int reason = errno;
  const bool may_pass = reason == EIO || reason == EMFILE || reason == ENFILE || reason == ENOMEM || reason == EAGAIN;
  if (!may_pass || failures >= kMostFailures) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(20 << failures));
  return true;
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  const Target target = behind_links(path_);
  struct stat status {};
  const bool is_there = stat(path_.c_str(), &status) == 0;
  if (target.descriptor || (is_there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))) {
    // A copy of an own descriptor shares its place in the file: what else is written there is not written over.
    const bool is_own = target.descriptor && target.descriptor->is_own;
    file_ = FileDescriptor(is_own ? fcntl(target.descriptor->number, F_DUPFD_CLOEXEC, 0)
                                  : open(path_.c_str(), O_WRONLY | O_CLOEXEC | (target.descriptor ? O_APPEND : 0)));
    if (!file_) throw_write_error(path_, errno);
    start_ = std::max<int64_t>(0, lseek(file_.get(), 0, SEEK_CUR));
    is_direct_ = true;
    return;
  }
  path_ = target.path;
  temporary_ = temporary_name(path_);
  file_ = FileDescriptor(open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file_) throw_write_error(path_, errno);
  exists_ = true;
}

AtomicFile::~AtomicFile() {
  if (exists_) unlink(temporary_.c_str());
}

void AtomicFile::append(const void* data, int64_t bytes) {
  write_all(path_, data, bytes, [&](const char* from, size_t left, int64_t) { return write(file_.get(), from, left); });
}

void AtomicFile::overwrite(int64_t offset, const void* data, int64_t bytes) {
  // Linux appends whatever the offset is.
  if ((fcntl(file_.get(), F_GETFL) & O_APPEND) != 0) throw_write_error(path_, ESPIPE);
  write_all(path_, data, bytes, [&](const char* from, size_t left, int64_t done) {
    return pwrite(file_.get(), from, left, start_ + offset + done);
  });
}

void AtomicFile::commit() {
  if (is_direct_) {
    if (close(file_.release()) != 0) throw_write_error(path_, errno);
    return;
  }
  if (fsync(file_.get()) != 0) throw_write_error(path_, errno);
  if (close(file_.release()) != 0) throw_write_error(path_, errno);  // network file systems report a full disk here
  if (rename(temporary_.c_str(), path_.c_str()) != 0) throw_write_error(path_, errno);
  exists_ = false;
  sync_directory_of(path_);
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.append(text);
  file.commit();
}

void publish_file(const std::string& source, const std::string& path) {
  const std::string temporary = temporary_name(path);
  if (link(source.c_str(), temporary.c_str()) != 0) {
    if (errno == ENOENT) throw_read_error(source);
    copy_file(source, path);
    return;
  }
  const int error = rename(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
  unlink(temporary.c_str());  // rename() leaves it when `path` was a link to the same file already
  if (error != 0) throw_write_error(path, error);
  sync_directory_of(path);
}

void create_folder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path, error) && !error) error = std::make_error_code(std::errc::not_a_directory);
  if (error) throw StorageError(fmt::format("cannot create folder '{}': {}", path, error.message()));
}

FileDescriptor take_turn(const std::string& folder) {
  create_folder(folder);
  FileDescriptor turn(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (turn && flock(turn.get(), LOCK_EX) != 0 && errno == EINTR) continue;
  return turn;
}

std::filesystem::path common_folder(const std::vector<std::filesystem::path>& folders) {
  if (folders.empty()) return {};
  std::filesystem::path common = folders.front();
  for (const std::filesystem::path& folder : folders) {
    const auto end = std::mismatch(common.begin(), common.end(), folder.begin(), folder.end()).first;
    std::filesystem::path shared;
    for (auto part = common.begin(); part != end; ++part) shared /= *part;
    common = shared;
  }
  return common;
}

bool is_descriptor(const std::string& path) { return behind_links(path).descriptor.has_value(); }

bool is_temporary_name(std::string_view name) {
  const size_t mark = name.rfind(kTemporaryMark);
  if (mark == std::string_view::npos || mark == 0) return false;
  const std::string_view process = name.substr(mark + kTemporaryMark.size());
  const size_t dot = process.find('.');
  return is_number(process.substr(0, dot)) && (dot == std::string_view::npos || is_number(process.substr(dot + 1)));
}

void expect_open_output() {
  if (output_was_closed) throw StorageError("standard output is closed, so the results would be lost");
}

void open_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (fd == STDOUT_FILENO) output_was_closed = true;
    // Takes the lowest free number. Closed again where this program starts itself anew (src/cpu/bounded_spin.cpp).
    const int opened = open("/dev/null", (fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
    if (opened != fd && opened >= 0) close(opened);
  }
}

void raise_open_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // if it cannot be, opening a file too many says so
}

// A pipe that nobody writes to would keep a blocking open waiting.
FileDescriptor open_patiently(const std::string& path) { return open_with_patience(path, O_NONBLOCK); }

PatientRead read_patiently(int file, void* out, int64_t bytes, int64_t offset) {
  PatientRead read;
  for (int failures = 0; read.bytes < bytes;) {
    char* to = static_cast<char*>(out) + read.bytes;
    const ssize_t count = pread(file, to, static_cast<size_t>(bytes - read.bytes), offset + read.bytes);
    if (count == 0) break;
    if (count > 0) read.bytes += count;
    if (count > 0 || errno == EINTR) continue;
    read.failed = !can_try_again(++failures);
    if (read.failed) break;
  }
  return read;
}

bool tells_of_the_file(int error) {
  constexpr std::array kErrors{ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG,
                               EISDIR, EINVAL,  EILSEQ, ENXIO, ENODEV};
  return std::ranges::find(kErrors, error) != kErrors.end();
}

FolderContents read_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  FolderContents contents;
  for (int failures = 0;;) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      contents.entries.push_back(*entry);
    }
    if (!error) break;
    contents = {.entries = {}, .error = error.value()};
    errno = contents.error;
    if (can_try_again(++failures)) continue;
    if (!tells_of_the_file(contents.error)) throw_read_error(folder, contents.error);
    return contents;
  }
  contents.error = 0;
  std::ranges::sort(contents.entries, {},
                    [](const fs::directory_entry& entry) -> const std::string& { return entry.path().native(); });
  return contents;
}

EntryKind kind_of(const std::filesystem::directory_entry& entry) {
  std::error_code error;
  if (entry.is_directory(error)) return EntryKind::kFolder;
  if (!error && entry.is_regular_file(error)) return EntryKind::kFile;
  if (error && !tells_of_the_file(error.value())) throw_read_error(entry.path().string(), error.value());
  return EntryKind::kOther;
}

bool is_folder(const std::string& path) {
  std::error_code error;
  const bool is = std::filesystem::is_directory(path, error);
  if (error && !tells_of_the_file(error.value())) throw_read_error(path, error.value());
  return is;
}

ReadResult read_file(const std::string& path, std::string& text, int64_t most) {
  const FileDescriptor file = open_with_patience(path, 0);
  if (!file && errno == ENOENT) return ReadResult::kMissing;
  if (!file) throw_read_error(path);
  text.clear();
  const auto take = [&](const char* data, int64_t bytes) { text.append(data, static_cast<size_t>(bytes)); };
  read_blocks(file, path, take, most);
  return ReadResult::kRead;
}

}  // namespace bn
