#include "cli/captured_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/resolv_conf.h"
#include "io/netlink.h"
#include "io/sysctl.h"
#include "io/tun_device.h"
#include "service/capture/capture_protocol.h"

namespace braid::cli {

namespace {

using Result = tl::expected<void, std::string>;
constexpr const char* kResolvConf = "/etc/resolv.conf";
constexpr const char* kDeviceName = "braid0";
constexpr int kLoopbackIndex = 1;  // of every namespace
// Where the channel lies in programs: out of the way of those that count on low numbers.
constexpr int kChannelNumber = 201;
// What an administrator has set for all of the machine, and a new namespace forgets.
constexpr std::array kKeptSysctls = {"net/ipv4/ping_group_range", "net/ipv4/ip_unprivileged_port_start",
                                     "net/ipv4/ip_local_port_range"};

tl::unexpected<std::string> failure(const std::string& what, int error, const std::string& hint = {}) {
  return tl::unexpected(
      fmt::format("{}: {}{}{}", what, std::strerror(error), hint.empty() ? "" : ". ", hint));
}

bool write_file(const std::string& path, const std::string& text) {
  const io::FileDescriptor fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

tl::expected<io::FileDescriptor, std::string> connect_to_daemon(const std::string& socket_path) {
  const std::string path = socket_path + service::kCaptureSuffix;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return failure(path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  const io::FileDescriptor fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failure("cannot reach the daemon at " + path, errno, "Is it of this version of Braid?");
  }
  io::FileDescriptor moved(fcntl(fd.get(), F_DUPFD, kChannelNumber));  // the program inherits it
  if (!moved) return failure("cannot keep the channel to the daemon", errno);
  return moved;
}

// Of a user without privileges the namespace is a user namespace's, in which he stays who he is.
Result leave_namespaces() {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0) return {};
  if (errno != EPERM) return failure("cannot make a network namespace", errno);
  const uid_t uid = getuid();
  const gid_t gid = getgid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return failure(
        "cannot make a network namespace", errno,
        "It takes root, or user namespaces for everybody (sysctl kernel.unprivileged_userns_clone, "
        "user.max_user_namespaces); in a container, --cap-add SYS_ADMIN.");
  }
  write_file("/proc/self/setgroups", "deny");
  if (!write_file("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid)) ||
      !write_file("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid))) {
    return failure("cannot set up the user namespace", errno);
  }
  return {};
}

tl::expected<std::unique_ptr<io::TunDevice>, std::string> set_up_network() {
  const auto message = [](const io::SetupError& error) { return error.message; };
  auto netlink = io::Netlink::open();
  if (!netlink) return tl::unexpected(message(netlink.error()));
  auto device = io::TunDevice::open(kDeviceName);
  if (!device) return tl::unexpected(message(device.error()));
  const int index = (*device)->index();
  io::write_sysctl(fmt::format("net/ipv6/conf/{}/addr_gen_mode", kDeviceName), "1");
  int error = (*netlink)->set_link_up(kLoopbackIndex);
  if (error == 0) error = (*netlink)->set_mtu(index, service::kCaptureDeviceMtu);
  if (error == 0) error = (*netlink)->set_link_up(index);
  const auto add = [&](const char* address, int prefix_bits) {
    const wire::IpAddress own = *wire::IpAddress::parse(address);
    if (const int failed = (*netlink)->add_address(index, own, prefix_bits); failed != 0) return failed;
    io::KernelRoute route;
    route.destination = {wire::IpAddress::any(own.family()), 0};
    route.table = RT_TABLE_MAIN;
    route.link_index = index;
    return (*netlink)->add_route(route);
  };
  if (error == 0) error = add(service::kCapturedAddressV4, service::kCapturedPrefixV4);
  // A kernel without IPv6 has IPv4 only.
  if (error == 0) add(service::kCapturedAddressV6, service::kCapturedPrefixV6);
  if (error != 0) return failure("cannot set up the network of the namespace", error);
  return std::move(*device);
}

Result hand_over(int channel, int device, const std::string& program,
                 const std::optional<ResolvConf>& resolv) {
  nlohmann::json request = {{"version", service::kCaptureVersion}, {"program", program}};
  if (resolv) request["resolver"] = wire::Endpoint{resolv->resolver, service::kDnsPort}.to_string();
  const std::string text = request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &device, sizeof(device));
  if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) return failure("cannot speak to the daemon", errno);
  std::array<char, service::kLongestCaptureMessage> answer;
  const ssize_t size = recv(channel, answer.data(), answer.size(), 0);
  if (size <= 0) return tl::unexpected(std::string("the daemon has too many captures, or has ended"));
  const auto parsed =
      nlohmann::json::parse(std::string_view(answer.data(), static_cast<size_t>(size)), nullptr, false);
  if (parsed.is_object() && parsed.value("ok", false)) return {};
  return tl::unexpected("the daemon refused: " +
                        (parsed.is_object() ? parsed.value("error", std::string("unknown")) : "unknown"));
}

// The file as this namespace sees it; the machine's own stays as it is.
Result mount_resolv_conf(const std::string& text) {
  std::string path = "/tmp/braid-resolv-XXXXXX";
  const io::FileDescriptor fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return failure("cannot write " + path, errno);
  const bool is_written = write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                          fchmod(fd.get(), 0644) == 0;
  const bool is_mounted = is_written && mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
                          mount(path.c_str(), kResolvConf, nullptr, MS_BIND, nullptr) == 0;
  const int error = errno;
  unlink(path.c_str());
  if (is_mounted) return {};
  return failure(fmt::format("cannot replace {}, whose resolver is on the loopback", kResolvConf), error);
}

}  // namespace

Result enter_captured_namespace(const std::string& socket_path, const std::string& program) {
  auto channel = connect_to_daemon(socket_path);
  if (!channel) return tl::unexpected(channel.error());
  std::ifstream file(kResolvConf);
  std::ostringstream text;
  text << file.rdbuf();
  const auto resolv =
      file ? redirect_loopback_resolvers(text.str(), service::kCaptureGatewayV4, service::kCaptureGatewayV6)
           : std::nullopt;
  std::array<std::optional<std::string>, kKeptSysctls.size()> kept;
  for (size_t i = 0; i < kept.size(); ++i) kept[i] = io::read_sysctl(kKeptSysctls[i]);
  if (auto left = leave_namespaces(); !left) return left;
  auto device = set_up_network();
  if (!device) return tl::unexpected(device.error());
  for (size_t i = 0; i < kept.size(); ++i)
    if (kept[i]) io::write_sysctl(kKeptSysctls[i], *kept[i]);
  if (auto done = hand_over(channel->get(), (*device)->descriptor(), program, resolv); !done) return done;
  if (resolv) {
    if (auto done = mount_resolv_conf(resolv->text); !done) return done;
  }
  channel->release();
  return {};
}

}  // namespace braid::cli
