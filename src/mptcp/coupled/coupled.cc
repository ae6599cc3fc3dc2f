#include "mptcp/coupled/coupled.h"

#include "mptcp/coupled/lia.h"

namespace braid::mptcp {

std::unique_ptr<CoupledGroup> make_coupled_group(std::string_view name) {
  if (name == "lia") return std::make_unique<LiaGroup>();
  return nullptr;
}

std::vector<std::string> coupled_names() { return {"lia"}; }

}  // namespace braid::mptcp
