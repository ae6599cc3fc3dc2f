#include "mptcp/path_manager/path_manager.h"

#include "mptcp/path_manager/application.h"
#include "mptcp/path_manager/endpoints.h"
#include "mptcp/path_manager/fullmesh.h"
#include "mptcp/path_manager/label.h"
#include "mptcp/path_manager/ndiffports.h"
#include "mptcp/path_manager/no_paths.h"

namespace braid::mptcp {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<PathManager> (*make)(const PathConfig& config, PathActions& actions,
                                       std::span<const uint8_t> labels);
};

// A new path manager needs one line here.
constexpr Entry kPathManagers[] = {
    {"endpoints",
     [](const PathConfig& config, PathActions& actions, std::span<const uint8_t>)
         -> std::unique_ptr<PathManager> { return std::make_unique<EndpointPaths>(config, actions); }},
    {"fullmesh",
     [](const PathConfig& config, PathActions& actions, std::span<const uint8_t>)
         -> std::unique_ptr<PathManager> { return std::make_unique<FullMesh>(config, actions); }},
    {"ndiffports",
     [](const PathConfig& config, PathActions& actions, std::span<const uint8_t>)
         -> std::unique_ptr<PathManager> { return std::make_unique<DifferentPorts>(config, actions); }},
    {"label",
     [](const PathConfig& config, PathActions& actions,
        std::span<const uint8_t> labels) -> std::unique_ptr<PathManager> {
       return std::make_unique<LabelledPaths>(config, actions, labels);
     }},
    {"application",
     [](const PathConfig&, PathActions&, std::span<const uint8_t>) -> std::unique_ptr<PathManager> {
       return std::make_unique<ApplicationPaths>();
     }},
    {"none",
     [](const PathConfig&, PathActions&, std::span<const uint8_t>) -> std::unique_ptr<PathManager> {
       return std::make_unique<NoPaths>();
     }},
};

}  // namespace

std::string_view to_string(SubflowEnd end) {
  switch (end) {
    case SubflowEnd::kFinished:
      return "finished";
    case SubflowEnd::kReset:
      return "reset";
    case SubflowEnd::kTimedOut:
      return "timed-out";
    case SubflowEnd::kRefusedJoin:
      return "refused";
    case SubflowEnd::kLocalAddressGone:
      return "local-address-gone";
    case SubflowEnd::kRemoved:
      return "removed";
    case SubflowEnd::kClosedByProgram:
      return "closed-by-program";
  }
  return "?";
}

std::string_view to_string(Withheld why) {
  switch (why) {
    case Withheld::kNothing:
      return "nothing is in the way";
    case Withheld::kSubflowLimit:
      return "the limit of subflows is reached";
    case Withheld::kAddressLimit:
      return "the limit of announced addresses to act on (add_addr_accepted) is reached";
    case Withheld::kNowhereToGo:
      return "this host has no other address that opens paths, and the peer has announced none";
    case Withheld::kNothingAnnounced:
      return "the peer takes no joins at its first address, and has announced no other";
  }
  return "?";
}

std::unique_ptr<PathManager> make_path_manager(std::string_view name, const PathConfig& config,
                                               PathActions& actions, std::span<const uint8_t> labels) {
  for (const Entry& entry : kPathManagers)
    if (entry.name == name) return entry.make(config, actions, labels);
  return nullptr;
}

std::vector<std::string> path_manager_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kPathManagers) names.emplace_back(entry.name);
  return names;
}

}  // namespace braid::mptcp
