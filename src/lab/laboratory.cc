#include "lab/laboratory.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "io/event_loop.h"
#include "lab/carrier.h"
#include "lab/child.h"
#include "lab/host_setup.h"
#include "lab/namespaces.h"
#include "lab/wire_end.h"
#include "scenario/capture.h"
#include "scenario/event_log.h"
#include "scenario/flows.h"
#include "service/control.h"

namespace braid::lab {

namespace {

using nlohmann::json;
using Failure = tl::unexpected<std::string>;

constexpr Duration kPatience = 20s;  // for daemons and agents to be ready
constexpr Duration kLastWords = 5s;  // for agents to report
constexpr size_t kOutputKept = 4096;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// A directory for sockets, configurations and logs; empty, and errno, if there can be none.
std::string make_workplace() {
  std::string path = "/tmp/braid-lab-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return {};
  // Servers change their user, and must find Braid's socket still.
  std::error_code ignored;
  std::filesystem::permissions(path, std::filesystem::perms(0755), ignored);
  return path;
}

class Laboratory {
 public:
  Laboratory(const scenario::Scenario& scenario, const LabOptions& options, Namespaces&& namespaces,
             const std::string& workplace)
      : scenario_(scenario),
        options_(options),
        workplace_(workplace),
        namespaces_(std::move(namespaces)),
        world_(scenario, scenario.seed, scenario::HostPlace::kOutside),
        flows_(scenario::flows_of(scenario)),
        results_of_flows_(flows_.size()) {}

  tl::expected<void, std::string> set_up();
  LabOutcome run();
  bool is_interrupted() const { return outcome_.was_interrupted; }

 private:
  struct Host {
    HostPlan plan;
    std::string socket_path, log_path, events_path;
    std::unique_ptr<Child> daemon, agent;
    std::string agent_output;
    bool is_ready = false, has_reported = false;
  };
  struct Program {
    scenario::ProgramResult result;
    std::unique_ptr<Child> child;
    bool is_awaited = false, has_ended = false;
  };
  /// What is known of a flow so far; `sender` and `receiver` as the daemon or the agent says it.
  struct FlowState {
    json client = json::object(), server = json::object();  // the last of the stack's words
    json client_result, server_result;                      // of the agents
    uint64_t client_memory_max = 0, server_memory_max = 0;
    bool is_over = false;
    std::string failure;
    uint64_t sampled_bytes = 0;
    std::map<size_t, uint64_t> sampled_subflow_bytes;
  };

  std::vector<std::string> inside(const Host& host, std::vector<std::string> command, bool on_braid) const;
  tl::expected<std::unique_ptr<Child>, std::string> start(const Host& host, Child::Options options) const;
  tl::expected<void, std::string> start_daemons();
  tl::expected<void, std::string> start_agents();
  tl::expected<void, std::string> wait_for(const std::function<bool()>& is_true, const char* what);
  void on_agent(Host& host);
  void on_line(Host& host, const json& message);
  void start_program(size_t number);
  tl::expected<void, std::string> start_command();
  void on_program_output(Program& program);
  void on_program_end(Program& program);
  void sample();
  void ask_daemon(const Host& host);
  void note_stack(size_t flow, bool is_server, json info);
  void add_series(size_t flow, double at);
  void check_end();
  void stop_agents();
  void write_event_log();
  void apply(const scenario::EventSpec& event);
  tl::expected<void, std::string> change_policy(const Host& host, const scenario::EventSpec& event);
  tl::expected<void, std::string> change_endpoint(const Host& host, size_t attachment, bool is_backup);
  scenario::ConnectionResult result_of(size_t flow) const;
  std::string with_addresses(std::string command) const;
  Host& host(const std::string& name) {
    return **std::ranges::find_if(hosts_, [&](const auto& h) { return h->plan.spec->name == name; });
  }
  Time now() const { return Time(io::read_clock() - begin_); }

  const scenario::Scenario& scenario_;
  const LabOptions& options_;
  const std::string& workplace_;
  Namespaces namespaces_;  // goes last: ends whatever is left in them
  scenario::World world_;
  std::vector<scenario::FlowPlan> flows_;
  std::vector<std::unique_ptr<WireEnd>> wire_ends_;  // of the world's attachments
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<FlowState> results_of_flows_;
  std::vector<std::unique_ptr<Program>> programs_;
  std::unique_ptr<Child> command_;
  io::EventLoop loop_;
  std::unique_ptr<io::SignalSource> signals_;
  std::unique_ptr<scenario::Capture> capture_;
  std::unique_ptr<scenario::EventLog> event_log_;
  std::unique_ptr<Carrier> carrier_;
  Time begin_{}, sample_at_{};
  std::vector<scenario::Sample> series_;
  LabOutcome outcome_;
};

std::vector<std::string> Laboratory::inside(const Host& host, std::vector<std::string> command,
                                            bool on_braid) const {
  std::vector<std::string> words = {"ip", "netns", "exec", namespaces_.name(host.plan.position)};
  if (on_braid) words.insert(words.end(), {options_.braid, "run", "--"});
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

tl::expected<std::unique_ptr<Child>, std::string> Laboratory::start(const Host& host,
                                                                    Child::Options options) const {
  if (!host.plan.spec->is_linux) options.environment.emplace_back(service::kSocketVariable, host.socket_path);
  return Child::start(options);
}

tl::expected<void, std::string> Laboratory::set_up() {
  // First, so that nobody dies of a signal with things half made.
  signals_ = std::make_unique<io::SignalSource>(
      loop_, std::initializer_list<int>{SIGINT, SIGTERM, SIGHUP, SIGPIPE},
      [this](const signalfd_siginfo& info) {
        // The terminal's are for the command that has it.
        if (info.ssi_signo == SIGPIPE || (info.ssi_signo == SIGINT && command_ != nullptr)) return;
        outcome_.was_interrupted = true;
        loop_.stop();
      });
  for (size_t i = 0; i < scenario_.hosts.size(); ++i) {
    auto host = std::make_unique<Host>();
    host->plan.spec = &scenario_.hosts[i];
    host->plan.position = i;
    host->socket_path = fmt::format("{}/{}.sock", workplace_, i);
    host->events_path = fmt::format("{}/{}.jsonl", workplace_, i);
    host->log_path = fmt::format("{}/{}.log", workplace_, i);
    if (auto done = set_kernel_parameters(namespaces_, host->plan); !done) return done;
    hosts_.push_back(std::move(host));
  }
  size_t number = 0;
  for (const scenario::Attachment& attachment : world_.attachments()) {
    Host& owner = host(attachment.host);
    const std::string name = device_name(attachment.link->name(), number++);
    auto end = WireEnd::open(namespaces_, owner.plan.position, name);
    if (!end) return Failure(end.error());
    wire_ends_.push_back(std::move(*end));
    owner.plan.attachments.push_back(&attachment);
    owner.plan.devices.push_back(name);
  }
  for (const auto& one : hosts_) {
    if (auto done = configure_devices(namespaces_, one->plan); !done) return done;
  }
  if (!options_.capture_directory.empty()) {
    auto capture = scenario::Capture::start(scenario_, world_, options_.capture_directory);
    if (!capture) return Failure(capture.error());
    capture_ = std::move(*capture);
  }
  if (!options_.event_log.empty()) {
    auto log = scenario::EventLog::open(options_.event_log);
    if (!log) return Failure(log.error());
    event_log_ = std::move(*log);
  }
  if (auto done = start_daemons(); !done) return done;
  return start_agents();
}

tl::expected<void, std::string> Laboratory::wait_for(const std::function<bool()>& is_true, const char* what) {
  const Time end = io::read_clock() + kPatience;
  while (!is_true()) {
    if (is_interrupted()) return Failure("interrupted");
    if (io::read_clock() > end) return Failure(fmt::format("{} not ready after {} s", what, kPatience / 1s));
    loop_.run_once(io::read_clock() + 10ms);
  }
  // Both may have come in the same round.
  if (is_interrupted()) return Failure("interrupted");
  return {};
}

tl::expected<void, std::string> Laboratory::start_daemons() {
  for (const auto& one : hosts_) {
    if (one->plan.spec->is_linux) continue;
    const std::string path = fmt::format("{}/{}.toml", workplace_, one->plan.position);
    std::ofstream(path) << daemon_config(one->plan);
    Child::Options options;
    std::vector<std::string> words = {options_.braid, "daemon",         "--config", path,
                                      "--socket",     one->socket_path, "--log",    "warn"};
    if (!options_.event_log.empty()) words.insert(words.end(), {"--events", one->events_path});
    options.command = inside(*one, words, false);
    options.log_path = one->log_path;
    auto child = Child::start(options);
    if (!child) return Failure(child.error());
    one->daemon = std::move(*child);
  }
  for (const auto& one : hosts_) {
    if (one->daemon == nullptr) continue;
    const auto is_up = [&] {
      return one->daemon->exit_status() || service::ControlClient::connect(one->socket_path).has_value();
    };
    if (auto done = wait_for(is_up, "a daemon is"); !done) return done;
    if (one->daemon->exit_status()) {
      std::stringstream log;
      log << std::ifstream(one->log_path).rdbuf();
      return Failure(fmt::format("the daemon of host \"{}\" ended: {}", one->plan.spec->name, log.str()));
    }
  }
  return {};
}

tl::expected<void, std::string> Laboratory::start_agents() {
  for (const auto& one : hosts_) {
    const std::string& name = one->plan.spec->name;
    const bool is_needed = std::ranges::any_of(scenario_.workloads,
                                               [&](const auto& w) { return w.from == name || w.to == name; });
    if (!is_needed) continue;
    Child::Options options;
    std::vector<std::string> words = options_.agent;
    words.push_back(name);
    options.command = inside(*one, words, !one->plan.spec->is_linux);
    options.log_path = one->log_path;
    auto child = start(*one, options);
    if (!child) return Failure(child.error());
    one->agent = std::move(*child);
    Host* const host = one.get();
    loop_.add(host->agent->output_descriptor(), io::Interest::kRead,
              [this, host](io::Readiness) { on_agent(*host); });
  }
  const auto are_ready = [this] {
    return std::ranges::all_of(
        hosts_, [](const auto& h) { return h->agent == nullptr || h->is_ready || h->has_reported; });
  };
  return wait_for(are_ready, "the hosts' agents are");
}

void Laboratory::on_agent(Host& host) {
  const auto text = host.agent->read_output();
  if (!text) {  // it has ended
    loop_.remove(host.agent->output_descriptor());
    host.has_reported = true;
    for (size_t i = 0; i < flows_.size(); ++i) {
      const bool is_its =
          flows_[i].spec->from == host.plan.spec->name || flows_[i].spec->to == host.plan.spec->name;
      FlowState& flow = results_of_flows_[i];
      const json& last =
          flows_[i].spec->from == host.plan.spec->name ? flow.client_result : flow.server_result;
      if (is_its && last.is_null() && flow.failure.empty())
        flow.failure = fmt::format("{}: what played it ended too early", host.plan.spec->name);
    }
    return check_end();
  }
  host.agent_output += *text;
  size_t begin = 0;
  for (size_t end; (end = host.agent_output.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const json message =
        json::parse(host.agent_output.begin() + static_cast<std::ptrdiff_t>(begin),
                    host.agent_output.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (message.is_object()) on_line(host, message);
  }
  host.agent_output.erase(0, begin);
}

void Laboratory::on_line(Host& host, const json& message) {
  if (message.contains("ready")) host.is_ready = true;
  const size_t number = message.value("connection", flows_.size());
  if (number >= flows_.size()) return;
  FlowState& flow = results_of_flows_[number];
  const bool is_server = message.value("is_server", false);
  if (message.contains("over")) flow.is_over = true;
  if (message.contains("failure") && flow.failure.empty()) {
    flow.failure = fmt::format("{}: {}", host.plan.spec->name, message["failure"].get<std::string>());
    flow.is_over = true;
  }
  if (const auto found = message.find("sample"); found != message.end()) {
    if (host.plan.spec->is_linux) note_stack(number, is_server, *found);
    if (is_server == (flows_[number].spec->kind != scenario::WorkloadSpec::Kind::kRequests)) {
      flow.sampled_bytes = found->value("received_bytes", uint64_t{0}) - flow.sampled_bytes;
      series_.push_back({found->value("at_s", 0.0), fmt::format("connection {}", number + 1), "goodput",
                         static_cast<double>(flow.sampled_bytes) * 8 / seconds(scenario_.interval)});
      flow.sampled_bytes = found->value("received_bytes", uint64_t{0});
    }
    if (host.plan.spec->is_linux && !is_server) add_series(number, found->value("at_s", 0.0));
  }
  if (const auto found = message.find("result"); found != message.end()) {
    if (host.plan.spec->is_linux) note_stack(number, is_server, *found);
    (is_server ? flow.server_result : flow.client_result) = *found;
  }
  check_end();
}

void Laboratory::note_stack(size_t number, bool is_server, json info) {
  FlowState& flow = results_of_flows_[number];
  const auto memory = info.value("memory_bytes", uint64_t{0});
  uint64_t& most = is_server ? flow.server_memory_max : flow.client_memory_max;
  most = std::max(most, memory);
  // Of a subflow that is gone, the kernel says nothing more: what it did say stays.
  json& last = is_server ? flow.server : flow.client;
  if (last.contains("subflows") && info.contains("subflows")) {
    for (const json& old : last["subflows"]) {
      const bool is_there = std::ranges::any_of(info["subflows"], [&](const json& s) {
        return s.value("local", "") == old.value("local", "") &&
               s.value("remote", "") == old.value("remote", "");
      });
      if (!is_there) info["subflows"].push_back(old);
    }
  }
  last = std::move(info);
}

void Laboratory::add_series(size_t number, double at) {
  FlowState& flow = results_of_flows_[number];
  if (!options_.records_series || !flow.client.contains("subflows")) return;
  size_t index = 0;
  for (const json& s : flow.client["subflows"]) {
    const std::string name = fmt::format("connection {} subflow {}", number + 1, ++index);
    const auto sent = s.value("data_sent_bytes", uint64_t{0});
    uint64_t& before = flow.sampled_subflow_bytes[index];
    series_.push_back({at, name, "rate",
                       static_cast<double>(sent - std::min(sent, before)) * 8 / seconds(scenario_.interval)});
    before = sent;
    series_.push_back({at, name, "cwnd", s.value("cwnd_bytes", 0.0)});
    series_.push_back({at, name, "srtt", s.value("srtt_us", 0.0) / 1e3});
  }
}

void Laboratory::ask_daemon(const Host& host) {
  auto client = service::ControlClient::connect(host.socket_path);
  if (!client) return;
  const auto answer = client->call({{"command", "ss"}});
  if (!answer) return;
  for (json connection : answer->value("connections", json::array())) {
    const bool is_server = connection.value("is_server", false);
    const std::string end = connection.value(is_server ? "local" : "remote", "");
    for (size_t i = 0; i < flows_.size(); ++i) {
      const scenario::FlowPlan& plan = flows_[i];
      if ((is_server ? plan.spec->to : plan.spec->from) != host.plan.spec->name) continue;
      const wire::Endpoint server{world_.address_of(plan.spec->to), plan.port};
      if (end != server.to_string()) continue;
      connection["memory_bytes"] = connection.value("send_queue_bytes", uint64_t{0}) +
                                   connection.value("receive_queue_bytes", uint64_t{0}) +
                                   connection.value("out_of_order_bytes", uint64_t{0});
      note_stack(i, is_server, connection);
      if (!is_server) add_series(i, seconds(now().time_since_epoch()));
      break;
    }
  }
}

void Laboratory::sample() {
  for (const auto& one : hosts_) {
    if (one->daemon != nullptr && one->agent != nullptr) ask_daemon(*one);
  }
  if (options_.on_progress)
    options_.on_progress(seconds(now().time_since_epoch()) / seconds(scenario_.duration));
  sample_at_ += scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
}

std::string Laboratory::with_addresses(std::string command) const {
  for (const scenario::HostSpec& spec : scenario_.hosts) {
    const std::string name = fmt::format("{{{}}}", spec.name);
    for (size_t at; (at = command.find(name)) != std::string::npos;)
      command.replace(at, name.size(), world_.address_of(spec.name).to_string());
  }
  return command;
}

void Laboratory::start_program(size_t number) {
  const scenario::ProgramSpec& spec = scenario_.programs[number];
  Program& program = *programs_[number];
  const Host& where = host(spec.host);
  program.result.start_s = seconds(now().time_since_epoch());
  Child::Options options;
  options.command = inside(where, {"sh", "-c", with_addresses(spec.command)}, !where.plan.spec->is_linux);
  auto child = start(where, options);
  if (!child) {
    program.result.output = child.error();
    program.result.exit_status = 127;
    program.has_ended = true;
    return check_end();
  }
  program.child = std::move(*child);
  loop_.add(program.child->output_descriptor(), io::Interest::kRead,
            [this, &program](io::Readiness) { on_program_output(program); });
  loop_.add(program.child->end_descriptor(), io::Interest::kRead,
            [this, &program](io::Readiness) { on_program_end(program); });
}

void Laboratory::on_program_output(Program& program) {
  const auto text = program.child->read_output();
  if (!text) return loop_.remove(program.child->output_descriptor());
  std::string& output = program.result.output;
  output += *text;
  if (output.size() > kOutputKept) output.erase(0, output.size() - kOutputKept);
}

void Laboratory::on_program_end(Program& program) {
  if (!program.child->exit_status()) return;
  loop_.remove(program.child->end_descriptor());
  on_program_output(program);
  program.result.exit_status = program.child->exit_status();
  program.result.end_s = seconds(now().time_since_epoch());
  program.has_ended = true;
  check_end();
}

tl::expected<void, std::string> Laboratory::start_command() {
  const Host& where = host(options_.command_host);
  Child::Options options;
  std::vector<std::string> words;
  for (const std::string& word : options_.command) words.push_back(with_addresses(word));
  options.command = inside(where, words, !where.plan.spec->is_linux);
  options.has_terminal = true;
  for (const scenario::HostSpec& spec : scenario_.hosts)
    options.environment.emplace_back("BRAID_LAB_" + spec.name, world_.address_of(spec.name).to_string());
  auto child = start(where, options);
  if (!child) return Failure(child.error());
  command_ = std::move(*child);
  loop_.add(command_->end_descriptor(), io::Interest::kRead, [this](io::Readiness) {
    if (!command_->exit_status()) return;
    loop_.remove(command_->end_descriptor());
    outcome_.command_status = command_->exit_status();
    loop_.stop();
  });
  return {};
}

/// Over when everything that has an end has reached it.
void Laboratory::check_end() {
  if (begin_ == Time{} || command_ != nullptr || !scenario_.stops_early) return;
  const bool are_flows_over = std::ranges::all_of(
      results_of_flows_, [](const FlowState& f) { return f.is_over || !f.failure.empty(); });
  const bool are_programs_over =
      std::ranges::all_of(programs_, [](const auto& p) { return p->has_ended || !p->is_awaited; });
  const bool is_anything =
      !flows_.empty() ||
      std::ranges::any_of(programs_, &Program::is_awaited, [](const auto& p) -> Program& { return *p; });
  if (are_flows_over && are_programs_over && is_anything) loop_.stop();
}

void Laboratory::stop_agents() {
  for (const auto& one : hosts_) {
    if (one->agent != nullptr) one->agent->write_input("stop\n");
  }
  const Time patience = io::read_clock() + kLastWords;
  const auto have_reported = [this] {
    return std::ranges::all_of(hosts_, [](const auto& h) { return h->agent == nullptr || h->has_reported; });
  };
  while (!have_reported() && io::read_clock() < patience) loop_.run_once(patience);
}

scenario::ConnectionResult Laboratory::result_of(size_t number) const {
  const scenario::WorkloadSpec& spec = *flows_[number].spec;
  const FlowState& flow = results_of_flows_[number];
  const json client = flow.client_result.is_object() ? flow.client_result : json::object();
  const json server = flow.server_result.is_object() ? flow.server_result : json::object();
  const json& teller = spec.kind == scenario::WorkloadSpec::Kind::kRequests ? client : server;
  scenario::ConnectionResult result;
  result.kind = spec.is_of_trace ? "trace" : to_string(spec.kind);
  result.from = spec.from;
  result.to = spec.to;
  result.bytes = client.value("received_bytes", uint64_t{0}) + server.value("received_bytes", uint64_t{0});
  result.start_s = seconds(spec.start.time_since_epoch());
  const bool is_over = client.value("is_over", false) || server.value("is_over", false);
  result.end_s = is_over ? std::max(client.value("last_byte_s", 0.0), server.value("last_byte_s", 0.0))
                         : outcome_.results.elapsed_s;
  if (result.end_s > result.start_s)
    result.goodput_bits_per_s = static_cast<double>(result.bytes) * 8 / (result.end_s - result.start_s);
  result.longest_gap_s = teller.value("longest_gap_s", 0.0);
  result.failure = flow.failure;
  result.is_complete = is_over && flow.failure.empty();
  result.is_intact = client.value("is_intact", true) && server.value("is_intact", true);
  result.delay = scenario::summarise(teller.value("delays", std::vector<double>()));
  for (const json* end : {&flow.client, &flow.server})
    result.wasted_bytes +=
        end->value("reinjected_bytes", uint64_t{0}) + end->value("retransmitted_bytes", uint64_t{0});
  result.sender_memory_max = flow.client_memory_max;
  result.receiver_memory_max = flow.server_memory_max;
  result.multipath = flow.client.value("multipath", "");
  result.fallback =
      flow.client.value("fallback", result.multipath == "fallback" ? "not told by Linux" : "none");
  for (const json& s : flow.client.value("subflows", json::array())) {
    // By place, as its series are named.
    result.subflows.push_back({.index = static_cast<uint8_t>(result.subflows.size()),
                               .local = s.value("local", ""),
                               .remote = s.value("remote", ""),
                               .sent_bytes = s.value("data_sent_bytes", uint64_t{0}),
                               .received_bytes = s.value("data_received_bytes", uint64_t{0}),
                               .srtt_ms = s.value("srtt_us", 0.0) / 1e3,
                               .retransmissions = s.value("retransmissions", uint64_t{0}),
                               .timeouts = s.value("timeouts", uint64_t{0}),
                               .is_backup = s.value("is_backup", false)});
  }
  return result;
}

/// What the hosts logged for themselves, and the scenario's events, in the order of time.
void Laboratory::write_event_log() {
  struct Line {
    double time_s;
    const std::string* host;
    std::string members;
  };
  std::vector<Line> lines;
  for (const auto& one : hosts_) {
    std::ifstream file(one->events_path);
    for (std::string line; std::getline(file, line);) {
      // {"time_s":SECONDS,MEMBERS}
      const size_t colon = line.find(':'), comma = line.find(',');
      if (comma == std::string::npos || !line.ends_with('}')) continue;
      const double time =
          std::stod(line.substr(colon + 1, comma - colon - 1)) - seconds(begin_.time_since_epoch());
      lines.push_back({time, &one->plan.spec->name, line.substr(comma + 1, line.size() - comma - 2)});
    }
  }
  std::ranges::stable_sort(lines, {}, &Line::time_s);
  std::vector<scenario::EventSpec> events = scenario_.events;
  std::ranges::stable_sort(events, {}, &scenario::EventSpec::at);
  auto event = events.begin();
  for (const Line& line : lines) {
    for (; event != events.end() && seconds(event->at.time_since_epoch()) <= line.time_s; ++event)
      event_log_->add(*event);
    event_log_->add(line.time_s, *line.host, line.members);
  }
  for (; event != events.end() && event->at < now(); ++event) event_log_->add(*event);
}

/// What happens to hosts; what happens to links is the carrier's.
void Laboratory::apply(const scenario::EventSpec& event) {
  using Kind = scenario::EventSpec::Kind;
  const Host& where = host(event.subject);
  if (event.kind == Kind::kPolicy) {
    if (const auto done = change_policy(where, event); !done)
      fmt::print(stderr, "braid lab: at {:.3f} s: {}\n", seconds(event.at.time_since_epoch()), done.error());
    return;
  }
  for (size_t i = 0; i < where.plan.attachments.size(); ++i) {
    if (where.plan.attachments[i]->link->name() != event.link) continue;
    const bool is_of_address = event.kind == Kind::kAddressAdded || event.kind == Kind::kAddressRemoved;
    const auto done =
        is_of_address ? change_address(namespaces_, where.plan, i, event.kind == Kind::kAddressAdded)
        : where.plan.spec->is_linux ? change_backup(namespaces_, where.plan, i, event.kind == Kind::kBackup)
                                    : change_endpoint(where, i, event.kind == Kind::kBackup);
    if (!done)
      fmt::print(stderr, "braid lab: at {:.3f} s: {}\n", seconds(event.at.time_since_epoch()), done.error());
  }
}

/// Of a Braid host's connections, through its daemon.
tl::expected<void, std::string> Laboratory::change_policy(const Host& host,
                                                          const scenario::EventSpec& event) {
  auto client = service::ControlClient::connect(host.socket_path);
  if (!client) return Failure(client.error());
  json request = {{"command", "set"}, {"connection", "all"}};
  if (!event.scheduler.empty()) request["scheduler"] = event.scheduler;
  if (!event.congestion_control.empty()) request["congestion_control"] = event.congestion_control;
  if (const auto changed = client->call(request); !changed) return Failure(changed.error());
  return {};
}

/// Of a Braid host, through its daemon.
tl::expected<void, std::string> Laboratory::change_endpoint(const Host& host, size_t attachment,
                                                            bool is_backup) {
  const scenario::Attachment& a = *host.plan.attachments[attachment];
  auto client = service::ControlClient::connect(host.socket_path);
  if (!client) return Failure(client.error());
  const auto shown = client->call({{"command", "endpoint"}, {"action", "show"}});
  if (!shown) return Failure(shown.error());
  for (const json& endpoint : *shown) {
    if (endpoint.value("address", "") != a.address.to_string()) continue;
    std::vector<std::string> flags = endpoint.value("flags", std::vector<std::string>());
    std::erase(flags, "backup");
    if (is_backup) flags.push_back("backup");
    const auto changed = client->call(
        {{"command", "endpoint"}, {"action", "change"}, {"id", endpoint.value("id", 0)}, {"flags", flags}});
    if (!changed) return Failure(changed.error());
  }
  return {};
}

LabOutcome Laboratory::run() {
  for (const scenario::ProgramSpec& spec : scenario_.programs) {
    auto program = std::make_unique<Program>();
    program->result.host = spec.host;
    program->result.command = spec.command;
    program->is_awaited = !spec.is_background;
    programs_.push_back(std::move(program));
  }
  carrier_ = std::make_unique<Carrier>(scenario_, world_, wire_ends_);
  constexpr Duration kStartIn = 50ms;
  begin_ = io::read_clock() + kStartIn;
  carrier_->begin(begin_);
  for (const auto& one : hosts_) {
    if (one->agent != nullptr)
      one->agent->write_input(fmt::format("begin {}\n", begin_.time_since_epoch().count()));
  }
  for (const scenario::EventSpec& event : scenario_.events) {
    if (event.is_of_host())
      loop_.call_at(begin_ + event.at.time_since_epoch(), [this, &event] { apply(event); });
  }
  for (size_t i = 0; i < scenario_.programs.size(); ++i)
    loop_.call_at(begin_ + scenario_.programs[i].start.time_since_epoch(), [this, i] { start_program(i); });
  if (!options_.command.empty()) {
    loop_.call_at(begin_, [this] {
      if (const auto done = start_command(); !done) {
        fmt::print(stderr, "braid lab: {}\n", done.error());
        outcome_.command_status = 127;
        loop_.stop();
      }
    });
  } else {
    loop_.call_at(begin_ + scenario_.duration, [this] { loop_.stop(); });
  }
  sample_at_ = begin_ + scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
  loop_.run();
  // While the connections are still there.
  for (const auto& one : hosts_) {
    if (one->daemon != nullptr && one->agent != nullptr) ask_daemon(*one);
  }
  scenario::Results& results = outcome_.results;
  results.elapsed_s = seconds(now().time_since_epoch());
  stop_agents();
  carrier_->end();
  results.scenario = scenario_.name;
  results.seed = scenario_.seed;
  results.is_real_time = true;
  results.packet_hops = world_.network().packet_hops();
  results.events = world_.network().events().events_run();
  for (size_t i = 0; i < flows_.size(); ++i) results.connections.push_back(result_of(i));
  results.links = scenario::links_of(world_.network());
  for (const auto& program : programs_) {
    if (!program->has_ended) program->result.end_s = results.elapsed_s;
    results.programs.push_back(program->result);
  }
  results.lateness = carrier_->lateness();
  if (event_log_ != nullptr) write_event_log();
  results.series = std::move(series_);
  results.series.insert(results.series.end(), carrier_->series().begin(), carrier_->series().end());
  std::ranges::stable_sort(results.series, {}, &scenario::Sample::time_s);
  return std::move(outcome_);
}

std::string what_cannot_be(const scenario::Scenario& scenario) {
  if (geteuid() != 0) return "a laboratory makes network namespaces, and needs root";
  if (access("/dev/net/tun", R_OK | W_OK) != 0) return "a laboratory needs /dev/net/tun";
  for (const scenario::EventSpec& event : scenario.events) {
    if (event.kind == scenario::EventSpec::Kind::kHostRestart)
      return fmt::format("host \"{}\" cannot be restarted in real time: that event is for `braid sim`",
                         event.subject);
  }
  return {};
}

}  // namespace

tl::expected<LabOutcome, std::string> run_laboratory(const scenario::Scenario& scenario,
                                                     const LabOptions& options) {
  if (std::string wrong = what_cannot_be(scenario); !wrong.empty()) return Failure(std::move(wrong));
  const std::string workplace = make_workplace();
  if (workplace.empty()) return Failure(fmt::format("/tmp: {}", std::strerror(errno)));
  std::vector<std::string> names;
  for (const scenario::HostSpec& spec : scenario.hosts) names.push_back(spec.name);
  auto namespaces = Namespaces::make(names, workplace);
  if (!namespaces) return Failure(namespaces.error());
  Laboratory laboratory(scenario, options, std::move(*namespaces), workplace);
  if (auto done = laboratory.set_up(); !done) {
    if (laboratory.is_interrupted())
      return LabOutcome{.results = {}, .command_status = {}, .was_interrupted = true};
    return Failure(done.error());
  }
  return laboratory.run();
}

}  // namespace braid::lab
