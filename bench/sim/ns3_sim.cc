// The work of work.h in ns-3: TCP with what Braid has too (SACK, timestamps, window scaling, delayed ACKs),
// no queue discipline above the drop-tail queue of the device. ns-3 has no Multipath TCP: of (b) a connection
// is that many TCP flows. ns-3's own routing is no use for (b): global routing spreads packets, not flows,
// and looks through a list of all hosts for each. So there is one here that does what Braid's router does.
#include <array>
#include <cstring>
#include <map>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "work.h"

namespace {

using namespace ns3;

uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Prefixes, each with the interfaces that lead there; which one is chosen by the flow.
class EcmpRouting final : public Ipv4RoutingProtocol {
 public:
  explicit EcmpRouting(uint32_t salt) : salt_(salt) {}

  /// The longest prefix first.
  void add_route(Ipv4Address network, Ipv4Mask mask, std::vector<uint32_t> interfaces) {
    routes_.push_back({network, mask, std::move(interfaces)});
  }

  Ptr<Ipv4Route> RouteOutput(Ptr<Packet>, const Ipv4Header& header, Ptr<NetDevice>,
                             Socket::SocketErrno& error) override {
    error = Socket::ERROR_NOTERROR;
    return route_via(find(header.GetDestination())->interfaces.front());  // hosts have one
  }

  bool RouteInput(Ptr<const Packet> packet, const Ipv4Header& header, Ptr<const NetDevice> device,
                  UnicastForwardCallback forward, MulticastForwardCallback, LocalDeliverCallback deliver,
                  ErrorCallback) override {
    const auto interface = static_cast<uint32_t>(ipv4_->GetInterfaceForDevice(device));
    if (ipv4_->IsDestinationAddress(header.GetDestination(), interface)) {
      deliver(packet, header, interface);
      return true;
    }
    const Route* route = find(header.GetDestination());
    if (route == nullptr) return false;
    size_t choice = 0;
    if (route->interfaces.size() > 1) {
      std::array<uint8_t, 4> ports{};
      packet->CopyData(ports.data(), ports.size());
      uint32_t word = 0;
      std::memcpy(&word, ports.data(), sizeof(word));
      const uint64_t hash =
          mix(mix(mix(salt_ ^ header.GetSource().Get()) ^ header.GetDestination().Get()) ^ word);
      choice = hash % route->interfaces.size();
    }
    forward(route_via(route->interfaces[choice]), packet, header);
    return true;
  }

  void NotifyInterfaceUp(uint32_t) override {}
  void NotifyInterfaceDown(uint32_t) override {}
  void NotifyAddAddress(uint32_t, Ipv4InterfaceAddress) override {}
  void NotifyRemoveAddress(uint32_t, Ipv4InterfaceAddress) override {}
  void SetIpv4(Ptr<Ipv4> ipv4) override { ipv4_ = ipv4; }
  void PrintRoutingTable(Ptr<OutputStreamWrapper>, Time::Unit) const override {}

 private:
  struct Route {
    Ipv4Address network;
    Ipv4Mask mask;
    std::vector<uint32_t> interfaces;
  };
  const Route* find(Ipv4Address destination) const {
    for (const Route& route : routes_)
      if (route.mask.IsMatch(destination, route.network)) return &route;
    return nullptr;
  }
  /// Point to point: who is next need not be said.
  Ptr<Ipv4Route> route_via(uint32_t interface) {
    if (interface >= made_.size()) made_.resize(interface + 1);
    if (made_[interface] == nullptr) {
      made_[interface] = Create<Ipv4Route>();
      made_[interface]->SetOutputDevice(ipv4_->GetNetDevice(interface));
      made_[interface]->SetGateway(Ipv4Address::GetAny());
      if (ipv4_->GetNAddresses(interface) > 0)
        made_[interface]->SetSource(ipv4_->GetAddress(interface, 0).GetLocal());
    }
    return made_[interface];
  }

  uint32_t salt_;
  Ptr<Ipv4> ipv4_;
  std::vector<Route> routes_;
  std::vector<Ptr<Ipv4Route>> made_;
};

class EcmpHelper final : public Ipv4RoutingHelper {
 public:
  EcmpHelper* Copy() const override { return new EcmpHelper(*this); }
  Ptr<Ipv4RoutingProtocol> Create(Ptr<Node> node) const override {
    return CreateObject<EcmpRouting>(node->GetId());
  }
};

struct Simulation {
  NodeContainer nodes;
  NetDeviceContainer devices;
  std::vector<Ptr<PacketSink>> sinks;

  Ptr<Node> add_node() {
    auto node = CreateObject<Node>();
    nodes.Add(node);
    InternetStackHelper stack;
    stack.SetIpv6StackInstall(false);
    stack.SetRoutingHelper(EcmpHelper());
    stack.Install(node);
    return node;
  }
  static EcmpRouting& routing(Ptr<Node> node) {
    return *DynamicCast<EcmpRouting>(node->GetObject<Ipv4>()->GetRoutingProtocol());
  }
  /// The numbers of the interfaces at both ends.
  std::array<uint32_t, 2> join(Ptr<Node> a, Ptr<Node> b, const bench::LinkSpec& spec) {
    PointToPointHelper link;
    link.DisableFlowControl();  // or a queue discipline goes on top
    link.SetDeviceAttribute("DataRate", DataRateValue(DataRate(spec.bits_per_second)));
    link.SetChannelAttribute("Delay", TimeValue(MicroSeconds(spec.delay_us)));
    link.SetQueue("ns3::DropTailQueue<Packet>", "MaxSize",
                  QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, spec.queue_packets)));
    const NetDeviceContainer pair = link.Install(a, b);
    devices.Add(pair);
    std::array<uint32_t, 2> numbers{};
    for (uint32_t end = 0; end < 2; ++end) {
      auto ipv4 = (end == 0 ? a : b)->GetObject<Ipv4>();
      numbers[end] = ipv4->AddInterface(pair.Get(end));
      ipv4->SetUp(numbers[end]);
    }
    return numbers;
  }
  static void set_address(Ptr<Node> host, Ipv4Address address) {
    host->GetObject<Ipv4>()->AddAddress(1, Ipv4InterfaceAddress(address, Ipv4Mask::GetOnes()));
    routing(host).add_route(Ipv4Address::GetAny(), Ipv4Mask::GetZero(), {1});
  }
  void add_flow(Ptr<Node> from, Ptr<Node> to, Ipv4Address address, uint16_t port) {
    PacketSinkHelper sink("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), port));
    const ApplicationContainer server = sink.Install(to);
    sinks.push_back(DynamicCast<PacketSink>(server.Get(0)));
    BulkSendHelper source("ns3::TcpSocketFactory", InetSocketAddress(address, port));
    source.SetAttribute("MaxBytes", UintegerValue(0));
    source.SetAttribute("SendSize", UintegerValue(14480));
    source.Install(from);
  }
  uint64_t packet_hops() const {
    uint64_t hops = 0;
    for (uint32_t i = 0; i < devices.GetN(); ++i) {
      const auto queue = DynamicCast<PointToPointNetDevice>(devices.Get(i))->GetQueue();
      hops += queue->GetTotalReceivedPackets() - queue->GetNPackets();
    }
    return hops;
  }
};

void set_defaults(bool is_tree, const bench::Options& options) {
  const uint64_t buffer = is_tree ? options.buffer_bytes / options.subflows : options.buffer_bytes;
  const std::string control = is_tree ? "ns3::TcpLinuxReno" : "ns3::TcpCubic";
  Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TypeId::LookupByName(control)));
  Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
  Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(buffer));
  Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(buffer));
  Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(bench::kInitialWindowSegments));
  Config::SetDefault("ns3::TcpSocket::DelAckTimeout", TimeValue(MilliSeconds(bench::kDelayedAckMs)));
  Config::SetDefault("ns3::TcpSocketBase::MinRto", TimeValue(MilliSeconds(bench::kMinRtoMs)));
}

uint64_t build_bottleneck(Simulation& simulation) {
  const auto client = simulation.add_node(), router = simulation.add_node(), server = simulation.add_node();
  const auto left = simulation.join(client, router, bench::kAccess);
  const auto right = simulation.join(router, server, bench::kBottleneck);
  const Ipv4Address a("10.0.0.1"), b("10.0.0.2");
  Simulation::set_address(client, a);
  Simulation::set_address(server, b);
  Simulation::routing(router).add_route(a, Ipv4Mask::GetOnes(), {left[1]});
  Simulation::routing(router).add_route(b, Ipv4Mask::GetOnes(), {right[0]});
  simulation.add_flow(client, server, b, 5001);
  return 1;
}

/// Hosts are 10.pod.edge.host, so that down is by prefix and up is by flow.
uint64_t build_fat_tree(Simulation& simulation, uint32_t k, uint32_t subflows) {
  const uint32_t half = k / 2;
  const auto address = [](uint32_t pod, uint32_t edge, uint32_t host) {
    return Ipv4Address(10u << 24 | pod << 16 | edge << 8 | host);
  };
  std::vector<Ptr<Node>> core, hosts;
  std::vector<Ipv4Address> addresses;
  for (uint32_t i = 0; i < half * half; ++i) core.push_back(simulation.add_node());
  for (uint32_t pod = 0; pod < k; ++pod) {
    std::vector<Ptr<Node>> aggregation;
    std::vector<std::vector<uint32_t>> up(half);
    for (uint32_t a = 0; a < half; ++a) {
      aggregation.push_back(simulation.add_node());
      for (uint32_t c = 0; c < half; ++c) {
        const auto ends = simulation.join(aggregation[a], core[a * half + c], bench::kFabric);
        up[a].push_back(ends[0]);
        Simulation::routing(core[a * half + c]).add_route(address(pod, 0, 0), Ipv4Mask("/16"), {ends[1]});
      }
    }
    for (uint32_t e = 0; e < half; ++e) {
      const auto edge = simulation.add_node();
      std::vector<uint32_t> edge_up;
      for (uint32_t a = 0; a < half; ++a) {
        const auto ends = simulation.join(edge, aggregation[a], bench::kFabric);
        edge_up.push_back(ends[0]);
        Simulation::routing(aggregation[a]).add_route(address(pod, e, 0), Ipv4Mask("/24"), {ends[1]});
      }
      for (uint32_t h = 0; h < half; ++h) {
        hosts.push_back(simulation.add_node());
        addresses.push_back(address(pod, e, h + 1));
        const auto ends = simulation.join(hosts.back(), edge, bench::kFabric);
        Simulation::set_address(hosts.back(), addresses.back());
        Simulation::routing(edge).add_route(addresses.back(), Ipv4Mask::GetOnes(), {ends[1]});
      }
      Simulation::routing(edge).add_route(Ipv4Address::GetAny(), Ipv4Mask::GetZero(), edge_up);
    }
    for (uint32_t a = 0; a < half; ++a)
      Simulation::routing(aggregation[a]).add_route(Ipv4Address::GetAny(), Ipv4Mask::GetZero(), up[a]);
  }
  const auto to = bench::permutation(static_cast<uint32_t>(hosts.size()));
  for (size_t i = 0; i < hosts.size(); ++i) {
    for (uint32_t n = 0; n < subflows; ++n)
      simulation.add_flow(hosts[i], hosts[to[i]], addresses[to[i]], static_cast<uint16_t>(5001 + n));
  }
  return hosts.size();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::read_options(argc, argv);
  const bool is_tree = options.what == "fat-tree";
  set_defaults(is_tree, options);
  Simulation simulation;
  const uint64_t connections =
      is_tree ? build_fat_tree(simulation, options.k, options.subflows) : build_bottleneck(simulation);
  Simulator::Stop(Seconds(options.seconds));
  Simulator::Run();
  uint64_t bytes = 0;
  for (const auto& sink : simulation.sinks) bytes += sink->GetTotalRx();
  bench::report(simulation.packet_hops(), bytes, connections);
  Simulator::Destroy();
}
