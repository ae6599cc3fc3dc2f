#include "service/listen_spec.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace braid::service {

namespace {

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<wire::Endpoint> parse_end(std::string_view text, const wire::IpAddress& standard) {
  if (const auto port = parse_port(text)) return wire::Endpoint{standard, *port};
  const auto endpoint = wire::Endpoint::parse(text);
  return endpoint && endpoint->port != 0 ? endpoint : std::nullopt;
}

}  // namespace

std::string ListenSpec::to_string() const {
  const std::string where =
      local.address.is_unspecified() ? fmt::format("port {}", local.port) : local.to_string();
  return fmt::format("{} to {}", where, target.to_string());
}

tl::expected<ListenSpec, std::string> parse_listen(std::string_view text) {
  const auto wrong = [text](std::string_view what) {
    return tl::unexpected(
        fmt::format("\"{}\": {}; expected PORT, PORT=PORT or PORT=ADDRESS:PORT, such as "
                    "443=127.0.0.1:8443, and \",proxy\" for the PROXY protocol",
                    text, what));
  };
  ListenSpec spec;
  std::string_view rest = text;
  if (const size_t comma = rest.find(','); comma != std::string_view::npos) {
    if (rest.substr(comma + 1) != "proxy") return wrong("there is no such option after the comma");
    spec.sends_proxy_header = true;
    rest = rest.substr(0, comma);
  }
  const size_t equals = rest.find('=');
  const auto local = parse_end(rest.substr(0, equals), wire::IpAddress::any(wire::Family::kV6));
  if (!local) return wrong("no port to listen on");
  spec.local = *local;
  const wire::IpAddress loopback = wire::IpAddress::v4(0x7f000001);
  spec.target = {loopback, local->port};
  if (equals == std::string_view::npos) return spec;
  const auto target = parse_end(rest.substr(equals + 1), loopback);
  if (!target || target->address.is_unspecified()) return wrong("no service after the \"=\"");
  spec.target = *target;
  return spec;
}

std::string proxy_header(const wire::Endpoint& source, const wire::Endpoint& destination) {
  const auto append16 = [](std::string& to, size_t value) {
    to += static_cast<char>(value >> 8);
    to += static_cast<char>(value & 0xff);
  };
  const auto append = [](std::string& to, const wire::IpAddress& address) {
    to.append(reinterpret_cast<const char*>(address.bytes().data()), address.size());
  };
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += '\x21';                                    // version 2, PROXY
  header += source.address.is_v4() ? '\x11' : '\x21';  // TCP over IPv4, or IPv6
  append16(header, 2 * source.address.size() + 4);
  append(header, source.address);
  append(header, destination.address);
  append16(header, source.port);
  append16(header, destination.port);
  return header;
}

}  // namespace braid::service
