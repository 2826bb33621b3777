// The only file that sees yaml-cpp. It listens to the parser's events instead of taking its tree, because that tree
// drops duplicate keys silently and follows aliases, even circular ones.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <fmt/format.h>

#include <map>
#include <optional>
#include <sstream>

#include "bn/error.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {
namespace {

constexpr size_t kMaxDepth = 24;  // the schema needs 5

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const Source> source, std::string path)
      : source_(std::move(source)), root_path_(std::move(path)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done_) fail(at(mark), root_path_, "a second document starts here, expected one document in a file");
  }
  void OnDocumentEnd() override { done_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(node_of(NodeKind::kNull, at(mark)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    YamlNode node = scalar_node(value, tag == "!");
    node.position = at(mark);
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, NodeKind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, NodeKind::kMap);
  }
  void OnMapEnd() override { close(); }

  std::optional<YamlNode> take() { return std::move(root_); }
  const YamlNode* innermost_open() const { return levels_.empty() ? nullptr : &levels_.back().node; }

 private:
  struct Level {
    YamlNode node;
    std::optional<YamlNode> key{};           // a map's key that has been read while its value is still to come
    std::map<std::string, Position> keys{};  // seen so far; a search through `node` would be quadratic
  };

  Position at(const YAML::Mark& mark) const {
    if (source_->kind == SourceKind::kArgument) return {source_, 0, 0};
    return {source_, mark.line + 1, mark.column + 1};
  }

  std::string path() const {
    std::string path = root_path_;
    for (const Level& level : levels_) {
      if (level.node.kind == NodeKind::kList) {
        path += fmt::format("[{}]", level.node.items.size());
      } else if (level.key) {
        path = join_path(path, printable(level.key->text));
      }
    }
    return path;
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor == 0) return;
    fail(at(mark), path(),
         "anchors and aliases (& and *) are not read here; `base:` names a file to share settings with");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(at(mark), path(), fmt::format("got the tag {}, expected a value without a tag", quote(tag)));
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, NodeKind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    refuse_as_key(at(mark));
    if (levels_.size() >= kMaxDepth) {
      fail(at(mark), root_path_, fmt::format("nested more than {} levels deep", kMaxDepth));
    }
    levels_.push_back({.node = node_of(kind, at(mark))});
  }

  void close() {
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  bool expects_key() const {
    return !levels_.empty() && levels_.back().node.kind == NodeKind::kMap && !levels_.back().key;
  }
  void refuse_as_key(const Position& position) const {
    if (expects_key()) fail(position, path(), "got a list or a map as a key, expected a word");
  }

  void add(YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == NodeKind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (!level.key) {
      add_key(level, std::move(node));
    } else {
      // The parser's position is that of the next event.
      if (node.kind == NodeKind::kNull) node.position = level.key->position;
      level.node.entries.push_back({level.key->text, level.key->position, std::move(node)});
      level.key.reset();
    }
  }

  void add_key(Level& level, YamlNode key) {
    if (key.kind != NodeKind::kScalar) fail(key.position, path(), "got no key, expected a word before the colon");
    const auto [first, is_new] = level.keys.emplace(key.text, key.position);
    if (!is_new) {
      const std::string where = first->second.line > 0 ? ", already given at " + to_string(first->second) : "";
      fail(key.position, join_path(path(), printable(key.text)), "duplicate key" + where);
    }
    level.key = std::move(key);
  }

  std::shared_ptr<const Source> source_;
  std::string root_path_;
  std::vector<Level> levels_;
  std::optional<YamlNode> root_;
  bool done_ = false;
};

bool is_indented_with_tab(const std::string& text, int line) {
  std::istringstream stream(text);
  std::string current;
  for (int i = 0; i <= line; ++i) std::getline(stream, current);
  return current.substr(0, current.find_first_not_of(" \t")).find('\t') != std::string::npos;
}

[[noreturn]] void refuse_syntax(const YAML::Exception& error, const YamlNode* open, const std::string& text,
                                const std::shared_ptr<const Source>& source, const std::string& path) {
  std::string message = "not valid YAML: " + error.msg;
  // At the end of the text the parser knows no position: what it waits for was opened here.
  if (open != nullptr && error.msg.starts_with("end of ")) fail(open->position, path, message);
  const bool placed = source->kind == SourceKind::kFile && !error.mark.is_null();
  if (!placed) fail({source, 0, 0}, path, message);
  if (is_indented_with_tab(text, error.mark.line)) message += "; indent with spaces, not with tabs";
  fail({source, error.mark.line + 1, error.mark.column + 1}, path, message);
}

}  // namespace

YamlNode parse_yaml(const std::string& text, const std::shared_ptr<const Source>& source, const std::string& path) {
  const bool is_file = source->kind == SourceKind::kFile;
  if (text.find('\0') != std::string::npos) fail({source, 0, 0}, path, "holds a zero byte; expected YAML text");
  TreeBuilder builder(source, path);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Error&) {
    throw;
  } catch (const YAML::Exception& error) {
    refuse_syntax(error, builder.innermost_open(), text, source, path);
  } catch (const std::exception& error) {
    fail({source, 0, 0}, path, fmt::format("cannot be read as YAML: {}", error.what()));
  }
  if (std::optional<YamlNode> root = builder.take()) return std::move(*root);
  return node_of(NodeKind::kNull, {source, is_file ? 1 : 0, is_file ? 1 : 0});
}

}  // namespace bn::config
