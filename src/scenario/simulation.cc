#include "scenario/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "scenario/capture.h"
#include "scenario/event_log.h"
#include "scenario/flows.h"
#include "scenario/traffic.h"
#include "scenario/world.h"

namespace braid::scenario {

namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
double seconds(Time time) { return seconds(time.time_since_epoch()); }

class Simulation {
 public:
  Simulation(const Scenario& scenario, const SimulationOptions& options)
      : scenario_(scenario), options_(options), world_(scenario, scenario.seed) {}
  Results run(EventLog* log);
  World& world() { return world_; }

 private:
  struct Flow {
    std::unique_ptr<Traffic> traffic;
    uint64_t sender_memory_max = 0, receiver_memory_max = 0;
    uint64_t sampled_bytes = 0;
    std::map<uint8_t, uint64_t> sampled_subflow_bytes;
  };
  void make_traffic();
  void run_until(Time time);
  void sample();
  void sample_flow(Flow& flow, size_t number);
  void add(std::string subject, const char* quantity, double value) {
    results_.series.push_back({seconds(world_.network().now()), std::move(subject), quantity, value});
  }
  bool is_all_over() const;
  ConnectionResult result_of(const Flow& flow);
  void collect();

  const Scenario& scenario_;
  const SimulationOptions options_;
  World world_;
  std::vector<Flow> flows_;
  Results results_;
};

void Simulation::make_traffic() {
  sim::Network& network = world_.network();
  for (const FlowPlan& plan : flows_of(scenario_)) {
    const WorkloadSpec& spec = *plan.spec;
    Flow& flow = flows_.emplace_back();
    flow.traffic = std::make_unique<Traffic>(
        spec,
        Traffic::Ends{
            &world_.host(spec.from), &world_.host(spec.to), {world_.address_of(spec.to), plan.port}},
        network.seed_for(plan.seed_name));
    flow.traffic->listen();
    network.events().schedule(*flow.traffic, spec.start);
  }
}

bool Simulation::is_all_over() const {
  return std::ranges::all_of(flows_, [](const Flow& f) { return f.traffic->is_over(); });
}

void Simulation::run_until(Time time) {
  sim::Network& network = world_.network();
  if (!scenario_.stops_early) return network.advance(time);
  network.run_until([this] { return is_all_over(); }, time - network.now());
}

void Simulation::sample_flow(Flow& flow, size_t number) {
  const Traffic& traffic = *flow.traffic;
  const mptcp::Connection* const sender = traffic.client_connection();
  const mptcp::Connection* const receiver = traffic.server_connection();
  const uint64_t sender_memory = sender != nullptr ? sender->memory_bytes() : 0;
  const uint64_t receiver_memory = receiver != nullptr ? receiver->memory_bytes() : 0;
  flow.sender_memory_max = std::max(flow.sender_memory_max, sender_memory);
  flow.receiver_memory_max = std::max(flow.receiver_memory_max, receiver_memory);
  if (!options_.records_series) return;
  const std::string subject = fmt::format("connection {}", number);
  const double interval = seconds(scenario_.interval);
  const uint64_t bytes = traffic.delivered_bytes();
  add(subject, "goodput", static_cast<double>(bytes - flow.sampled_bytes) * 8 / interval);
  flow.sampled_bytes = bytes;
  add(subject, "sender memory", static_cast<double>(sender_memory));
  add(subject, "receiver memory", static_cast<double>(receiver_memory));
  if (sender == nullptr) return;
  for (const mptcp::SubflowInfo& s : sender->info().subflows) {
    const std::string name = fmt::format("{} subflow {}", subject, s.index + 1);
    uint64_t& before = flow.sampled_subflow_bytes[s.index];
    add(name, "rate", static_cast<double>(s.data_sent_bytes - before) * 8 / interval);
    before = s.data_sent_bytes;
    add(name, "cwnd", static_cast<double>(s.cwnd_bytes));
    add(name, "srtt", seconds(s.srtt) * 1e3);
  }
}

void Simulation::sample() {
  for (size_t i = 0; i < flows_.size(); ++i) sample_flow(flows_[i], i + 1);
  if (!options_.records_series) return;
  for (const auto& link : world_.network().links()) {
    add("link " + link->name() + " forward", "queue",
        static_cast<double>(link->channel(sim::Direction::kForward).queue_bytes()));
    add("link " + link->name() + " backward", "queue",
        static_cast<double>(link->channel(sim::Direction::kBackward).queue_bytes()));
  }
}

ConnectionResult Simulation::result_of(const Flow& flow) {
  const Traffic& traffic = *flow.traffic;
  const WorkloadSpec& spec = traffic.spec();
  ConnectionResult result;
  result.kind = spec.is_of_trace ? "trace" : to_string(spec.kind);
  result.from = spec.from;
  result.to = spec.to;
  result.bytes = traffic.delivered_bytes();
  result.start_s = seconds(spec.start);
  result.end_s = traffic.is_over() ? seconds(traffic.last_byte()) : seconds(world_.network().now());
  if (result.end_s > result.start_s)
    result.goodput_bits_per_s = static_cast<double>(result.bytes) * 8 / (result.end_s - result.start_s);
  result.longest_gap_s = seconds(traffic.longest_gap());
  result.failure = traffic.failure();
  result.is_complete = traffic.is_over() && !traffic.has_failed();
  result.is_intact = traffic.is_intact();
  result.delay = summarise(traffic.delays());
  result.sender_memory_max = flow.sender_memory_max;
  result.receiver_memory_max = flow.receiver_memory_max;
  const mptcp::ConnectionInfo info = traffic.info(false), peer = traffic.info(true);
  result.wasted_bytes =
      info.reinjected_bytes + info.retransmitted_bytes + peer.reinjected_bytes + peer.retransmitted_bytes;
  result.multipath = to_string(info.multipath);
  result.fallback = to_string(info.fallback);
  result.had_further_paths = info.had_further_paths;
  for (const mptcp::SubflowInfo& s : info.subflows) {
    result.subflows.push_back({s.index, s.tuple.local.to_string(), s.tuple.remote.to_string(),
                               s.data_sent_bytes, s.data_received_bytes, seconds(s.srtt) * 1e3,
                               s.retransmissions, s.timeouts, s.is_backup});
  }
  return result;
}

void Simulation::collect() {
  sim::Network& network = world_.network();
  const double elapsed = seconds(network.now());
  results_.scenario = scenario_.name;
  results_.seed = scenario_.seed;
  results_.elapsed_s = elapsed;
  results_.packet_hops = network.packet_hops();
  results_.events = network.events().events_run();
  std::vector<double> delays;
  for (const Flow& flow : flows_) {
    results_.connections.push_back(result_of(flow));
    delays.insert(delays.end(), flow.traffic->delays().begin(), flow.traffic->delays().end());
  }
  results_.delay = summarise(std::move(delays));
  for (const auto& host : network.hosts()) {
    results_.hosts.push_back({host->name(), host->host().counters()});
    results_.retransmissions += results_.hosts.back().counters[mptcp::Counter::kTcpRetransSegs];
  }
  results_.links = links_of(network);
}

Results Simulation::run(EventLog* log) {
  make_traffic();
  std::vector<EventSpec> events = scenario_.events;
  std::ranges::stable_sort(events, {}, &EventSpec::at);
  auto event = events.begin();
  const Time end = Time(scenario_.duration);
  Time sample_at = Time(scenario_.interval);
  while (world_.network().now() < end) {
    const Time event_at = event == events.end() ? kNever : event->at;
    const Time next = std::min({end, sample_at, event_at});
    run_until(next);
    if (world_.network().now() < next) break;  // everything is over
    for (; event != events.end() && event->at <= next; ++event) {
      if (log != nullptr) log->add(*event);
      world_.apply(*event);
    }
    if (next >= sample_at) {
      sample();
      sample_at += scenario_.interval;
      if (options_.on_progress) options_.on_progress(seconds(next) / seconds(end));
    }
  }
  collect();
  return std::move(results_);
}

}  // namespace

tl::expected<Results, std::string> run_simulation(const Scenario& scenario,
                                                  const SimulationOptions& options) {
  Simulation simulation(scenario, options);
  std::unique_ptr<Capture> capture;
  if (!options.capture_directory.empty()) {
    auto started = Capture::start(scenario, simulation.world(), options.capture_directory);
    if (!started) return tl::unexpected(std::move(started.error()));
    capture = std::move(*started);
  }
  std::unique_ptr<EventLog> log;
  if (!options.event_log.empty()) {
    auto opened = EventLog::open(options.event_log);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    log = std::move(*opened);
    log->attach(scenario, simulation.world());
  }
  Results results = simulation.run(log.get());
  if (log != nullptr && !log->finish())
    return tl::unexpected(fmt::format("{} cannot be written", options.event_log));
  return results;
}

Results simulate(const Scenario& scenario) { return Simulation(scenario, {}).run(nullptr); }

}  // namespace braid::scenario
