// Reads the table of contents of a tar file (ustar, GNU long names, pax paths and sizes); members are then read in
// place. A file that is cut off or is no tar at all is an error, not a shorter list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/file_reader.hpp"

namespace bn {

struct TarMember {
  std::string path;
  int64_t offset = 0;  // where its bytes begin in the tar file
  int64_t size = 0;
};

// Regular files only, in the archive's order.
std::vector<TarMember> list_tar(const FileReader& file);

// The name in the ustar header just before a member's bytes; "" if there is none.
std::string member_name(const FileReader& file, int64_t offset);

// The same for a tar that is itself a member of the file.
std::vector<TarMember> list_tar_inside(const FileReader& file, const TarMember& member);

}  // namespace bn
