#include "simt/gpu_processes.hpp"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "cuda/nccl.hpp"
#include "simt/simulator/turn.hpp"

namespace bn::simt {

NcclDouble& nccl_double() {
  static NcclDouble here;
  return here;
}

namespace {

using cuda::NcclCommunicator;
using cuda::NcclId;
using cuda::NcclType;

struct Call {
  enum class Kind { kSend, kReceive, kAllGather } kind;
  const void* from;
  void* to;
  size_t count;
  NcclType type;
  int peer;

  size_t bytes() const { return count * (type == NcclType::kFloat32 ? 4 : 8); }
};

// The processes of one communicator. A meeting ends when all have come to it.
struct World {
  explicit World(int size) : calls(static_cast<size_t>(size)) {}
  int size() const { return static_cast<int>(calls.size()); }

  void meet() {
    const int now = meetings;
    if (++arrived == size()) {
      arrived = 0;
      ++meetings;
      return wake_others();
    }
    wait_in_turn([&] { return meetings != now; });
  }

  std::vector<std::vector<Call>> calls;  // of each process, in the exchange at hand
  std::set<int> devices{};
  int arrived = 0, meetings = 0;
};

}  // namespace
}  // namespace bn::simt

struct ncclComm {  // NOLINT(readability-identifier-naming): NCCL's name
  std::shared_ptr<bn::simt::World> world;
  int rank;
};

namespace bn::simt {
namespace {

std::set<NcclCommunicator>& living() {
  static std::set<NcclCommunicator> all;
  return all;
}

struct OpenGroup {
  int depth = 0;
  NcclCommunicator communicator = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Call> calls{};
};
thread_local OpenGroup open_group;

std::vector<Call> calls_of(const World& world, int rank, Call::Kind kind, int peer = -1) {
  std::vector<Call> found;
  for (const Call& call : world.calls[static_cast<size_t>(rank)]) {
    if (call.kind == kind && (peer < 0 || call.peer == peer)) found.push_back(call);
  }
  return found;
}

void require_equal(const std::vector<Call>& a, const std::vector<Call>& b, const char* what, int rank, int peer) {
  const auto fail = [&](const std::string& why) {
    throw Fault(fmt::format("NCCL: {} of processes {} and {}: {}.", what, rank, peer, why));
  };
  if (a.size() != b.size()) fail(fmt::format("{} and {} calls", a.size(), b.size()));
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type != b[i].type) fail("other types");
    if (a[i].count != b[i].count) fail(fmt::format("{} and {} values", a[i].count, b[i].count));
  }
}

// The same in every process, so that all of them throw.
void require_matching_calls(const World& world) {
  for (int rank = 0; rank < world.size(); ++rank) {
    for (int peer = 0; peer < world.size(); ++peer) {
      require_equal(calls_of(world, rank, Call::Kind::kSend, peer), calls_of(world, peer, Call::Kind::kReceive, rank),
                    "what is sent and received", rank, peer);
    }
    require_equal(calls_of(world, 0, Call::Kind::kAllGather), calls_of(world, rank, Call::Kind::kAllGather),
                  "what is gathered", 0, rank);
  }
}

void copy_to(const World& world, int rank) {
  for (int peer = 0; peer < world.size(); ++peer) {
    const std::vector<Call> sent = calls_of(world, peer, Call::Kind::kSend, rank);
    const std::vector<Call> received = calls_of(world, rank, Call::Kind::kReceive, peer);
    for (size_t i = 0; i < sent.size(); ++i) std::memcpy(received[i].to, sent[i].from, sent[i].bytes());
    const std::vector<Call> theirs = calls_of(world, peer, Call::Kind::kAllGather);
    const std::vector<Call> ours = calls_of(world, rank, Call::Kind::kAllGather);
    for (size_t i = 0; i < ours.size(); ++i) {
      auto* to = static_cast<std::byte*>(ours[i].to) + static_cast<size_t>(peer) * ours[i].bytes();
      std::memmove(to, theirs[i].from, ours[i].bytes());
    }
  }
}

void exchange(World& world, int rank, const std::vector<Call>& calls) {
  world.calls[static_cast<size_t>(rank)] = calls;
  world.meet();
  require_matching_calls(world);
  copy_to(world, rank);
  world.meet();  // now what was sent may change
}

int get_version(int* version) {
  *version = nccl_double().version;
  return 0;
}

int get_unique_id(NcclId* id) {
  static int next = 0;
  *id = {};
  std::memcpy(id->bytes, &++next, sizeof(next));
  return nccl_double().unique_id_result;
}

int init_rank(NcclCommunicator* communicator, int size, NcclId id, int rank) {
  if (nccl_double().init_result != 0) return nccl_double().init_result;
  static std::map<int, std::shared_ptr<World>> worlds;
  int key = 0;
  std::memcpy(&key, id.bytes, sizeof(key));
  std::shared_ptr<World>& world = worlds[key];
  if (!world) world = std::make_shared<World>(size);
  world->devices.insert(current_device());
  world->meet();
  if (world->devices.size() != static_cast<size_t>(size)) return cuda::kNcclInvalidUsage;
  *communicator = new ncclComm{.world = world, .rank = rank};
  living().insert(*communicator);
  ++nccl_double().communicators;
  return 0;
}

int destroy(NcclCommunicator communicator) {
  if (living().erase(communicator) == 0) throw Fault("NCCL: a communicator is destroyed that does not live.");
  delete communicator;
  --nccl_double().communicators;
  return 0;
}

int group_start() {
  ++open_group.depth;
  return 0;
}

int group_end() {
  if (--open_group.depth > 0) return 0;
  const OpenGroup group = std::move(open_group);
  open_group = {};
  if (nccl_double().exchange_result != 0) return nccl_double().exchange_result;
  if (group.calls.empty()) return 0;
  ++nccl_double().exchanges;
  enqueue(group.stream, [world = group.communicator->world, rank = group.communicator->rank, calls = group.calls] {
    exchange(*world, rank, calls);
  });
  return 0;
}

int call(const Call& made, NcclCommunicator communicator, cudaStream_t stream) {
  if (living().count(communicator) == 0) throw Fault("NCCL: a call with a communicator that does not live.");
  if (is_recorded(stream)) throw Fault("NCCL: a call is recorded, which this project does not do.");
  const auto require = [](const void* data, size_t bytes) {
    if (data != nullptr && !is_on_device(data, bytes)) throw Fault("NCCL: memory that is not a device's.");
  };
  require(made.from, made.bytes());
  const auto size = static_cast<size_t>(communicator->world->size());
  require(made.to, made.bytes() * (made.kind == Call::Kind::kAllGather ? size : 1));
  OpenGroup& group = open_group;
  group_start();
  if (!group.calls.empty() && (group.communicator != communicator || group.stream != stream)) {
    throw Fault("NCCL: a group of calls with two communicators or streams.");
  }
  group.communicator = communicator;
  group.stream = stream;
  group.calls.push_back(made);
  return group_end();
}

int send(const void* from, size_t count, NcclType type, int peer, NcclCommunicator communicator, cudaStream_t stream) {
  return call({Call::Kind::kSend, from, nullptr, count, type, peer}, communicator, stream);
}

int receive(void* to, size_t count, NcclType type, int peer, NcclCommunicator communicator, cudaStream_t stream) {
  return call({Call::Kind::kReceive, nullptr, to, count, type, peer}, communicator, stream);
}

int all_gather(const void* from, void* to, size_t count, NcclType type, NcclCommunicator communicator,
               cudaStream_t stream) {
  return call({Call::Kind::kAllGather, from, to, count, type, -1}, communicator, stream);
}

const char* error_text(int result) {
  return result == cuda::kNcclInvalidUsage  ? "invalid usage"
         : result == cuda::kNcclRemoteError ? "remote process exited or there was a network error"
                                            : "unhandled system error";
}

const char* last_error(NcclCommunicator) { return "the double's last words"; }

}  // namespace
}  // namespace bn::simt

namespace bn::cuda {

const Nccl& nccl() {
  static const Nccl kDouble{.get_version = simt::get_version,
                            .get_unique_id = simt::get_unique_id,
                            .init_rank = simt::init_rank,
                            .destroy = simt::destroy,
                            .group_start = simt::group_start,
                            .group_end = simt::group_end,
                            .send = simt::send,
                            .receive = simt::receive,
                            .all_gather = simt::all_gather,
                            .error_text = simt::error_text,
                            .last_error = simt::last_error};
  return kDouble;
}

}  // namespace bn::cuda
