#include "io/network.h"

#include "io/plain_network.h"
#include "io/shared_uplinks.h"

namespace braid::io {

Setup<std::unique_ptr<Network>> Network::open(const NetworkConfig& config) {
  return config.addresses.empty() ? SharedUplinks::open(config) : PlainNetwork::open(config);
}

}  // namespace braid::io
