// Every key there is, for suggestions and for the help text.
#include <fmt/format.h>

#include <algorithm>

#include "config/schema.hpp"
#include "system/text.hpp"

namespace bn::config {
namespace {

class KeyLister {
 public:
  void list(const Fields& fields, const std::string& path, const std::string& condition) {
    for (const Field& field : fields) {
      const std::string key = join_path(path, field.name);
      const size_t index = keys_.size();
      keys_.push_back({.path = key, .condition = condition, .help = field.help});
      if (list_inside(field.target, key, condition)) continue;
      keys_[index].expected = expectation(field.target);
      if (field.presence == Presence::kTerse) keys_[index].preset = field.omitted;
      if (field.presence == Presence::kOptional) keys_[index].preset = print_flow(write_target(field.target, key));
    }
  }
  std::vector<KeyInfo> take() { return std::move(keys_); }

 private:
  // False for a key that holds no further keys.
  bool list_inside(const Target& target, const std::string& path, const std::string& condition) {
    return std::visit(Overloaded{
                          [&](const GroupTarget& t) { return list(t.fields, path, condition), true; },
                          [&](const OptionalTarget& t) { return list(t.emplace(), path, condition), true; },
                          [&](const TaggedTarget& t) { return list_tagged(t, path), true; },
                          [&](const RowsTarget& t) { return list_tagged(t.append(), path + "[]"), true; },
                          [](const auto&) { return false; },
                      },
                      target);
  }

  void list_tagged(const TaggedTarget& target, const std::string& path) {
    keys_.push_back({.path = join_path(path, target.tag),
                     .expected = "one of: " + join(target.words),
                     .help = "decides which of the keys below apply"});
    for (size_t i = 0; i < target.words.size(); ++i) {
      list(target.choose(static_cast<int>(i)), path, fmt::format("{}: {}", target.tag, target.words[i]));
    }
  }

  std::vector<KeyInfo> keys_;
};

std::string last_part(const std::string& path) { return path.substr(path.find_last_of('.') + 1); }

}  // namespace

const std::vector<KeyInfo>& known_keys() {
  static const std::vector<KeyInfo> kKeys = [] {
    Config scratch;  // listing tries every alternative on it
    std::string base;
    KeyLister lister;
    lister.list({{.name = "base",
                  .target = TextTarget{&base},
                  .help = "another experiment file, relative to this one; this file holds what differs from it",
                  .presence = Presence::kRequired}},
                "", "");
    lister.list(describe(scratch), "", "");
    return lister.take();
  }();
  return kKeys;
}

std::string nearest_key(const std::string& path) {
  const std::string name = last_part(path);
  std::vector<std::string> same, similar;
  for (const KeyInfo& key : known_keys()) {
    const std::string known = last_part(key.path);
    if (known == name) same.push_back(key.path);
    if (!nearest(name, {known}).empty()) similar.push_back(key.path);
  }
  const std::vector<std::string>& candidates = same.empty() ? similar : same;
  const auto nearer = [&](const std::string& a, const std::string& b) {
    return edit_distance(path, a) < edit_distance(path, b);
  };
  const auto best = std::ranges::min_element(candidates, nearer);
  return best == candidates.end() ? "" : *best;
}

bool is_in(const std::string& path, const std::string& prefix) {
  if (!path.starts_with(prefix)) return false;
  const char next = path.size() == prefix.size() ? '.' : path[prefix.size()];
  return next == '.' || next == '[';
}

void expect_known(const std::string& prefix) {
  const auto& keys = known_keys();
  if (std::ranges::any_of(keys, [&](const KeyInfo& key) { return is_in(key.path, prefix); })) return;
  const std::string near = nearest_key(prefix);
  const std::string hint = near.empty() ? "" : fmt::format("; did you mean {}?", near);
  fail({}, "", fmt::format("no key is called {}{}", quote(prefix), hint));
}

}  // namespace bn::config
