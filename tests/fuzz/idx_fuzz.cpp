// Any bytes as idx files of images and labels; the first byte says where the one ends and the other begins.
#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const size_t labels = (size - 1) * bytes[0] / 256;  // the labels are at the end
  const bn::test::MemoryFile image_file(bytes + 1, size - 1 - labels), label_file(bytes + size - labels, labels);
  const bn::DataOptions options{.kind = bn::DatasetKind::kMnist, .train = {image_file.path(), label_file.path()}};
  try {
    const auto set = bn::open_dataset(options, bn::Split::kTrain);
    std::vector<uint8_t> storage;
    for (int64_t i = 0; i < set->size(); ++i) {
      const auto sample = set->read(i, storage);
      if (sample.bytes != sample.raw_height * sample.raw_width * sample.raw_channels || set->label(i) < 0) std::abort();
    }
  } catch (const bn::Error&) {  // the promised error
  }
  return 0;
}
