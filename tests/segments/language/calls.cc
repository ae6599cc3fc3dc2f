#include "segments/language/calls.h"

#include <algorithm>

#include "segments/language/script_error.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

void expect_error(host::Error error, const std::string& wanted) {
  const std::string came(host::to_string(error));
  std::string written = wanted;
  std::ranges::replace(written, '-', ' ');
  if (came != written) throw ScriptError("the result is: " + came);
}

}  // namespace

bool Application::call(const Line& line) {
  const std::string& verb = line.verb;
  if (verb == "connect") {
    connect(line.rest, line.path);
  } else if (verb == "listen") {
    listen(line.rest);
  } else if (verb == "unlisten") {
    expect_error(stage_.host().close(listener_, stage_.now()), line.rest.empty() ? "no error" : line.rest);
  } else if (verb == "accept") {
    accept(line.rest);
  } else if (verb == "send") {
    send(line.rest);
  } else if (verb == "receive") {
    receive(line.rest);
  } else if (verb == "shutdown" || verb == "close" || verb == "abort") {
    close(verb);
  } else if (verb == "set") {
    set(line.rest);
  } else if (verb == "endpoint") {
    endpoint(line.rest);
  } else if (verb == "interface") {
    interface(line.rest);
  } else if (verb == "close-subflow") {
    open().close_subflow(index_of(line.path));
  } else if (verb == "set-backup") {
    open().set_backup(index_of(line.path), line.rest == "on");
  } else {
    return false;
  }
  return true;
}

mptcp::Connection& Application::open() {
  mptcp::Connection* connection = stage_.host().find(connection_);
  if (connection == nullptr) throw ScriptError("there is no connection that the application holds");
  return *connection;
}

uint8_t Application::index_of(const std::string& path) {
  for (const mptcp::SubflowInfo& subflow : open().info().subflows) {
    if (stage_.peer().name_of(subflow.tuple) == path) return subflow.index;
  }
  throw ScriptError("no subflow on path " + path);
}

/// connect [NAME VALUE]... [= ERROR]
void Application::connect(const std::string& rest, const std::string& path) {
  const int number = static_cast<int>(to_number(path.substr(0, 1)));
  host::ConnectOptions options;
  const Path* known = stage_.peer().find(path);
  wire::Endpoint remote{stage_.peer().peer_address(number), 80};
  if (known != nullptr) {  // again, from the same port
    remote = known->peers;
    options.local = known->ours;
  }
  Words words(split_words(rest));
  std::string wanted;
  options.connection = stage_.host().config().connection;
  while (!words.is_empty()) {
    if (words.take_if("error")) {
      wanted = words.take();
      continue;
    }
    if (words.take_if("to")) {
      const auto address = wire::IpAddress::parse(words.take());
      if (!address.has_value()) throw ScriptError("not an address");
      remote.address = *address;
      continue;
    }
    const std::string name = words.take();
    if (!set_connection_option(*options.connection, name, words.take()))
      throw ScriptError("no setting has that name: " + name);
  }
  const auto made = stage_.host().connect(remote, options, stage_.now());
  expect_error(made.has_value() ? host::Error::kNone : made.error(), wanted.empty() ? "no error" : wanted);
  if (!made.has_value()) return;
  connection_ = *made;
  forget_streams();
}

/// listen [port N] [backlog N]
void Application::listen(const std::string& rest) {
  Words words(split_words(rest));
  host::ListenOptions options;
  uint16_t port = 80;
  while (!words.is_empty()) {
    if (words.take_if("port")) {
      port = static_cast<uint16_t>(to_number(words.take()));
    } else if (words.take_if("backlog")) {
      options.backlog = static_cast<uint32_t>(to_number(words.take()));
    } else {
      throw ScriptError("not understood: " + words.peek());
    }
  }
  const wire::Family family = stage_.peer().our_address(1).family();
  const auto made = stage_.host().listen({wire::IpAddress::any(family), port}, options);
  if (!made.has_value()) throw ScriptError("the result is: " + std::string(host::to_string(made.error())));
  listener_ = *made;
}

/// accept [none]
void Application::accept(const std::string& rest) {
  const host::ConnectionId accepted = stage_.host().accept(listener_);
  if (rest == "none") {
    if (accepted != host::ConnectionId::kNone) throw ScriptError("there is a connection to accept");
    return;
  }
  if (accepted == host::ConnectionId::kNone) throw ScriptError("there is no connection to accept");
  connection_ = accepted;
  forget_streams();
}

/// send N [= TAKEN]
void Application::send(const std::string& rest) {
  Words words(split_words(rest));
  const uint64_t size = to_unsigned(words.take());
  const uint64_t wanted = words.is_empty() ? size : to_unsigned(words.take());
  words.expect_end();
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(stream_octet(sent_ + 1 + i));
  const uint64_t taken = open().send(bytes, stage_.now());
  sent_ += taken;
  if (taken != wanted) throw ScriptError("taken were " + std::to_string(taken));
}

/// receive N [any] | receive end
void Application::receive(const std::string& rest) {
  Words words(split_words(rest));
  mptcp::Connection& connection = open();
  if (words.take_if("end")) {
    if (!connection.is_end_of_stream()) {
      throw ScriptError("it is not the end: " + std::to_string(connection.readable_bytes()) +
                        " octets are readable");
    }
    return;
  }
  const uint64_t wanted = to_unsigned(words.take());
  const bool is_any = words.take_if("any");
  words.expect_end();
  std::vector<std::byte> bytes(wanted);
  const uint64_t readable = connection.readable_bytes();
  const uint64_t taken = connection.receive(bytes, stage_.now());
  if (taken != wanted || (wanted == 0 && readable > 0))
    throw ScriptError("readable were " + std::to_string(readable));
  for (size_t i = 0; i < taken && !is_any; ++i) {
    if (static_cast<uint8_t>(bytes[i]) != stream_octet(received_ + 1 + i))
      throw ScriptError("octet " + std::to_string(received_ + 1 + i) + " is not what was sent");
  }
  received_ += taken;
}

void Application::close(const std::string& verb) {
  if (verb == "shutdown") return open().shut_down_send(stage_.now());
  const host::Error error = verb == "close" ? stage_.host().close(connection_, stage_.now())
                                            : stage_.host().abort(connection_, stage_.now());
  expect_error(error, "no error");
}

/// set NAME VALUE: what can be changed while a connection runs.
void Application::set(const std::string& rest) {
  Words words(split_words(rest));
  const std::string name = words.take(), value = words.take();
  mptcp::Connection& connection = open();
  if (name == "nodelay") {
    connection.set_no_delay(value == "on", stage_.now());
  } else if (name == "cork") {
    connection.set_cork(value == "on", stage_.now());
  } else if (name == "keepalive") {
    const std::optional<Duration> idle = value == "off" ? std::nullopt : std::optional(to_duration(value));
    const Duration interval = words.is_empty() ? Duration(1s) : to_duration(words.take());
    const auto attempts = static_cast<uint32_t>(words.is_empty() ? 3 : to_number(words.take()));
    connection.set_keepalive(idle, interval, attempts, stage_.now());
  } else if (name == "user-timeout") {
    connection.set_user_timeout(to_duration(value), stage_.now());
  } else if (name == "traffic-class") {
    connection.set_traffic_class(static_cast<uint8_t>(to_number(value)));
  } else if (name == "scheduler") {
    if (!connection.set_scheduler(value, stage_.now())) throw ScriptError("no scheduler has that name");
  } else if (name == "congestion-control") {
    if (!connection.set_congestion_control(value, stage_.now()))
      throw ScriptError("no congestion control has that name");
  } else if (name == "hop-limit") {
    connection.set_hop_limit(static_cast<uint8_t>(to_unsigned(value)));
  } else if (name == "send-buffer") {
    connection.set_send_buffer(to_unsigned(value));
  } else if (name == "receive-buffer") {
    connection.set_receive_buffer(to_unsigned(value));
  } else {
    throw ScriptError("nothing of that name can be set: " + name);
  }
  words.expect_end();
}

/// endpoint add 2 subflow id 3 | endpoint remove 3 | endpoint change 3 backup
void Application::endpoint(const std::string& rest) {
  Words words(split_words(rest));
  const std::string verb = words.take();
  if (verb == "add") {
    const auto made = stage_.host().add_endpoint(parse_endpoint(rest.substr(4), stage_.peer()), stage_.now());
    expect_error(made.has_value() ? host::Error::kNone : made.error(), "no error");
    return;
  }
  const auto id = static_cast<uint8_t>(to_number(words.take()));
  if (verb == "remove") return expect_error(stage_.host().remove_endpoint(id, stage_.now()), "no error");
  if (verb != "change") throw ScriptError("not understood: " + verb);
  const bool is_backup = words.take_if("backup");
  const bool is_fullmesh = words.take_if("fullmesh");
  words.expect_end();
  expect_error(stage_.host().change_endpoint(id, is_backup, is_fullmesh, stage_.now()), "no error");
}

/// interface 2 down | up | remove-address | mtu 1400
void Application::interface(const std::string& rest) {
  Words words(split_words(rest));
  const int number = static_cast<int>(to_number(words.take()));
  const auto id = static_cast<host::InterfaceId>(number - 1);
  const std::string what = words.take();
  if (what == "up" || what == "down") {
    stage_.host().set_interface_up(id, what == "up", stage_.now());
  } else if (what == "remove-address") {
    stage_.host().remove_address(id, stage_.peer().our_address(number), stage_.now());
  } else if (what == "mtu") {
    stage_.host().set_mtu(id, static_cast<uint32_t>(to_number(words.take())));
  } else {
    throw ScriptError("not understood: " + what);
  }
}

}  // namespace braid::segments
