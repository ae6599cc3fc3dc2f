#include "scenario/route_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "config/closest.h"

namespace braid::scenario {

namespace {

constexpr uint8_t kMostLabel = 63;

std::string no_such(std::string_view what, std::string_view name,
                    const std::vector<std::string_view>& known) {
  const std::string_view meant = config::closest(name, known);
  return fmt::format("there is no {} \"{}\"{}", what, name,
                     meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant));
}

class RouteReader {
 public:
  RouteReader(config::TomlErrors& errors, Scenario& scenario) : errors_(errors), scenario_(scenario) {}
  void read(std::string_view router, const toml::node& node);

 private:
  bool read_destination(std::string_view text, const toml::source_position& where, RouteSpec& route);
  bool read_prefix(std::string_view text, RouteSpec& route) const;
  bool read_next(const toml::node& node, RouteSpec& route);
  bool add_next(const std::string& name, const toml::source_position& where, RouteSpec& route);
  void fail(const toml::source_position& where, std::string_view router, const std::string& why) {
    errors_.add(where, fmt::format("[routes.{}] {}", router, why));
  }

  config::TomlErrors& errors_;
  Scenario& scenario_;
};

void RouteReader::read(std::string_view router, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (std::ranges::count(scenario_.routers, router) == 0) {
    const std::vector<std::string_view> known(scenario_.routers.begin(), scenario_.routers.end());
    return fail(node.source().begin, router, no_such("router", router, known));
  }
  if (table == nullptr)
    return fail(node.source().begin, router, "must be a table: server = \"LINK\", default = \"NEIGHBOUR\"");
  for (const auto& [key, next] : *table) {
    RouteSpec route;
    route.router = router;
    if (read_destination(key.str(), key.source().begin, route) && read_next(next, route))
      scenario_.routes.push_back(std::move(route));
  }
}

bool RouteReader::read_prefix(std::string_view text, RouteSpec& route) const {
  const size_t slash = text.find('/');
  const auto address = wire::IpAddress::parse(text.substr(0, slash));
  if (!address || slash == std::string_view::npos) return false;
  const std::string_view bits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), route.prefix_bits);
  route.network = *address;
  return error == std::errc() && end == bits.data() + bits.size() && route.prefix_bits >= 0 &&
         route.prefix_bits <= static_cast<int>(address->size() * 8);
}

bool RouteReader::read_destination(std::string_view text, const toml::source_position& where,
                                   RouteSpec& route) {
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    uint8_t label = 0;
    const std::string_view digits = text.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), label);
    if (error != std::errc() || end != digits.data() + digits.size() || label > kMostLabel) {
      fail(where, route.router, fmt::format("\"{}\": after @ stands a label, a DSCP value of 0 to 63", text));
      return false;
    }
    route.label = label;
    text = text.substr(0, at);
  }
  if (text == "default") return true;  // both families; see World::make_given_routes()
  if (read_prefix(text, route)) return true;
  const size_t slash = text.find('/');
  route.host = text.substr(0, slash);
  if (slash != std::string_view::npos) route.link = text.substr(slash + 1);
  std::vector<std::string_view> hosts, links;
  for (const HostSpec& host : scenario_.hosts) hosts.push_back(host.name);
  for (const LinkSpec& link : scenario_.links) {
    if (std::ranges::count(link.between, route.host) > 0) links.push_back(link.name);
  }
  if (std::ranges::count(hosts, route.host) == 0) {
    fail(where, route.router,
         no_such("host", route.host, hosts) +
             "; a destination is a host, \"HOST/LINK\", a prefix \"192.0.2.0/24\", or default");
    return false;
  }
  if (!route.link.empty() && std::ranges::count(links, route.link) == 0) {
    fail(
        where, route.router,
        fmt::format("{} is not on a link \"{}\"; it has {}", route.host, route.link, fmt::join(links, ", ")));
    return false;
  }
  return true;
}

/// A link of the router, or the neighbour at the other end of some.
bool RouteReader::add_next(const std::string& name, const toml::source_position& where, RouteSpec& route) {
  std::vector<std::string> known;
  const size_t before = route.via.size();
  for (const LinkSpec& link : scenario_.links) {
    if (std::ranges::count(link.between, route.router) == 0) continue;
    const std::string& neighbour = link.between[link.between[0] == route.router ? 1 : 0];
    if (link.name == name || neighbour == name) route.via.push_back(link.name);
    known.push_back(link.name);
    if (std::ranges::count(known, neighbour) == 0) known.push_back(neighbour);
  }
  if (route.via.size() > before) return true;
  fail(where, route.router,
       fmt::format("\"{}\" is neither a link of {} nor a neighbour: one of {}", name, route.router,
                   fmt::join(known, ", ")));
  return false;
}

bool RouteReader::read_next(const toml::node& node, RouteSpec& route) {
  const auto where = node.source().begin;
  if (const auto one = node.value_exact<std::string>()) return add_next(*one, where, route);
  const toml::array* several = node.as_array();
  if (several == nullptr || several->empty()) {
    fail(where, route.router, "expected a link or a neighbour, or a list of them: [\"a\", \"b\"]");
    return false;
  }
  bool is_good = true;
  for (const toml::node& item : *several)
    is_good = add_next(item.value_or(std::string()), where, route) && is_good;
  return is_good;
}

}  // namespace

void read_routes(const toml::table* routes, config::TomlErrors& errors, Scenario& scenario) {
  if (routes == nullptr) return;
  RouteReader reader(errors, scenario);
  for (const auto& [router, node] : *routes) reader.read(router.str(), node);
}

}  // namespace braid::scenario
