// A page about one evaluation: accuracy by class, what is taken for what, the worst mistakes, the first filters.
#include <fmt/format.h>

#include <algorithm>

#include "bn/report.hpp"
#include "report/document.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

using report::escape_html;

double percent_of(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

// The classes that have images, the worst first.
std::vector<EvaluationPage::Class> classes_by_accuracy(const EvaluationPage& page) {
  std::vector<EvaluationPage::Class> classes = page.classes;
  std::erase_if(classes, [](const auto& one) { return one.images == 0; });
  std::ranges::stable_sort(classes, [](const auto& a, const auto& b) {
    return percent_of(a.right, a.images) < percent_of(b.right, b.images);
  });
  return classes;
}

std::string accuracy_table(const EvaluationPage& page) {
  std::string out =
      "<h2>Accuracy by class</h2>\n<div class=\"wide\"><table>\n"
      "<thead><tr><th>class</th><th>images</th><th>right</th><th>top-1</th><th></th></tr></thead>\n<tbody>\n";
  for (const EvaluationPage::Class& one : classes_by_accuracy(page)) {
    const double percent = percent_of(one.right, one.images);
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1f} %</td><td class=\"bar\"><i style=\"width:{:.1f}%\"></i></td>"
        "</tr>\n",
        escape_html(one.name), one.images, one.right, percent, percent);
  }
  return out + "</tbody></table></div>\n";
}

std::string frequent_confusions(const EvaluationPage& page) {
  constexpr size_t kMost = 20;
  using Confusion = std::pair<std::pair<int32_t, int32_t>, int64_t>;  // an element of page.answers
  std::vector<Confusion> found(page.answers.begin(), page.answers.end());
  std::erase_if(found, [](const Confusion& one) { return one.first.first == one.first.second; });
  if (found.empty()) return "<p>No image was taken for another class.</p>\n";
  std::ranges::stable_sort(found, [](const Confusion& a, const Confusion& b) { return a.second > b.second; });
  found.resize(std::min(found.size(), kMost));
  std::string out =
      "<div class=\"wide\"><table>\n<thead><tr><th>class</th><th>taken for</th><th>images</th><th>of the "
      "class</th></tr></thead>\n<tbody>\n";
  for (const auto& [classes, images] : found) {
    const EvaluationPage::Class& label = page.classes[static_cast<size_t>(classes.first)];
    const EvaluationPage::Class& answer = page.classes[static_cast<size_t>(classes.second)];
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1f} %</td></tr>\n", escape_html(label.name),
                       escape_html(answer.name), images, percent_of(images, label.images));
  }
  return out + "</tbody></table></div>\n";
}

// A row a class. A cell is as dark as its share of the row: blue on the diagonal, red beside it.
std::string confusion_matrix(const EvaluationPage& page) {
  std::string out = "<div class=\"wide\"><table class=\"confusion\">\n<thead><tr><th></th>";
  for (const EvaluationPage::Class& one : page.classes) out += fmt::format("<th>{}</th>", escape_html(one.name));
  out += "</tr></thead>\n<tbody>\n";
  const auto count = static_cast<int32_t>(page.classes.size());
  for (int32_t label = 0; label < count; ++label) {
    const EvaluationPage::Class& of_row = page.classes[static_cast<size_t>(label)];
    out += fmt::format("<tr><td>{}</td>", escape_html(of_row.name));
    for (int32_t answer = 0; answer < count; ++answer) {
      const auto found = page.answers.find({label, answer});
      if (found == page.answers.end()) {
        out += "<td></td>";
        continue;
      }
      constexpr double kLightest = 0.1, kRange = 0.006;  // a percent
      const char* colour = label == answer ? "11,83,148" : "168,68,10";
      out += fmt::format("<td style=\"background:rgba({},{:.2f})\">{}</td>", colour,
                         kLightest + kRange * percent_of(found->second, of_row.images), found->second);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string mistakes(const EvaluationPage& page) {
  if (page.mistakes.empty()) return "";
  std::string out =
      "<h2>The worst mistakes</h2>\n<p>The wrong answers that gave the right class the least probability.</p>\n"
      "<div class=\"gallery\">\n";
  for (const EvaluationPage::Mistake& mistake : page.mistakes) {
    out += "<figure>";
    out += fmt::format("<img src=\"{}\" alt=\"{}\" loading=\"lazy\">", escape_html(mistake.picture),
                       escape_html(mistake.image));
    out += fmt::format("<figcaption title=\"{}\"><b>{}</b> {:.1f} %", escape_html(mistake.image),
                       escape_html(mistake.label), 100 * mistake.label_probability);
    for (const std::string& answer : mistake.answers) out += "<br>" + escape_html(answer);
    out += "</figcaption></figure>\n";
  }
  return out + "</div>\n";
}

}  // namespace

void write_evaluation_page(const EvaluationPage& page, const std::string& folder) {
  constexpr size_t kMostInMatrix = 40;
  std::string body = accuracy_table(page) + "<h2>What is taken for what</h2>\n";
  if (page.classes.size() <= kMostInMatrix) body += confusion_matrix(page);
  body += frequent_confusions(page) + mistakes(page);
  if (!page.filters.empty()) {
    body += fmt::format(
        "<h2>The first convolution's filters</h2>\n<img class=\"filters\" src=\"{}\" alt=\"filters\">\n"
        "<p>Grey is zero; each filter is scaled by its largest weight.</p>\n",
        escape_html(page.filters));
  }
  write_file(folder + "/index.html", report::html_page("bninception evaluate", page.title, page.subtitle, body));
}

}  // namespace bn
