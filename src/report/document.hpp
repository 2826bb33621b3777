// A report's content, which is written twice: as one HTML page and as Markdown.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "report/verdict.hpp"

namespace bn::report {

// One piece of running text.
struct Span {
  std::string text{};
  std::string link{};  // "#anchor" or an address; empty = none
};
using Text = std::vector<Span>;
inline Text plain(std::string text) { return {{.text = std::move(text)}}; }

struct Heading {
  std::string text{};
  std::string anchor{};
  int level = 2;
};
struct Paragraph {
  Text text{};
};
struct Headline {
  std::string text{};
};
struct ClaimList {
  std::vector<Claim> claims{};
};
struct List {
  std::vector<Text> items{};
};
struct Table {
  std::vector<std::string> header{};
  std::vector<std::vector<Text>> rows{};  // the first column is text, the others numbers
};
struct Figure {
  std::string name{};  // figures/NAME.svg and .png
  std::string title{};
  std::string caption{};
};
struct Code {
  std::string text{};
};
using Block = std::variant<Heading, Paragraph, Headline, ClaimList, List, Table, Figure, Code>;

struct Document {
  std::string title{};
  std::string subtitle{};
  std::vector<Block> blocks{};
};

// `folder` holds figures/; their SVGs become part of the page.
std::string to_html(const Document& document, const std::string& folder);
std::string to_markdown(const Document& document);

// A whole page in the look of a report; `body` is HTML. By the generator's name the command knows its own pages.
std::string html_page(const std::string& generator, const std::string& title, const std::string& subtitle,
                      const std::string& body);
std::string escape_html(const std::string& text);

std::string anchor_of(const std::string& prefix, const std::string& name);  // letters, digits, - and _; others as -20

}  // namespace bn::report
