// How `braid run --capture` and the daemon agree about a namespace: one message each way on a SOCK_SEQPACKET
// connection to the control socket's path with kCaptureSuffix, JSON; with the first comes the TUN device's
// descriptor. The connection, which the captured programs inherit, is the capture's life: when the last of
// them is gone, so is it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::service {

inline constexpr const char* kCaptureSuffix = ".capture";
inline constexpr int kCaptureVersion = 1;
inline constexpr size_t kLongestCaptureMessage = 16384;

// Addresses in the namespace. IPv4: the "service continuity prefix" (RFC 7335), which no host is given and no
// network routes. IPv6: of the prefix for local translation (RFC 8215), since a unique local address would
// make programs prefer IPv4 wherever there is both (RFC 6724, 2.1).
inline constexpr const char* kCapturedAddressV4 = "192.0.0.2";
inline constexpr const char* kCaptureGatewayV4 = "192.0.0.1";
inline constexpr int kCapturedPrefixV4 = 29;
inline constexpr const char* kCapturedAddressV6 = "64:ff9b:1:ffff::2";
inline constexpr const char* kCaptureGatewayV6 = "64:ff9b:1:ffff::1";
inline constexpr int kCapturedPrefixV6 = 64;
inline constexpr uint16_t kDnsPort = 53;

/// What the device carries as one: then no datagram has to be cut, whatever its size.
inline constexpr uint32_t kCaptureDeviceMtu = 65535;
/// TCP's segments there; the kernel and Braid cut and join them only when they are looked at.
inline constexpr uint32_t kCaptureMtu = 1500;

}  // namespace braid::service
