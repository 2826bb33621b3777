#include "cpu/bounded_spin.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <system_error>
#include <vector>

#include "bn/error.hpp"
#include "system/files.hpp"

namespace bn::cpu {
namespace {

constexpr const char* kSpinCount = "GOMP_SPINCOUNT";
// 0.05 ms where a spin takes 15 ns, up to 0.2 ms on CPUs that pause for longer: several times what waking a thread
// takes, and a small part of the milliseconds for which the scheduler lets another program run. Measured in
// experiments/benchmarks/cpu_notes.md.
constexpr const char* kSpins = "3000";
// libomp's default is 200 ms; older ones know only whole milliseconds.
constexpr const char* kBlockTime = "KMP_BLOCKTIME";
constexpr const char* kMilliseconds = "1";

// The program's own path, by whose name tools such as ps and pgrep know the process. The kernel's name still means this
// program where its file has gone or another one lies there by now. The path is empty where the kernel's name means
// another program that runs this one, such as an emulator or valgrind.
std::string path_of_this_program() {
  namespace fs = std::filesystem;
  std::string kernels_name = "/proc/self/exe";
  std::error_code error;
  const fs::path path = fs::read_symlink(kernels_name, error);
  if (error) return "";
  if (path.native().ends_with(" (deleted)")) return kernels_name;
  return fs::equivalent(path, kernels_name, error) && !error ? path.string() : "";
}

bool is_set(std::initializer_list<const char*> variables) {
  return std::any_of(variables.begin(), variables.end(),
                     [](const char* variable) { return std::getenv(variable) != nullptr; });
}

// The arguments as the kernel got them: if the dynamic loader was started with the program as its argument, its own
// argument is among them.
std::string read_arguments() {
  try {
    std::string text;
    read_file("/proc/self/cmdline", text);
    return text;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

void bound_spinning() {
  if (is_set({kSpinCount, "OMP_WAIT_POLICY"})) return;
  // libgomp has bound this thread to a core by now, and a new start would inherit that for all of its threads.
  if (is_set({"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})) return;
  std::string text = read_arguments();
  if (text.empty()) return;
  if (text.back() != '\0') text += '\0';
  std::vector<char*> arguments;  // each ends in a null character
  for (size_t start = 0; start < text.size(); start = text.find('\0', start) + 1) arguments.push_back(&text[start]);
  arguments.push_back(nullptr);
  const std::string path = path_of_this_program();
  if (path.empty()) return;
  if (setenv(kSpinCount, kSpins, 0) != 0 || setenv(kBlockTime, kMilliseconds, 0) != 0) return;
  execv(path.c_str(), arguments.data());
}

}  // namespace bn::cpu
