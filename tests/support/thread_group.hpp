// A group whose processes are threads of the test: for sanitizers, and where there is no launcher.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include "bn/group.hpp"
#include "group/tree.hpp"

namespace bn::test {

class ThreadGroup {
 public:
  // `pause` runs the wait that it is given, in whatever a waiting thread must let go of.
  using Pause = std::function<void(const std::function<void()>&)>;
  explicit ThreadGroup(
      int64_t processes, Pause pause = [](const std::function<void()>& wait) { wait(); })
      : processes_(processes),
        pause_(std::move(pause)),
        barrier_(processes),
        sums_(static_cast<size_t>(processes)),
        doubles_(sums_.size()),
        texts_(sums_.size()) {}

  // Runs work(group) in each process; the group of `rank` has the name "host<rank>". Rethrows the first one's
  // AgreedError. Any other error ends the program, since the other processes would wait for ever.
  void run(const std::function<void(Group&)>& work) {
    std::vector<std::exception_ptr> errors(sums_.size());
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < processes_; ++rank) {
      threads.emplace_back([this, rank, &work, &errors] {
        Member member(*this, rank);
        try {
          work(member);
        } catch (const AgreedError&) {
          errors[static_cast<size_t>(rank)] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

 private:
  class Member final : public Group {
   public:
    Member(ThreadGroup& all, int64_t rank)
        : all_(all), place_{.rank = rank, .world = all.processes_, .host = "host" + std::to_string(rank)} {}
    const Place& place() const override { return place_; }

    // Each process adds its share of the values of all, and gives it to all.
    void sum(std::span<float> values) override {
      all_.sums_[me()] = values;
      all_.meet();
      const auto world = all_.sums_.size();
      const size_t begin = values.size() * me() / world, end = values.size() * (me() + 1) / world;
      std::vector<std::vector<float>> copies;
      std::vector<float*> terms;
      for (const std::span<float> other : all_.sums_) copies.emplace_back(other.data() + begin, other.data() + end);
      for (std::vector<float>& copy : copies) terms.push_back(copy.data());
      add_by_tree(terms, static_cast<int64_t>(end - begin));
      for (const std::span<float> other : all_.sums_) std::copy_n(terms[0], end - begin, other.data() + begin);
      all_.meet();
    }

    void gather(std::span<const double> mine, std::span<double> all) override {
      all_.doubles_[me()] = mine;
      all_.meet();
      auto to = all.begin();
      for (const std::span<const double> other : all_.doubles_) to = std::copy(other.begin(), other.end(), to);
      all_.meet();
    }

    std::vector<std::string> gather(const std::string& mine) override {
      all_.texts_[me()] = &mine;
      all_.meet();
      std::vector<std::string> texts;
      for (const std::string* other : all_.texts_) texts.push_back(*other);
      all_.meet();
      return texts;
    }

    void broadcast(std::span<std::byte> bytes) override {
      if (is_first()) all_.bytes_ = bytes;
      all_.meet();
      if (!is_first()) std::copy(all_.bytes_.begin(), all_.bytes_.end(), bytes.begin());
      all_.meet();
    }

    void wait_at_most(std::chrono::seconds) override {}
    void watch(const std::function<void()>& wait) override { wait(); }
    void abort(ExitCode) override { std::abort(); }

   private:
    size_t me() const { return static_cast<size_t>(place_.rank); }

    ThreadGroup& all_;
    Place place_;
  };

  void meet() {
    pause_([this] { barrier_.arrive_and_wait(); });
  }

  const int64_t processes_;
  const Pause pause_;
  std::barrier<> barrier_;
  std::vector<std::span<float>> sums_;
  std::vector<std::span<const double>> doubles_;
  std::vector<const std::string*> texts_;
  std::span<std::byte> bytes_;
};

// Another group, of which a derived class changes something.
class ForwardingGroup : public Group {
 public:
  explicit ForwardingGroup(Group& group) : group_(group) {}
  const Place& place() const override { return group_.place(); }
  void sum(std::span<float> values) override { group_.sum(values); }
  void gather(std::span<const double> mine, std::span<double> all) override { group_.gather(mine, all); }
  std::vector<std::string> gather(const std::string& mine) override { return group_.gather(mine); }
  void broadcast(std::span<std::byte> bytes) override { group_.broadcast(bytes); }
  void wait_at_most(std::chrono::seconds patience) override { group_.wait_at_most(patience); }
  void watch(const std::function<void()>& wait) override { group_.watch(wait); }
  void abort(ExitCode exit_code) override { group_.abort(exit_code); }

 private:
  Group& group_;
};

}  // namespace bn::test
