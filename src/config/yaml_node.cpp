#include "config/yaml_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "system/text.hpp"

namespace bn::config {
namespace {

constexpr size_t kShownLength = 60;

bool is_plain_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Conservative: any text that is not surely read back unchanged is quoted.
bool needs_quotes(const std::string& text) {
  constexpr std::array kNullWords = {"null", "Null", "NULL"};
  if (text.empty() || (!is_plain_character(text.front()) && text.front() != '/')) return true;
  if (std::ranges::find(kNullWords, text) != kNullWords.end()) return true;
  return !std::ranges::all_of(text, [](char c) { return is_plain_character(c) || c == '.' || c == '/' || c == '-'; });
}

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

std::string double_quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += escape(std::string_view(&c, 1));
  }
  return result + '"';
}

std::string print_scalar(const YamlNode& node) { return node.quoted ? double_quoted(node.text) : node.text; }

bool is_on_one_line(const YamlNode& node) {
  switch (node.kind) {
    case NodeKind::kNull:
    case NodeKind::kScalar:
      return true;
    case NodeKind::kMap:
      return node.style == NodeStyle::kFlow || node.entries.empty();
    case NodeKind::kList:
      return std::ranges::all_of(node.items, [](const YamlNode& item) { return item.kind == NodeKind::kScalar; });
  }
  return true;
}

void print_block(const YamlNode& node, int indent, std::string& out) {
  for (const YamlEntry& entry : node.entries) {
    out += fmt::format("{:{}}{}:", "", indent, entry.key);
    if (is_on_one_line(entry.value)) {
      out += " " + print_flow(entry.value) + "\n";
    } else {
      out += '\n';
      print_block(entry.value, indent + 2, out);
    }
  }
  for (const YamlNode& item : node.items) out += fmt::format("{:{}}- {}\n", "", indent, print_flow(item));
}

constexpr size_t kMost = 50;  // damaged text has a mistake on nearly every line

std::string one_line(const Position& position, const std::string& path, const std::string& message) {
  std::string whole = to_string(position);
  if (!whole.empty()) whole += ": ";
  if (!path.empty()) whole += path + ": ";
  return whole + message;
}

// The experiment's file, what it is based on, then overrides; in the order of the lines.
bool stands_before(const Mistake& a, const Mistake& b) {
  const auto rank = [](const Position& position) {
    static const Source kNowhere{.kind = SourceKind::kFile, .name = "", .directory = "", .order = -1};
    const Source& source = position.source ? *position.source : kNowhere;
    const std::string& name = source.kind == SourceKind::kFile ? source.name : kNowhere.name;
    return std::make_tuple(source.kind, source.order, std::string_view(name), position.line, position.column);
  };
  return rank(a.position) < rank(b.position);
}

}  // namespace

std::string to_string(const Position& position) {
  if (!position.source) return "";
  if (position.line == 0) return position.source->name;
  return fmt::format("{}:{}:{}", position.source->name, position.line, position.column);
}

YamlEntry* YamlNode::find(std::string_view key) {
  return const_cast<YamlEntry*>(static_cast<const YamlNode*>(this)->find(key));
}

const YamlEntry* YamlNode::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &YamlEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

YamlNode node_of(NodeKind kind, Position position) {
  YamlNode node;
  node.kind = kind;
  node.position = std::move(position);
  return node;
}

YamlNode scalar_node(std::string text, bool quoted) {
  YamlNode node = node_of(NodeKind::kScalar);
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

YamlNode text_node(std::string text) {
  const bool quoted = needs_quotes(text);
  return scalar_node(std::move(text), quoted);
}

std::string print_yaml(const YamlNode& map) {
  std::string out;
  print_block(map, 0, out);
  return out;
}

std::string print_flow(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case NodeKind::kNull:
      return "null";
    case NodeKind::kScalar:
      return print_scalar(node);
    case NodeKind::kList:
      for (const YamlNode& item : node.items) out += (out.empty() ? "" : ", ") + print_flow(item);
      return "[" + out + "]";
    case NodeKind::kMap:
      for (const YamlEntry& entry : node.entries) {
        out += (out.empty() ? "" : ", ") + entry.key + ": " + print_flow(entry.value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string join_path(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string item_path(const std::string& list_path, const YamlNode& item, size_t index) {
  const YamlEntry* name = item.find("row");
  if (name == nullptr || name->value.kind != NodeKind::kScalar) return fmt::format("{}[{}]", list_path, index);
  return join_path(list_path, printable(name->value.text));
}

std::string printable(std::string_view text) {
  if (text.size() <= kShownLength) return escape(text);
  size_t length = kShownLength;
  while (length > 0 && is_following(text[length])) --length;  // not inside a character
  return escape(text.substr(0, length)) + "...";
}

std::string quote(std::string_view text) { return "'" + printable(text) + "'"; }

std::string shown(const YamlNode& node) {
  switch (node.kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kScalar:
      return (node.quoted ? "the text " : "") + quote(node.text);
    case NodeKind::kList:
      return "a list";
    case NodeKind::kMap:
      return "a map";
  }
  return "";
}

Mistake::Mistake(Position where, const std::string& path, const std::string& message)
    : ConfigError(one_line(where, path, message)), position(std::move(where)) {}

void Mistakes::add(const Mistake& mistake) {
  mistakes_.push_back(mistake);
  if (mistakes_.size() == kMost) throw_if_any();
}

void Mistakes::throw_if_any() const {
  if (mistakes_.empty()) return;
  if (mistakes_.size() == 1) throw ConfigError(mistakes_.front().what());
  std::vector<Mistake> sorted = mistakes_;
  std::ranges::stable_sort(sorted, stands_before);
  std::string text = fmt::format("{} mistakes{}:", sorted.size(), sorted.size() == kMost ? ", and perhaps more" : "");
  for (const Mistake& mistake : sorted) text += fmt::format("\n  {}", mistake.what());
  throw ConfigError(text);
}

void fail(const Position& position, const std::string& path, const std::string& message) {
  throw Mistake(position, path, message);
}

}  // namespace bn::config
