// YAML into options.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "bn/error.hpp"
#include "config/schema.hpp"
#include "system/text.hpp"

namespace bn::config {
namespace {

constexpr size_t kMaxItems = 2'000;

void read_fields(const YamlNode& map, const std::string& path, const Fields& fields, const TaggedTarget* tagged,
                 Mistakes& mistakes);
void read_target(const YamlNode& node, const std::string& path, const Target& target, Mistakes& mistakes);

[[noreturn]] void refuse(const YamlNode& node, const std::string& path, const std::string& expected) {
  fail(node.position, path, fmt::format("got {}, expected {}", shown(node), expected));
}

// The whole text must be a number; one leading plus is allowed as in YAML.
template <class Number>
bool parse_number(const YamlNode& node, Number& value) {
  if (node.kind != NodeKind::kScalar || node.quoted) return false;
  std::string_view text = node.text;
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// A longer list is a slip; building a network of so many layers would take long before it fails.
void expect_reasonable_length(const YamlNode& node, const std::string& path) {
  if (node.items.size() <= kMaxItems) return;
  fail(node.position, path, fmt::format("got a list of {} items, expected at most {}", node.items.size(), kMaxItems));
}

int64_t read_integer(const YamlNode& node, const std::string& path, const IntegerRange& range) {
  int64_t value = 0;
  if (!parse_number(node, value) || value < range.minimum || value > range.maximum) {
    refuse(node, path, expectation(range));
  }
  return value;
}

// Training uses the shares that must be below 1 in single precision, where the nearest number may be 1.
template <class Real>
Real read_real(const YamlNode& node, const std::string& path, const RealRange& range) {
  Real value = 0;
  const bool read = parse_number(node, value) && std::isfinite(value);
  const auto wide = static_cast<double>(value);
  const bool low = range.lower == Bound::kOpen ? wide <= range.minimum : wide < range.minimum;
  const bool high = range.upper == Bound::kOpen ? wide >= range.maximum : wide > range.maximum;
  if (!read || low || high) refuse(node, path, expectation(range));
  const auto single = static_cast<float>(value);
  if (range.upper == Bound::kOpen && static_cast<double>(single) >= range.maximum) {
    fail(node.position, path, fmt::format("got {}, which is {} in single precision", node.text, single));
  }
  return value;
}

std::string read_text(const YamlNode& node, const std::string& path) {
  if (node.kind != NodeKind::kScalar) refuse(node, path, "text (\"\" for none)");
  return node.text;
}

// A checkpoint keeps the configuration as JSON, which holds nothing but UTF-8.
std::string read_utf8(const YamlNode& node, const std::string& path) {
  if (node.kind == NodeKind::kScalar && !is_utf8(node.text)) refuse(node, path, "text in UTF-8");
  return read_text(node, path);
}

int read_word(const YamlNode& node, const std::string& path, const std::vector<std::string>& words) {
  const auto found = std::ranges::find(words, node.text);
  if (node.kind == NodeKind::kScalar && found != words.end()) return static_cast<int>(found - words.begin());
  refuse(node, path, fmt::format("one of: {}{}", join(words), suggestion(node.text, words)));
}

template <class Value, class ReadItem>
std::vector<Value> read_list(const YamlNode& node, const std::string& path, const Target& target, Mistakes& mistakes,
                             ReadItem read_item) {
  if (node.kind != NodeKind::kList) refuse(node, path, expectation(target));
  expect_reasonable_length(node, path);
  std::vector<Value> values;
  for (size_t i = 0; i < node.items.size(); ++i) {
    mistakes.attempt([&] { values.push_back(read_item(node.items[i], fmt::format("{}[{}]", path, i))); });
  }
  return values;
}

std::vector<std::string> words_with_key(const TaggedTarget& target, const std::string& key) {
  std::vector<std::string> words;
  for (size_t i = 0; i < target.words.size(); ++i) {
    const std::vector<std::string> keys = target.keys(static_cast<int>(i));
    if (std::ranges::find(keys, key) != keys.end()) words.push_back(target.words[i]);
  }
  return words;
}

// Keys of earlier versions, whose resolved configurations name them. With this value they mean what all runs do now.
struct RetiredKey {
  const char* path;
  const char* value;
};
constexpr RetiredKey kRetiredKeys[] = {{"cuda.batch_norm", "streamed"}};

bool is_retired(const YamlEntry& entry, const std::string& path) {
  return std::ranges::any_of(kRetiredKeys, [&](const RetiredKey& key) {
    return path == key.path && entry.value.kind == NodeKind::kScalar && entry.value.text == key.value;
  });
}

[[noreturn]] void refuse_key(const YamlEntry& entry, const std::string& path, const Fields& fields,
                             const TaggedTarget* tagged) {
  const std::string full_path = join_path(path, printable(entry.key));
  if (full_path == "base") {
    fail(entry.position, full_path, "is not read here: a resolved configuration holds every key itself");
  }
  std::vector<std::string> siblings;
  if (tagged != nullptr) {
    const std::string word = tagged->words.at(static_cast<size_t>(tagged->index()));
    const std::vector<std::string> others = words_with_key(*tagged, entry.key);
    if (!others.empty()) {
      fail(entry.position, full_path,
           fmt::format("does not apply to {} {}, only to: {}", tagged->tag, word, join(others)));
    }
    siblings.push_back(tagged->tag);
  }
  if (entry.key.find('.') != std::string::npos) {
    fail(entry.position, full_path, "unknown key; a key inside another is written as a map, `train: {batch: 32}`");
  }
  for (const Field& field : fields) siblings.push_back(field.name);
  std::string near = nearest(entry.key, siblings);
  near = near.empty() ? nearest_key(full_path) : join_path(path, near);
  if (!near.empty()) fail(entry.position, full_path, fmt::format("unknown key; did you mean {}?", near));
  fail(entry.position, full_path, fmt::format("unknown key, expected one of: {}", join(siblings)));
}

void read_tagged(const YamlNode& node, const std::string& path, const TaggedTarget& target, Mistakes& mistakes) {
  if (node.kind != NodeKind::kMap) refuse(node, path, expectation(Target(target)));
  const YamlEntry* tag = node.find(target.tag);
  if (tag == nullptr)
    fail(node.position, path, fmt::format("has no {}, expected one of: {}", target.tag, join(target.words)));
  const int word = read_word(tag->value, join_path(path, target.tag), target.words);
  read_fields(node, path, target.choose(word), &target, mistakes);
}

void read_optional(const YamlNode& node, const std::string& path, const OptionalTarget& target, Mistakes& mistakes) {
  if (node.kind == NodeKind::kMap) return read_fields(node, path, target.emplace(), nullptr, mistakes);
  if (node.kind != NodeKind::kScalar || node.text != "none") refuse(node, path, expectation(Target(target)));
  target.clear();
}

void read_rows(const YamlNode& node, const std::string& path, const RowsTarget& target, Mistakes& mistakes) {
  if (node.kind != NodeKind::kList) refuse(node, path, expectation(Target(target)));
  expect_reasonable_length(node, path);
  target.clear();
  for (size_t i = 0; i < node.items.size(); ++i) {
    mistakes.attempt([&] { read_tagged(node.items[i], item_path(path, node.items[i], i), target.append(), mistakes); });
  }
}

void read_target(const YamlNode& node, const std::string& path, const Target& target, Mistakes& mistakes) {
  std::visit(
      Overloaded{
          [&](const IntegerTarget& t) { *t.value = read_integer(node, path, t.range); },
          [&](const SeedTarget& t) {
            if (!parse_number(node, *t.value)) refuse(node, path, expectation(target));
          },
          [&](const RealTarget& t) {
            std::visit(
                [&](auto* value) { *value = read_real<std::remove_pointer_t<decltype(value)>>(node, path, t.range); },
                t.value);
          },
          [&](const FlagTarget& t) {
            *t.value = read_word(node, path, {"true", "false"}) == 0;
          },
          [&](const TextTarget& t) { *t.value = read_utf8(node, path); },
          [&](const WordTarget& t) { t.choose(read_word(node, path, t.words)); },
          [&](const IntegerListTarget& t) {
            *t.value = read_list<int64_t>(
                node, path, target, mistakes,
                [&](const YamlNode& item, const std::string& at) { return read_integer(item, at, t.range); });
          },
          [&](const RealListTarget& t) {
            *t.value = read_list<double>(
                node, path, target, mistakes,
                [&](const YamlNode& item, const std::string& at) { return read_real<double>(item, at, t.range); });
          },
          [&](const TextListTarget& t) { *t.value = read_list<std::string>(node, path, target, mistakes, read_text); },
          [&](const GroupTarget& t) {
            if (node.kind != NodeKind::kMap) refuse(node, path, expectation(target));
            read_fields(node, path, t.fields, nullptr, mistakes);
          },
          [&](const OptionalTarget& t) { read_optional(node, path, t, mistakes); },
          [&](const TaggedTarget& t) { read_tagged(node, path, t, mistakes); },
          [&](const RowsTarget& t) { read_rows(node, path, t, mistakes); },
      },
      target);
}

void read_fields(const YamlNode& map, const std::string& path, const Fields& fields, const TaggedTarget* tagged,
                 Mistakes& mistakes) {
  const size_t before = mistakes.count();
  for (const YamlEntry& entry : map.entries) {
    if (tagged != nullptr && entry.key == tagged->tag) continue;
    if (is_retired(entry, join_path(path, entry.key))) continue;
    mistakes.attempt([&] {
      const auto field = std::ranges::find(fields, entry.key, &Field::name);
      if (field == fields.end()) refuse_key(entry, path, fields, tagged);
      read_target(entry.value, join_path(path, entry.key), field->target, mistakes);
    });
  }
  if (mistakes.count() > before) return;  // a mistaken key may have been meant to give the missing one
  for (const Field& field : fields) {
    if (field.presence != Presence::kRequired || map.find(field.name) != nullptr) continue;
    mistakes.add(
        {map.position, join_path(path, field.name), fmt::format("is missing, expected {}", expectation(field.target))});
  }
}

}  // namespace

void read_config(const YamlNode& tree, Config& config, Mistakes& mistakes) {
  mistakes.attempt([&] {
    if (tree.kind == NodeKind::kNull) fail(tree.position, "", "is empty, expected the keys of an experiment");
    if (tree.kind != NodeKind::kMap) refuse(tree, "", "a map of keys");
    read_fields(tree, "", describe(config), nullptr, mistakes);
  });
}

}  // namespace bn::config
