// A YAML document as plain values with the position of every part. The one rule to know: only parse_yaml sees the
// YAML library, and what it refuses (duplicate keys, anchors, tags, deep nesting) nobody later has to think of.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bn/error.hpp"

namespace bn::config {

enum class SourceKind { kFile, kArgument };

struct Source {
  SourceKind kind = SourceKind::kFile;
  std::string name;       // the file's path, or "--set key.path=value"
  std::string directory;  // relative paths in the text start here
  int order = 0;          // among the sources of its kind: a base stands before the file that is based on it
};

struct Position {
  std::shared_ptr<const Source> source;
  int line = 0, column = 0;  // counted from 1; 0 = not inside a file
};
std::string to_string(const Position& position);  // "file.yaml:12:3"; "" when unknown

enum class NodeKind { kNull, kScalar, kList, kMap };
enum class NodeStyle { kBlock, kFlow };
enum class Merge { kDeep, kReplace };  // how a map goes over another map

struct YamlEntry;
struct YamlNode {
  NodeKind kind = NodeKind::kNull;
  std::string text;     // a scalar's
  bool quoted = false;  // a quoted scalar is text, whatever it looks like
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;
  NodeStyle style = NodeStyle::kBlock;
  Merge merge = Merge::kDeep;
  Position position;

  YamlEntry* find(std::string_view key);
  const YamlEntry* find(std::string_view key) const;
};
struct YamlEntry {
  std::string key;
  Position position;
  YamlNode value;
};

YamlNode node_of(NodeKind kind, Position position = {});
YamlNode scalar_node(std::string text, bool quoted = false);
YamlNode text_node(std::string text);  // quoted where YAML would read something else

// Throws ConfigError for anything that is not exactly one document. `path` is the key path of the document's root.
YamlNode parse_yaml(const std::string& text, const std::shared_ptr<const Source>& source, const std::string& path = "");
std::string print_yaml(const YamlNode& map);
std::string print_flow(const YamlNode& node);  // one line

std::string join_path(const std::string& path, std::string_view key);
// Items of a list are known by their key `row`, where they have it: "rows.conv1", else "rows[3]".
std::string item_path(const std::string& list_path, const YamlNode& item, size_t index);
std::string printable(std::string_view text);  // escaped and cut to a readable length, to be shown in a message
std::string quote(std::string_view text);      // 'text', the same way
std::string shown(const YamlNode& node);       // "'abc'", "a list", "nothing"

// Its text is "position: key.path: message", without the parts that are empty.
struct Mistake : ConfigError {
  Mistake(Position where, const std::string& path, const std::string& message);
  Position position;
};

[[noreturn]] void fail(const Position& position, const std::string& path, const std::string& message);

// The list of a configuration's mistakes: reading goes on after one, so that one look at the message is enough.
class Mistakes {
 public:
  template <class Work>
  void attempt(Work&& work) {
    try {
      work();
    } catch (const Mistake& mistake) {
      add(mistake);
    }
  }
  void add(const Mistake& mistake);  // throws them all when there are too many to go on
  size_t count() const { return mistakes_.size(); }
  // One ConfigError: the mistake, or a line for each of several, sorted by position.
  void throw_if_any() const;

 private:
  std::vector<Mistake> mistakes_;
};

}  // namespace bn::config
