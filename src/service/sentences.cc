#include "service/sentences.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace braid::service {

namespace {

using mptcp::ConnectionError;
using mptcp::Decision;
using mptcp::FallbackReason;
using mptcp::SubflowEnd;
using Kind = Decision::Kind;

/// Decisions carry the names of reasons: the reason of that name, if there is one.
template <class Enum>
std::optional<Enum> named(std::string_view name, Enum last) {
  for (int i = 0; i <= static_cast<int>(last); ++i)
    if (to_string(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  return {};
}

/// What the name means, or the name itself if it is none of that kind (a newer one, say).
template <class Enum>
std::string_view meaning(std::string_view name, Enum last) {
  const auto value = named(name, last);
  return value ? meaning_of(*value) : name;
}

std::string ends_of(const Decision& d) {
  return fmt::format("{} -> {}", d.tuple.local.address.to_string(), d.tuple.remote.to_string());
}

std::string path_of(const Decision& d) {
  return d.subflow ? fmt::format("Path {} ({})", *d.subflow, ends_of(d))
                   : fmt::format("The path {}", ends_of(d));
}

std::string short_path_of(const Decision& d) {
  return d.subflow ? fmt::format("Path {}", *d.subflow) : "The path";
}

std::string fell_back(const Decision& d) {
  std::string text = fmt::format("It is plain TCP from here on: {}.",
                                 meaning(d.why, FallbackReason::kSynOptionDroppedBefore));
  if (!d.packet.empty()) text += fmt::format(" The segment that led to it: {}.", d.packet);
  return text;
}

/// Of a join that came to nothing: the peer's words, if it had any.
std::string end_of_attempt(const Decision& d, SubflowEnd end) {
  const bool is_refused = end == SubflowEnd::kRefusedJoin || end == SubflowEnd::kReset;
  if (end == SubflowEnd::kTimedOut) return "there was no answer";
  if (!is_refused) return std::string(meaning_of(end));
  if (d.detail.empty()) return std::string(meaning_of(SubflowEnd::kRefusedJoin));
  return fmt::format("the peer refused it, its reason being {} ({})", d.detail,
                     meaning(d.detail, wire::ResetReason::kMiddleboxInterference));
}

std::string subflow_ended(const Decision& d) {
  const auto end = named(d.why, SubflowEnd::kClosedByProgram);
  if (d.amount == 0)
    return fmt::format("{} did not come up: {}.", path_of(d),
                       end ? end_of_attempt(d, *end) : std::string(d.why));
  std::string text = fmt::format("{} ended: {}", path_of(d), end ? meaning_of(*end) : d.why);
  if (!d.detail.empty())
    text += fmt::format(", the peer's reason being {} ({})", d.detail,
                        meaning(d.detail, wire::ResetReason::kMiddleboxInterference));
  text += ".";
  if (d.sent_bytes == 0 && d.received_bytes == 0) return text;
  text +=
      fmt::format(" It had sent {} and received {}", bytes_text(d.sent_bytes), bytes_text(d.received_bytes));
  if (d.retransmitted_bytes > 0) text += fmt::format(", {} of it again", bytes_text(d.retransmitted_bytes));
  return text + ".";
}

std::string offered(const Decision& d) {
  return d.amount == 0 ? std::string("the others have all that it holds")
                       : fmt::format("{} that it holds may go on other paths", bytes_text(d.amount));
}

std::string withheld(const Decision& d) {
  if (d.address.is_unspecified()) return fmt::format("No further path is opened: {}.", d.why);
  return fmt::format("A path that uses {} could not be opened: {}.", d.address.to_string(), d.why);
}

std::string address_sentence(const Decision& d) {
  const auto id = d.amount;
  switch (d.kind) {
    case Kind::kAddressAnnounced:
      return fmt::format("Announced the address {} (ID {}) to the peer: it may open a path to it.",
                         d.address.to_string(), id);
    case Kind::kAddressWithdrawn:
      return fmt::format("Told the peer that the address with ID {} is gone.", id);
    case Kind::kAddressLearned:
      return fmt::format("The peer announced its address {}{} (ID {}).", d.address.to_string(),
                         d.port == 0 ? "" : fmt::format(" port {}", d.port), id);
    default:
      return fmt::format("The peer's address with ID {} is gone.", id);
  }
}

std::string opened(const Decision& d) {
  const bool is_server = d.why == "by the peer";
  const std::string early = d.amount == 0
                                ? ""
                                : fmt::format(" {} went with the SYN already{}.", bytes_text(d.amount),
                                              is_server ? "" : ", and the peer took them");
  return fmt::format("{} {} -> {}.{}", is_server ? "Accepted, the peer having connected:" : "Connected:",
                     d.tuple.local.to_string(), d.tuple.remote.to_string(), early);
}

std::string about_data(const Decision& d) {
  if (d.kind == Kind::kReinjected)
    return fmt::format("{} went again on {}: {}.", bytes_text(d.amount),
                       d.subflow ? fmt::format("path {}", *d.subflow) : "another path", d.why);
  return fmt::format("{} was slowed down, its congestion window reduced: {}.", short_path_of(d), d.why);
}

std::string about_joins(const Decision& d) {
  switch (d.kind) {
    case Kind::kSubflowOpened:
      return fmt::format("Asked the peer for path {} ({}){}.", d.subflow.value_or(0), ends_of(d),
                         d.is_backup ? ", as backup" : "");
    case Kind::kSubflowAccepted:
      return fmt::format("The peer asks for path {} ({}){}.", d.subflow.value_or(0), ends_of(d),
                         d.is_backup ? ", as backup" : "");
    case Kind::kJoinRefused:
      return fmt::format("Refused a path that the peer asked for from {}: {} (it is told: {}).",
                         d.address.to_string(), d.detail.empty() ? "no reason is known" : d.detail, d.why);
    case Kind::kSubflowUp:
      return fmt::format("{} is up{}.", path_of(d), d.is_backup ? ", as backup" : "");
    default:
      return fmt::format(
          "The peer takes no further paths at {} (it set deny-join): only at addresses that it announces.",
          d.tuple.remote.to_string());
  }
}

std::string about_silence(const Decision& d) {
  switch (d.kind) {
    case Kind::kPathDoubted:
      return fmt::format("{} is doubted, its ACKs being overdue: {}.", path_of(d), offered(d));
    case Kind::kPathTrusted:
      return fmt::format("{} gave a sign of life and is trusted again.", short_path_of(d));
    case Kind::kPathStalled:
      return fmt::format(
          "{} is silent, without an answer for a whole timeout: it is only probed now, and {}.", path_of(d),
          offered(d));
    default:
      return fmt::format("{} answers again, and is used again.", path_of(d));
  }
}

}  // namespace

std::string sentence(const Decision& d) {
  switch (d.kind) {
    case Kind::kOpened:
      return opened(d);
    case Kind::kMultipath:
      return "Both ends have proved that they do Multipath TCP: further paths may be opened.";
    case Kind::kFellBack:
      return fell_back(d);
    case Kind::kRaced:
      return fmt::format("The first SYN is not answered yet: another went from {}.",
                         d.tuple.local.address.to_string());
    case Kind::kSubflowOpened:
    case Kind::kSubflowAccepted:
    case Kind::kJoinRefused:
    case Kind::kSubflowUp:
    case Kind::kJoinsDenied:
      return about_joins(d);
    case Kind::kSubflowEnded:
      return subflow_ended(d);
    case Kind::kPathWithheld:
      return withheld(d);
    case Kind::kPathDoubted:
    case Kind::kPathTrusted:
    case Kind::kPathStalled:
    case Kind::kPathRecovered:
      return about_silence(d);
    case Kind::kAddressAnnounced:
    case Kind::kAddressWithdrawn:
    case Kind::kAddressLearned:
    case Kind::kAddressForgotten:
      return address_sentence(d);
    case Kind::kPriorityChanged:
      return fmt::format("{} is {} from here on, {}.", short_path_of(d),
                         d.amount != 0 ? "a backup, for when no other is left" : "a regular path", d.why);
    case Kind::kReinjected:
    case Kind::kPenalised:
      return about_data(d);
    case Kind::kSchedulerChanged:
      return fmt::format("The scheduler is {} from here on.", d.why);
    case Kind::kCongestionControlChanged:
      return fmt::format("The congestion control is {} from here on.", d.why);
    case Kind::kFailed:
      return fmt::format("The connection failed: {}.", meaning(d.why, ConnectionError::kAborted));
    case Kind::kClosed:
      return "Closed in order: both ends have everything.";
  }
  return {};
}

std::string_view meaning_of(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kNone:
      return "for no reason that was kept";
    case FallbackReason::kDisabled:
      return "Multipath TCP is turned off here";
    case FallbackReason::kPeerNotCapable:
      return "the peer did not say that it does Multipath TCP";
    case FallbackReason::kVersionMismatch:
      return "the peer has no version of Multipath TCP that we have";
    case FallbackReason::kNoCommonHmac:
      return "the peer does not do HMAC-SHA256 (flag H)";
    case FallbackReason::kExtensibility:
      return "the peer asks for an extension that does not exist yet (flag B)";
    case FallbackReason::kSynOptionDropped:
      return "SYNs with MP_CAPABLE went unanswered, and one without it was not: something on the way drops "
             "them";
    case FallbackReason::kThirdAckStripped:
      return "the first segment after the handshake had no MPTCP option: something on the way removes them";
    case FallbackReason::kDataWithoutMapping:
      return "data came without a mapping: something on the way removes options from data";
    case FallbackReason::kChecksumFailed:
      return "a checksum was wrong: something on the way changes the data";
    case FallbackReason::kPeerSentMpFail:
      return "the peer found a wrong checksum (MP_FAIL): something on the way changes the data";
    case FallbackReason::kPeerInfiniteMapping:
      return "the peer fell back (it sent an infinite mapping)";
    case FallbackReason::kMd5Signature:
      return "MD5 signatures leave no room for MPTCP options";
    case FallbackReason::kSimultaneousOpen:
      return "both ends opened it at once, which Multipath TCP has no handshake for";
    case FallbackReason::kDataAckMissing:
      return "our data were acknowledged without any MPTCP option, and no DATA_ACK followed: something on "
             "the "
             "way removes options";
    case FallbackReason::kSynOptionDroppedBefore:
      return "earlier SYNs with MP_CAPABLE to that destination were dropped, so it was not offered";
  }
  return {};
}

std::string_view meaning_of(SubflowEnd end) {
  switch (end) {
    case SubflowEnd::kFinished:
      return "it was closed in order";
    case SubflowEnd::kReset:
      return "it was reset";
    case SubflowEnd::kTimedOut:
      return "nothing came back for too long, so it was given up";
    case SubflowEnd::kRefusedJoin:
      return "the peer, or something on the way, refused it with a reset";
    case SubflowEnd::kLocalAddressGone:
      return "this host no longer has its address";
    case SubflowEnd::kRemoved:
      return "the path manager closed it, its address being withdrawn or no longer wanted";
    case SubflowEnd::kClosedByProgram:
      return "a program's command closed it";
  }
  return {};
}

std::string_view meaning_of(ConnectionError error) {
  switch (error) {
    case ConnectionError::kNone:
      return "for no reason that was kept";
    case ConnectionError::kRefused:
      return "the peer refused it, nobody listening there";
    case ConnectionError::kReset:
      return "the peer reset it";
    case ConnectionError::kTimedOut:
      return "no path brought an answer in time";
    case ConnectionError::kUnreachable:
      return "the network says that the host cannot be reached";
    case ConnectionError::kNetUnreachable:
      return "there is no route to the peer";
    case ConnectionError::kAborted:
      return "this side broke it off";
  }
  return {};
}

std::string_view meaning_of(wire::ResetReason reason) {
  switch (reason) {
    case wire::ResetReason::kUnspecified:
      return "it does not say";
    case wire::ResetReason::kMptcpSpecific:
      return "an MPTCP option was not as it must be";
    case wire::ResetReason::kLackOfResources:
      return "it has no room for more";
    case wire::ResetReason::kAdministrativelyProhibited:
      return "its limits or its rules do not allow it";
    case wire::ResetReason::kTooMuchOutstandingData:
      return "too much data waited on it";
    case wire::ResetReason::kUnacceptablePerformance:
      return "it was too slow";
    case wire::ResetReason::kMiddleboxInterference:
      return "it found something on the way that changes segments";
  }
  return {};
}

std::string bytes_text(uint64_t bytes) {
  if (bytes == 1) return "1 byte";
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  static constexpr std::array kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string duration_text(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 0.0001) return fmt::format("{:.2f} ms", seconds * 1e3);
  if (seconds < 0.00995) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

}  // namespace braid::service
