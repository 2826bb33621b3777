#include <gtest/gtest.h>

#include <cstring>

#include "cuda/backend.hpp"
#include "simt/simulator/kernel.hpp"
#include "support/own_op_cases.hpp"

namespace bn::test {
namespace {

Backend& backend() {
  static cuda::CudaBackend backend{CudaOptions{}};
  return backend;
}

class OwnOps : public testing::TestWithParam<OpCase> {};

bool same(const Values& a, const Values& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

TEST_P(OwnOps, MatchReference) {
  const OpCase& op_case = GetParam();
  const OpData data = make_data(op_case);
  simt::set_schedule(simt::all_schedules().front());
  expect_matches(backend(), op_case, data, own_tolerance(op_case));
  const OpResult first = run_op(backend(), op_case, data);
  for (const simt::Schedule& schedule : simt::all_schedules()) {
    if (first.y.size() > 10000 && schedule.pattern == simt::SharedPattern::kNan) continue;
    SCOPED_TRACE(simt::to_string(schedule));
    simt::set_schedule(schedule);
    const OpResult other = run_op(backend(), op_case, data);
    EXPECT_TRUE(same(other.y, first.y));
    for (size_t i = 0; i < first.dx.size(); ++i) EXPECT_TRUE(same(other.dx[i], first.dx[i]));
    for (size_t i = 0; i < first.dw.size(); ++i) EXPECT_TRUE(same(other.dw[i], first.dw[i]));
    for (size_t i = 0; i < first.state.size(); ++i) EXPECT_TRUE(same(other.state[i], first.state[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OwnOps, testing::ValuesIn(own_op_cases()), numbered_name);

}  // namespace
}  // namespace bn::test
