// Reads the table of contents of a tar file (ustar, GNU long names, pax paths and sizes); members are then read in
// place. A file that is cut off or is no tar at all is an error, not a shorter list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/file_reader.hpp"

namespace bn {

struct TarMember {
  std::string path;
  int64_t offset = 0;  // its first byte's place in the tar file
  int64_t size = 0;
};

// Files in the archive's order. A link to a file of the same archive is that file under another name; links that lead
// elsewhere, devices and members of unknown kinds go to `left_out`, if it is given, and so do all members of one path
// but the last. Archives that were joined are read on. Throws DataError for an archive that is damaged, cut off or
// compressed, or has bytes behind its end.
std::vector<TarMember> list_tar(const FileReader& file, LeftOut* left_out = nullptr);

// The name in the ustar header just before a member's bytes; "" if there is none.
std::string member_name(const FileReader& file, int64_t offset);

// The same for a tar that is itself a member of the file.
std::vector<TarMember> list_tar_inside(const FileReader& file, const TarMember& member, LeftOut* left_out = nullptr);

}  // namespace bn
