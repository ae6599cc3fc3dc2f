#include "cli/daemon_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "cli/plugin_option.h"
#include "mptcp/coupled/coupled.h"
#include "mptcp/scheduler/scheduler.h"
#include "service/http_server.h"

namespace braid::cli {

namespace {
CLI::Validator address_validator() {
  return CLI::Validator(
      [](std::string& text) {
        return parse_address(text) ? std::string() : text + " is not an address like 192.0.2.1/24";
      },
      "ADDRESS/BITS");
}

CLI::Validator gateway_validator() {
  return CLI::Validator(
      [](std::string& text) {
        return service::parse_gateway(text) ? std::string() : text + " is nothing like eth1=192.0.2.254";
      },
      "NAME=ADDRESS");
}

std::vector<host::AddressConfig> parse_all(const std::vector<std::string>& texts) {
  std::vector<host::AddressConfig> result;
  for (const std::string& text : texts) result.push_back(parse_address(text).value());
  return result;
}
}  // namespace

std::optional<host::AddressConfig> parse_address(const std::string& text) {
  const size_t slash = text.find('/');
  const auto address = wire::IpAddress::parse(text.substr(0, slash));
  if (!address) return {};
  host::AddressConfig config;
  config.address = *address;
  config.prefix_bits = address->is_v4() ? 32 : 128;
  if (slash == std::string::npos) return config;
  const int most = config.prefix_bits;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, config.prefix_bits);
  if (error != std::errc() || rest != end || config.prefix_bits < 0 || config.prefix_bits > most) return {};
  return config;
}

ConfigOptions::ConfigOptions(CLI::App& command) : command_(command) {
  const auto keep = [this](CLI::Option* option) { options_.push_back(option); };
  keep(command.add_option("--config", config_path_, fmt::format("Configuration file [{}]", kDefaultPath))
           ->type_name("FILE"));
  keep(command
           .add_option("--policy", policy_path_,
                       "Rules: which programs and connections are Braid's (`braid policy --help`)")
           ->type_name("FILE"));
  keep(command.add_option("--pcap", capture_path_, "Write all packets to this file, for Wireshark")
           ->type_name("FILE"));
  keep(command
           .add_option("--events", events_path_,
                       "Write what connections decide and why to this file, a JSON object a line")
           ->type_name("FILE"));
  keep(
      command.add_option("--metrics", metrics_, "Serve metrics for Prometheus there, such as 127.0.0.1:9464")
          ->check([](const std::string& text) {
            const auto address = service::parse_http_address(text);
            return address ? std::string() : address.error();
          })
          ->type_name("ADDRESS"));
  keep(command.add_option("--scheduler", scheduler_, "How data are spread over the paths")
           ->check(is_one_of(mptcp::scheduler_names)));
  keep(command.add_option("--congestion-control", congestion_control_, "How fast each path may be")
           ->check(is_one_of(mptcp::all_congestion_control_names)));
  keep(add_plugin_option(command, plugins_));
  keep(command.add_flag("--no-multipath", no_multipath_, "Plain TCP"));
  keep(command.add_flag("--checksum", checksum_, "Ask for data checksums (RFC 8684, 3.3.1)"));
  keep(command.add_option("--log", log_level_, "How much to tell")
           ->check(CLI::IsMember(
               std::vector<std::string>{"trace", "debug", "info", "warn", "error", "critical", "off"})));
  keep(command
           .add_option("--interface", interfaces_, "Use this uplink only (again for more) [all that are up]")
           ->type_name("NAME")
           ->expected(1)
           ->take_all());
  keep(command
           .add_option("--gateway", gateways_,
                       "The router of an uplink that the machine has no default route for (again for more)")
           ->type_name("NAME=ADDRESS")
           ->check(gateway_validator())
           ->expected(1)
           ->take_all());
  keep(command
           .add_option(
               "--firewall", firewall_,
               "Where one drops forwarded packets, as Braid's are: let through what Braid sends and the "
               "answers (replies), connections to its programs too (open), or nothing (leave) [replies]")
           ->check(CLI::IsMember(service::firewall_words())));
  keep(command
           .add_option(
               "--address", addresses_,
               "An address of Braid's own instead of the uplinks' (again for more): a plain TUN device, "
               "for labs")
           ->check(address_validator())
           ->expected(1)
           ->take_all());
  keep(command
           .add_option("--kernel-address", kernel_addresses_,
                       "With --address: one for the kernel's side of it")
           ->check(address_validator())
           ->expected(1)
           ->take_all());
  keep(command.add_option("--device", device_, "Name of the TUN device [braid%d]")->type_name("NAME"));
}

bool ConfigOptions::is_any_given() const {
  return std::any_of(options_.begin(), options_.end(), [](const CLI::Option* o) { return o->count() > 0; });
}

std::string ConfigOptions::config_file() const {
  if (!config_path_.empty()) return config_path_;
  return access(kDefaultPath, F_OK) == 0 ? kDefaultPath : "";
}

tl::expected<service::Config, std::string> ConfigOptions::resolve() const {
  service::Config config;
  const std::string path = config_file();
  if (!path.empty()) {
    auto read = service::read_config(path);
    if (!read) return read;
    config = std::move(*read);
  }
  if (!policy_path_.empty()) {
    auto policy = service::read_policy(policy_path_);
    if (!policy) return tl::unexpected(policy.error());
    config.policy = std::move(*policy);
  }
  if (!capture_path_.empty()) config.capture_path = capture_path_;
  if (!events_path_.empty()) config.events_path = events_path_;
  if (!metrics_.empty()) config.metrics.listen = metrics_;
  if (!scheduler_.empty()) config.host.connection.scheduler = scheduler_;
  if (!congestion_control_.empty()) config.host.connection.congestion_control = congestion_control_;
  if (no_multipath_) config.host.connection.is_multipath = false;
  if (checksum_) config.host.connection.require_checksum = true;
  if (!log_level_.empty()) config.log_level = log_level_;
  if (!interfaces_.empty()) config.network.interfaces = interfaces_;
  if (!gateways_.empty()) config.network.gateways.clear();
  for (const std::string& text : gateways_) {
    config.network.gateways.push_back(service::parse_gateway(text).value());
  }
  if (!firewall_.empty()) config.network.firewall = service::parse_firewall(firewall_).value();
  if (!addresses_.empty()) config.network.addresses = parse_all(addresses_);
  if (!kernel_addresses_.empty()) config.network.kernel_addresses = parse_all(kernel_addresses_);
  if (!device_.empty()) config.network.device = device_;
  if (!config.network.kernel_addresses.empty() && config.network.addresses.empty()) {
    return tl::unexpected(
        std::string("--kernel-address goes with --address: Braid's own side needs one, too"));
  }
  return config;
}

}  // namespace braid::cli
