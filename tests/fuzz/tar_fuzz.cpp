// Any bytes as a tar file, and as a tar inside one.
#include "bn/error.hpp"
#include "data/tar.hpp"
#include "fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const bn::test::MemoryFile file(bytes, size);
  try {
    const bn::FileReader reader(file.path());
    for (const bn::TarMember& member : bn::list_tar(reader)) {
      if (member.offset < 0 || member.size < 0 || member.offset + member.size > reader.size()) std::abort();
      bn::member_name(reader, member.offset);
      try {
        bn::list_tar_inside(reader, member);
      } catch (const bn::Error&) {
      }
    }
  } catch (const bn::Error&) {  // the promised error
  }
  return 0;
}
