// What a host's namespace needs before it is a host of the scenario: addresses, routes, the kernel's
// settings, the configuration of its Braid.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "lab/namespaces.h"
#include "scenario/scenario.h"
#include "scenario/world.h"

namespace braid::lab {

struct HostPlan {
  const scenario::HostSpec* spec = nullptr;
  size_t position = 0;  // of its namespace
  std::vector<const scenario::Attachment*> attachments;
  std::vector<std::string> devices;  // of the attachments
};

/// Before devices are made: they inherit it. The error says what this kernel cannot do.
tl::expected<void, std::string> set_kernel_parameters(const Namespaces& namespaces, const HostPlan& host);
/// An address comes or goes, with the routes that it is the source of. `attachment`: of the host's.
tl::expected<void, std::string> change_address(const Namespaces& namespaces, const HostPlan& host,
                                               size_t attachment, bool is_there);
/// A Linux host's endpoint becomes backup, or a regular one again.
tl::expected<void, std::string> change_backup(const Namespaces& namespaces, const HostPlan& host,
                                              size_t attachment, bool is_backup);
/// Addresses, routes by source address, and the endpoints of a Linux host.
tl::expected<void, std::string> configure_devices(const Namespaces& namespaces, const HostPlan& host);
/// The file for `braid daemon`.
std::string daemon_config(const HostPlan& host);
/// A device's name for the link: its own where the kernel takes it.
std::string device_name(const std::string& link, size_t position);

}  // namespace braid::lab
