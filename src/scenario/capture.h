// Every packet at every interface of a run, as pcapng files (draft-ietf-opsawg-pcapng) for Wireshark: one per
// node and link, NODE-LINK.pcapng, with both directions as the node sees them.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "scenario/scenario.h"
#include "scenario/world.h"

namespace braid::scenario {

class Capture {
 public:
  /// Makes the directory if it is not there; files of the same names are overwritten. The taps stay in the
  /// world's links: it must not carry packets after this object is gone. The error is for people.
  static tl::expected<std::unique_ptr<Capture>, std::string> start(const Scenario& scenario, World& world,
                                                                   const std::string& directory);
  ~Capture();

 private:
  class File;
  Capture();
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace braid::scenario
