#include "bn/report.hpp"

#include <fmt/format.h>

#include "core/files.hpp"
#include "report/page.hpp"

namespace bn {
namespace {

// The figures that a README shows; the others are drawn again from curves.csv.
bool is_kept(const std::string& figure) { return figure == "accuracy" || figure == "effects"; }

}  // namespace

std::vector<std::string> write_report(const ReportOptions& options) {
  const report::Study study = report::read_study(options.inputs, options.baseline);
  const report::Analysis analysis = report::analyse(study);
  const report::Verdict verdict = report::judge(study, analysis);
  report::Page page = report::make_page(study, analysis, verdict);
  const std::string figures = options.out + "/figures";
  create_folder(figures);
  if (options.keep) {
    for (const report::FigureScript& figure : page.figures) {
      if (is_kept(figure.name)) report::draw(figure, figures, report::FigureFiles::kSvgAlone);
    }
    std::erase_if(page.document.blocks, [](const report::Block& block) {
      const auto* figure = std::get_if<report::Figure>(&block);
      return figure != nullptr && !is_kept(figure->name);
    });
    report::keep_study(study, options.out);
  } else {
    for (const report::FigureScript& figure : page.figures) report::draw(figure, figures, report::FigureFiles::kAll);
    write_file(options.out + "/index.html", report::to_html(page.document, options.out));
  }
  write_file(options.out + "/report.md", report::to_markdown(page.document));

  std::vector<std::string> lines{verdict.headline};
  for (const report::Claim& claim : verdict.claims) {
    lines.push_back(fmt::format("{}: {} {}", report::name_of(claim.finding), claim.claim, claim.evidence));
  }
  lines.insert(lines.end(), verdict.effects.begin(), verdict.effects.end());
  lines.insert(lines.end(), study.notes.begin(), study.notes.end());
  return lines;
}

}  // namespace bn
