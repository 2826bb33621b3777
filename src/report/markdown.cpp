#include <fmt/format.h>

#include <cctype>

#include "report/document.hpp"

namespace bn::report {
namespace {

std::string escape_markdown(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\`*_[]<>|#").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string markdown_of(const Text& text) {
  std::string line;
  for (const Span& span : text) {
    line +=
        span.link.empty() ? escape_markdown(span.text) : fmt::format("[{}]({})", escape_markdown(span.text), span.link);
  }
  return line;
}

struct MarkdownWriter {
  std::string out{};

  void operator()(const Heading& heading) {
    const std::string anchor = heading.anchor.empty() ? "" : fmt::format("<a id=\"{}\"></a>", heading.anchor);
    out += fmt::format("{} {}{}\n\n", std::string(static_cast<size_t>(heading.level), '#'), anchor,
                       escape_markdown(heading.text));
  }
  void operator()(const Paragraph& paragraph) { out += markdown_of(paragraph.text) + "\n\n"; }
  void operator()(const Headline& headline) { out += fmt::format("**{}**\n\n", escape_markdown(headline.text)); }
  void operator()(const ClaimList& list) {
    out += "| claim of the paper | here | measured |\n|---|---|---|\n";
    for (const Claim& claim : list.claims) {
      out += fmt::format("| {} | **{}** | {} |\n", escape_markdown(claim.claim), words_of(claim.finding).name,
                         escape_markdown(claim.evidence));
    }
    out += '\n';
  }
  void operator()(const List& list) {
    for (const Text& item : list.items) out += fmt::format("- {}\n", markdown_of(item));
    out += '\n';
  }
  void operator()(const Table& table) {
    std::string rule;
    for (size_t i = 0; i < table.header.size(); ++i) {
      out += fmt::format("| {} ", escape_markdown(table.header[i]));
      rule += i == 0 ? "|---" : "|---:";
    }
    out += fmt::format("|\n{}|\n", rule);
    for (const auto& row : table.rows) {
      for (const Text& cell : row) out += fmt::format("| {} ", markdown_of(cell));
      out += "|\n";
    }
    out += '\n';
  }
  void operator()(const Figure& figure) {
    out += fmt::format("![{0}](figures/{1}.svg)\n\n**{0}.** {2}\n\n", escape_markdown(figure.title), figure.name,
                       escape_markdown(figure.caption));
  }
  void operator()(const Code& code) { out += fmt::format("```\n{}```\n\n", code.text); }
};

}  // namespace

std::string to_markdown(const Document& document) {
  MarkdownWriter writer{
      .out = fmt::format("# {}\n\n{}\n\n", escape_markdown(document.title), escape_markdown(document.subtitle))};
  for (const Block& block : document.blocks) std::visit(writer, block);
  writer.out.pop_back();
  return writer.out;
}

std::string anchor_of(const std::string& prefix, const std::string& name) {
  std::string anchor = prefix + "-";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = std::isalnum(byte) != 0 || c == '_' || c == '-';
    anchor += is_plain ? std::string(1, c) : fmt::format("-{:02x}", byte);
  }
  return anchor;
}

}  // namespace bn::report
