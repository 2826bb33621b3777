// Files that belong to the program: beside it in a build folder, under its prefix once it is installed.
#pragma once

#include <filesystem>
#include <string>

namespace bn {

std::filesystem::path program_folder();  // holds the running program's file

// The file of a module that the program loads: beside it in a build folder, PREFIX/lib/bninception once installed.
std::filesystem::path module_file(const std::string& name);

// The experiment of that name that came with the program: PREFIX/share/bninception/configs, beside PREFIX/bin, or in a
// build folder configs beside the program. "" where there is none.
std::string installed_experiment(const std::string& name);
// `path` itself where it exists, or is absolute; else the installed experiment of that name; else `path` again.
std::string find_experiment(const std::string& path);

}  // namespace bn
