// For tests: one side's host, reduced to what a connection needs of it.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "mptcp/connection.h"

namespace braid::mptcp::testing {

class TestEnvironment final : public Environment {
 public:
  TestEnvironment(uint64_t seed, std::vector<wire::IpAddress> addresses)
      : local_addresses(std::move(addresses)), random_(seed) {}

  std::vector<wire::IpAddress> local_addresses;
  PathConfig paths;
  PeerMemory memory;
  uint32_t mtu = 1500;
  std::array<size_t, 16> events{};  // raised, by kind
  std::vector<tcp::TimeWaitRecord> time_waits;
  struct Member {
    Connection* connection;
    tcp::Subflow* subflow;
  };
  std::map<wire::FourTuple, Member> members;
  std::map<Token, Connection*> tokens;
  std::optional<Key> next_key;  // instead of a random one
  DecisionLog* decisions = nullptr;

  size_t count(ConnectionEvent event) const { return events.at(static_cast<size_t>(event)); }

  RandomSource& random() override { return random_; }
  ChunkPool& chunks() override { return chunks_; }
  Counters& counters() override { return counters_; }
  const PathConfig& path_config() const override { return paths; }

  KeyMaterial register_key(Connection& connection, Version version) override {
    KeyMaterial material;
    do {
      material = derive(next_key.value_or(random_.next64()), version);
      next_key.reset();
    } while (tokens.contains(material.token));
    tokens[material.token] = &connection;
    return material;
  }
  void release_token(Token token) override { tokens.erase(token); }

  bool bind_subflow(Connection& connection, tcp::Subflow& subflow) override {
    return members.emplace(subflow.tuple(), Member{&connection, &subflow}).second;
  }
  void unbind_subflow(tcp::Subflow& subflow) override { members.erase(subflow.tuple()); }
  void keep_time_wait(const tcp::TimeWaitRecord& record) override { time_waits.push_back(record); }

  Seq32 initial_sequence(const wire::FourTuple&, Time) override { return Seq32(random_.next32()); }
  uint32_t timestamp_offset(const wire::FourTuple&) override { return random_.next32(); }
  uint16_t allocate_port(const wire::IpAddress&, const wire::Endpoint&) override { return next_port_++; }
  uint32_t mtu_of(const wire::IpAddress& local) const override { return has(local) ? mtu : 0; }
  bool has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const override {
    return has(local) && local.family() == remote.family();
  }
  wire::IpAddress source_for(const wire::IpAddress& remote) const override {
    for (const wire::IpAddress& address : local_addresses) {
      if (has_route(address, remote) && wire::in_prefix(address, remote, 24)) return address;
    }
    for (const wire::IpAddress& address : local_addresses) {
      if (has_route(address, remote)) return address;
    }
    return {};
  }
  void wake(Connection&) override {}
  DecisionLog* decision_log() override { return decisions; }
  PeerMemory* peer_memory() override { return &memory; }
  void on_event(Connection&, ConnectionEvent event) override { ++events.at(static_cast<size_t>(event)); }

 private:
  bool has(const wire::IpAddress& address) const {
    return std::find(local_addresses.begin(), local_addresses.end(), address) != local_addresses.end();
  }
  SeededRandom random_;
  ChunkPool chunks_;
  Counters counters_;
  uint16_t next_port_ = 40'000;
};

}  // namespace braid::mptcp::testing
