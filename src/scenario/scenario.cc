#include "scenario/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "config/closest.h"
#include "config/connection_settings.h"
#include "mptcp/coupled/coupled.h"
#include "scenario/flow_trace.h"
#include "scenario/link_reader.h"
#include "scenario/override.h"
#include "scenario/route_reader.h"
#include "scenario/topology/topology.h"
#include "sim/middlebox/registry.h"

namespace braid::scenario {

namespace {

using config::TomlErrors;
using config::TomlTable;

/// Entries in the order of the file; toml++ keeps them by name. Those of --set have no place, and come last.
std::vector<std::pair<std::string, const toml::node*>> in_order(const toml::table& table) {
  std::vector<std::pair<std::string, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(std::string(key.str()), &node);
  const auto place = [](const auto& entry) {
    const toml::source_position at = entry.second->source().begin;
    return std::pair(at.line == 0 ? UINT32_MAX : at.line, at.column);
  };
  std::ranges::stable_sort(entries, {}, place);
  return entries;
}

/// Reads one file; parts refer to each other by name, so links come after hosts, the rest after links.
class Reader {
 public:
  Reader(const toml::table& root, const std::filesystem::path& directory, TomlErrors& errors)
      : root_(root), directory_(directory), errors_(errors) {}

  Scenario read();

 private:
  void read_hosts(const toml::table* hosts);
  void read_links(const toml::table* links);
  void read_middleboxes(TomlTable& table, LinkSpec& link);
  void read_event(const toml::table& table);
  void read_host_event(TomlTable& table, const std::string& link, EventSpec& event);
  void read_policy_event(TomlTable& table, EventSpec& event);
  void read_workload(const toml::table& table);
  void read_program(const toml::table& table);
  void read_what_it_does(TomlTable& table, const std::string& kind, WorkloadSpec& workload);
  void read_distribution(TomlTable& table, std::string_view key, bool is_time, Distribution& out);
  template <class Read>
  void for_each_table(TomlTable& root, std::string_view key, Read read);
  bool is_node(std::string_view name) const;
  std::string read_node(TomlTable& table, std::string_view key);
  std::string no_host(std::string_view name) const;
  std::optional<std::string> read_trace_text(TomlTable& table, std::string& name);
  void read_trace(TomlTable& table);
  HostSpec& host(const std::string& name);

  const toml::table& root_;
  std::filesystem::path directory_;
  TomlErrors& errors_;
  Scenario scenario_;
};

HostSpec& Reader::host(const std::string& name) {
  const auto found = std::ranges::find(scenario_.hosts, name, &HostSpec::name);
  if (found != scenario_.hosts.end()) return *found;
  HostSpec& made = scenario_.hosts.emplace_back();
  made.name = name;
  made.config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
  made.config.connection.open_paths = mptcp::OpenPaths::when_worth_it();
  return made;
}

bool Reader::is_node(std::string_view name) const {
  return std::ranges::count(scenario_.routers, name) > 0 ||
         std::ranges::count(scenario_.hosts, name, &HostSpec::name) > 0;
}

void Reader::read_hosts(const toml::table* hosts) {
  if (hosts == nullptr) return;
  for (const auto& [key, value] : in_order(*hosts)) {
    const toml::node& node = *value;
    HostSpec& spec = host(key);
    TomlTable table(node.as_table(), fmt::format("[hosts.{}]", key), errors_);
    if (!node.is_table()) errors_.add(node.source().begin, fmt::format("hosts.{} must be a table", key));
    std::string stack = "braid";
    table.read_choice("stack", stack, {"braid", "linux"});
    spec.is_linux = stack == "linux";
    table.read("subflows", spec.config.paths.limits.subflows, 0, 64);
    table.read("add_addr_accepted", spec.config.paths.limits.add_addr_accepted, 0, 64);
    config::read_connection(table, spec.config.connection);
    table.refuse_others();
    if (!node.is_table()) continue;
    toml::table connection = *node.as_table();
    // `paths` goes by links, which only the simulator's interfaces are: a daemon's file has addresses.
    for (const char* other : {"stack", "subflows", "add_addr_accepted", "paths"}) connection.erase(other);
    std::ostringstream text;
    text << connection;
    spec.connection_toml = text.str();
  }
}

void Reader::read_middleboxes(TomlTable& table, LinkSpec& link) {
  const toml::array* boxes =
      table.read_array("middleboxes", "an array of tables, such as [{kind = \"nat\"}]");
  if (boxes == nullptr) return;
  for (const toml::node& node : *boxes) {
    const toml::table* box = node.as_table();
    const auto kind = box == nullptr ? std::nullopt : (*box)["kind"].value<std::string>();
    if (!kind) {
      errors_.add(node.source().begin, "a middlebox needs a kind: {kind = \"nat\"}");
      continue;
    }
    MiddleboxSpec spec{*kind, {}};
    for (const auto& [key, value] : *box) {
      if (key.str() == "kind") continue;
      const std::string name(key.str());
      if (const auto flag = value.value_exact<bool>()) {
        spec.options.emplace_back(name, *flag);
      } else if (const auto integer = value.value_exact<int64_t>()) {
        spec.options.emplace_back(name, *integer);
      } else if (const auto number = value.value_exact<double>()) {
        spec.options.emplace_back(name, *number);
      } else if (const auto text = value.value_exact<std::string>()) {
        spec.options.emplace_back(name, *text);
      } else if (const toml::array* list = value.as_array()) {
        std::vector<std::string> strings;
        for (const toml::node& item : *list) {
          const auto integer_item = item.value_exact<int64_t>();
          strings.push_back(integer_item ? std::to_string(*integer_item) : item.value_or(std::string()));
        }
        spec.options.emplace_back(name, std::move(strings));
      }
    }
    if (const auto made = sim::make_middlebox(spec.kind, spec.options, 0); !made)
      errors_.add(node.source().begin, made.error());
    link.middleboxes.push_back(std::move(spec));
  }
}

void Reader::read_links(const toml::table* links) {
  if (links == nullptr) return;
  for (const auto& [key, value] : in_order(*links)) {
    const toml::node& node = *value;
    LinkSpec link;
    link.name = key;
    if (!node.is_table()) {
      errors_.add(node.source().begin, fmt::format("links.{} must be a table", key));
      continue;
    }
    TomlTable table(node.as_table(), fmt::format("[links.{}]", key), errors_);
    std::vector<std::string> between;
    table.read("between", between);
    if (between.size() == 2 && between[0] != between[1]) {
      link.between = {between[0], between[1]};
    } else {
      table.complain("between", "expected the names of two nodes: between = [\"client\", \"server\"]");
    }
    // A node that has no table of its own is a host.
    for (const std::string& end : between) {
      if (!is_node(end)) host(end);
    }
    read_link_behaviour(table, directory_, errors_, link.directions);
    for (sim::LinkConfig& direction : link.directions) choose_queue(direction);
    read_middleboxes(table, link);
    table.refuse_others();
    scenario_.links.push_back(std::move(link));
  }
}

std::string Reader::no_host(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const HostSpec& spec : scenario_.hosts) names.push_back(spec.name);
  const std::string_view meant = config::closest(name, names);
  return fmt::format("there is no host \"{}\"{}", name,
                     meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant));
}

std::string Reader::read_node(TomlTable& table, std::string_view key) {
  std::string name;
  table.read(key, name);
  if (std::ranges::count(scenario_.hosts, name, &HostSpec::name) > 0) return name;
  table.complain(key, name.empty() ? std::string("is needed: the name of a host") : no_host(name));
  return name;
}

void Reader::read_policy_event(TomlTable& table, EventSpec& event) {
  event.kind = EventSpec::Kind::kPolicy;
  table.read_choice("scheduler", event.scheduler, mptcp::scheduler_names());
  table.read_choice("congestion_control", event.congestion_control, mptcp::all_congestion_control_names());
  if (host(event.subject).is_linux)
    table.complain("host",
                   fmt::format("{} has the stack of Linux: only Braid's changes them", event.subject));
}

void Reader::read_host_event(TomlTable& table, const std::string& link, EventSpec& event) {
  event.subject = read_node(table, "host");
  if (table.has("scheduler") || table.has("congestion_control")) return read_policy_event(table, event);
  static const std::vector<std::pair<std::string, EventSpec::Kind>> kActions = {
      {"restart", EventSpec::Kind::kHostRestart},
      {"remove-address", EventSpec::Kind::kAddressRemoved},
      {"add-address", EventSpec::Kind::kAddressAdded},
      {"backup", EventSpec::Kind::kBackup},
      {"regular", EventSpec::Kind::kRegular}};
  std::vector<std::string> names;
  for (const auto& [name, kind] : kActions) names.push_back(name);
  std::string action = table.has("link") ? "" : "restart";
  table.read_choice("action", action, names);
  for (const auto& [name, kind] : kActions) {
    if (name == action) event.kind = kind;
  }
  if (event.kind == EventSpec::Kind::kHostRestart) {
    if (table.has("link"))
      table.complain("link",
                     "a host is restarted, or something happens to its address on the link: say "
                     "action = \"remove-address\", \"add-address\", \"backup\" or \"regular\"");
    return;
  }
  std::vector<std::string> own;
  for (const LinkSpec& spec : scenario_.links) {
    if (std::ranges::count(spec.between, event.subject) > 0) own.push_back(spec.name);
  }
  event.link = link;
  if (std::ranges::count(own, link) == 0)
    return table.complain("link",
                          fmt::format("which of the host's? {} has {}", event.subject,
                                      own.empty() ? "none" : fmt::format("{}", fmt::join(own, ", "))));
  if (event.kind == EventSpec::Kind::kAddressAdded && link == own.front()) {
    const bool was_removed = std::ranges::any_of(scenario_.events, [&](const EventSpec& e) {
      return e.kind == EventSpec::Kind::kAddressRemoved && e.subject == event.subject && e.link == link;
    });
    if (!was_removed)
      table.complain("link", "is the host's first, whose address it needs from the start: remove it before");
  }
  if (own.size() < 2 && (action == "backup" || action == "regular"))
    table.complain("action", fmt::format("{} has one link only: there is nothing to prefer", event.subject));
}

void Reader::read_event(const toml::table& found) {
  TomlTable table(&found, "[[event]]", errors_);
  EventSpec event;
  Duration at{0};
  table.read_duration("at", at);
  event.at = Time(at);
  if (!table.has("at")) table.complain("at", "is needed: when it happens");
  std::string link, action = "down";
  table.read("link", link);
  if (table.has("host")) {
    read_host_event(table, link, event);
    table.refuse_others();
    scenario_.events.push_back(std::move(event));
    return;
  }
  const auto spec = std::ranges::find(scenario_.links, link, &LinkSpec::name);
  if (spec == scenario_.links.end())
    return table.complain("link", fmt::format("there is no link \"{}\"", link));
  event.subject = link;
  table.read("silent", event.is_silent);
  if (const toml::table* set = table.read_table("set")) {
    event.kind = EventSpec::Kind::kLinkSet;
    // Changes add up: what an earlier event has set stays.
    event.directions = spec->directions;
    for (const EventSpec& before : scenario_.events) {
      if (before.kind == EventSpec::Kind::kLinkSet && before.subject == link)
        event.directions = before.directions;
    }
    TomlTable changes(set, "set", errors_);
    read_link_behaviour(changes, directory_, errors_, event.directions);
    changes.refuse_others();
  } else {
    table.read_choice("action", action, {"down", "up"});
    event.kind = action == "up" ? EventSpec::Kind::kLinkUp : EventSpec::Kind::kLinkDown;
  }
  table.refuse_others();
  scenario_.events.push_back(std::move(event));
}

void Reader::read_distribution(TomlTable& table, std::string_view key, bool is_time, Distribution& out) {
  const toml::node* node = table.read_any(key);
  if (node == nullptr) return;
  const auto read_mean = [&](TomlTable& from, std::string_view name) {
    Duration time{0};
    uint64_t bytes = 0;
    if (is_time) {
      from.read_duration(name, time);
      out.mean = static_cast<double>(time.count());
    } else {
      from.read_size(name, bytes, 0, UINT64_MAX / 2);
      out.mean = static_cast<double>(bytes);
    }
  };
  out.shape = Distribution::Shape::kConstant;
  if (!node->is_table()) return read_mean(table, key);
  TomlTable inner(node->as_table(), std::string(key), errors_);
  std::string shape = "constant";
  inner.read_choice("distribution", shape, {"constant", "exponential", "pareto"});
  out.shape = shape == "pareto"        ? Distribution::Shape::kPareto
              : shape == "exponential" ? Distribution::Shape::kExponential
                                       : Distribution::Shape::kConstant;
  read_mean(inner, "mean");
  inner.read_number("alpha", out.alpha, 1.01, 100);
  inner.refuse_others();
}

void Reader::read_what_it_does(TomlTable& table, const std::string& kind, WorkloadSpec& workload) {
  uint64_t bytes = 0;
  const auto read_bytes = [&] {
    if (!table.has("bytes")) return;
    table.read_size("bytes", bytes, 1, uint64_t{1} << 50);
    workload.bytes = bytes;
  };
  if (kind == "bulk") {
    read_bytes();
  } else if (kind == "blocks") {
    workload.kind = WorkloadSpec::Kind::kBlocks;
    workload.block_bytes = 8192;
    workload.interval = 10ms;
    table.read_size("size", workload.block_bytes, 1, 1u << 30);
    table.read_duration("interval", workload.interval);
    if (workload.interval <= Duration(0)) table.complain("interval", "must be over 0");
  } else if (kind == "requests") {
    workload.kind = WorkloadSpec::Kind::kRequests;
    workload.request = {.mean = 200};
    workload.response = {.mean = 10'000};
    read_distribution(table, "request", false, workload.request);
    read_distribution(table, "response", false, workload.response);
    read_distribution(table, "think", true, workload.think);
    uint64_t count = 0;
    table.read("requests", count, 1, INT64_MAX);
    if (count > 0) workload.requests = count;
  } else {
    workload.kind = WorkloadSpec::Kind::kOnOff;
    workload.bits_per_second = 1'000'000;
    workload.on = workload.off = {.shape = Distribution::Shape::kExponential, .mean = 1e9};
    table.read_rate("rate", workload.bits_per_second);
    read_distribution(table, "on", true, workload.on);
    read_distribution(table, "off", true, workload.off);
    read_bytes();
  }
}

/// Lines of the file, or entries of `flows`, as text in the form of the file.
std::optional<std::string> Reader::read_trace_text(TomlTable& table, std::string& name) {
  if (table.has("file") == table.has("flows")) {
    table.complain("file",
                   "a trace is a file, file = \"flows.csv\", or a list, flows = [[0, 20000], [0.5, 100000]]");
    return std::nullopt;
  }
  std::string text;
  if (table.has("file")) {
    table.read("file", name);
    std::ifstream file(directory_ / name);
    if (!file) {
      table.complain("file", fmt::format("{}: {}", (directory_ / name).string(), std::strerror(errno)));
      return std::nullopt;
    }
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  const toml::array* flows = table.read_array("flows", "a list of flows: [[0, 20000], [0.5, 100000]]");
  if (flows == nullptr) return std::nullopt;
  name = "flow";
  for (const toml::node& flow : *flows) {
    const toml::array* fields = flow.as_array();
    for (size_t i = 0; fields != nullptr && i < fields->size(); ++i) {
      const toml::node& field = *fields->get(i);
      const auto words = field.value<std::string>();
      const auto whole = field.value_exact<int64_t>();
      text += fmt::format("{}{}", i == 0 ? "" : ",",
                          words   ? *words
                          : whole ? fmt::format("{}", *whole)
                                  : fmt::format("{}", field.value_or(-1.0)));
    }
    text += fields != nullptr ? "\n" : "?\n";
  }
  return text;
}

void Reader::read_trace(TomlTable& table) {
  std::string name;
  const std::optional<std::string> text = read_trace_text(table, name);
  WorkloadSpec workload;
  workload.is_of_trace = true;
  Duration start{0};
  table.read_duration("start", start);
  if (table.has("from")) workload.from = read_node(table, "from");
  if (table.has("to")) workload.to = read_node(table, "to");
  if (!text) return;
  const char* const where = table.has("file") ? "file" : "flows";
  const auto flows = parse_flow_trace(*text, name);
  if (!flows) return table.complain(where, flows.error());
  for (const TraceFlow& flow : *flows) {
    WorkloadSpec one = workload;
    one.start = flow.at + start;
    one.bytes = flow.bytes;
    if (!flow.from.empty()) one.from = flow.from;
    if (!flow.to.empty()) one.to = flow.to;
    for (const auto& [key, host] : {std::pair("from", one.from), std::pair("to", one.to)}) {
      if (host.empty())
        return table.complain(where,
                              fmt::format("a flow does not say `{0}`, and the workload has no `{0}`", key));
      if (std::ranges::count(scenario_.hosts, host, &HostSpec::name) == 0)
        return table.complain(where, fmt::format("{}: {}", name, no_host(host)));
    }
    if (one.from == one.to)
      return table.complain(where, fmt::format("a flow goes from {0} to {0}", one.from));
    scenario_.workloads.push_back(std::move(one));
  }
}

void Reader::read_workload(const toml::table& found) {
  TomlTable table(&found, "[[workload]]", errors_);
  WorkloadSpec workload;
  std::string kind = "bulk";
  table.read_choice("kind", kind, {"bulk", "blocks", "requests", "on-off", "trace"});
  if (kind == "trace") {
    read_trace(table);
    return table.refuse_others();
  }
  workload.from = read_node(table, "from");
  workload.to = read_node(table, "to");
  if (workload.from == workload.to) table.complain("to", "must be another host than `from`");
  Duration start{0};
  table.read_duration("start", start);
  workload.start = Time(start);
  table.read("connections", workload.connections, 1, 100'000);
  read_what_it_does(table, kind, workload);
  table.refuse_others();
  scenario_.workloads.push_back(std::move(workload));
}

void Reader::read_program(const toml::table& found) {
  TomlTable table(&found, "[[program]]", errors_);
  ProgramSpec program;
  program.host = read_node(table, "host");
  table.read("command", program.command);
  if (program.command.empty()) table.complain("command", "is needed: what to run, such as \"iperf3 -s -1\"");
  Duration start{0};
  table.read_duration("start", start);
  program.start = Time(start);
  table.read("background", program.is_background);
  table.refuse_others();
  scenario_.programs.push_back(std::move(program));
}

template <class Read>
void Reader::for_each_table(TomlTable& root, std::string_view key, Read read) {
  const toml::array* array = root.read_array(key, fmt::format("an array of tables: [[{}]]", key));
  if (array == nullptr) return;
  for (const toml::node& node : *array) {
    if (const toml::table* table = node.as_table()) {
      read(*table);
    } else {
      errors_.add(node.source().begin, fmt::format("{} must be an array of tables: [[{}]]", key, key));
    }
  }
}

Scenario Reader::read() {
  TomlTable root(&root_, "the scenario", errors_);
  root.read_duration("duration", scenario_.duration);
  root.read_duration("interval", scenario_.interval);
  root.read("seed", scenario_.seed, 0, INT64_MAX);
  root.read("ipv6", scenario_.is_ipv6);
  root.read("stops_early", scenario_.stops_early);
  root.read("name", scenario_.name);
  if (scenario_.interval < 1ms) root.complain("interval", "must be 1 ms or more");
  root.read("routers", scenario_.routers);
  read_hosts(root.read_table("hosts"));
  if (const toml::table* topology = root.read_table("topology")) {
    TomlTable table(topology, "[topology]", errors_);
    add_topology(table, directory_, errors_, scenario_);
  }
  read_links(root.read_table("links"));
  read_routes(root.read_table("routes"), errors_, scenario_);
  for_each_table(root, "event", [this](const toml::table& table) { read_event(table); });
  for_each_table(root, "workload", [this](const toml::table& table) { read_workload(table); });
  for_each_table(root, "program", [this](const toml::table& table) { read_program(table); });
  root.refuse_others();
  if (errors_.empty() && scenario_.links.empty())
    errors_.add({1, 1}, "there are no links: add [links.NAME] with between = [\"client\", \"server\"]");
  return std::move(scenario_);
}

tl::expected<Scenario, std::string> parse(std::string_view text, std::string_view name,
                                          const std::filesystem::path& directory,
                                          const std::vector<Override>& overrides) {
  TomlErrors errors{std::string(name)};
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    errors.add(error.source().begin, std::string(error.description()));
    return tl::unexpected(errors.text());
  }
  const toml::table as_written = root;
  for (const Override& change : overrides) {
    if (auto wrong = apply_override(change, root)) return tl::unexpected(std::move(*wrong));
  }
  if (auto wrong = find_unknown_link(overrides, as_written, root)) return tl::unexpected(std::move(*wrong));
  // The table as it stands, not the copy: only that one knows lines and columns.
  Scenario scenario = Reader(root, directory, errors).read();
  if (!errors.empty()) return tl::unexpected(errors.text());
  if (auto wrong = find_unknown_host(overrides, scenario)) return tl::unexpected(std::move(*wrong));
  return scenario;
}

}  // namespace

std::string_view to_string(WorkloadSpec::Kind kind) {
  switch (kind) {
    case WorkloadSpec::Kind::kBulk:
      return "bulk";
    case WorkloadSpec::Kind::kBlocks:
      return "blocks";
    case WorkloadSpec::Kind::kRequests:
      return "requests";
    case WorkloadSpec::Kind::kOnOff:
      return "on-off";
  }
  return "?";
}

tl::expected<Scenario, std::string> parse_scenario(std::string_view text, std::string_view name,
                                                   const std::vector<Override>& overrides) {
  return parse(text, name, ".", overrides);
}

tl::expected<Scenario, std::string> read_scenario(const std::string& path,
                                                  const std::vector<Override>& overrides) {
  std::ifstream file(path);
  if (!file) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  auto scenario = parse(text.str(), path, std::filesystem::path(path).parent_path(), overrides);
  if (scenario && scenario->name.empty()) scenario->name = std::filesystem::path(path).stem().string();
  return scenario;
}

}  // namespace braid::scenario
