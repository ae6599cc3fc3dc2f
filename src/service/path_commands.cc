#include "service/path_commands.h"

#include <fmt/format.h>

#include <charconv>

#include "config/closest.h"
#include "service/request_fields.h"

namespace braid::service {

namespace {

using nlohmann::json;
using Result = tl::expected<json, std::string>;

constexpr int64_t kMostLabel = 63;

/// A number, or hexadecimal digits as `braid ss` and the events have them.
tl::expected<mptcp::Token, std::string> read_token(const json& request) {
  const auto found = request.find("token");
  if (found == request.end()) return tl::unexpected(std::string("which connection? \"token\" is needed"));
  if (found->is_number_unsigned() && found->get<uint64_t>() <= UINT32_MAX)
    return static_cast<mptcp::Token>(found->get<uint64_t>());
  mptcp::Token token = 0;
  if (found->is_string()) {
    std::string_view digits = found->get_ref<const std::string&>();
    if (digits.starts_with("0x")) digits.remove_prefix(2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token, 16);
    if (error == std::errc() && end == digits.data() + digits.size()) return token;
  }
  return tl::unexpected(fmt::format("{} is no token: a number, or up to eight hexadecimal digits",
                                    found->dump(-1, ' ', false, json::error_handler_t::replace)));
}

/// Absent: unspecified.
tl::expected<wire::IpAddress, std::string> read_address(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) return wire::IpAddress::any(wire::Family::kV4);
  const auto address = found->is_string() ? wire::IpAddress::parse(found->get<std::string>()) : std::nullopt;
  if (!address) return tl::unexpected(fmt::format("\"{}\" must be an IPv4 or IPv6 address", key));
  return *address;
}

tl::expected<bool, std::string> read_flag(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) return false;
  if (!found->is_boolean()) return tl::unexpected(fmt::format("\"{}\" must be true or false", key));
  return found->get<bool>();
}

Result refused(std::string_view action, mptcp::PathError error) {
  return tl::unexpected(fmt::format("{}: {}", action, mptcp::to_string(error)));
}

Result done(std::string_view action, mptcp::PathError error) {
  if (error != mptcp::PathError::kNone) return refused(action, error);
  return json::object();
}

Result announce(mptcp::Connection& connection, const json& request, Time now) {
  const auto address = read_address(request, "address");
  if (!address) return tl::unexpected(address.error());
  if (address->is_unspecified()) return tl::unexpected(std::string("announce: which \"address\"?"));
  const auto port = number(request, "port", 0, 0, 65535);
  if (!port) return tl::unexpected(port.error());
  const auto id = number(request, "id", 0, 1, 255);
  if (!id) return tl::unexpected(id.error());
  const auto announced =
      connection.announce_address(*address, static_cast<uint16_t>(*port), static_cast<uint8_t>(*id), now);
  if (!announced) return refused("announce", announced.error());
  return json{{"id", *announced}};
}

Result remove(mptcp::Connection& connection, const json& request, Time now) {
  if (!request.contains("id")) return tl::unexpected(std::string("remove: which \"id\"?"));
  const auto id = number(request, "id", 0, 0, 255);
  if (!id) return tl::unexpected(id.error());
  return done("remove", connection.withdraw_address(static_cast<uint8_t>(*id), now));
}

/// What is not said is the connection's own: the peer's first address and port; our address is the route's.
Result open(mptcp::Connection& connection, const json& request, Time now) {
  const auto local = read_address(request, "local"), remote = read_address(request, "remote");
  if (!local) return tl::unexpected(local.error());
  if (!remote) return tl::unexpected(remote.error());
  const auto local_port = number(request, "local_port", 0, 0, 65535);
  const auto remote_port = number(request, "remote_port", connection.remote().port, 1, 65535);
  const auto remote_id = number(request, "remote_id", 0, 0, 255);
  const auto label = number(request, "label", -1, 0, kMostLabel);
  for (const auto* read : {&local_port, &remote_port, &remote_id, &label})
    if (!*read) return tl::unexpected(read->error());
  const auto backup = read_flag(request, "backup");
  if (!backup) return tl::unexpected(backup.error());
  mptcp::SubflowRequest wanted;
  wanted.remote = {remote->is_unspecified() ? connection.remote().address : *remote,
                   static_cast<uint16_t>(*remote_port)};
  wanted.local = {local->is_unspecified() ? wire::IpAddress::any(wanted.remote.address.family()) : *local,
                  static_cast<uint16_t>(*local_port)};
  wanted.remote_id = static_cast<uint8_t>(*remote_id);
  wanted.is_backup = *backup;
  if (*label >= 0) wanted.label = static_cast<uint8_t>(*label);
  const auto opened = connection.open_path(wanted, now);
  if (!opened) return refused("open", opened.error());
  return json{{"subflow", *opened}};
}

tl::expected<uint8_t, std::string> read_subflow(const json& request) {
  if (!request.contains("subflow"))
    return tl::unexpected(std::string("which \"subflow\"? Its index is needed"));
  const auto index = number(request, "subflow", 0, 0, 255);
  if (!index) return tl::unexpected(index.error());
  return static_cast<uint8_t>(*index);
}

Result close(mptcp::Connection& connection, const json& request, Time now) {
  const auto index = read_subflow(request);
  if (!index) return tl::unexpected(index.error());
  return done("close", connection.close_path(*index, now));
}

Result set(mptcp::Connection& connection, const json& request, Time now) {
  const auto index = read_subflow(request);
  if (!index) return tl::unexpected(index.error());
  if (!request.contains("backup"))
    return tl::unexpected(std::string("set: \"backup\", true or false, is needed"));
  const auto backup = read_flag(request, "backup");
  if (!backup) return tl::unexpected(backup.error());
  return done("set", connection.set_path_backup(*index, *backup, now));
}

struct Action {
  std::string_view name;
  Result (*run)(mptcp::Connection& connection, const json& request, Time now);
};
constexpr Action kActions[] = {
    {"announce", announce}, {"remove", remove}, {"open", open}, {"close", close}, {"set", set}};

}  // namespace

tl::expected<json, std::string> run_path_command(host::Host& host, const json& request, Time now) {
  const auto name = request.find("action");
  if (name == request.end() || !name->is_string())
    return tl::unexpected(
        std::string("pm: \"action\" is needed: subscribe, announce, remove, open, close, set"));
  const std::string wanted = name->get<std::string>();
  for (const Action& action : kActions) {
    if (action.name != wanted) continue;
    const auto token = read_token(request);
    if (!token) return tl::unexpected(token.error());
    mptcp::Connection* connection = host.find_by_token(*token);
    if (connection == nullptr)
      return tl::unexpected(fmt::format("there is no MPTCP connection with the token {:08x}", *token));
    return action.run(*connection, request, now);
  }
  const std::string_view meant =
      config::closest(wanted, {"subscribe", "announce", "remove", "open", "close", "set"});
  return tl::unexpected(
      meant.empty() ? fmt::format("pm: there is no action \"{}\"", wanted)
                    : fmt::format("pm: there is no action \"{}\"; did you mean \"{}\"?", wanted, meant));
}

}  // namespace braid::service
