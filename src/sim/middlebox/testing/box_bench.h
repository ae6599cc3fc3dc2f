// For tests: a middlebox alone. Segments of one flow go in, and what comes out is parsed, checksums verified.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/chunk.h"
#include "sim/middlebox/middlebox.h"
#include "sim/middlebox/tcp_packet.h"
#include "wire/packet.h"

namespace braid::sim::testing {

/// The flow that segment() belongs to: the client's end is where kForward begins.
inline wire::FourTuple client_to_server() {
  return {{wire::IpAddress::v4(0xc0000201), 1000}, {wire::IpAddress::v4(0xc6336401), 80}};
}
inline wire::FourTuple reversed(const wire::FourTuple& tuple) { return {tuple.remote, tuple.local}; }

/// `flags`: any of S, A, F, R, P, E (ECE), C (CWR). Sent in the flow's direction.
inline wire::OutgoingSegment segment(Direction direction, std::string_view flags, uint32_t seq,
                                     uint32_t ack = 0) {
  wire::OutgoingSegment made;
  made.tuple = direction == Direction::kForward ? client_to_server() : reversed(client_to_server());
  const auto has = [&](char letter) { return flags.find(letter) != std::string_view::npos; };
  made.flags.syn = has('S');
  made.flags.ack = has('A');
  made.flags.fin = has('F');
  made.flags.rst = has('R');
  made.flags.psh = has('P');
  made.flags.ece = has('E');
  made.flags.cwr = has('C');
  made.seq = Seq32(seq);
  made.ack = Seq32(ack);
  made.window = 1000;
  return made;
}

/// What a box put out: towards which end, and the segment as that end would parse it.
struct Emitted {
  Direction towards = Direction::kForward;
  wire::TcpSegment segment;
  Packet packet;

  std::string text() const {
    return {reinterpret_cast<const char*>(segment.payload.data()), segment.payload.size()};
  }
  /// As segment() wants them, in that order.
  std::string flags() const {
    const wire::TcpFlags& f = segment.flags;
    return std::string(f.syn ? "S" : "") + (f.ack ? "A" : "") + (f.fin ? "F" : "") + (f.rst ? "R" : "") +
           (f.psh ? "P" : "") + (f.ece ? "E" : "") + (f.cwr ? "C" : "");
  }
};

/// Outlives the box: chunks of its pool may be held there.
class BoxBench final : public MiddleboxOutput {
 public:
  Packet packet(wire::OutgoingSegment segment, std::string_view payload = "") {
    if (!payload.empty())
      segment.payload.push_back(
          copy_to_slice(pool_, std::as_bytes(std::span(payload.data(), payload.size()))));
    wire::OutgoingPacket built;
    wire::build_packet(segment, wire::OffloadSupport::kNone, 0, built);
    return wire::flatten(built, pool_);
  }

  // What these three return came out during the call; nothing else does.
  std::vector<Emitted> pass(Middlebox& box, Direction direction, Packet packet) {
    box.on_packet(direction, std::move(packet), *this, now);
    return std::exchange(emitted_, {});
  }
  std::vector<Emitted> pass(Middlebox& box, Direction direction, const wire::OutgoingSegment& segment,
                            std::string_view payload = "") {
    return pass(box, direction, packet(segment, payload));
  }
  std::vector<Emitted> wait(Middlebox& box, Duration duration) {
    const Time end = now + duration;
    for (int round = 0; box.next_deadline() <= end; ++round) {
      if (round == 1000) {
        ADD_FAILURE() << "the deadline does not move";
        break;
      }
      now = std::max(now, box.next_deadline());
      box.on_timer(*this, now);
    }
    now = end;
    return std::exchange(emitted_, {});
  }
  /// For when exactly one is expected.
  Emitted pass_one(Middlebox& box, Direction direction, const wire::OutgoingSegment& segment,
                   std::string_view payload = "") {
    std::vector<Emitted> out = pass(box, direction, segment, payload);
    EXPECT_EQ(out.size(), 1u);
    return out.size() == 1 ? std::move(out[0]) : Emitted{};
  }
  /// A handshake of segment()'s flow with initial numbers 100 and 500; false unless all three came through.
  bool shake_hands(Middlebox& box) {
    size_t passed = pass(box, Direction::kForward, segment(Direction::kForward, "S", 100)).size();
    passed += pass(box, Direction::kBackward, segment(Direction::kBackward, "SA", 500, 101)).size();
    passed += pass(box, Direction::kForward, segment(Direction::kForward, "A", 101, 501)).size();
    return passed == 3;
  }

  void emit(Direction towards, Packet packet) override {
    Emitted out;
    out.towards = towards;
    out.packet = packet;
    packet.checksum = wire::ChecksumState::kUnverified;
    wire::ParsedPacket parsed = wire::parse_packet(packet);
    if (auto* segment = std::get_if<wire::TcpSegment>(&parsed)) {
      out.segment = std::move(*segment);
    } else if (!lets_bad_through && !std::holds_alternative<wire::IcmpError>(parsed)) {
      ADD_FAILURE() << "a packet with a wrong checksum or header came out";
    }
    emitted_.push_back(std::move(out));
  }
  ChunkPool& pool() override { return pool_; }

  Time now{1s};
  bool lets_bad_through = false;  // for tests that send such themselves

 private:
  ChunkPool pool_;
  std::vector<Emitted> emitted_;
};

}  // namespace braid::sim::testing
