#include "mptcp/coupled/coupled.h"

#include "mptcp/coupled/balia.h"
#include "mptcp/coupled/lia.h"
#include "mptcp/coupled/olia.h"
#include "mptcp/coupled/wvegas.h"

namespace braid::mptcp {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<CoupledGroup> (*make)();
};

template <class Member>
std::unique_ptr<CoupledGroup> make() {
  return std::make_unique<GroupOf<Member>>();
}

// A new algorithm needs one line here.
constexpr Entry kAlgorithms[] = {
    {"lia", make<Lia>},
    {"olia", make<Olia>},
    {"balia", make<Balia>},
    {"wvegas", make<Wvegas>},
};

}  // namespace

std::unique_ptr<CoupledGroup> make_coupled_group(std::string_view name) {
  for (const Entry& entry : kAlgorithms)
    if (entry.name == name) return entry.make();
  return nullptr;
}

std::vector<std::string> coupled_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kAlgorithms) names.emplace_back(entry.name);
  return names;
}

std::vector<std::string> all_congestion_control_names() {
  std::vector<std::string> names = tcp::congestion_control_names();
  for (std::string& name : coupled_names()) names.push_back(std::move(name));
  return names;
}

}  // namespace braid::mptcp
