#include "middleboxes/page.h"

#include <fmt/format.h>

#include <set>

#include "sim/middlebox/registry.h"

namespace braid::middleboxes {

namespace {

constexpr std::string_view kBegin = R"(# Middleboxes

<!-- Written by middlebox_table from simulations. To change it, change tests/middleboxes, build, and run
     build/release/bin/middlebox_table docs/middleboxes.md -->

Boxes between two hosts do more than forward, and Multipath TCP was shaped by what they do: Honda and others, "Is it still possible to
extend TCP?" (IMC 2011); Raiciu and others, "How hard can it be?" (NSDI 2012), section 3; RFC 8684, sections 3.7 and 6. Braid's simulator has
the boxes below; their settings are in [scenarios.md](scenarios.md). This page says what each does and what becomes of a connection through
it. The rule: where plain TCP would deliver, Braid delivers, over several paths where that can be, and says why where it cannot.

## The boxes

)";

constexpr std::string_view kTableIntro = R"(
## What happens

Two of Braid's hosts with 4 Mbit/s and a round trip of 10 ms on each path. The client sends 3 MB and the server 1 MB at the same time; every byte is compared. "Later" and "after
the join" are boxes that come when a quarter has arrived: a route that changes, a box that restarts. The table is of IPv4; the tests
hold IPv6 to the same rules.

- **MPTCP**: delivered byte for byte, as Multipath TCP on one path. **1 path**, **2 paths**: the same, with so many paths carrying data in the
  second half of the transfer (100 KB or more).
- **TCP: reason**: delivered byte for byte, as plain TCP. The reason is the client's; the server's follows after a slash if it is another one.
- **altered**: delivered as the box made it, which is what plain TCP delivers through that box.
- **nothing, as TCP**: plain TCP gets nothing through at that place either; the connection ends with an error or times out.
- **error**, **wrong bytes**, **stuck** in bold: plain TCP would have delivered. These are the known differences below.

)";

constexpr std::string_view kReasons = R"(
The reasons, with the section of RFC 8684 that allows each:

| reason | what happened | section |
|---|---|---|
| `peer-not-capable` | no MP_CAPABLE in the SYN or in the SYN/ACK | 3.1 |
| `syn-option-dropped` | SYNs with MP_CAPABLE stayed without answer, a SYN without it was tried | 3.1, 3.7 |
| `third-ack-stripped` | server: the first segment after the SYN had no MPTCP option | 3.1 |
| `data-without-mapping` | data, or the end of them, came without any MPTCP option on the only path there ever was | 3.7 |
| `data-ack-missing` | our data were acknowledged without any MPTCP option, and no DATA_ACK followed | 3.7 |
| `checksum-failed` | the only subflow brought data that do not fit their checksum; what the box made is the stream from there on | 3.7 |
| `peer-sent-mp-fail` | the other end says so with MP_FAIL | 3.7 |
| `peer-infinite-mapping` | the other end says so with an infinite mapping | 3.7 |

## Known differences

)";

constexpr std::string_view kDifferences = R"(
- **Bytes inserted without DSS checksums** (`payload-rewriter` with a longer replacement): mappings no longer fit, and nothing in the protocol
  can tell. RFC 8684, 3.3 has the checksum for this; with `checksum = true` the same box does no more than to plain TCP on one path, and nothing on one of two.
  Without it this is the one case in which wrong bytes can be delivered that plain TCP would not have delivered.
- **Such a box on every path, with checksums** (`payload-rewriter`, "on both"): the first subflow is reset, what it held goes
  over the second, and when that fails too no line of bytes is left that an infinite mapping could carry on: an error. Linux, too, falls back
  only when there never was a second subflow nor a repetition.

Not differences in what is delivered, but worth knowing:

- Options that vanish in the middle of a connection (`option-remover` and `http-proxy`, "one path, later") make plain TCP of it where it never had another
  path: each byte went over that one once, so the line of bytes goes on without mappings ([protocol.md](protocol.md#when-the-two-ends-differ)).
  One that had several has no such line; it goes on over the others, and ends with an error when the last one loses its options.
- `proactive-acker`: its ACK of the first data is faster than the peer's DATA_ACK and has no MPTCP option, which looks like a box that
  removes them. Braid waits a retransmission timeout for the peer's own before it believes that, so it costs nothing.
- `coalescer` that keeps the first segment's options loses the mapping of what it adds. Such bytes are acknowledged by TCP but never by a DATA_ACK, and travel
  again: with the only path the transfer above takes half as long again, and with another path the one with the box is given up
  when more than 16 segments in a row had none. One that keeps the last options costs little.
- A box that removes ADD_ADDR, or MP_JOIN, leaves a connection with one path: Multipath TCP, but no second subflow.
)";

std::string reason_of(const Outcome& outcome) {
  const std::string client(mptcp::to_string(outcome.client)), server(mptcp::to_string(outcome.server));
  return client == server ? client : fmt::format("{} / {}", client, server);
}

std::string cell(const Outcome& outcome, const Outcome& plain, Place place) {
  if (!is_delivered(outcome)) {
    if (!is_delivered(plain)) return "nothing, as TCP";
    if (outcome.delivery == Outcome::Delivery::kWrong) return "**wrong bytes**";
    return outcome.delivery == Outcome::Delivery::kError ? "**error**" : "**stuck**";
  }
  std::string text = !outcome.is_multipath      ? "TCP: " + reason_of(outcome)
                     : !has_two_paths(place)    ? "MPTCP"
                     : outcome.paths_in_use > 1 ? "2 paths"
                                                : "1 path";
  if (outcome.delivery == Outcome::Delivery::kRewritten) text += ", altered";
  return text;
}

}  // namespace

std::string_view introduce(std::string_view box) {
  if (box == "nat")
    return "Translates addresses and ports, and forgets them after a while; nearly every home and mobile "
           "network. Tokens and address "
           "IDs instead of addresses make joins work through it; a path whose mapping is lost is probed "
           "while the others carry the "
           "data. ICMP errors are translated too, so path MTU discovery works.";
  if (box == "option-remover")
    return "Replaces TCP options by NOPs: 6 % of access networks did so with MP_CAPABLE, 14 % on port 80 "
           "(NSDI 2012). From the "
           "handshake, Braid falls back to plain TCP with the first data; from a later subflow, that subflow "
           "ends and the rest goes on.";
  if (box == "syn-option-dropper")
    return "Drops SYNs with an option that it does not know; rare, mostly strict firewalls. After three such "
           "SYNs without an answer "
           "Braid sends one without MP_CAPABLE; joins are given up.";
  if (box == "sequence-rewriter")
    return "Shifts the sequence numbers: 10 % of paths, 18 % on port 80 (NSDI 2012), firewalls that mend "
           "weak initial numbers. "
           "Mappings are relative to the subflow's own initial number, so nothing is to be done.";
  if (box == "splitter")
    return "Cuts segments and copies the options to each piece: network cards with segmentation offload. A "
           "mapping covers its bytes "
           "by number and not by packet, and the same one may come several times.";
  if (box == "coalescer")
    return "Joins segments and keeps the options of one: traffic normalisers, receive offload on the way. "
           "What has lost its mapping "
           "is not acknowledged at data level, and so it is sent again.";
  if (box == "payload-rewriter")
    return "Replaces bytes of the stream and mends TCP's numbers: gateways for FTP or SIP, which write "
           "another address into it. "
           "With DSS checksums Braid notices: a subflow of several is reset (MP_FAIL) and its data go over "
           "the others; the only one "
           "falls back to plain TCP.";
  if (box == "stateful-firewall")
    return "Drops what does not belong to a connection as it sees it: no SYN, acknowledgments of data that "
           "did not pass, data after a "
           "hole. Each subflow is a complete TCP connection with handshake, its own numbers and without "
           "holes, so it passes.";
  if (box == "retransmission-normaliser")
    return "Puts the first copy in place of what a retransmission holds: intrusion detectors. A number of a "
           "subflow never carries two "
           "different bytes in Braid; what goes over another path has that path's numbers.";
  if (box == "proactive-acker")
    return "Acknowledges data for the receiver and repeats what is lost behind it: performance-enhancing "
           "proxies (RFC 3135) of "
           "satellite and mobile networks. Only a DATA_ACK frees data, so nothing gets lost when such a box "
           "fails.";
  if (box == "http-proxy")
    return "Splices two connections on port 80: mobile and company networks. No option passes, so the "
           "connection is plain TCP from "
           "the SYN on; through such a path a join fails and the others go on.";
  if (box == "mss-clamper")
    return "Lowers the MSS in SYN and SYN/ACK to what fits through a tunnel: PPPoE, VPN. Each subflow has an "
           "MSS of its own.";
  if (box == "port-blocker")
    return "Lets nothing through to some ports, silently or with a reset: guest and company networks. A path "
           "like that cannot be "
           "used, the others can.";
  return "";
}

const std::vector<KnownDifference>& known_differences() {
  static const std::vector<KnownDifference> known = {
      {"RewriterLonger", Place::kOnePath},      {"RewriterLonger", Place::kOnePathLater},
      {"RewriterLonger", Place::kFirst},        {"RewriterLonger", Place::kSecond},
      {"RewriterLonger", Place::kBoth},         {"RewriterLonger", Place::kFirstLater},
      {"RewriterLonger", Place::kSecondLater},  {"RewriterChecksum", Place::kBoth},
      {"RewriterLongerChecksum", Place::kBoth},
  };
  return known;
}

std::string make_page() {
  std::string page(kBegin);
  std::set<std::string_view> seen;
  for (const Row& row : rows()) {
    if (seen.insert(row.box).second) page += fmt::format("- `{}`: {}\n", row.box, introduce(row.box));
  }
  page += kTableIntro;
  page += "| box |";
  std::string rule = "\n|---|";
  for (const Place place : kPlaces) {
    page += fmt::format(" {} |", to_string(place));
    rule += "---|";
  }
  page += rule + "\n";
  for (const Row& row : rows()) {
    page += fmt::format("| {} |", describe(row));
    for (const Place place : kPlaces) {
      const Outcome outcome = run(row, place, wire::Family::kV4);
      const Outcome plain = run(row, place, wire::Family::kV4, false);
      page += fmt::format(" {} |", cell(outcome, plain, place));
    }
    page += "\n";
  }
  page += kReasons;
  page += kDifferences.substr(1);
  return page;
}

}  // namespace braid::middleboxes
