#include "cli/uplinks_format.h"

#include <fmt/format.h>

namespace braid::cli {

using nlohmann::json;

namespace {
std::string way_out(const json& uplink, bool is_v6) {
  for (const json& route : uplink.value("default_routes", json::array())) {
    if ((route.value("family", "") == "ipv6") != is_v6) continue;
    std::string text = route.contains("gateway") ? "by " + route.value("gateway", "")
                                                 : std::string("straight, point to point");
    if (const std::string source = route.value("source", ""); source != "main") text += " (" + source + ")";
    return text;
  }
  return "only to its own network: there is no default route";
}

std::string lines_of(const json& uplink) {
  const bool is_up = uplink.value("up", false);
  std::string text;
  std::string name = uplink.value("name", "");
  for (const json& address : uplink.value("addresses", json::array())) {
    const std::string written = address.value("address", "");
    std::string what = is_up ? way_out(uplink, written.find(':') != std::string::npos) : "no carrier";
    if (!address.value("preferred", true)) what += "; kept for what has it already";
    text += fmt::format("  {:<12} {:<28} {}\n", name, written, what);
    name.clear();
  }
  if (text.empty()) text = fmt::format("  {:<12} {:<28} {}\n", name, "-", "gone; waited for");
  return text;
}
}  // namespace

std::string format_uplinks(const json& answer) {
  std::string text, idle;
  for (const json& uplink : answer.value("uplinks", json::array())) text += lines_of(uplink);
  for (const json& device : answer.value("unused", json::array())) {
    idle += fmt::format("{}{} ({})", idle.empty() ? "" : ", ", device.value("name", ""),
                        device.value("reason", ""));
  }
  if (text.empty()) text = "  none yet; one that comes is used\n";
  if (!idle.empty()) text += "Not used: " + idle + "\n";
  for (const json& chain : answer.value("firewall_chains", json::array())) {
    text += fmt::format("Firewall: a rule of Braid's lets its packets through the chain {}\n",
                        chain.get<std::string>());
  }
  for (const json& warning : answer.value("warnings", json::array())) {
    text += "Warning: " + warning.get<std::string>() + "\n";
  }
  return text;
}

}  // namespace braid::cli
