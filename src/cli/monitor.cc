// `braid monitor`: connections, paths and events of the daemon, live in the terminal.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cli/control_call.h"
#include "cli/monitor_view.h"
#include "cli/subcommands.h"
#include "cli/terminal.h"
#include "cli/why_format.h"
#include "service/control.h"

namespace braid::cli {

namespace {
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kFooter = R"(
Rates are of payload, over the time since the sample before; LOST is the share of what was sent that had to be
sent again. A path is up, backup, joining, or silent (no answer for a timeout; it is probed). Press ? for the
keys; Enter tells the history of the chosen connection, as `braid why` does.

Asking costs the daemon some microseconds a connection: with thousands of them the interval grows by itself,
so that asking takes a twentieth of the time at most. Colour is used where the terminal has it and NO_COLOR
is not set.

Examples:
  braid monitor
  braid monitor --interval 0.2
  braid monitor --once                          one frame as text, after one interval
  braid monitor --once --size 200x60 --sort in
  BRAID_SOCKET=/run/other.sock braid monitor    another daemon's)";

constexpr size_t kMostEvents = 200;
constexpr double kAskingShare = 0.05;

struct Options {
  double interval_s = 1;
  bool is_once = false, in_bytes = false;
  std::string size, sort = "rate";
};

double seconds(Clock::time_point at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The daemon, as the monitor asks it.
class Source {
 public:
  /// The error is for people.
  static tl::expected<Source, std::string> open() {
    auto client = service::ControlClient::connect(service::control_socket_path());
    if (!client) return tl::unexpected(client.error());
    const auto followed = client->call({{"command", "events"}, {"action", "follow"}, {"last", 20}});
    if (!followed) return tl::unexpected(followed.error());
    Source source(std::move(*client));
    source.wall_offset_s_ = wall_seconds() - followed->value("now_s", 0.0);
    for (const json& event : followed->value("events", json::array())) source.add_event(event);
    return source;
  }

  tl::expected<Snapshot, std::string> sample() {
    const auto begin = Clock::now();
    const auto status = client_.call({{"command", "status"}});
    if (!status) return tl::unexpected(status.error());
    const auto ss = client_.call({{"command", "ss"}});
    if (!ss) return tl::unexpected(ss.error());
    for (const json& event : client_.take_events()) add_event(event);
    Snapshot snapshot = sampler_.take(*ss, *status, seconds(Clock::now()));
    snapshot.time_unix_s = wall_seconds();
    snapshot.events = events_;
    asking_s_ = seconds(Clock::now()) - seconds(begin);
    return snapshot;
  }

  std::vector<std::string> why(const std::string& connection, int columns) {
    const auto answer = client_.call({{"command", "why"}, {"connection", connection}});
    std::string text = answer ? format_why(*answer, columns) : wrap(answer.error(), 0, columns);
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
  /// How long the last sample took.
  double asking_s() const { return asking_s_; }

 private:
  explicit Source(service::ControlClient client) : client_(std::move(client)) {}
  void add_event(const json& event) {
    std::string line = format_decision(event, wall_offset_s_);
    if (line.size() > 12 && line[8] == '.') line.erase(8, 4);  // seconds are enough here
    events_.push_back(std::move(line));
    if (events_.size() > kMostEvents) events_.erase(events_.begin());
  }

  service::ControlClient client_;
  Sampler sampler_;
  std::vector<std::string> events_;
  double wall_offset_s_ = 0, asking_s_ = 0;
};

/// SIGWINCH, and the signals that end it, as something to poll: the screen is put back in any case.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGWINCH, SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, &before_);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() {
    close(fd_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int fd() const { return fd_; }
  /// False: it is to end.
  bool read_all() const {
    signalfd_siginfo info{};
    bool goes_on = true;
    while (read(fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info)))
      goes_on = goes_on && info.ssi_signo == SIGWINCH;
    return goes_on;
  }

 private:
  sigset_t before_{};
  int fd_ = -1;
};

class Monitor {
 public:
  Monitor(Source source, const ViewState& view) : source_(std::move(source)), view_(view) {}

  /// The exit status.
  int run() {
    Signals signals;
    std::string error;
    {
      const FullScreen screen;
      error = loop(signals);
    }
    if (error.empty()) return 0;
    fmt::print(stderr, "braid: {}\n", error);
    return 1;
  }

 private:
  /// Until the user has enough; or the error.
  std::string loop(const Signals& signals) {
    const bool is_coloured = has_colour(), is_utf8 = has_utf8();
    auto next = Clock::now();
    for (;;) {
      if (Clock::now() >= next) {
        if (!view_.is_paused) {
          auto taken = source_.sample();
          if (!taken) return taken.error();
          snapshot_ = std::move(*taken);
        }
        const double pause = std::max(view_.interval_s, source_.asking_s() / kAskingShare);
        next =
            Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause));
      }
      Frame frame = render(snapshot_, view_, terminal_size().value_or(TerminalSize{}), is_utf8);
      const std::string bytes = frame.to_terminal(shown_ ? &*shown_ : nullptr, is_coloured);
      if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
        return {};
      shown_ = std::move(frame);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
      pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
      poll(ready, 2, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
      if (ready[1].revents != 0 && !signals.read_all()) return {};
      if (ready[0].revents != 0 && !read_keys(next)) return {};
    }
  }

  /// False: it is to end.
  bool read_keys(Clock::time_point& next) {
    char buffer[256];
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (count <= 0) return false;
    std::string input(buffer, static_cast<size_t>(count));
    while (!input.empty()) {
      switch (on_key(next_key(input), snapshot_, view_)) {
        case Wish::kQuit:
          return false;
        case Wish::kWhy:
          view_.overlay = source_.why(view_.selected, terminal_size().value_or(TerminalSize{}).columns);
          view_.overlay_scroll = 0;
          break;
        case Wish::kSample:
          next = Clock::now();
          break;
        case Wish::kNothing:
          break;
      }
    }
    return true;
  }

  Source source_;
  ViewState view_;
  Snapshot snapshot_;
  std::optional<Frame> shown_;
};

/// Two samples, for the rates.
int print_once(Source source, ViewState view, TerminalSize size) {
  const auto first = source.sample();
  if (first) std::this_thread::sleep_for(std::chrono::duration<double>(view.interval_s));
  const auto second = first ? source.sample() : first;
  if (!second) {
    fmt::print(stderr, "braid: {}\n", second.error());
    return 1;
  }
  fmt::print("{}", render(*second, view, size, has_utf8()).to_text());
  return 0;
}

std::optional<TerminalSize> parse_size(const std::string& text) {
  TerminalSize size;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%dx%d%c", &size.columns, &size.rows, &rest) != 2) return {};
  if (size.columns < 20 || size.columns > 1000 || size.rows < 6 || size.rows > 1000) return {};
  return size;
}

int run(const Options& options) {
  ViewState view;
  view.interval_s = options.interval_s;
  view.in_bytes = options.in_bytes;
  while (to_string(view.sort) != options.sort)
    view.sort = static_cast<SortKey>(static_cast<int>(view.sort) + 1);
  const auto size =
      options.size.empty() ? terminal_size().value_or(TerminalSize{}) : parse_size(options.size);
  if (!size) {
    fmt::print(stderr, "braid monitor: --size takes COLUMNSxROWS, from 20x6 to 1000x1000, not {}\n",
               options.size);
    return kExitUsage;
  }
  if (!options.is_once && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)) {
    fmt::print(stderr, "braid monitor: this is no terminal; --once prints one frame as text\n");
    return kExitUsage;
  }
  auto source = Source::open();
  if (!source) {
    fmt::print(stderr, "braid: {}\n", source.error());
    return 1;
  }
  if (options.is_once) return print_once(std::move(*source), view, *size);
  return Monitor(std::move(*source), view).run();
}
}  // namespace

void add_monitor(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("monitor", "Connections, paths and events, live");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("--interval", options->interval_s, "Seconds between samples [1]")
      ->check(CLI::Range(0.1, 60.0))
      ->type_name("SECONDS");
  std::vector<std::string> sorts;
  for (int i = 0; i < kSortKeyCount; ++i) sorts.emplace_back(to_string(static_cast<SortKey>(i)));
  command->add_option("--sort", options->sort, "Order of connections [rate]")->check(CLI::IsMember(sorts));
  command->add_flag("--bytes", options->in_bytes, "Rates in bytes a second, not bits");
  command->add_flag("--once", options->is_once, "Print one frame as text, and end");
  command->add_option("--size", options->size, "With --once: its size [the terminal's, else 80x24]")
      ->type_name("COLUMNSxROWS");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
