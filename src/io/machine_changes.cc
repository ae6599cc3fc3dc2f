#include "io/machine_changes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "io/sysctl.h"

namespace braid::io {

namespace {
constexpr const char* kFileName = "changes";

std::string dotted(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

SetupError sysctl_error(const std::string& path, const std::string& value, const std::string& why,
                        int error) {
  const std::string what = fmt::format("Cannot set {}={} ({})", dotted(path), value, why);
  if (error == EROFS || error == EACCES || error == EPERM) {
    return setup_error(
        what, error,
        fmt::format("Run as root with a writable /proc/sys. In a container, where it is read-only: pass "
                    "--sysctl {}={}, or give Braid a namespace of its own (ip netns add).",
                    dotted(path), value));
  }
  return setup_error(what, error);
}

Rule local_rule(wire::Family family, uint32_t priority) {
  Rule rule;
  rule.family = family;
  rule.priority = priority;
  rule.table = RT_TABLE_LOCAL;
  return rule;
}
}  // namespace

MachineChanges::MachineChanges(const InstanceDirectory& directory, Netlink& netlink)
    : directory_(directory), netlink_(netlink) {
  load();
}

void MachineChanges::load() {
  const auto text = read_file(directory_.path_of(kFileName));
  const auto json = nlohmann::json::parse(text.value_or("{}"), nullptr, false);
  if (!json.is_object()) return;
  for (const auto& entry : json.value("sysctls", nlohmann::json::array())) {
    changes_.push_back({entry.value("path", ""), entry.value("before", ""), entry.value("after", "")});
  }
  for (const auto& entry : json.value("moved_local_rules", nlohmann::json::array())) {
    moved_local_rules_.push_back(entry == "ipv6" ? wire::Family::kV6 : wire::Family::kV4);
  }
}

void MachineChanges::save() const {
  nlohmann::json json = {{"sysctls", nlohmann::json::array()},
                         {"moved_local_rules", nlohmann::json::array()}};
  for (const Change& change : changes_) {
    json["sysctls"].push_back({{"path", change.path}, {"before", change.before}, {"after", change.after}});
  }
  for (const wire::Family family : moved_local_rules_) {
    json["moved_local_rules"].push_back(family == wire::Family::kV6 ? "ipv6" : "ipv4");
  }
  write_file(directory_.path_of(kFileName), json.dump(2) + "\n");
}

Setup<void> MachineChanges::set(const std::string& path, const std::string& value, const std::string& why) {
  const auto before = read_sysctl(path);
  if (!before || *before == value) return {};
  const auto known = std::find_if(changes_.begin(), changes_.end(),
                                  [&path](const Change& change) { return change.path == path; });
  if (known == changes_.end()) {
    changes_.push_back({path, *before, value});
  } else {
    known->after = value;
  }
  save();
  const int error = write_sysctl(path, value);
  if (error != 0) return tl::unexpected(sysctl_error(path, value, why, error));
  return {};
}

Setup<void> MachineChanges::move_local_rule(wire::Family family) {
  uint32_t priority = UINT32_MAX;
  for (const Rule& rule : netlink_.rules(family)) {
    const bool is_plain = !rule.from && !rule.to && rule.input_device.empty() && !rule.is_tcp_only;
    if (rule.table == RT_TABLE_LOCAL && is_plain) priority = std::min(priority, rule.priority);
  }
  if (priority > kInboundPriority) return {};  // moved already, or there is none
  moved_local_rules_.push_back(family);
  save();
  // The new one first: there is no moment without.
  int error = netlink_.add_rule(local_rule(family, kLocalPriority));
  if (error == 0 || error == EEXIST) error = netlink_.remove_rule(local_rule(family, priority));
  if (error != 0)
    return tl::unexpected(setup_error("Cannot move the policy rule for local addresses", error));
  return {};
}

void MachineChanges::undo_all() {
  for (const wire::Family family : moved_local_rules_) {
    const int error = netlink_.add_rule(local_rule(family, 0));
    if (error == 0 || error == EEXIST) netlink_.remove_rule(local_rule(family, kLocalPriority));
  }
  moved_local_rules_.clear();
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    if (read_sysctl(change->path) == change->after) write_sysctl(change->path, change->before);
  }
  changes_.clear();
  unlink(directory_.path_of(kFileName).c_str());
}

Setup<void> set_device_sysctl(const std::string& path, const std::string& value, const std::string& why) {
  const auto before = read_sysctl(path);
  if (!before || *before == value) return {};
  const int error = write_sysctl(path, value);
  if (error != 0) return tl::unexpected(sysctl_error(path, value, why, error));
  return {};
}

}  // namespace braid::io
