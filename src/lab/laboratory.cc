#include "lab/laboratory.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "io/event_loop.h"
#include "lab/carrier.h"
#include "lab/child.h"
#include "lab/daemon_commands.h"
#include "lab/event_logs.h"
#include "lab/flow_record.h"
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
        flows_(scenario::flows_of(scenario)) {
    for (const scenario::FlowPlan& plan : flows_)
      records_.emplace_back(
          plan, records_.size() + 1, scenario.interval,
          options.records_series ? FlowRecord::Series::kOfSubflowsToo : FlowRecord::Series::kOfConnection);
  }

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
  void check_end();
  void stop_agents();
  void apply(const scenario::EventSpec& event);
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
  std::vector<FlowRecord> records_;  // of the flows, by their place
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
    for (FlowRecord& record : records_) record.on_agent_end(host.plan.spec->name);
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
  const size_t number = message.value("connection", records_.size());
  if (number >= records_.size()) return;
  records_[number].on_agent(message, host.plan.spec->name, host.plan.spec->is_linux, series_);
  check_end();
}

void Laboratory::ask_daemon(const Host& host) {
  auto client = service::ControlClient::connect(host.socket_path);
  if (!client) return;
  const auto answer = client->call({{"command", "ss"}});
  if (!answer) return;
  for (json connection : answer->value("connections", json::array())) {
    const bool is_server = connection.value("is_server", false);
    const std::string end = connection.value(is_server ? "local" : "remote", "");
    for (FlowRecord& record : records_) {
      const scenario::FlowPlan& plan = record.plan();
      if ((is_server ? plan.spec->to : plan.spec->from) != host.plan.spec->name) continue;
      const wire::Endpoint server{world_.address_of(plan.spec->to), plan.port};
      if (end != server.to_string()) continue;
      connection["memory_bytes"] = connection.value("send_queue_bytes", uint64_t{0}) +
                                   connection.value("receive_queue_bytes", uint64_t{0}) +
                                   connection.value("out_of_order_bytes", uint64_t{0});
      record.note_stack(is_server, connection);
      if (!is_server) record.add_series(seconds(now().time_since_epoch()), series_);
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
  const bool are_flows_over = std::ranges::all_of(records_, &FlowRecord::is_over);
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

/// What happens to hosts; what happens to links is the carrier's.
void Laboratory::apply(const scenario::EventSpec& event) {
  using Kind = scenario::EventSpec::Kind;
  const Host& where = host(event.subject);
  if (event.kind == Kind::kPolicy) {
    if (const auto done = change_policy(where.socket_path, event); !done)
      fmt::print(stderr, "braid lab: at {:.3f} s: {}\n", seconds(event.at.time_since_epoch()), done.error());
    return;
  }
  for (size_t i = 0; i < where.plan.attachments.size(); ++i) {
    if (where.plan.attachments[i]->link->name() != event.link) continue;
    const bool is_of_address = event.kind == Kind::kAddressAdded || event.kind == Kind::kAddressRemoved;
    const auto done = is_of_address
                          ? change_address(namespaces_, where.plan, i, event.kind == Kind::kAddressAdded)
                      : where.plan.spec->is_linux
                          ? change_backup(namespaces_, where.plan, i, event.kind == Kind::kBackup)
                          : change_endpoint(where.socket_path, where.plan.attachments[i]->address.to_string(),
                                            event.kind == Kind::kBackup);
    if (!done)
      fmt::print(stderr, "braid lab: at {:.3f} s: {}\n", seconds(event.at.time_since_epoch()), done.error());
  }
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
  for (const FlowRecord& record : records_) results.connections.push_back(record.result(results.elapsed_s));
  results.links = scenario::links_of(world_.network());
  for (const auto& program : programs_) {
    if (!program->has_ended) program->result.end_s = results.elapsed_s;
    results.programs.push_back(program->result);
  }
  results.lateness = carrier_->lateness();
  if (event_log_ != nullptr) {
    std::vector<OwnLog> logs;
    for (const auto& one : hosts_) logs.push_back({one->plan.spec->name, one->events_path});
    merge_event_logs(logs, scenario_, begin_, now(), *event_log_);
  }
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
