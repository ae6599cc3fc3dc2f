// What a swarm's plan has now and then beside the usual: boxes that make one path useless or deceive about
// it, topologies with routers, a carrier that is gone while connections open, a host that forgets everything.
#pragma once

#include "scenario/scenario.h"
#include "scenario/swarm_dice.h"

namespace braid::scenario {

struct Rarities {
  enum class Topology : uint8_t { kUsual, kDumbbell, kPhone };
  Topology topology = Topology::kUsual;
  bool has_port_blocker = false, loses_first_carrier = false, restarts = false;
};
Rarities draw_rarities(Dice& dice);

/// `plan` has hosts "client" and "server", and links. Call them in this order, the last when it has
/// workloads.
void change_network(const Rarities& rarities, Dice& dice, Scenario& plan);
void add_events(const Rarities& rarities, Dice& dice, Time heal, Scenario& plan);
void settle_workloads(const Rarities& rarities, Dice& dice, Scenario& plan);

}  // namespace braid::scenario
