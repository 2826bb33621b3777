#include "system/usable_cores.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

// A folder that stands for / with the files in which the kernel describes cgroups.
class UsableCores : public testing::Test {
 protected:
  // A process of the cgroup `own`, with version 2 mounted from the cgroup `top` downwards.
  void describe_version_two(const std::string& own, const std::string& top = "/") const {
    root_.write("proc/self/cgroup", "0::" + own + "\n");
    root_.write("proc/self/mountinfo",
                "25 1 8:1 / / rw - ext4 /dev/root rw\n"
                "31 25 0:28 " +
                    top + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }

  // The same with version 1, one hierarchy for each controller; that of cpuset and of cpuacct hold no quota.
  void describe_version_one(const std::string& own, const std::string& top = "/") const {
    root_.write("proc/self/cgroup", "9:cpuset:/elsewhere\n4:cpu,cpuacct:" + own + "\n1:name=systemd:/elsewhere\n");
    root_.write("proc/self/mountinfo",
                "30 25 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                "31 25 0:28 " +
                    top + " /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  }

  void write_version_one(const std::string& folder, const std::string& quota, const std::string& period) const {
    root_.write(folder + "/cpu.cfs_quota_us", quota + "\n");
    root_.write(folder + "/cpu.cfs_period_us", period + "\n");
  }

  const test::TemporaryFolder root_;
};

TEST_F(UsableCores, WithoutCgroupsThereIsNoQuota) {
  EXPECT_EQ(cgroup_quota(root_.path()), std::nullopt);
  root_.write("proc/self/cgroup", "no colon\n0:one\n\n");
  root_.write("proc/self/mountinfo", "31 25 0:28\n - cgroup2\n\n");
  EXPECT_EQ(cgroup_quota(root_.path()), std::nullopt);
}

TEST_F(UsableCores, VersionTwoGivesQuotaAndPeriodInOneFile) {
  describe_version_two("/slice/run");
  root_.write("sys/fs/cgroup/slice/run/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_quota(root_.path()), std::nullopt);
  root_.write("sys/fs/cgroup/slice/run/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_quota(root_.path()), 1.5);
  root_.write("sys/fs/cgroup/slice/run/cpu.max", "nonsense\n");
  EXPECT_EQ(cgroup_quota(root_.path()), std::nullopt);
}

TEST_F(UsableCores, TheLeastQuotaFromTheTopDownHolds) {
  describe_version_two("/slice/run");
  root_.write("sys/fs/cgroup/slice/run/cpu.max", "400000 100000\n");
  root_.write("sys/fs/cgroup/slice/cpu.max", "50000 20000\n");
  root_.write("sys/fs/cgroup/slice/other/cpu.max", "10000 100000\n");  // not the process's
  EXPECT_EQ(cgroup_quota(root_.path()), 2.5);
  root_.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_quota(root_.path()), 2);
}

TEST_F(UsableCores, VersionOneGivesQuotaAndPeriodInTwoFiles) {
  describe_version_one("/slice");
  write_version_one("sys/fs/cgroup/cpuset/elsewhere", "10000", "100000");
  write_version_one("sys/fs/cgroup/cpu/elsewhere", "10000", "100000");
  write_version_one("sys/fs/cgroup/cpu/slice", "-1", "100000");
  EXPECT_EQ(cgroup_quota(root_.path()), std::nullopt);
  write_version_one("sys/fs/cgroup/cpu", "75000", "50000");
  EXPECT_EQ(cgroup_quota(root_.path()), 1.5);
}

// A container sees the part of the hierarchy that is mounted in it; the path of its cgroup may be the host's.
TEST_F(UsableCores, AContainerSeesAPartOfTheHierarchy) {
  describe_version_one("/containers/one/inner", "/containers/one");
  write_version_one("sys/fs/cgroup/cpu", "300000", "100000");
  EXPECT_EQ(cgroup_quota(root_.path()), 3);
  write_version_one("sys/fs/cgroup/cpu/inner", "200000", "100000");
  EXPECT_EQ(cgroup_quota(root_.path()), 2);
  for (const char* outside : {"/containers/two", "/containers/one_more", "/"}) {
    describe_version_two(outside, "/containers/one");
    root_.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    root_.write("sys/fs/cpu.max", "10000 100000\n");  // no cgroup's
    EXPECT_EQ(cgroup_quota(root_.path()), 1) << outside;
  }
  describe_version_two("/../two");
  EXPECT_EQ(cgroup_quota(root_.path()), 1);
}

TEST_F(UsableCores, AQuotaIsRoundedUpAndNamed) {
  const int all = usable_cores(root_.path()).count;
  describe_version_two("/");
  root_.write("sys/fs/cgroup/cpu.max", "20000 100000\n");
  EXPECT_EQ(usable_cores(root_.path()).count, 1);
  EXPECT_EQ(usable_cores(root_.path()).reason, "cgroup quota of 0.2 cores");
  root_.write("sys/fs/cgroup/cpu.max", std::to_string(all * 100'000 - 50'000) + " 100000\n");
  EXPECT_EQ(usable_cores(root_.path()).count, all);
  EXPECT_TRUE(usable_cores(root_.path()).reason.ends_with(".5 cores")) << usable_cores(root_.path()).reason;
  root_.write("sys/fs/cgroup/cpu.max", std::to_string(all * 100'000) + " 100000\n");
  EXPECT_EQ(usable_cores(root_.path()).count, all);
  EXPECT_EQ(usable_cores(root_.path()).reason.find("quota"), std::string::npos) << usable_cores(root_.path()).reason;
}

TEST_F(UsableCores, TheAffinityMaskCounts) {
  const std::string seen = test::result_in_child([&] {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return std::string("no mask");
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) return std::string("cannot set it");
    const CoreCount cores = usable_cores(root_.path());
    return std::to_string(cores.count) + " " + cores.reason;
  });
  EXPECT_EQ(seen, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? "1 affinity" : "1 all cores");
}

TEST_F(UsableCores, OpenMPsVariableComesFirst) {
  const auto threads_with = [](const char* value) {
    return test::result_in_child([value] {
      setenv("OMP_NUM_THREADS", value, 1);
      const CoreCount threads = default_threads();
      return std::to_string(threads.count) + " " + threads.reason;
    });
  };
  EXPECT_EQ(threads_with("3"), "3 OMP_NUM_THREADS");
  EXPECT_EQ(threads_with(" 5 , 2"), "5 OMP_NUM_THREADS");  // a number for each level of nested teams
  EXPECT_EQ(threads_with("99999999999"), "4096 OMP_NUM_THREADS");
  EXPECT_EQ(test::result_in_child([] {
              setenv("OMP_NUM_THREADS", "8", 1);
              setenv("OMP_THREAD_LIMIT", "3", 1);
              return default_threads().reason + " " + std::to_string(default_threads().count);
            }),
            "OMP_THREAD_LIMIT 3");
  const CoreCount usable = usable_cores();
  const std::string unset = std::to_string(usable.count) + " " + usable.reason;
  for (const char* wrong : {"", "0", "-2", "two", "2x", ","}) EXPECT_EQ(threads_with(wrong), unset) << wrong;
}

TEST_F(UsableCores, AVariableThatIsNoNumberIsTold) {
  const auto problems_with = [](const char* value) {
    return test::result_in_child([value] {
      setenv("OMP_NUM_THREADS", value, 1);
      unsetenv("OMP_THREAD_LIMIT");
      std::string text;
      for (const std::string& problem : problems_of_openmp_variables()) text += problem;
      return text;
    });
  };
  for (const char* right : {"", "3", " 5 , 2"}) EXPECT_EQ(problems_with(right), "") << right;
  for (const char* wrong : {"0", "-1", "abc", "2x"}) {
    EXPECT_EQ(problems_with(wrong), "OMP_NUM_THREADS is '" + std::string(wrong) +
                                        "', which is no number of threads from 1 on, so it is ignored");
  }
}

}  // namespace
}  // namespace bn
