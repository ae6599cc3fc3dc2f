// What a swarm's plan has now and then beside the usual: boxes that make one path useless or deceive about
// it, or let Multipath TCP through for a while only, topologies with routers, a carrier that is gone while
// connections open, a host that forgets everything.
#pragma once

#include "scenario/scenario.h"
#include "scenario/swarm_dice.h"

namespace braid::scenario {

struct Rarities {
  enum class Topology : uint8_t { kUsual, kDumbbell, kPhone };
  Topology topology = Topology::kUsual;
  bool has_port_blocker = false, loses_first_carrier = false, restarts = false;
  bool has_proxy = false;      // that acknowledges for the peer, without options
  bool loses_options = false;  // in one direction or both, from some segment on
  bool has_fast_open = false;
};
/// `later`: for those that came later, so that a seed keeps what it had.
Rarities draw_rarities(Dice& dice, Dice& later);

/// `plan` has hosts "client" and "server", and links. Call them in this order, the last when it has
/// workloads.
void change_network(const Rarities& rarities, Dice& dice, Scenario& plan);
void add_events(const Rarities& rarities, Dice& dice, Time heal, Scenario& plan);
void settle_workloads(const Rarities& rarities, Dice& dice, Scenario& plan);
/// At any time: of the stream of its own.
void add_deceivers(const Rarities& rarities, Dice& later, Scenario& plan);

/// Where options vanish from the last path of a connection that had several, nothing can tell both ends to go
/// on as plain TCP.
bool may_lose_options(const Scenario& plan);

}  // namespace braid::scenario
