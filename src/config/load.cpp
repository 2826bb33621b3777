#include "config/layers.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "system/files.hpp"
#include "system/installation.hpp"

namespace bn::config {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = 1 << 20;

std::string read_file(const std::string& path, const Position& asked_by, const std::string& key) {
  const auto refuse = [&](const std::string& why) {
    fail(asked_by, key, fmt::format("cannot read {}: {}", quote(path), why));
  };
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) refuse("it is a folder, expected a YAML file");
  if (access(path.c_str(), R_OK) != 0 && errno != EIO) refuse(errno_text(errno));
  std::string text;
  bn::read_file(path, text, kMaxFileBytes + 1);
  if (static_cast<int64_t>(text.size()) > kMaxFileBytes) refuse("it is larger than 1 MiB, expected a YAML file");
  return text;
}

// Puts the table in place of its path. It replaces the table of a base as a whole: rows of two networks never mix.
void load_network(YamlNode& tree) {
  YamlEntry* model = tree.find("model");
  YamlEntry* network = model == nullptr ? nullptr : model->value.find("network");
  if (network == nullptr || network->value.kind != NodeKind::kScalar) return;
  const std::string key = "model.network";
  network->value = parse_file(path_from(network->value, key), network->value.position, key);
  network->value.merge = Merge::kReplace;
}

std::string canonical(const std::string& path) {
  std::error_code error;
  const fs::path result = fs::weakly_canonical(path, error);
  return error ? path : result.string();
}

// A base that is not beside the file may have come with the program.
std::string base_path_from(const YamlNode& node) {
  std::string beside = path_from(node, "base");
  std::error_code error;
  if (fs::exists(beside, error) || error) return beside;
  std::string installed = installed_experiment(node.text);
  return installed.empty() ? beside : installed;
}

struct Visited {
  std::string path, canonical;
};

YamlNode load_chain(const std::string& path, const Position& asked_by, const std::string& key,
                    std::vector<Visited>& chain, Mistakes& mistakes) {
  chain.push_back({path, canonical(path)});
  const auto first = std::ranges::find(chain, chain.back().canonical, &Visited::canonical);
  if (first != chain.end() - 1) {
    std::string circle;
    for (auto link = first; link != chain.end(); ++link) circle += (circle.empty() ? "" : " -> ") + link->path;
    fail(asked_by, key, fmt::format("the chain of bases is a circle: {}", circle));
  }
  YamlNode tree = parse_file(path, asked_by, key);
  if (const YamlEntry* kind = tree.find("kind")) {
    fail(kind->position, "", "this is the table of a network, expected an experiment that names it as model.network");
  }
  load_network(tree);
  const YamlEntry* base = tree.find("base");
  if (base == nullptr) return tree;
  const Position base_position = base->value.position;
  const std::string base_path = base_path_from(base->value);
  std::erase_if(tree.entries, [](const YamlEntry& entry) { return entry.key == "base"; });
  YamlNode below = load_chain(base_path, base_position, "base", chain, mistakes);
  merge(below, std::move(tree), mistakes);
  return below;
}

}  // namespace

YamlNode parse_file(const std::string& path, const Position& asked_by, const std::string& key) {
  const auto source = std::make_shared<const Source>(Source{.kind = SourceKind::kFile,
                                                            .name = path,
                                                            .directory = fs::path(path).parent_path().string(),
                                                            .order = asked_by.source ? asked_by.source->order + 1 : 0});
  YamlNode tree = parse_yaml(read_file(path, asked_by, key), source);
  if (tree.kind == NodeKind::kNull) fail(tree.position, "", "the file is empty, expected a map of keys");
  if (tree.kind != NodeKind::kMap) fail(tree.position, "", fmt::format("got {}, expected a map of keys", shown(tree)));
  return tree;
}

std::string path_from(const YamlNode& node, const std::string& key) {
  if (node.kind != NodeKind::kScalar || node.text.empty()) {
    fail(node.position, key, fmt::format("got {}, expected the path of a YAML file", shown(node)));
  }
  return (fs::path(node.position.source->directory) / node.text).lexically_normal().string();
}

YamlNode load_tree(const std::string& path, const std::vector<Override>& overrides, Mistakes& mistakes) {
  std::vector<Visited> chain;
  YamlNode tree = load_chain(path, {}, "", chain, mistakes);
  for (size_t i = 0; i < overrides.size(); ++i) {
    mistakes.attempt([&] {
      YamlNode over = parse_override(overrides[i], static_cast<int>(i));
      if (over.find("base") != nullptr) fail(over.position, "base", "is only read from a file");
      load_network(over);
      merge(tree, std::move(over), mistakes);
    });
  }
  return tree;
}

}  // namespace bn::config
