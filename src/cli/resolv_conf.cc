#include "cli/resolv_conf.h"

#include <sstream>

namespace braid::cli {

std::optional<ResolvConf> redirect_loopback_resolvers(std::string_view text, std::string_view gateway_v4,
                                                      std::string_view gateway_v6) {
  ResolvConf made;
  bool is_redirected = false, has_any = false;
  std::istringstream lines{std::string(text)};
  const auto redirect = [&](const wire::IpAddress& resolver) {
    is_redirected = true;
    made.resolver = resolver;
    made.text += "nameserver " + std::string(resolver.is_v4() ? gateway_v4 : gateway_v6) + "\n";
  };
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string keyword, address;
    words >> keyword >> address;
    const auto resolver = keyword == "nameserver" ? wire::IpAddress::parse(address) : std::nullopt;
    has_any = has_any || resolver.has_value();
    if (!resolver || !(resolver->is_loopback() || resolver->is_unspecified())) {
      made.text += line + "\n";
    } else if (!is_redirected) {
      redirect(resolver->is_unspecified() ? wire::IpAddress::v4(0x7f000001) : *resolver);
    }
  }
  if (!has_any) redirect(wire::IpAddress::v4(0x7f000001));
  if (!is_redirected) return std::nullopt;
  return made;
}

}  // namespace braid::cli
