#include "data/count_decodes.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>

#include <jpeglib.h>  // needs <cstdio> before it

namespace {
std::atomic<int64_t> decodes = 0;
}

// Takes the place of the library's function, which it calls: a program's own functions come first.
extern "C" boolean jpeg_start_decompress(j_decompress_ptr info) {
  ++decodes;
  static const auto kOriginal =
      reinterpret_cast<boolean (*)(j_decompress_ptr)>(dlsym(RTLD_NEXT, "jpeg_start_decompress"));
  return kOriginal(info);
}

namespace bn::test {

int64_t jpeg_decodes() { return decodes; }

}  // namespace bn::test
