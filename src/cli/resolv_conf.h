// /etc/resolv.conf for a captured namespace, in which the loopback addresses are its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/address.h"

namespace braid::cli {

struct ResolvConf {
  std::string text;  // what the namespace is to see
  /// The machine's own resolver that the gateway's address in `text` stands for.
  wire::IpAddress resolver;
};

/// Nothing: no resolver of `text` is on the loopback, and the file is good as it is. Several that are become
/// one. Without any name server the C library asks 127.0.0.1.
std::optional<ResolvConf> redirect_loopback_resolvers(std::string_view text, std::string_view gateway_v4,
                                                      std::string_view gateway_v6);

}  // namespace braid::cli
