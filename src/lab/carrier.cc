#include "lab/carrier.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>

namespace braid::lab {

namespace {
constexpr Duration kLatenessStep = 5us;
constexpr size_t kLatenessSteps = 20'000;
// One device must not keep the others waiting.
constexpr int kPacketsARound = 64;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
}  // namespace

Carrier::Carrier(const scenario::Scenario& scenario, scenario::World& world,
                 std::vector<std::unique_ptr<WireEnd>>& ends)
    : scenario_(scenario), world_(world), ends_(ends), late_(kLatenessSteps + 1) {}

Carrier::~Carrier() { end(); }

void Carrier::begin(Time begin) {
  begin_ = begin;
  for (size_t i = 0; i < ends_.size(); ++i) {
    WireEnd& end = *ends_[i];
    // What the hosts said before the network was there.
    while (end.receive(world_.network().pool())) {
    }
    world_.attachments()[i].edge->on_packet = [this, &end](const sim::Packet& packet, Time due) {
      note_lateness(due);
      end.send(packet);
    };
    world_.attachments()[i].edge->on_carrier_change = [&end](bool is_up) { end.set_carrier(is_up); };
  }
  thread_ = std::thread([this] { run(); });
}

void Carrier::end() {
  if (!thread_.joinable()) return;
  loop_.stop();
  loop_.post([] {});
  thread_.join();
}

void Carrier::run() {
  // Where it is allowed, and only for this thread: to wake up when it is time, before anybody else.
  const sched_param priority{.sched_priority = 1};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
  prctl(PR_SET_TIMERSLACK, 1);
  for (size_t i = 0; i < ends_.size(); ++i)
    loop_.add(ends_[i]->descriptor(), io::Interest::kRead, [this, i](io::Readiness) { on_readable(i); });
  std::vector<scenario::EventSpec> events = scenario_.events;
  std::ranges::stable_sort(events, {}, &scenario::EventSpec::at);
  for (const scenario::EventSpec& event : events) {
    if (event.is_of_host()) continue;
    loop_.call_at(begin_ + event.at.time_since_epoch(), [this, event] {
      advance();
      world_.apply(event);
    });
  }
  loop_.add_tenant({.deadline =
                        [this] {
                          const Time next = world_.network().next_deadline();
                          return next == kNever ? kNever : begin_ + next.time_since_epoch();
                        },
                    .round_end = [this](Time) { advance(); }});
  sample_at_ = begin_ + scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
  loop_.run();
  for (const auto& end : ends_) loop_.remove(end->descriptor());
}

void Carrier::advance() {
  if (loop_.now() >= begin_) world_.network().advance(scenario_now());
}

void Carrier::on_readable(size_t i) {
  // First what was due before it came.
  advance();
  const scenario::Attachment& attachment = world_.attachments()[i];
  const Time now = std::max(scenario_now(), Time{});
  for (int n = 0; n < kPacketsARound; ++n) {
    auto packet = ends_[i]->receive(world_.network().pool());
    if (!packet) return;
    attachment.link->send(attachment.away, std::move(*packet), now);
  }
}

void Carrier::note_lateness(Time due) {
  const Duration late = std::max(scenario_now() - due, Duration(0));
  latest_ = std::max(latest_, late);
  ++late_[std::min(static_cast<size_t>(late / kLatenessStep), kLatenessSteps)];
}

void Carrier::sample() {
  for (const auto& link : world_.network().links()) {
    for (const auto& [direction, name] :
         {std::pair(sim::Direction::kForward, "forward"), {sim::Direction::kBackward, "backward"}}) {
      series_.push_back({seconds(sample_at_ - begin_), "link " + link->name() + " " + name, "queue",
                         static_cast<double>(link->channel(direction).queue_bytes())});
    }
  }
  sample_at_ += scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
}

scenario::DelaySummary Carrier::lateness() const {
  scenario::DelaySummary summary;
  for (const uint32_t count : late_) summary.count += count;
  const auto at = [&](double share) {
    auto left = static_cast<uint64_t>(share * static_cast<double>(summary.count));
    for (size_t i = 0; i < late_.size(); ++i) {
      if (left < late_[i]) return seconds(kLatenessStep * (i + 1));
      left -= late_[i];
    }
    return seconds(latest_);
  };
  if (summary.count == 0) return summary;
  summary.median = at(0.5);
  summary.p95 = at(0.95);
  summary.p99 = at(0.99);
  summary.max = seconds(latest_);
  return summary;
}

}  // namespace braid::lab
