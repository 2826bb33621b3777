#include <algorithm>
#include <cstdlib>

#include "bn/group.hpp"

namespace bn {
namespace {

class Alone final : public Group {
 public:
  const Place& place() const override { return place_; }
  void sum(std::span<float>) override {}
  void gather(std::span<const double> mine, std::span<double> all) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  std::vector<std::string> gather(const std::string& mine) override { return {mine}; }
  void broadcast(std::span<std::byte>) override {}
  void wait_at_most(std::chrono::seconds) override {}
  void watch(const std::function<void()>& wait) override { wait(); }
  void abort(ExitCode exit_code) override { std::_Exit(static_cast<int>(exit_code)); }

 private:
  Place place_;
};

}  // namespace

std::unique_ptr<Group> alone() { return std::make_unique<Alone>(); }

}  // namespace bn
