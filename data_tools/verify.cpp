// bn-data verify: compares a packed set with the checksums made when it was packed.
#include "packing/verify.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "system/files.hpp"
#include "system/text.hpp"
#include "system/usable_cores.hpp"

namespace bn {
namespace {

nlohmann::json as_json(const std::vector<Finding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) list.push_back({{"kind", finding.kind}, {"message", finding.message}});
  return list;
}

void print_json(const VerifyReport& report) {
  nlohmann::json object = {{"ok", report.problems.empty()},
                           {"splits", nlohmann::json::object()},
                           {"problems", as_json(report.problems)},
                           {"notes", as_json(report.notes)}};
  for (const SplitReport& split : report.splits) {
    nlohmann::json traits = nlohmann::json::object();
    for (size_t i = 0; i < split.traits.size(); ++i) traits[kTraitNames[i]] = split.traits[i];
    object["splits"][split_name(split.split)] = {{"images", split.images},
                                                 {"shards", split.shards},
                                                 {"bytes", split.bytes},
                                                 {"classes", split.classes_present},
                                                 {"traits", traits}};
  }
  say("{}\n", json_text(object, 2));
}

// The first ten, and how many there are.
void print_notes(const std::vector<Finding>& notes) {
  constexpr size_t kMost = 10;
  for (size_t i = 0; i < std::min(kMost, notes.size()); ++i) {
    say("note ({}): {}\n", notes[i].kind, notes[i].message);
  }
  if (notes.size() > kMost) say("and {} notes more; --json has all\n", notes.size() - kMost);
  const auto is_duplicate = [](const Finding& note) { return note.kind == "duplicate"; };
  const auto shared = std::ranges::count_if(notes, is_duplicate);
  if (shared > 0) say("{} of the validation images are training images too\n", shared);
}

void print_text(const VerifyReport& report) {
  for (const SplitReport& split : report.splits) {
    say("{}: {} images of {} classes in {} shards, {:.1f} MB\n", split_name(split.split), split.images,
        split.classes_present, split.shards, static_cast<double>(split.bytes) / 1e6);
  }
  print_notes(report.notes);
  for (const Finding& problem : report.problems) say("PROBLEM ({}): {}\n", problem.kind, problem.message);
  if (report.problems.empty()) {
    say("no problem found\n");
  } else {
    say("{} problem(s) found\n", report.problems.size());
  }
}

struct VerifyArguments {
  std::string folder;
  bool decode = false, json = false;
  int64_t workers = usable_cores().count;
};

}  // namespace

void add_verify_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = app.add_subcommand("verify", "Check a packed set: every byte, and what it means");
  command->add_option("DIR", arguments->folder, "Folder made by bn-data pack")->required();
  command->add_flag("--decode", arguments->decode, "Decode every image, strictly");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->add_option("--workers", arguments->workers, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  command->footer(
      "Finds every truncation and every changed byte, images outside their shards and labels out of range; of the\n"
      "official archives also classes with too few images. Exit code 4 if there is a problem. Validation images that\n"
      "are training images too are noted and counted, but are no problem of the set's bytes.");
  command->callback([arguments, &exit_code] {
    expect_open_output();
    VerifyReport report;
    {
      ProgressReport progress("verified");
      report = verify(arguments->folder, arguments->decode ? Depth::kDecode : Depth::kChecksums, arguments->workers,
                      [&](const PackProgress& done) { progress.show(done); });
    }
    arguments->json ? print_json(report) : print_text(report);
    exit_code = report.problems.empty() ? ExitCode::kSuccess : ExitCode::kData;
  });
}

}  // namespace bn
