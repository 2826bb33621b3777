// Images that are files of their own or members of tar files, each read where it lies. Who opens a set says which.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/tar.hpp"

namespace bn {

class PlacedImages final : public Dataset {
 public:
  // The files that are added from here on have names that continue this path.
  void begin_files(const std::string& path);
  void add(const std::string& file, int32_t label);
  // Opens a tar file, and returns its number. Members of several are added in the order of these.
  size_t open_tar(const std::string& path);
  const FileReader& tar(size_t number) const { return *sources_[number].tar; }
  void add(size_t tar, const TarMember& member, const std::string& name, int32_t label);

  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  int32_t label(int64_t index) const override { return labels[static_cast<size_t>(index)]; }
  std::string name(int64_t index) const override;
  std::string name_in_set(int64_t index) const override;
  std::string file_name(int64_t index) const override;
  const std::vector<std::string>& class_names() const override { return classes; }
  LeftOut left_out() const override { return omitted; }
  int64_t stored_bytes(int64_t index) const override;
  uint64_t content_digest(int64_t index, int64_t most, int64_t parts) const override;
  std::vector<int64_t> shard_sizes() const override;
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override;

  std::vector<std::string> classes;
  std::vector<int32_t> labels;
  LeftOut omitted;

 private:
  struct Source {
    std::string path;  // the beginning of its images' names
    std::optional<FileReader> tar;
    int64_t images = 0;
  };
  struct Place {
    size_t name;  // an offset in names_
    size_t source;
    int64_t offset, bytes;  // in the tar
  };

  const Place& place(int64_t index) const { return places_[static_cast<size_t>(index)]; }
  const Source& source(int64_t index) const { return sources_[place(index).source]; }

  std::vector<Source> sources_;
  std::vector<Place> places_;
  std::string names_;  // each closed by a zero: one allocation instead of a million
};

}  // namespace bn
