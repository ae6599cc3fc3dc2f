// A program's commands about paths. They go beside whatever the path manager does; what a program closes, the
// path manager leaves closed.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

tl::expected<uint8_t, PathError> Connection::Impl::open_path(SubflowRequest request) {
  if (!request.local.address.is_unspecified()) {
    request.local_id = local_id_of(request.local);
    request.is_backup = request.is_backup || is_backup_endpoint(request.local_id);
  }
  const PathError refusal = open_subflow(std::move(request));
  if (refusal != PathError::kNone) return tl::unexpected(refusal);
  return subflows.back()->index;
}

PathError Connection::Impl::close_path(uint8_t index) {
  if (!negotiation.is_multipath()) return PathError::kNotMultipath;
  const MptcpSubflow* subflow = find_subflow(index);
  if (subflow == nullptr || subflow->is_closed) return PathError::kNoSuchSubflow;
  close_subflow(index, SubflowEnd::kClosedByProgram);
  return PathError::kNone;
}

PathError Connection::Impl::set_path_backup(uint8_t index, bool is_backup) {
  if (!negotiation.is_multipath()) return PathError::kNotMultipath;
  const MptcpSubflow* subflow = find_subflow(index);
  if (subflow == nullptr || subflow->is_closed) return PathError::kNoSuchSubflow;
  set_backup(index, is_backup);
  return PathError::kNone;
}

tl::expected<uint8_t, PathError> Connection::Impl::announce_address(const wire::IpAddress& address,
                                                                    uint16_t port, uint8_t id) {
  if (negotiation.state != MultipathState::kEstablished || closing.is_over)
    return tl::unexpected(PathError::kNotMultipath);
  if (env.mtu_of(address) == 0) return tl::unexpected(PathError::kNotOurAddress);
  if (id == 0) id = local_id_of({address, port});
  // Only REMOVE_ADDR speaks of ID 0; the first address announced anew, with a port say, needs another.
  if (id == 0) id = free_address_id();
  if (id == 0) return tl::unexpected(PathError::kNoAddressId);
  if (const auto known = address_of_id(id); known && *known != address)
    return tl::unexpected(PathError::kInUse);
  if (!announce(id, address, port)) return tl::unexpected(PathError::kTooManyAnnounced);
  if (!address_of_id(id)) program_addresses.push_back({id, address});
  return id;
}

PathError Connection::Impl::withdraw_address(uint8_t id) {
  if (negotiation.state != MultipathState::kEstablished || closing.is_over) return PathError::kNotMultipath;
  const bool is_used =
      std::ranges::any_of(subflows, [&](const auto& s) { return !s->is_closed && s->local_id == id; });
  if (!is_used && !address_of_id(id)) return PathError::kNoSuchAddress;
  withdraw(id);
  if (id == 0) is_initial_address_withdrawn = true;
  std::erase_if(program_addresses, [&](const ProgramAddress& a) { return a.id == id; });
  for (const auto& subflow : subflows)
    if (subflow->local_id == id) close_subflow(subflow->index, SubflowEnd::kClosedByProgram);
  return PathError::kNone;
}

/// Of ours that the peer may know by it.
std::optional<wire::IpAddress> Connection::Impl::address_of_id(uint8_t id) const {
  for (const PathEndpoint& endpoint : env.path_config().endpoints)
    if (endpoint.id == id) return endpoint.address;
  for (const ProgramAddress& announced : program_addresses)
    if (announced.id == id) return announced.address;
  for (const auto& subflow : subflows)
    if (subflow->local_id == id && id != 0) return subflow->tuple().local.address;
  return {};
}

/// From the top: endpoints get theirs from the bottom. 0: none is left.
uint8_t Connection::Impl::free_address_id() const {
  uint8_t id = 255;
  while (id > 0 && address_of_id(id)) --id;
  return id;
}

}  // namespace braid::mptcp
