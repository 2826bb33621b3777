#include "bn/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/files.hpp"
#include "report/page.hpp"

namespace bn {
namespace {

// The figures that the kept report shows; the others are drawn again from curves.csv.
std::vector<std::string> choose_figures(const ReportOptions& options, const report::Study& study,
                                        const report::Page& page) {
  std::vector<std::string> known;
  for (const report::FigureScript& figure : page.figures) known.push_back(figure.name);
  for (const std::string& name : options.figures) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw ConfigError(fmt::format("there is no figure '{}'; the figures are: {}", name, fmt::join(known, ", ")));
  }
  return options.figures.empty() ? study.kept_figures : options.figures;
}

void erase_empty_sections(std::vector<report::Block>& blocks) {
  const auto begins_section = [](const report::Block& block) {
    const auto* heading = std::get_if<report::Heading>(&block);
    return heading != nullptr && heading->level == 2;
  };
  for (size_t i = blocks.size(); i-- > 0;) {
    const bool is_empty = i + 1 == blocks.size() || begins_section(blocks[i + 1]);
    if (is_empty && begins_section(blocks[i])) blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void write_kept(const ReportOptions& options, report::Study study, report::Page& page, const std::string& folder) {
  study.kept_figures = choose_figures(options, study, page);
  const auto is_kept = [&](const std::string& name) {
    return std::find(study.kept_figures.begin(), study.kept_figures.end(), name) != study.kept_figures.end();
  };
  create_folder(study.kept_figures.empty() ? options.out : folder);
  for (const report::FigureScript& figure : page.figures) {
    if (is_kept(figure.name)) report::draw(figure, folder, report::FigureFiles::kSvgAlone);
  }
  std::vector<report::Block>& blocks = page.document.blocks;
  std::erase_if(blocks, [&](const report::Block& block) {
    const auto* figure = std::get_if<report::Figure>(&block);
    return figure != nullptr && !is_kept(figure->name);
  });
  erase_empty_sections(blocks);
  report::keep_study(study, options.out);
}

}  // namespace

std::vector<std::string> write_report(const ReportOptions& options) {
  const report::Study study = report::read_study(options.inputs, options.baseline);
  const report::Analysis analysis = report::analyse(study);
  const report::Verdict verdict = report::judge(study, analysis);
  report::Page page = report::make_page(study, analysis, verdict);
  const std::string figures = options.out + "/figures";
  if (options.keep) {
    write_kept(options, study, page, figures);
  } else {
    create_folder(figures);
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
