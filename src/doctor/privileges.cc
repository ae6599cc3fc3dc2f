#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "doctor/checks.h"
#include "io/file_descriptor.h"
#include "io/instances.h"
#include "io/tun_device.h"

namespace braid::doctor {

namespace {

constexpr rlim_t kEnoughDescriptors = 4096;

bool has_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data.at(static_cast<size_t>(capability / 32)).effective >> (capability % 32) & 1) != 0;
}

Finding capabilities(bool has_daemon) {
  std::string missing;
  for (const auto& [number, name] :
       {std::pair(CAP_NET_ADMIN, "CAP_NET_ADMIN"), {CAP_NET_RAW, "CAP_NET_RAW"}}) {
    if (!has_capability(number)) missing += (missing.empty() ? "" : " and ") + std::string(name);
  }
  if (missing.empty())
    return {Severity::kFine, "privileges", "CAP_NET_ADMIN and CAP_NET_RAW are there", "", ""};
  if (has_daemon) {
    return {Severity::kFine, "privileges", missing + " is missing, and a daemon that has it serves this user",
            "", ""};
  }
  return {Severity::kBlocks, "privileges",
          fmt::format("{} is missing, and no daemon serves this user", missing),
          "`braid run` cannot start a Braid of its own, and some checks below see less",
          "sudo braid doctor\nsudo systemctl enable --now braid && sudo adduser $USER braid   # then log in "
          "anew"};
}

Finding tun() {
  const io::FileDescriptor fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    return {Severity::kBlocks, "tun", "there is no /dev/net/tun", "Braid has no door to the network",
            "sudo modprobe tun\n# in a container: --device /dev/net/tun --cap-add NET_ADMIN"};
  }
  if (!fd) {
    return {
        Severity::kBlocks, "tun", fmt::format("/dev/net/tun cannot be opened: {}", std::strerror(errno)),
        "Braid has no door to the network",
        "sudo chmod 0666 /dev/net/tun   # as udev sets it; who may make devices is decided by CAP_NET_ADMIN\n"
        "# in a container: --device /dev/net/tun --cap-add NET_ADMIN"};
  }
  if (!has_capability(CAP_NET_ADMIN)) {
    return {Severity::kNote, "tun",
            "/dev/net/tun is there; making a device was not tried, without CAP_NET_ADMIN", "", ""};
  }
  if (const auto device = io::TunDevice::open("braid%d"); !device) {
    return {Severity::kBlocks, "tun", device.error().message, "Braid has no door to the network", ""};
  }
  return {Severity::kFine, "tun", "a TUN device with segmentation and checksum offload can be made", "", ""};
}

Finding parameters(bool has_daemon) {
  const io::FileDescriptor fd(open("/proc/sys/net/ipv4/ip_local_reserved_ports", O_WRONLY | O_CLOEXEC));
  if (fd) return {Severity::kFine, "parameters", "/proc/sys/net can be written", "", ""};
  const int error = errno;
  const bool is_no_matter = has_daemon && !has_capability(CAP_NET_ADMIN);
  return {is_no_matter ? Severity::kNote : Severity::kBlocks, "parameters",
          fmt::format("/proc/sys/net cannot be written: {}", std::strerror(error)),
          is_no_matter ? ""
                       : "Braid cannot have what it sends forwarded, nor keep its ports free of the kernel's",
          is_no_matter ? ""
                       : "sudo mount -o remount,rw /proc/sys\n# in a container: --privileged, or an `ip "
                         "netns add` of its own"};
}

Finding descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kEnoughDescriptors || has_capability(CAP_SYS_RESOURCE)) {
    return {Severity::kFine, "descriptors", fmt::format("up to {} descriptors a process", limit.rlim_max), "",
            ""};
  }
  return {Severity::kWarning, "descriptors",
          fmt::format("a process may have {} descriptors at most", limit.rlim_max),
          "each socket of a program takes one in Braid, too: more connections than that fail",
          "ulimit -Hn 1048576   # or LimitNOFILE= in the unit"};
}

Findings surroundings() {
  Findings findings;
  const std::string version = io::read_file("/proc/version").value_or("");
  if (version.find("microsoft") != std::string::npos || version.find("WSL") != std::string::npos) {
    findings.push_back(
        {Severity::kNote, "surroundings", "this is WSL",
         "its one uplink is a NAT of Windows': several paths only with networkingMode=mirrored", ""});
  }
  const bool is_container =
      access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
      io::read_file("/proc/1/environ").value_or("").find("container=") != std::string::npos;
  if (is_container) {
    findings.push_back(
        {Severity::kNote, "surroundings", "this is a container",
         "it has the uplinks that it was given, mostly one",
         "# to use the host's: --network host --cap-add NET_ADMIN,NET_RAW --device /dev/net/tun"});
  }
  return findings;
}
}  // namespace

std::string output_of(const std::string& command) {
  FILE* pipe = popen((command + " 2>/dev/null").c_str(), "re");
  if (pipe == nullptr) return {};
  std::string text;
  std::array<char, 65536> buffer;
  size_t size;
  while ((size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) text.append(buffer.data(), size);
  return pclose(pipe) == 0 ? text : std::string();
}

Findings check_privileges(bool has_daemon) {
  Findings findings = {capabilities(has_daemon), tun(), parameters(has_daemon), descriptors()};
  const Findings around = surroundings();
  findings.insert(findings.end(), around.begin(), around.end());
  return findings;
}

}  // namespace braid::doctor
