// The schema as a JSON Schema (draft-07), for editors. A file that names a base may leave out any key, and may change
// parts of a table: such maps have no required keys.

#include <limits>
#include <nlohmann/json.hpp>

#include "bn/config.hpp"
#include "config/schema.hpp"

namespace bn::config {
namespace {

using Json = nlohmann::ordered_json;

// kComplete: the required keys must be there. kChange: what is not there stays as the base has it.
enum class Extent { kComplete, kChange };

constexpr const char* kRow = "#/definitions/row";
constexpr const char* kRowChange = "#/definitions/row_change";
constexpr const char* kNetwork = "#/definitions/network";
constexpr const char* kNetworkChange = "#/definitions/network_change";

Json reference(const char* definition) { return {{"$ref", definition}}; }

Json schema_of(const Target& target, Extent extent);
Json object_of(const Fields& fields, Extent extent);

Json integer(const IntegerRange& range) {
  Json schema{{"type", "integer"}, {"minimum", range.minimum}};
  if (range.maximum < std::numeric_limits<int64_t>::max()) schema["maximum"] = range.maximum;
  return schema;
}

Json number(const RealRange& range) {
  constexpr double kNone = std::numeric_limits<double>::max();
  Json schema{{"type", "number"}};
  if (range.minimum > -kNone) schema[range.lower == Bound::kOpen ? "exclusiveMinimum" : "minimum"] = range.minimum;
  if (range.maximum < kNone) schema[range.upper == Bound::kOpen ? "exclusiveMaximum" : "maximum"] = range.maximum;
  return schema;
}

Json list(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

// The maps that the words of the tag allow, one of them.
Json alternatives(const TaggedTarget& target) {
  Json maps = Json::array();
  for (size_t i = 0; i < target.words.size(); ++i) {
    Json map = object_of(target.choose(static_cast<int>(i)), Extent::kComplete);
    map["properties"][target.tag] = {{"const", target.words[i]}};
    map["required"].push_back(target.tag);
    maps.push_back(std::move(map));
  }
  return {{"oneOf", std::move(maps)}};
}

// One map with the keys of all words.
Json any_keys(const TaggedTarget& target) {
  Json map = object_of({}, Extent::kChange);
  map["properties"][target.tag] = {{"enum", target.words}};
  for (size_t i = 0; i < target.words.size(); ++i) {
    map["properties"].update(object_of(target.choose(static_cast<int>(i)), Extent::kChange)["properties"]);
  }
  return map;
}

Json rows(Extent extent) {
  Json whole = list(reference(kRow));
  if (extent == Extent::kComplete) return whole;
  return {{"anyOf", {whole, {{"type", "object"}, {"additionalProperties", reference(kRowChange)}}}}};
}

// The only such map in an experiment is its network, which may also be the path of a file.
Json network() {
  return {{"if", {{"type", "object"}, {"required", {"kind"}}}},
          {"then", reference(kNetwork)},
          {"else", {{"anyOf", {{{"type", "string"}}, reference(kNetworkChange)}}}}};
}

Json schema_of(const Target& target, Extent extent) {
  return std::visit(
      Overloaded{
          [](const IntegerTarget& t) { return integer(t.range); },
          [](const SeedTarget&) {
            return Json{{"type", "integer"}, {"minimum", 0}, {"maximum", std::numeric_limits<uint64_t>::max()}};
          },
          [](const RealTarget& t) { return number(t.range); },
          [](const FlagTarget&) {
            return Json{{"type", "boolean"}};
          },
          [](const TextTarget&) {
            return Json{{"type", "string"}};
          },
          [](const WordTarget& t) {
            return Json{{"enum", t.words}};
          },
          [](const IntegerListTarget& t) { return list(integer(t.range)); },
          [](const RealListTarget& t) { return list(number(t.range)); },
          [](const TextListTarget&) {
            return list({{"type", "string"}});
          },
          [&](const GroupTarget& t) { return object_of(t.fields, extent); },
          [&](const OptionalTarget& t) {
            return Json{{"oneOf", {{{"const", "none"}}, object_of(t.emplace(), extent)}}};
          },
          [](const TaggedTarget&) { return network(); },
          [&](const RowsTarget&) { return rows(extent); },
      },
      target);
}

// Nothing for a key that holds further keys.
Json default_of(const Field& field) {
  const YamlNode node = write_target(field.target, field.name);
  const bool is_text =
      std::holds_alternative<TextTarget>(field.target) || std::holds_alternative<WordTarget>(field.target);
  if (field.presence == Presence::kRequired || node.kind == NodeKind::kMap) return {};
  if (is_text || std::holds_alternative<OptionalTarget>(field.target)) return node.text;
  if (node.kind == NodeKind::kList && !node.items.empty() && node.items.front().kind == NodeKind::kMap) return {};
  return Json::parse(print_flow(node));
}

Json object_of(const Fields& fields, Extent extent) {
  Json properties = Json::object(), required = Json::array();
  for (const Field& field : fields) {
    Json property{{"description", field.help}};
    if (Json preset = default_of(field); !preset.is_null()) property["default"] = std::move(preset);
    property.update(schema_of(field.target, extent));
    properties[field.name] = std::move(property);
    if (field.presence == Presence::kRequired && extent == Extent::kComplete) required.push_back(field.name);
  }
  Json schema{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (extent == Extent::kComplete) schema["required"] = std::move(required);
  return schema;
}

Json experiment(const Fields& fields) {
  Json schema = object_of(fields, Extent::kChange);
  Json base{{"description", "another experiment file, relative to this one; this file holds what differs from it"},
            {"type", "string"}};
  schema["properties"]["base"] = std::move(base);
  const Json whole_network{{"anyOf", {{{"type", "string"}}, {{"required", {"kind"}}}}}};
  const Json model{{"required", {"network"}}, {"properties", {{"network", whole_network}}}};
  schema["if"] = {{"not", {{"required", {"base"}}}}};
  schema["then"] = {{"required", {"model"}}, {"properties", {{"model", model}}}};
  return schema;
}

template <class Wanted>
const Wanted* find_target(const Fields& fields) {
  for (const Field& field : fields) {
    if (const auto* found = std::get_if<Wanted>(&field.target)) return found;
    const auto* group = std::get_if<GroupTarget>(&field.target);
    if (group == nullptr) continue;
    if (const auto* found = find_target<Wanted>(group->fields)) return found;
  }
  return nullptr;
}

}  // namespace
}  // namespace bn::config

namespace bn {

std::string config_schema() {
  using namespace config;
  Config scratch;  // describing alternatives tries each on it
  const Fields fields = describe(scratch);
  const Json whole = experiment(fields);
  const auto& network = *find_target<TaggedTarget>(fields);
  const Fields inception = network.choose(0);
  const TaggedTarget row = find_target<RowsTarget>(inception)->append();
  const Json row_schema = alternatives(row), row_change = any_keys(row);
  const Json schema{
      {"$schema", "http://json-schema.org/draft-07/schema#"},
      {"title", "An experiment of bninception, or the table of a network"},
      {"if", {{"required", {"kind"}}}},
      {"then", reference(kNetwork)},
      {"else", reference("#/definitions/experiment")},
      {"definitions",
       {{"experiment", whole},
        {"network", alternatives(network)},
        {"network_change", any_keys(network)},
        {"row", row_schema},
        {"row_change", row_change}}},
  };
  return schema.dump(1) + "\n";
}

}  // namespace bn
