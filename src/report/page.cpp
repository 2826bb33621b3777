// The content of a report, in the order a reader asks: the verdict, the paper's Figures 2 and 3, effects, percentiles,
// curves, how the numbers were made, and every run; and the files that it is written into.
#include "bn/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "bn/error.hpp"
#include "report/chart.hpp"
#include "report/document.hpp"
#include "report/figures.hpp"
#include "report/words.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"
#include "system/text.hpp"

namespace bn::report {
namespace {

std::string subtitle_of(const Study& study) {
  const std::vector<const Run*> runs = study.runs();
  int64_t longest = 0;
  for (const Run* run : runs) longest = std::max(longest, run->last_step);
  const Config& config = study.arms[study.baseline].config();
  return fmt::format("{} with {}, {} of up to {} steps; {} classes{}. The baseline is {}.",
                     plural(static_cast<int64_t>(study.arms.size()), "network"),
                     plural(static_cast<int64_t>(study.seeds().size()), "seed"),
                     plural(static_cast<int64_t>(runs.size()), "run"), with_separators(static_cast<double>(longest)),
                     config.model.classes, config.data.kind == DatasetKind::kShapes ? " of generated images" : "",
                     study.arms[study.baseline].name);
}

std::string runs_in_words(const ArmResult& result) {
  std::string divergence = divergence_in_words(result);
  if (result.finished == 0) return divergence;
  std::string text = fmt::format("{} finished", result.finished);
  for (const std::string& more : {divergence, unscored_in_words(result), learned_in_words(result)}) {
    if (!more.empty()) text += "; " + more;
  }
  return text;
}

// Runs that diverge before their first record have no curves.
bool has_curve(const Study& study, std::optional<double> LogRecord::*field) {
  return std::ranges::any_of(study.runs(), [&](const Run* run) { return !curve_of(*run, field).empty(); });
}

std::string method_sentences(const Analysis& analysis) {
  std::set<Method> used;
  for (const ArmResult& arm : analysis.arms) {
    for (const Comparison& comparison : {arm.accuracy, arm.log_speed_up}) {
      if (comparison.interval) used.insert(comparison.method);
    }
  }
  std::string text;
  if (used.contains(Method::kDunnett)) {
    text +=
        " Differences of accuracy: the variance of what arms and seeds leave unexplained is pooled over arms, and "
        "Dunnett's quantile (J. Am. Stat. Assoc. 50, 1955, 1096) corrects for the number of arms.";
  }
  if (used.contains(Method::kPooledRatio)) {
    text +=
        " Ratios of steps, as logarithms: the variance of the paired differences is pooled over arms, with "
        "Satterthwaite's degrees of freedom (Biometrics 2, 1946, 110) and Bonferroni's correction.";
  }
  if (used.contains(Method::kPairedT)) {
    text +=
        " An arm that lacks seeds, or whose variance is not the others' (F tests), and every arm where there are too "
        "few to pool, has a paired t interval of its own with Bonferroni's correction.";
  }
  return text;
}

std::vector<Text> row_of(const Arm& arm, const Run& run) {
  const std::optional<Point> best = best_accuracy(run);
  const std::vector<Point> accuracies = curve_of(run, &LogRecord::validation_top1);
  const std::vector<Point> seconds = curve_of(run, &LogRecord::seconds);
  const std::optional<double> rate = images_per_second(run);
  return {plain(arm.name),
          plain(std::to_string(run.seed)),
          plain(run.state),
          plain(best ? percent(best->value) : "\u2013"),
          plain(best ? with_separators(static_cast<double>(best->step)) : "\u2013"),
          plain(accuracies.empty() ? "\u2013" : percent(accuracies.back().value)),
          plain(with_separators(static_cast<double>(run.last_step))),
          plain(seconds.empty() ? "\u2013" : describe_duration(seconds.back().value)),
          plain(rate ? with_separators(std::round(*rate)) : "\u2013"),
          {{.text = "configuration", .link = "#" + anchor_of("config", arm.name)}}};
}

struct Page {
  Document document{};
  std::vector<FigureScript> figures{};  // that the document names
};

class PageWriter {
 public:
  PageWriter(const Study& study, const Analysis& analysis, const Verdict& verdict)
      : study_(study), analysis_(analysis), verdict_(verdict) {}
  Page write() {
    page_.document.title = study_.name;
    page_.document.subtitle = subtitle_of(study_);
    add_verdict();
    add_arms();
    add_accuracy();
    add_effects();
    add_probes();
    add_curves();
    add_method();
    add_runs();
    add_configurations();
    return std::move(page_);
  }

 private:
  void add(Block block) { page_.document.blocks.push_back(std::move(block)); }
  void add_figure(FigureScript script, const std::string& title, const std::string& caption) {
    add(Figure{.name = script.name, .title = title, .caption = caption});
    page_.figures.push_back(std::move(script));
  }

  const std::string& baseline() const { return study_.arms[study_.baseline].name; }

  void add_verdict() {
    add(Headline{verdict_.headline});
    if (!verdict_.claims.empty()) add(ClaimList{verdict_.claims});
    List list;
    for (const std::string& effect : verdict_.effects) list.items.push_back(plain(effect));
    for (const std::string& note : study_.notes) list.items.push_back(plain(note));
    if (!list.items.empty()) add(std::move(list));
  }

  // The paper's Figure 3.
  void add_arms() {
    add(Heading{.text = "Steps to the baseline's best accuracy, and the best of each", .anchor = "table"});
    const bool compares = study_.arms.size() > 1;
    Table table{.header = {"network", "runs", "best accuracy"}};
    if (compares)
      table.header.insert(table.header.end(), {"against the baseline, points", "steps to its best", "times fewer"});
    table.header.emplace_back("images/s");
    for (size_t arm = 0; arm < study_.arms.size(); ++arm) {
      const ArmResult& result = analysis_.arms[arm];
      const std::string& name = study_.arms[arm].name;
      std::vector<Text> row{{{.text = name, .link = "#" + anchor_of("config", name)}},
                            plain(runs_in_words(result)),
                            plain(percent_pm(result.best_accuracy))};
      if (compares) {
        std::string effect = arm == study_.baseline ? "baseline" : "\u2013";
        if (arm != study_.baseline && result.accuracy.pairs > 0) {
          effect = signed_points(result.accuracy.difference);
          if (result.accuracy.interval) effect += fmt::format(" ({})", points_between(*result.accuracy.interval));
        } else if (arm != study_.baseline && !result.is_comparable() && !result.has_diverged()) {
          effect = shortcoming_in_words(result);
        }
        row.push_back(plain(effect));
        row.push_back(plain(steps_in_words(result.steps)));
        row.push_back(plain(arm == study_.baseline ? "1" : speed_up_in_words(result)));
      }
      row.push_back(
          plain(result.images_per_second ? with_separators(std::round(*result.images_per_second)) : "\u2013"));
      table.rows.push_back(std::move(row));
    }
    add(std::move(table));
    add(Paragraph{plain(
        "Best accuracy is the mean over the finished seeds, with its 95\u00a0% interval. Differences and ratios stand "
        "with their 95\u00a0% intervals, which hold for all networks together. A difference whose interval excludes 0, "
        "or a ratio whose interval excludes 1, is significant at 5\u00a0%. Steps are the geometric mean over seeds; "
        "there is none where a run never got there. A ratio has no interval where the accuracies do not differ "
        "significantly: the baseline's best is the highest of its noisy evaluations, and a network that is no "
        "different reaches it by chance, mostly sooner. A name leads to what differs in its configuration.")});
  }

  void add_accuracy() {
    add(Heading{.text = "Accuracy against steps", .anchor = "accuracy"});
    std::string caption = "Lines are means over the seeds that finished";
    caption += study_.arms.size() > kMostBands ? "." : ", bands reach from the lowest to the highest.";
    if (analysis_.mean_target) {
      caption += fmt::format(
          " The dashed line is the best accuracy of {}, the mean over its seeds; a point on a curve is the step, the "
          "mean over seeds, at which that network's runs have reached it, where all of them do.",
          baseline());
    }
    const bool diverged =
        std::ranges::any_of(analysis_.arms, [](const ArmResult& arm) { return !arm.diverged_at.empty(); });
    if (diverged) caption += " A cross marks a run that diverged.";
    add_figure(accuracy_figure(study_, analysis_), "Validation accuracy, as the paper's Figure 2", caption);
  }

  void add_effects() {
    const auto has_effect = [](const ArmResult& arm) { return arm.accuracy.pairs > 0 || arm.log_speed_up.pairs > 0; };
    if (study_.arms.size() < 2 || std::ranges::none_of(analysis_.arms, has_effect)) return;
    add(Heading{.text = "What each change does", .anchor = "effects"});
    add_figure(effects_figure(study_, analysis_), "Effects against " + baseline(),
               "Left, the difference of best accuracies; right, how many times fewer steps to the baseline's best, on "
               "a logarithmic scale. Bars are 95\u00a0% intervals that hold together; one that crosses the dashed line "
               "cannot be told apart from the baseline. A hollow point has no interval.");
  }

  void add_probes() {
    const std::vector<ProbeFigure> figures = probe_figures(study_);
    if (figures.empty()) return;
    add(Heading{.text = "What enters a nonlinearity over training", .anchor = "probes"});
    for (const ProbeFigure& figure : figures) {
      add_figure(figure.script,
                 fmt::format("Input of {}, unit {}, as the paper's Figure 1b, c", figure.op, figure.unit),
                 "The 15th, 50th and 85th percentiles over a fixed set of validation images, in the run with the "
                 "lowest seed of each network.");
    }
  }

  void add_curves() {
    if (!has_curve(study_, &LogRecord::loss) || !has_curve(study_, &LogRecord::learning_rate)) return;
    add(Heading{.text = "Loss and learning rate", .anchor = "curves"});
    add_figure(loss_figure(study_), "Training loss",
               std::string("Means over at most sixty stretches of the run and over seeds") +
                   (study_.arms.size() > kMostBands ? "." : "; bands from the lowest seed to the highest."));
    add_figure(learning_rate_figure(study_), "Learning rate",
               fmt::format("As it was used. Networks with the same schedule share a line: {}.",
                           fmt::join(schedule_names(study_), "; ")));
  }

  void add_method() {
    add(Heading{.text = "How the numbers were made", .anchor = "method"});
    std::string text =
        "Best accuracy is the highest validation accuracy of a run's evaluations. The target of a run is the best of "
        "the baseline's run with the same seed, and a run reaches it where the line between its evaluations first "
        "does. Runs with the same seed share the order of the data and, where shapes agree, the initial weights, so "
        "networks are compared in pairs." +
        method_sentences(analysis_) +
        fmt::format(
            " Runs that diverged are counted, not averaged. A network did not learn, and takes no part in comparisons, "
            "where none of its accuracies is above what guesses reach by luck: the 95\u00a0% quantile of the binomial "
            "distribution for {} and {}, with Bonferroni's correction for the number of its evaluations.{} Nothing is "
            "bootstrapped.",
            images_in_words(analysis_.images),
            study_.majority > 0 ? fmt::format("a guess that is right for {}", percent(analysis_.chance))
                                : "classes of equal size",
            analysis_.images.is_assumed ? " No run recorded the number of images: the lowest from 100 on, of which all "
                                          "accuracies are shares, is assumed."
                                        : "");
    add(Paragraph{plain(text)});
  }

  void add_runs() {
    add(Heading{.text = "Every run", .anchor = "runs"});
    Table table{.header = {"network", "seed", "outcome", "best", "at step", "last", "steps", "time", "images/s", ""}};
    std::set<std::string> versions;
    for (const Arm& arm : study_.arms) {
      for (const Run& run : arm.runs) {
        table.rows.push_back(row_of(arm, run));
        if (!run.version.empty()) versions.insert(run.version);
      }
    }
    add(std::move(table));
    if (!versions.empty()) {
      add(Paragraph{plain(fmt::format("Version of the program: {}.", fmt::join(versions, "; ")))});
    }
  }

  void add_configurations() {
    add(Heading{.text = "What differs in the configurations", .anchor = "configurations"});
    const Arm& baseline_arm = study_.arms[study_.baseline];
    const std::filesystem::path root = folder_of_all(study_);
    for (const Arm& arm : study_.arms) {
      add(Heading{.text = arm.name, .anchor = anchor_of("config", arm.name), .level = 3});
      std::string folders;
      for (const Run& run : arm.runs) {
        folders += (folders.empty() ? "" : ", ") + relative_folder(run, root);
      }
      if (&arm == &baseline_arm) {
        add(Paragraph{plain("The baseline. Its runs, each with its resolved config.yaml: " + folders + ".")});
        continue;
      }
      std::vector<std::string> lines = diff(baseline_arm.config(), arm.config());
      std::erase_if(lines, [](const std::string& line) { return line.starts_with("train.seed:"); });
      add(Code{lines.empty() ? "nothing\n" : fmt::format("{}\n", fmt::join(lines, "\n"))});
      add(Paragraph{plain("Runs: " + folders + ".")});
    }
  }

  const Study& study_;
  const Analysis& analysis_;
  const Verdict& verdict_;
  Page page_{};
};

// The figures that are kept; the others are drawn again from curves.csv.
std::vector<std::string> choose_figures(const ReportOptions& options, const Study& study, const Page& page) {
  std::vector<std::string> known;
  for (const FigureScript& figure : page.figures) known.push_back(figure.name);
  for (const std::string& name : options.figures) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw ConfigError(fmt::format("there is no figure '{}'; the figures are: {}", name, fmt::join(known, ", ")));
  }
  return options.figures.empty() ? study.kept_figures : options.figures;
}

void erase_empty_sections(std::vector<Block>& blocks) {
  const auto begins_section = [](const Block& block) {
    const auto* heading = std::get_if<Heading>(&block);
    return heading != nullptr && heading->level == 2;
  };
  for (size_t i = blocks.size(); i-- > 0;) {
    const bool is_empty = i + 1 == blocks.size() || begins_section(blocks[i + 1]);
    if (is_empty && begins_section(blocks[i])) blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

constexpr const char* kGenerator = "bninception report";

void add_figure_files(const std::string& name, std::vector<std::string>& files) {
  for (const char* kind : {"svg", "png", "gp"}) files.push_back(fmt::format("figures/{}.{}", name, kind));
}

// A page and a kept study may lie in one folder; either says whose it is.
void expect_own_report(const ReportOptions& options, const std::vector<std::string>& files) {
  expect_own_files("--out", options.out, files, {page_mark(kGenerator), {"study.yaml", "{\n \"name\": "}});
}

void write_kept(const ReportOptions& options, Study study, Page& page, const std::string& folder) {
  study.kept_figures = choose_figures(options, study, page);
  const auto is_kept = [&](const std::string& name) {
    return std::ranges::find(study.kept_figures, name) != study.kept_figures.end();
  };
  std::vector<std::string> files{"study.yaml", "curves.csv", "report.md"};
  for (const std::string& name : study.kept_figures) add_figure_files(name, files);
  expect_own_report(options, files);
  create_folder(study.kept_figures.empty() ? options.out : folder);
  keep_study(study, options.out);
  for (const FigureScript& figure : page.figures) {
    if (is_kept(figure.name)) draw(figure, folder, FigureFiles::kSvgAlone);
  }
  std::vector<Block>& blocks = page.document.blocks;
  std::erase_if(blocks, [&](const Block& block) {
    const auto* figure = std::get_if<Figure>(&block);
    return figure != nullptr && !is_kept(figure->name);
  });
  erase_empty_sections(blocks);
}

void write_page(const ReportOptions& options, const Page& page, const std::string& folder) {
  std::vector<std::string> files{"index.html", "report.md"};
  for (const FigureScript& figure : page.figures) add_figure_files(figure.name, files);
  expect_own_report(options, files);
  create_folder(folder);
  begin_page(options.out, kGenerator);
  for (const FigureScript& figure : page.figures) draw(figure, folder, FigureFiles::kAll);
  write_file(options.out + "/index.html", to_html(page.document, options.out));
}

}  // namespace
}  // namespace bn::report

namespace bn {

void begin_page(const std::string& folder, const std::string& generator) {
  const std::string path = folder + "/index.html";
  if (std::filesystem::exists(path)) return;
  write_file(path,
             report::html_page(generator, "Not finished", "The command that writes this page has not ended.", ""));
}

std::vector<std::string> write_report(const ReportOptions& options) {
  const report::Study study = report::read_study(options.inputs, options.baseline);
  const report::Analysis analysis = report::analyse(study);
  const report::Verdict verdict = report::judge(study, analysis);
  report::Page page = report::PageWriter(study, analysis, verdict).write();
  const std::string figures = options.out + "/figures";
  const FileDescriptor turn = take_turn(options.out);
  if (options.keep) {
    report::write_kept(options, study, page, figures);
  } else {
    report::write_page(options, page, figures);
  }
  write_file(options.out + "/report.md", report::to_markdown(page.document));

  std::vector<std::string> lines{verdict.headline};
  for (const report::Claim& claim : verdict.claims) {
    lines.push_back(fmt::format("{}: {} {}", report::words_of(claim.finding).name, claim.claim, claim.evidence));
  }
  lines.insert(lines.end(), verdict.effects.begin(), verdict.effects.end());
  lines.insert(lines.end(), study.notes.begin(), study.notes.end());
  return lines;
}

}  // namespace bn
