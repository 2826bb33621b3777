#include <fmt/format.h>

#include "config/schema.hpp"

namespace bn::config {
namespace {

template <class Values, class MakeNode>
YamlNode list_node(const Values& values, MakeNode make_node) {
  YamlNode node = node_of(NodeKind::kList);
  node.style = NodeStyle::kFlow;
  for (const auto& value : values) node.items.push_back(make_node(value));
  return node;
}

// The shortest text that reads back as the same bits.
template <class Number>
YamlNode number_node(Number value) {
  return scalar_node(fmt::format("{}", value));
}

YamlNode word_node(const std::vector<std::string>& words, int index, const std::string& path) {
  if (index < 0) fail({}, path, "has a value that cannot be written in a configuration");
  return scalar_node(words.at(static_cast<size_t>(index)));
}

YamlNode write_tagged(const TaggedTarget& target, const std::string& path) {
  YamlNode node = write_fields(target.fields(), path);
  const auto place = node.entries.begin() + static_cast<std::ptrdiff_t>(target.tag_place);
  node.entries.insert(place, {target.tag, {}, word_node(target.words, target.index(), path)});
  return node;
}

YamlNode write_rows(const RowsTarget& target, const std::string& path) {
  YamlNode node = node_of(NodeKind::kList);
  for (int64_t i = 0; i < target.count(); ++i) {
    node.items.push_back(write_tagged(target.at(i), fmt::format("{}[{}]", path, i)));
    node.items.back().style = NodeStyle::kFlow;
  }
  return node;
}

}  // namespace

YamlNode write_target(const Target& target, const std::string& path) {
  return std::visit(
      Overloaded{
          [](const IntegerTarget& t) { return number_node(*t.value); },
          [](const SeedTarget& t) { return number_node(*t.value); },
          [](const RealTarget& t) { return std::visit([](const auto* v) { return number_node(*v); }, t.value); },
          [](const FlagTarget& t) { return scalar_node(*t.value ? "true" : "false"); },
          [](const TextTarget& t) { return text_node(*t.value); },
          [&](const WordTarget& t) { return word_node(t.words, t.index(), path); },
          [](const IntegerListTarget& t) { return list_node(*t.value, number_node<int64_t>); },
          [](const RealListTarget& t) { return list_node(*t.value, number_node<double>); },
          [](const TextListTarget& t) { return list_node(*t.value, text_node); },
          [&](const GroupTarget& t) { return write_fields(t.fields, path); },
          [&](const OptionalTarget& t) { return t.present() ? write_fields(t.fields(), path) : scalar_node("none"); },
          [&](const TaggedTarget& t) { return write_tagged(t, path); },
          [&](const RowsTarget& t) { return write_rows(t, path); },
      },
      target);
}

YamlNode write_fields(const Fields& fields, const std::string& path) {
  YamlNode node = node_of(NodeKind::kMap);
  for (const Field& field : fields) {
    YamlNode value = write_target(field.target, join_path(path, field.name));
    if (field.presence == Presence::kTerse && value.text == field.omitted) continue;
    node.entries.push_back({field.name, {}, std::move(value)});
  }
  return node;
}

YamlNode write_config(const Config& config) {
  Config copy = config;  // Fields point to what they could also change
  return write_fields(describe(copy), "");
}

}  // namespace bn::config
