// The sum in the order of group/tree.hpp, whose bits no all-reduce of NCCL would keep when the number of processes
// changes: process k receives the k-th share of the slab from all processes, adds it by our kernel and hands the sum to
// all. These are as many bytes as a ring sends.
//
// All of it is on the compute stream, between the graph of a part and that of the update, and in neither. Synchronised
// batch normalisation exchanges within a part, which therefore is called op by op.
#include "cuda/exchange.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <vector>

#include "bn/error.hpp"
#include "core/regions.hpp"
#include "cuda/error.hpp"
#include "cuda/kernels/exchange.hpp"
#include "cuda/memory.hpp"
#include "cuda/nccl.hpp"

namespace bn::cuda {
namespace {

constexpr int64_t kLanes = 4;  // floats of 16 bytes

// The processes' communicator.
class Communicator {
 public:
  Communicator(const Nccl& library, const NcclId& id, const Place& place) : library_(library) {
    const int result =
        library.init_rank(&communicator_, static_cast<int>(place.world), id, static_cast<int>(place.rank));
    check_nccl(library, result, fmt::format("connect the GPUs of the {} processes", place.world).c_str(), nullptr);
  }
  // After an error the others may not come here, and this process ends: it does not wait for them.
  ~Communicator() {
    if (std::uncaught_exceptions() == exceptions_) library_.destroy(communicator_);
  }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  NcclCommunicator get() const { return communicator_; }
  void check(int result) const {
    check_nccl(library_, result, "exchange what the processes have computed", communicator_);
  }

  // Sends `from` to the peer and receives as many values from it.
  void trade(const void* from, void* to, size_t count, NcclType type, int64_t peer, cudaStream_t stream) const {
    const auto rank = static_cast<int>(peer);
    check(library_.send(from, count, type, rank, communicator_, stream));
    check(library_.receive(to, count, type, rank, communicator_, stream));
  }

  // Calls made by `work` are done at the same time.
  template <class Work>
  void group(const Work& work) const {
    check(library_.group_start());
    work();
    check(library_.group_end());
  }

 private:
  const Nccl& library_;
  NcclCommunicator communicator_ = nullptr;
  int exceptions_ = std::uncaught_exceptions();
};

// A slab in equal shares, one for each process, and a rest of a few values that every process adds by itself.
struct Shares {
  float* values = nullptr;
  int64_t share = 0, rest = 0;
  float* terms = nullptr;  // from each process its share of ours, then its rest
  int64_t stride = 0;      // between the terms of two processes

  Shares(const Tensor& slab, int64_t world) : values(slab.as<float>()) {
    const int64_t count = slab.shape.elements();
    share = count / (world * kLanes) * kLanes;
    rest = count - share * world;
    stride = share + round_up(rest, kLanes);
  }
};

// Each process sends what it has to the processes of its span, and itself a copy.
class NcclPartExchange final : public PartExchange {
 public:
  NcclPartExchange(const Context& context, const Communicator& communicator, int64_t me, int64_t parts)
      : context_(context), communicator_(communicator), me_(me), first_(me / parts * parts), parts_(parts) {}

  void gather(std::span<const double> mine, std::span<double> all) override {
    communicator_.group([&] {
      for (int64_t part = 0; part < parts_; ++part) {
        double* to = all.data() + part * static_cast<int64_t>(mine.size());
        const int64_t peer = first_ + part;
        if (peer == me_) {
          copy_on_device(context_, to, mine.data(), static_cast<int64_t>(mine.size_bytes()));
        } else {
          communicator_.trade(mine.data(), to, mine.size(), NcclType::kFloat64, peer, context_.compute);
        }
      }
    });
  }

 private:
  const Context& context_;
  const Communicator& communicator_;
  int64_t me_, first_, parts_;
};

class NcclExchange final : public Exchange {
 public:
  NcclExchange(const Context& context, const Nccl& library, const NcclId& id, const Place& place,
               Repetition& repetition)
      : context_(context),
        library_(library),
        repetition_(repetition),
        communicator_(library, id, place),
        me_(place.rank),
        world_(place.world),
        bad_steps_(place.world * static_cast<int64_t>(sizeof(int64_t))) {}

  void sum(std::span<const Tensor> slabs, StepState* step) override {
    lay_out(slabs);
    communicator_.group([this] {
      for (const Shares& slab : shares_) exchange(slab);
    });
    for (const Shares& slab : shares_) add(slab);
    auto* bad_steps = static_cast<int64_t*>(bad_steps_.data());
    communicator_.group([&] {
      for (const Shares& slab : shares_) {
        if (slab.share > 0) all_gather(slab.values + me_ * slab.share, slab.values, slab.share, NcclType::kFloat32);
      }
      all_gather(&step->first_bad_step, bad_steps, 1, NcclType::kInt64);
    });
    first_step(context_, &step->first_bad_step, bad_steps, world_);
  }

  std::unique_ptr<PartExchange> parts(int64_t parts) override {
    repetition_ = Repetition::kCalls;
    return std::make_unique<NcclPartExchange>(context_, communicator_, me_, parts);
  }

 private:
  void lay_out(std::span<const Tensor> slabs) {
    shares_.clear();
    int64_t elements = 0;
    for (const Tensor& slab : slabs) {
      shares_.emplace_back(slab, world_);
      elements += world_ * shares_.back().stride;
    }
    const int64_t bytes = elements * static_cast<int64_t>(sizeof(float));
    if (!terms_ || terms_->bytes() < bytes) terms_ = std::make_unique<DeviceMemory>(bytes);
    auto* terms = static_cast<float*>(terms_->data());
    for (Shares& slab : shares_) {
      slab.terms = terms;
      terms += world_ * slab.stride;
    }
  }

  // Every process's terms of our share and of the rest.
  void exchange(const Shares& slab) const {
    for (int64_t peer = 0; peer < world_; ++peer) {
      float* term = slab.terms + peer * slab.stride;
      exchange(slab.values + peer * slab.share, slab.values + me_ * slab.share, term, slab.share, peer);
      exchange(slab.values + world_ * slab.share, slab.values + world_ * slab.share, term + slab.share, slab.rest,
               peer);
    }
  }

  // `theirs` is sent to the peer, or, where that is this process, `ours` is copied.
  void exchange(const float* theirs, const float* ours, float* term, int64_t count, int64_t peer) const {
    if (count == 0) return;
    if (peer == me_) return copy_on_device(context_, term, ours, count * static_cast<int64_t>(sizeof(float)));
    communicator_.trade(theirs, term, static_cast<size_t>(count), NcclType::kFloat32, peer, context_.compute);
  }

  void add(const Shares& slab) const {
    float* rest = slab.values + world_ * slab.share;
    if (slab.rest > 0) tree_sum(context_, rest, slab.terms + slab.share, slab.stride, world_, slab.rest);
    if (slab.share > 0) {
      tree_sum(context_, slab.values + me_ * slab.share, slab.terms, slab.stride, world_, slab.share);
    }
  }

  void all_gather(const void* from, void* to, int64_t count, NcclType type) const {
    communicator_.check(
        library_.all_gather(from, to, static_cast<size_t>(count), type, communicator_.get(), context_.compute));
  }

  const Context& context_;
  const Nccl& library_;
  Repetition& repetition_;
  Communicator communicator_;
  int64_t me_, world_;
  std::vector<Shares> shares_;
  std::unique_ptr<DeviceMemory> terms_;
  DeviceMemory bad_steps_;  // by rank
};

}  // namespace

std::unique_ptr<Exchange> make_exchange(const Context& context, Group& group, Repetition& repetition) {
  const Nccl* library = nullptr;
  std::string version;
  together(group, [&] {
    library = &nccl();
    version = require_nccl_version(*library);
  });
  expect_agreement(group, {{.name = "NCCL's version", .value = version, .exit_code = ExitCode::kUnsupported}});
  std::array<NcclId, 1> id{};
  in_first(group, [&] { check_nccl(*library, library->get_unique_id(id.data()), "begin", nullptr); });
  group.broadcast(std::as_writable_bytes(std::span(id)));
  std::unique_ptr<Exchange> exchange;
  group.watch(
      [&] { exchange = std::make_unique<NcclExchange>(context, *library, id.front(), group.place(), repetition); });
  return exchange;
}

}  // namespace bn::cuda
