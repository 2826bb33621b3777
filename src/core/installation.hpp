// Files that belong to the program: beside it in a build folder, under its prefix once it is installed.
#pragma once

#include <filesystem>
#include <string>

namespace bn {

std::filesystem::path program_folder();  // where the running program's file lies

// `path` itself where it exists, or is absolute; else the experiment of that name that was installed with the program
// (PREFIX/share/bninception/configs, beside PREFIX/bin) where there is one; else `path` again.
std::string find_experiment(const std::string& path);

}  // namespace bn
