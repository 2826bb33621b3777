// Two hosts: two namespaces of this machine, each with a network and a name, and a cable between them. They need root.
#include <unistd.h>

#include "processes/fixtures.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

ProgramResult run_shell(const std::string& script) { return run_program({"/bin/sh", "-c", script}); }

class TwoHosts : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    if (IsSkipped()) return;
    const ProgramResult made = run_shell(
        fmt::format("set -e; ip netns add {0}a; ip netns add {0}b; ip link add {0}a netns {0}a type veth peer name "
                    "{0}b netns {0}b; "
                    "ip -n {0}a address add 10.9.0.1/24 dev {0}a; ip -n {0}b address add 10.9.0.2/24 dev {0}b; "
                    "for side in a b; do ip -n {0}$side link set lo up; ip -n {0}$side link set {0}$side up; done",
                    name_));
    if (made.exit_code != 0) GTEST_SKIP() << "namespaces cannot be made here, which needs root and ip: " << made.err;
    // mpirun calls this in place of ssh: agent [OPTIONS] HOST COMMAND...
    write_bytes(root_ / "agent",
                fmt::format("#!/bin/sh\n"
                            "while [ \"${{1#-}}\" != \"$1\" ]; do shift; done\n"
                            "side=a; [ \"$1\" = 10.9.0.1 ] || side=b; shift\n"
                            "exec ip netns exec {}$side unshare --uts /bin/sh -c \"hostname host-$side; $*\"\n",
                            name_));
    std::filesystem::permissions(root_ / "agent", std::filesystem::perms::owner_all);
  }
  void TearDown() override { run_shell(fmt::format("ip netns del {0}a; ip netns del {0}b", name_)); }

  // mpirun on the first host, with two processes on each.
  std::vector<std::string> launched_on_both(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{"/bin/sh",
                                 "-c",
                                 fmt::format("exec ip netns exec {}a unshare --uts /bin/sh -c '"
                                             "hostname host-a; exec mpirun \"$@\"' mpirun \"$@\"",
                                             name_),
                                 "mpirun",
                                 "-H",
                                 "10.9.0.1:2,10.9.0.2:2",
                                 "--mca",
                                 "plm_rsh_agent",
                                 root_ / "agent"};
    for (const char* variable : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMP_WAIT_POLICY"}) {
      all.insert(all.end(), {"-x", variable});
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  void set_cable(const char* state) const {
    EXPECT_EQ(run_shell(fmt::format("ip -n {0}a link set {0}a {1}", name_, state)).exit_code, 0);
  }
  // Those of this test that train, on both hosts.
  int64_t training_processes() const {
    int64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline", std::ios::binary);
      const std::string words{std::istreambuf_iterator<char>(file), {}};
      if (words.starts_with(BN_PROGRAM) && words.find(root_ / "run") != std::string::npos) ++count;
    }
    return count;
  }

 private:
  std::string name_ = fmt::format("bn{}", getpid());
};

TEST_F(TwoHosts, TrainTheBitsOfOneProcess) {
  ASSERT_EQ(run_program(train_arguments("one")).exit_code, 0);
  const ProgramResult result = run_program(launched_on_both(train_arguments("run")), options());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("4 parts x 6 = 24 images a step, by 4 processes"));
  EXPECT_TRUE(checkpoint("run", 20) == checkpoint("one", 20));
  EXPECT_EQ(curve(folder("run")), curve(folder("one")));
}

TEST_F(TwoHosts, EndBothWhereTheCableBreaks) {
  const std::vector<std::string> train =
      train_arguments("run", {"--set", "train.steps=1000000", "--set", "distributed.timeout_seconds=3"});
  RunningProgram program(launched_on_both(train), options());
  ASSERT_TRUE(wait_until(milliseconds(30'000), [&] { return newest(folder("run")) > 0; }));
  EXPECT_EQ(training_processes(), 4);
  set_cable("down");
  EXPECT_TRUE(wait_until(milliseconds(20'000), [&] { return training_processes() == 0; }));  // 5 on an idle machine
  set_cable("up");  // mpirun itself waits for it
  const ProgramResult ended = program.wait();
  EXPECT_EQ(ended.exit_code, code(ExitCode::kPeerLost)) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("on host-a has waited 3 s for the others: another process of this run ended or"));
}

}  // namespace
}  // namespace bn::test
