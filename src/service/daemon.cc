#include "service/daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "io/event_loop.h"
#include "io/live_host.h"
#include "io/network.h"
#include "io/service_manager.h"
#include "service/capture/capture_protocol.h"
#include "service/capture/capture_server.h"
#include "service/connection_history.h"
#include "service/control_commands.h"
#include "service/control_server.h"
#include "service/decision_events.h"
#include "service/event_file.h"
#include "service/listen_relays.h"
#include "service/metrics_service.h"
#include "service/path_events.h"
#include "service/socket_protocol.h"
#include "service/socket_service.h"

namespace braid::service {

namespace {

// Once its programs have ended a private daemon still delivers what they wrote, as a kernel would: for so
// long.
constexpr Duration kLongestDrain = 10s;
constexpr Duration kDrainCheck = 2ms;

/// "<4>": the journal's word for how grave a line is (sd-daemon(3)).
class JournalLevel final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    static constexpr std::array<char, spdlog::level::n_levels> kPriorities = {'7', '7', '6', '4',
                                                                              '3', '2', '6'};
    out.push_back('<');
    out.push_back(kPriorities.at(message.level));
    out.push_back('>');
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<JournalLevel>();
  }
};

void start_logging(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("braid", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  if (io::is_logging_to_journal()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<JournalLevel>('*').set_pattern("%*%v");
    logger->set_formatter(std::move(formatter));
  } else {
    logger->set_pattern("braid: %l: %v");
  }
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

// Each socket of a program costs a descriptor here.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = 1u << 20;
  rlimit higher{wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Says once how the start went, to whoever started us.
class Readiness {
 public:
  explicit Readiness(int fd) : fd_(fd) {}
  void tell(const std::string& line) {
    if (!fd_) return;
    const std::string text = line + "\n";
    if (write(fd_.get(), text.data(), text.size()) < 0) spdlog::debug("nobody waits for us to be ready");
    fd_.reset();
  }

 private:
  io::FileDescriptor fd_;
};

/// All that runs, in the order in which it depends on each other.
class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options)
      : options_(options), lifeline_(options.lifeline_fd), manager_(io::ServiceManager::from_environment()) {}
  ~Daemon();

  io::Setup<void> start();
  void run() { loop_.run(); }

 private:
  io::Setup<void> make_directory() const;
  CaptureRoute choose_route(const PolicyQuestion& question) const;
  io::Setup<void> listen();
  io::Setup<void> start_metrics();
  void watch_lifeline();
  void on_signal(uint32_t signal);
  void reload();
  void feed_watchdog();
  std::string summary() const;
  void drain(Time until);

  const DaemonOptions& options_;
  Policy policy_;
  io::FileDescriptor lifeline_;
  io::ServiceManager manager_;
  io::EventLoop loop_;
  std::unique_ptr<io::SignalSource> signals_;
  std::unique_ptr<EventFile> event_file_;
  std::unique_ptr<EndedPaths> ended_paths_;
  std::unique_ptr<ConnectionHistories> histories_;
  std::unique_ptr<DecisionEvents> decision_events_;
  std::unique_ptr<PathEvents> path_events_;
  std::unique_ptr<io::LiveHost> live_;
  std::unique_ptr<io::Network> network_;
  std::unique_ptr<SocketService> sockets_;
  std::unique_ptr<ListenRelays> listens_;
  std::unique_ptr<CaptureServer> captures_;
  std::unique_ptr<ControlCommands> commands_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<MetricsService> metrics_;
};

// Peers are not left to find out by themselves: their connections are reset. Then down, top to bottom.
Daemon::~Daemon() {
  manager_.stopping();
  if (live_ != nullptr) live_->host().set_decision_log(event_file_.get());
  metrics_.reset();
  path_events_.reset();
  decision_events_.reset();
  control_.reset();
  commands_.reset();
  captures_.reset();
  listens_.reset();
  sockets_.reset();
  if (live_ != nullptr) {
    for (const auto& entry : live_->host().connections()) live_->host().abort(entry.id, live_->now());
    loop_.run_once(io::read_clock());
  }
  if (lifeline_) loop_.remove(lifeline_.get());  // nothing happens if it hung up before
  network_.reset();
}

io::Setup<void> Daemon::make_directory() const {
  const std::filesystem::path directory = std::filesystem::path(options_.socket_path).parent_path();
  if (directory.empty() || mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return tl::unexpected(io::setup_error("the directory " + directory.string(), errno,
                                        "Choose another place for the control socket with --socket."));
}

void Daemon::watch_lifeline() {
  if (!lifeline_) return;
  loop_.add(lifeline_.get(), io::Interest::kRead, [this](io::Readiness readiness) {
    if (!readiness.hung_up && !readiness.readable) return;
    loop_.remove(lifeline_.get());
    drain(loop_.now() + kLongestDrain);
  });
}

void Daemon::drain(Time until) {
  const bool is_done =
      sockets_->socket_count() == 0 && captures_->is_idle() && live_->host().connection_count() == 0;
  if (is_done || loop_.now() >= until) return loop_.stop();
  loop_.call_at(loop_.now() + kDrainCheck, [this, until] { drain(until); });
}

CaptureRoute Daemon::choose_route(const PolicyQuestion& question) const {
  const PolicyRule* const rule = policy_.decide(question);
  if (rule == nullptr) return {};
  return {.uses_kernel = rule->action == PolicyAction::kKernel, .connection = rule->connection};
}

io::Setup<void> Daemon::start() {
  signals_ = std::make_unique<io::SignalSource>(
      loop_, std::initializer_list<int>{SIGTERM, SIGINT, SIGHUP},
      [this](const signalfd_siginfo& signal) { on_signal(signal.ssi_signo); });
  if (auto made = make_directory(); !made) return made;
  auto network = io::Network::open(options_.config.network);
  if (!network) return tl::unexpected(network.error());
  network_ = std::move(*network);
  host::HostConfig host_config = options_.config.host;
  network_->configure(host_config);
  live_ = std::make_unique<io::LiveHost>(loop_, host_config);
  if (!options_.config.capture_path.empty()) {
    if (auto started = live_->start_capture(options_.config.capture_path); !started) return started;
  }
  if (!options_.config.events_path.empty()) {
    auto events = EventFile::open(options_.config.events_path);
    if (!events) return tl::unexpected(io::SetupError{std::move(events.error())});
    event_file_ = std::move(*events);
  }
  ended_paths_ = std::make_unique<EndedPaths>(event_file_.get());
  histories_ = std::make_unique<ConnectionHistories>(options_.config.history, ended_paths_.get());
  if (auto attached = network_->attach(*live_); !attached) return attached;
  sockets_ = std::make_unique<SocketService>(*live_, network_.get(), options_.config.sockets);
  policy_ = options_.config.policy;
  policy_.set_base(live_->host().config().connection);
  sockets_->set_policy(&policy_);
  commands_ =
      std::make_unique<ControlCommands>(*live_, *network_, *sockets_, *histories_, [this] { loop_.stop(); });
  control_ = std::make_unique<ControlServer>(
      loop_, [this](const nlohmann::json& request, Subscriptions& subscriptions) {
        return commands_->run(request, subscriptions);
      });
  decision_events_ = std::make_unique<DecisionEvents>(*control_, histories_.get());
  path_events_ = std::make_unique<PathEvents>(*control_, decision_events_.get());
  live_->host().set_decision_log(path_events_.get());
  if (auto listening = listen(); !listening) return listening;
  if (auto listening = start_metrics(); !listening) return listening;
  watch_lifeline();
  feed_watchdog();
  manager_.ready(summary());
  return {};
}

// The control socket first: it finds out whether another daemon is there.
io::Setup<void> Daemon::listen() {
  if (auto listening = control_->listen(options_.socket_path, options_.config.group); !listening)
    return listening;
  if (auto listening = sockets_->listen(options_.socket_path + kApplicationSuffix); !listening)
    return listening;
  captures_ = std::make_unique<CaptureServer>(
      *live_, network_.get(),
      CaptureServer::Settings{.kernel_fallback = options_.config.sockets.kernel_fallback,
                              .choose_route = [this](const std::string& program, uint32_t uid,
                                                     const wire::Endpoint& destination) {
                                return choose_route(
                                    {.program = program, .uid = uid, .endpoint = destination});
                              }});
  if (auto listening = captures_->listen(options_.socket_path + kCaptureSuffix); !listening) return listening;
  listens_ = std::make_unique<ListenRelays>(*live_, sockets_->ports());
  for (const ListenSpec& listen : options_.config.listens) {
    if (auto opened = listens_->open(listen); !opened) return opened;
    spdlog::info("listening on {}", listen.to_string());
  }
  return {};
}

// A terminal that goes away ends a daemon in its foreground; one with a file to read anew was sent the signal
// on purpose.
void Daemon::on_signal(uint32_t signal) {
  if (signal == SIGHUP && !options_.config_path.empty()) return reload();
  loop_.stop();
}

void Daemon::reload() {
  manager_.reloading();
  const auto config = read_config(options_.config_path);
  if (config) {
    for (const std::string& warning : config->warnings) spdlog::warn("{}", warning);
    live_->host().set_connection_config(config->host.connection);
    live_->host().set_limits(config->host.paths.limits);
    spdlog::set_level(spdlog::level::from_str(config->log_level));
    spdlog::info("{} was read anew: [connection] is for connections that begin now", options_.config_path);
  } else {
    spdlog::error("{}", config.error());
    spdlog::error("{} has mistakes: everything stays as it was", options_.config_path);
  }
  manager_.ready(summary());
}

void Daemon::feed_watchdog() {
  const auto interval = manager_.watchdog_interval();
  if (!interval) return;
  manager_.alive();
  loop_.call_at(loop_.now() + *interval, [this] { feed_watchdog(); });
}

std::string Daemon::summary() const {
  return fmt::format("Serving programs at {} with {} addresses", options_.socket_path,
                     live_->host().path_config().endpoints.size());
}

io::Setup<void> Daemon::start_metrics() {
  if (options_.config.metrics.listen.empty()) return {};
  metrics_ = std::make_unique<MetricsService>(loop_, options_.config.metrics, [this] {
    MetricsInput input;
    input.version = BRAID_VERSION;
    input.counters = &live_->host().counters();
    input.connections = live_->host().connections();
    input.ended = &ended_paths_->by_address();
    for (const auto& device : live_->devices())
      input.devices.emplace_back(device->name(), device->counters());
    input.sockets = sockets_->socket_count();
    input.listeners = live_->host().listeners().size();
    input.histories = histories_->size();
    input.history_bytes = histories_->memory_bytes();
    input.subscribers = control_->subscriber_count();
    input.lost_events = control_->lost_events();
    return input;
  });
  return metrics_->listen();
}

}  // namespace

int run_daemon(const DaemonOptions& options) {
  start_logging(options.config.log_level);
  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  for (const std::string& warning : options.config.warnings) spdlog::warn("{}", warning);
  Readiness readiness(options.ready_fd);
  Daemon daemon(options);
  if (const auto started = daemon.start(); !started) {
    readiness.tell("error: " + started.error().message);
    if (options.ready_fd < 0) spdlog::error("{}", started.error().message);
    return 1;
  }
  spdlog::debug("serving programs at {}", options.socket_path);
  readiness.tell("ready");
  daemon.run();
  return 0;
}

}  // namespace braid::service
