#include <fmt/format.h>

#include "bn/error.hpp"
#include "report/document.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn::report {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.2rem 1.5rem 4rem; max-width: 62rem; background: #fff; color: #1d1f21;
  font: 1rem/1.55 "Source Sans 3", "Source Sans Pro", "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .2rem; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.6rem 0 .7rem; padding-top: .7rem; border-top: 1px solid #d8dadd; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, ul { margin: .6rem 0; max-width: 46rem; }
li { margin: .2rem 0; }
a { color: #0b5394; text-decoration: none; } a:hover { text-decoration: underline; }
.subtitle { color: #5a5f66; margin: 0 0 1.4rem; }
.headline { font-size: 1.35rem; line-height: 1.35; font-weight: 600; max-width: none; margin: .4rem 0 1rem;
  overflow-wrap: anywhere; }
.claims { list-style: none; margin: 0; padding: 0; max-width: none; }
.claims li { display: grid; grid-template-columns: 8.2rem 1fr; gap: 0 1rem; padding: .55rem 0; margin: 0;
  border-top: 1px solid #e4e6e8; break-inside: avoid; }
.claims p { margin: 0; max-width: none; } .claims .evidence { color: #4a4f55; }
.finding { font-weight: 600; white-space: nowrap; }
.held { color: #00664b; } .failed { color: #a8440a; } .unclear { color: #5a5f66; }
/* What is wider than the screen scrolls; a shadow at an edge says that there is more behind it. */
.wide { overflow-x: auto; background:
  linear-gradient(to right, #fff 30%, #fff0) left / 2.5rem 100% local, linear-gradient(to left, #fff 30%, #fff0) right / 2.5rem 100% local,
  linear-gradient(to right, #0003, #0000) left / .8rem 100% scroll, linear-gradient(to left, #0003, #0000) right / .8rem 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .92rem; line-height: 1.4; width: 100%; }
th, td { padding: .34rem .7rem; text-align: right; vertical-align: top; font-variant-numeric: tabular-nums; }
th { font-weight: 600; vertical-align: bottom; border-bottom: 1.5px solid #1d1f21; }
td { border-bottom: 1px solid #e4e6e8; }
td { white-space: nowrap; } td.words { white-space: normal; min-width: 7rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tr { break-inside: avoid; }
figure { margin: 1rem 0 1.6rem; break-inside: avoid; }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto; mix-blend-mode: multiply; }
figcaption { font-size: .92rem; color: #4a4f55; max-width: 46rem; margin-top: .3rem; }
figcaption b { color: #1d1f21; }
pre { font: .84rem/1.5 "Liberation Mono", "DejaVu Sans Mono", monospace; background: #f6f7f8; padding: .7rem .9rem;
  margin: .6rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
td.bar { width: 40%; min-width: 8rem; } td.bar i { display: block; height: .8rem; margin: .28rem 0; background: #0b5394; }
table.confusion { width: auto; } .confusion td { border: 1px solid #fff; padding: .2rem .45rem; }
.confusion thead th { writing-mode: vertical-rl; text-align: right; padding: .3rem .1rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1.2rem; }
.gallery figure { margin: 0; } .gallery img { display: block; max-width: 100%; } .gallery figcaption { overflow-wrap: anywhere; }
img.filters { image-rendering: pixelated; max-width: 100%; }
@media (max-width: 40rem) {
  body { padding: 1.2rem 1rem 3rem; }
  .claims li { grid-template-columns: 1fr; }
}
@page { margin: 16mm 15mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  h2, h3 { break-after: avoid; margin-top: 1.6rem; }
  a { color: inherit; } pre { background: none; border: 1px solid #e4e6e8; break-inside: avoid; }
  .wide { overflow: visible; background: none; } table { font-size: 8.5pt; } th, td { padding: .25rem .45rem; }
  figure svg { max-height: 105mm; min-width: 0; }
  .claims li { padding: .3rem 0; grid-template-columns: 6.5rem 1fr; } .claims, figcaption { font-size: 9pt; }
}
)css";

std::string to_text(const Text& text) {
  std::string line;
  for (const Span& span : text) {
    line += span.link.empty() ? escape_html(span.text)
                              : fmt::format("<a href=\"{}\">{}</a>", escape_html(span.link), escape_html(span.text));
  }
  return line;
}

struct Writer {
  std::string folder{};
  std::string out{};

  void operator()(const Heading& heading) {
    const std::string anchor = heading.anchor.empty() ? "" : fmt::format(" id=\"{}\"", heading.anchor);
    out += fmt::format("<h{0}{1}>{2}</h{0}>\n", heading.level, anchor, escape_html(heading.text));
  }
  void operator()(const Paragraph& paragraph) { out += fmt::format("<p>{}</p>\n", to_text(paragraph.text)); }
  void operator()(const Headline& headline) {
    out += fmt::format("<p class=\"headline\">{}</p>\n", escape_html(headline.text));
  }
  void operator()(const ClaimList& list) {
    out += "<ul class=\"claims\">\n";
    for (const Claim& claim : list.claims) {
      const FindingWords& words = words_of(claim.finding);
      out += fmt::format(
          "<li><span class=\"finding {}\">{} {}</span><div><p>{}</p><p class=\"evidence\">{}</p></div></li>\n",
          words.style, words.sign, words.name, escape_html(claim.claim), escape_html(claim.evidence));
    }
    out += "</ul>\n";
  }
  void operator()(const List& list) {
    out += "<ul>\n";
    for (const Text& item : list.items) out += fmt::format("<li>{}</li>\n", to_text(item));
    out += "</ul>\n";
  }
  void operator()(const Table& table) {
    out += "<div class=\"wide\"><table>\n<thead><tr>";
    for (const std::string& cell : table.header) out += fmt::format("<th>{}</th>", escape_html(cell));
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
      out += "<tr>";
      for (const Text& cell : row) {
        // Numbers stay whole; text that is longer than any number may break.
        constexpr size_t kNumber = 26;
        const bool is_words = cell.size() == 1 && count_characters(cell.front().text) > kNumber;
        out += fmt::format("<td{}>{}</td>", is_words ? " class=\"words\"" : "", to_text(cell));
      }
      out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
  }
  void operator()(const Figure& figure) {
    out += fmt::format("<figure>\n<div class=\"wide\">{}</div>\n<figcaption><b>{}.</b> {}</figcaption>\n</figure>\n",
                       svg_of(figure), escape_html(figure.title), escape_html(figure.caption));
  }
  void operator()(const Code& code) { out += fmt::format("<pre>{}</pre>\n", escape_html(code.text)); }

  // The drawing without its XML head; names inside it get the figure's, because a page has them all together.
  std::string svg_of(const Figure& figure) const {
    std::string text;
    const std::string path = fmt::format("{}/figures/{}.svg", folder, figure.name);
    if (read_file(path, text) == ReadResult::kMissing) throw StorageError(fmt::format("cannot read '{}'", path));
    const size_t begin = text.find("<svg");
    if (begin == std::string::npos) throw StorageError(fmt::format("'{}' is no SVG", path));
    text.erase(0, begin);
    for (const char* mark : {" id=\"", " id='", "url(#", "href='#", "href=\"#"}) {
      const std::string_view name(mark);
      for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += name.size()) {
        text.insert(at + name.size(), figure.name + "_");
      }
    }
    const size_t head_end = text.find('>');
    if (head_end != std::string::npos) text.insert(head_end + 1, "<title>" + escape_html(figure.title) + "</title>");
    return text;
  }
};

}  // namespace

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"') {
      escaped += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string html_page(const std::string& generator, const std::string& title, const std::string& subtitle,
                      const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"generator\" content=\"{4}\">\n<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<h1>{0}</h1>\n<p class=\"subtitle\">{2}</p>\n{3}</body>\n</html>\n",
      escape_html(title), kStyle, escape_html(subtitle), body, generator);
}

std::string to_html(const Document& document, const std::string& folder) {
  Writer writer{.folder = folder};
  for (const Block& block : document.blocks) std::visit(writer, block);
  return html_page("bninception report", document.title, document.subtitle, writer.out);
}

}  // namespace bn::report
