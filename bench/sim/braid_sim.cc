// The work of work.h in Braid's simulator: what `braid sim` does, with every byte made and checked.
#include <fmt/format.h>

#include <string>

#include "scenario/scenario.h"
#include "scenario/simulation.h"
#include "work.h"

namespace {

using namespace braid;

std::string link_keys(const bench::LinkSpec& link) {
  return fmt::format("rate = {}\ndelay = \"{}us\"\nqueue = \"{} packets\"\n", link.bits_per_second,
                     link.delay_us, link.queue_packets);
}

std::string bottleneck() {
  return fmt::format(
      "routers = [\"router\"]\n[links.access]\nbetween = [\"client\", \"router\"]\n{}"
      "[links.bottleneck]\nbetween = [\"router\", \"server\"]\n{}"
      "[[workload]]\nfrom = \"client\"\nto = \"server\"\n",
      link_keys(bench::kAccess), link_keys(bench::kBottleneck));
}

std::string fat_tree(uint32_t k) {
  std::string text = fmt::format("[topology]\nkind = \"fat-tree\"\nk = {}\n{}", k, link_keys(bench::kFabric));
  const auto to = bench::permutation(k * k * k / 4);
  for (size_t i = 0; i < to.size(); ++i)
    text += fmt::format("[[workload]]\nfrom = \"h{}\"\nto = \"h{}\"\n", i, to[i]);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::read_options(argc, argv);
  const bool is_tree = options.what == "fat-tree";
  auto scenario = scenario::parse_scenario(
      fmt::format("duration = {:.9f}\n", options.seconds) + (is_tree ? fat_tree(options.k) : bottleneck()),
      options.what);
  if (!scenario) {
    fmt::print(stderr, "{}\n", scenario.error());
    return 2;
  }
  for (scenario::HostSpec& host : scenario->hosts) {
    mptcp::ConnectionConfig& connection = host.config.connection;
    connection.send_buffer_bytes = connection.receive_buffer_bytes = options.buffer_bytes;
    connection.is_multipath = is_tree;
    if (!is_tree) continue;
    connection.congestion_control = "lia";
    connection.path_manager = "ndiffports";
    connection.max_subflows = static_cast<uint8_t>(options.subflows);
    host.config.paths.limits.subflows = static_cast<uint8_t>(options.subflows - 1);
  }
  const scenario::Results results = scenario::simulate(*scenario);
  uint64_t bytes = 0, subflows = 0;
  for (const scenario::ConnectionResult& connection : results.connections) {
    bytes += connection.bytes;
    subflows += connection.subflows.size();
  }
  if (!results.is_sound()) {
    fmt::print(stderr, "a connection failed, or a byte was wrong\n");
    return 1;
  }
  const uint64_t expected = results.connections.size() * (is_tree ? options.subflows : 1);
  if (options.seconds >= 0.5 && subflows != expected) {
    fmt::print(stderr, "{} subflows instead of {}\n", subflows, expected);
    return 1;
  }
  bench::report(results.packet_hops, bytes, results.connections.size());
}
