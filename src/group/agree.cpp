// The processes of a group agree here on errors, on values, and on who computes which part.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "bn/group.hpp"

namespace bn {
namespace {

std::string process_name(int64_t rank, const std::string& host) { return fmt::format("process {} on {}", rank, host); }

struct Failure {
  ExitCode exit_code = ExitCode::kFailure;
  std::string message{};
};

std::optional<Failure> failure_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const AgreedError&) {
    throw;  // all processes are in this place
  } catch (const Error& error) {
    return Failure{error.exit_code(), error.what()};
  } catch (const std::exception& error) {
    return Failure{ExitCode::kFailure, error.what()};
  }
}

// "1, 2 or 4" for 4.
std::string numbers_that_divide(int64_t power_of_two) {
  std::string text = "1";
  for (int64_t count = 2; count <= power_of_two; count *= 2) {
    text += fmt::format("{}{}", count == power_of_two ? " or " : ", ", count);
  }
  return text;
}

// The first byte is the exit code, 0 for none.
std::string to_bytes(const std::optional<Failure>& failure) {
  std::string bytes(1, '\0');
  if (!failure) return bytes;
  bytes[0] = static_cast<char>(failure->exit_code);
  return bytes + failure->message;
}

}  // namespace

bool is_on_one_host(Group& group) {
  const std::vector<std::string> hosts = group.gather(group.place().host);
  return std::ranges::all_of(hosts, [&](const std::string& host) { return host == hosts.front(); });
}

void together(Group& group, const std::function<void()>& work) {
  if (group.is_alone()) {
    work();
    return;
  }
  const std::optional<Failure> mine = failure_of(work);
  const std::vector<std::string> outcomes = group.gather(to_bytes(mine));
  const std::vector<std::string> hosts = group.gather(mine ? group.place().host : "");
  for (size_t rank = 0; rank < outcomes.size(); ++rank) {
    const auto exit_code = static_cast<ExitCode>(outcomes[rank].front());
    if (exit_code == ExitCode::kSuccess) continue;
    std::string message = outcomes[rank].substr(1);
    if (rank > 0) message = fmt::format("{}: {}", process_name(static_cast<int64_t>(rank), hosts[rank]), message);
    throw AgreedError(exit_code, std::move(message));
  }
}

void in_first(Group& group, const std::function<void()>& work) {
  together(group, [&] {
    if (group.is_first()) work();
  });
}

void expect_agreement(Group& group, const std::vector<Agreement>& values) {
  if (group.is_alone()) return;
  const std::vector<std::string> hosts = group.gather(group.place().host);
  for (const Agreement& expected : values) {
    const std::vector<std::string> all = group.gather(expected.value);
    for (size_t rank = 1; rank < all.size(); ++rank) {
      if (all[rank] == all[0]) continue;
      throw AgreedError(expected.exit_code,
                        fmt::format("the processes must agree on {}, but {} has {}, and {} has {}", expected.name,
                                    process_name(0, hosts[0]), all[0],
                                    process_name(static_cast<int64_t>(rank), hosts[rank]), all[rank]));
    }
  }
}

OwnParts own_parts(int64_t parts, const Place& place) {
  if (parts < 1 || !std::has_single_bit(static_cast<uint64_t>(parts))) {
    throw ConfigError(fmt::format("train.parts is {}, expected a power of two: 1, 2, 4, ...", parts));
  }
  if (parts % place.world != 0) {
    throw ConfigError(
        fmt::format("{} processes cannot share train.parts: {}; start {}, or set train.parts to a multiple of the "
                    "processes, a power of two, which is another experiment: parts x batch images a step",
                    place.world, parts, numbers_that_divide(parts)));
  }
  const int64_t count = parts / place.world;
  return {.first = place.rank * count, .count = count};
}

}  // namespace bn
