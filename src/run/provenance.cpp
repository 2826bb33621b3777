#include "bn/provenance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "system/text.hpp"

namespace bn {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const DataRecord& record) {
  return {{"images", record.images}, {"fingerprint", record.fingerprint}, {"largest_class", record.largest_class}};
}

DataRecord record_of(const Json& json) {
  return {.images = json.at("images").get<int64_t>(),
          .fingerprint = json.at("fingerprint").get<std::string>(),
          .largest_class = json.value("largest_class", int64_t{0})};
}

Json json_of(const Origin& origin) {
  return {{"checkpoint", origin.checkpoint}, {"step", origin.step}, {"checksum", origin.checksum}};
}

std::optional<Origin> origin_of(const Json& json) {
  const auto origin = json.find("origin");
  if (origin == json.end()) return std::nullopt;
  return Origin{.checkpoint = origin->at("checkpoint").get<std::string>(),
                .step = origin->at("step").get<int64_t>(),
                .checksum = origin->at("checksum").get<std::string>()};
}

void compare(const DataRecord& before, const DataRecord& now, const char* set, std::vector<std::string>& differences) {
  if (is_same_data(before, now)) return;
  differences.push_back(before.images == now.images
                            ? fmt::format("the {} set has as many images, {}, but not the same ones", set, now.images)
                            : fmt::format("the {} set had {} images and has {} now", set, before.images, now.images));
}

}  // namespace

bool is_same_data(const DataRecord& a, const DataRecord& b) {
  constexpr char kHyphen = '-';  // before the digits of the contents, and before and behind their form where it is new
  const auto names = [](const std::string& fingerprint) { return fingerprint.substr(0, fingerprint.find(kHyphen)); };
  if (a.images != b.images || names(a.fingerprint) != names(b.fingerprint)) return false;
  const auto form = [](const std::string& fingerprint) {
    const size_t first = std::min(fingerprint.find(kHyphen), fingerprint.size());
    return fingerprint.substr(first, fingerprint.rfind(kHyphen) - first + 1);
  };
  return form(a.fingerprint) != form(b.fingerprint) || a.fingerprint == b.fingerprint;
}

std::optional<ClassDifference> first_difference(const std::vector<std::string>& left,
                                                const std::vector<std::string>& right) {
  const auto [a, b] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  if (a == left.end() && b == right.end()) return std::nullopt;
  const auto named = [](auto place, auto end) { return place == end ? "none" : fmt::format("'{}'", *place); };
  return ClassDifference{a - left.begin(), named(a, left.end()), named(b, right.end())};
}

std::string to_json(const Provenance& provenance) {
  Json json{{"classes", provenance.classes},
            {"training", json_of(provenance.training)},
            {"validation", json_of(provenance.validation)},
            {"computation", provenance.computation}};
  if (!provenance.class_words.empty()) json["class_words"] = provenance.class_words;
  if (provenance.origin) json["origin"] = json_of(*provenance.origin);
  return json_text(json);
}

std::optional<Provenance> provenance_from_json(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    using Names = std::vector<std::string>;
    return Provenance{.classes = json.at("classes").get<Names>(),
                      .class_words = json.value("class_words", Names{}),
                      .training = record_of(json.at("training")),
                      .validation = record_of(json.at("validation")),
                      .computation = json.at("computation").get<std::string>(),
                      .origin = origin_of(json)};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::vector<std::string> differences_of_data(const Provenance& before, const Provenance& now) {
  std::vector<std::string> differences;
  if (const auto other = first_difference(before.classes, now.classes)) {
    differences.push_back(fmt::format("class {} was {} and is {} now", other->index, other->left, other->right));
  }
  compare(before.training, now.training, "training", differences);
  compare(before.validation, now.validation, "validation", differences);
  return differences;
}

std::vector<std::string> differences_between(const Provenance& a, const Provenance& b) {
  std::vector<std::string> differences;
  if (a.classes != b.classes) differences.emplace_back("other classes");
  const auto compare_sets = [&](const DataRecord& of_a, const DataRecord& of_b, const char* set) {
    if (is_same_data(of_a, of_b)) return;
    differences.push_back(of_a.images == of_b.images
                              ? fmt::format("other {} images, though as many", set)
                              : fmt::format("{} against {} {} images", of_a.images, of_b.images, set));
  };
  compare_sets(a.training, b.training, "training");
  compare_sets(a.validation, b.validation, "validation");
  return differences;
}

}  // namespace bn
