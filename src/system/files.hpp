// Files that are either whole or not there: written under a temporary name, synced, renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bn {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();  // the caller closes it
  void reset();

 private:
  int fd_ = -1;
};

// The system's words for an error number: "No space left on device".
std::string errno_text(int error);

// A file under a temporary name in the directory of `path`, until commit() gives it that name. What `path` named before
// is untouched until then; without a commit the temporary is removed. A symbolic link stays: the file that it leads to
// is replaced. A device, a pipe or an open descriptor (/dev/stdout, /dev/fd/3) is written to as it is, at its place.
// Failures are StorageErrors naming `path`.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void append(const void* data, int64_t bytes);
  void append(std::string_view text) { append(text.data(), static_cast<int64_t>(text.size())); }
  // Not of a pipe, nor of a descriptor that appends. The offset is counted from this file's beginning.
  void overwrite(int64_t offset, const void* data, int64_t bytes);
  void commit();  // synced, renamed, directory synced

 private:
  std::string path_, temporary_;
  FileDescriptor file_;
  bool exists_ = false;     // the temporary
  bool is_direct_ = false;  // a device, a pipe or a descriptor: there is no temporary
  int64_t start_ = 0;       // where a descriptor's file stood
};

void write_file(const std::string& path, std::string_view text);  // goes through AtomicFile

// Makes `path` name the same contents as the complete file `source`, in one step: by a hard link where the file system
// has them, else by a copy.
void publish_file(const std::string& source, const std::string& path);

// True if the path stands for an open descriptor, as /dev/stdout does. Throws StorageError for a loop of links.
bool is_descriptor(const std::string& path);

// True if AtomicFile makes names like this one: a file with such a name was left behind by a killed process.
bool is_temporary_name(std::string_view name);

// Opens /dev/null for each of the descriptors 0, 1 and 2 that whoever started the program left closed: the next file
// would get its number, and messages would be written into it. To be called before any file is opened.
void open_standard_descriptors();
// Throws StorageError where standard output was one of these: for a command that only prints, or that ends as soon as
// it has printed what it wrote. Training is worth more than its last line.
void expect_open_output();

// Raises the soft limit of open files to the hard one: a packed set can have more shards than the usual 1024.
void raise_open_file_limit();

// Makes the folder and those above it; it may be there already. Throws StorageError.
void create_folder(const std::string& path);
// Makes the folder and waits for those who took a turn in it before: pages into one folder are written one after the
// other. The turn ends with the descriptor, or with the process. On a file system without locks nobody waits.
FileDescriptor take_turn(const std::string& folder);

// The deepest folder that holds all of these, or is one of them; empty where their paths begin differently.
std::filesystem::path common_folder(const std::vector<std::filesystem::path>& folders);

// A disk's hiccup is no damage: where open or pread fails for a reason that may pass, they are called again, five times
// in all within 0.6 seconds. read_file() does the same. An empty descriptor, or fewer bytes than asked for with
// `failed`, leave errno as it was then.
FileDescriptor open_patiently(const std::string& path);
// Sleeps after so many failures in a row, for longer each time. False where the reason, errno, will not pass, or did
// not in time.
bool can_try_again(int failures);
struct PatientRead {
  int64_t bytes = 0;  // fewer than asked for at the file's end
  bool failed = false;
};
PatientRead read_patiently(int file, void* out, int64_t bytes, int64_t offset);

enum class ReadResult { kRead, kMissing };
// True for an error that tells of the file, such as that it is not there. Any other may pass, as on a network disk or
// where the system is short of something.
bool tells_of_the_file(int error);

// The entries of a folder, sorted by name, read with the same patience. Where the folder itself is to blame there are
// none, and `error` says why; else failing is a StorageError.
struct FolderContents {
  std::vector<std::filesystem::directory_entry> entries{};
  int error = 0;
};
FolderContents read_folder(const std::string& folder);
// Returns what an entry is, or what its link leads to: kOther where that is nothing. Throws StorageError where the disk
// fails.
enum class EntryKind { kFile, kFolder, kOther };
EntryKind kind_of(const std::filesystem::directory_entry& entry);
// Throws StorageError where the disk fails.
bool is_folder(const std::string& path);

inline constexpr int64_t kAllBytes = INT64_MAX;
// Reads the file, or its first bytes, at most so many. Throws StorageError when it is there and cannot be read.
ReadResult read_file(const std::string& path, std::string& text, int64_t most = kAllBytes);

}  // namespace bn
