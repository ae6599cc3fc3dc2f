#include "segments/language/option_codec.h"

#include <algorithm>
#include <array>

#include "segments/language/words.h"

namespace braid::segments {

namespace {

enum Kind : uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
  kMd5 = 19,
  kMptcp = 30,
  kFastOpen = 34
};
enum Subtype : uint8_t { kCapable, kJoin, kDss, kAddAddr, kRemoveAddr, kPrio, kFail, kFastclose, kTcpRst };

constexpr std::string_view kCapableFlags = "ABCDEFGH";
constexpr uint64_t kWrongKey = 0x1122334455667788;

/// The value of a field; ScriptError if the option has none.
const std::string& required(const OptionText& option, std::string_view field) {
  const std::string* value = option.find(field);
  if (value == nullptr) throw ScriptError(option.name + " needs " + std::string(field));
  return *value;
}

Octets with_header(uint8_t kind, const Octets& body) {
  Octets out;
  put8(out, kind);
  put8(out, body.size() + 2);
  put_all(out, body);
  return out;
}

}  // namespace

// ---- secrets

const Secret& OptionCodec::ours() const {
  if (!peer_.our_.has_value()) throw ScriptError("the engine has not shown its key yet");
  return *peer_.our_;
}
const Secret& OptionCodec::sender() const { return is_from_peer_ ? peer_.peer_ : ours(); }
const Secret& OptionCodec::receiver() const { return is_from_peer_ ? ours() : peer_.peer_; }

/// What data sequence numbers are relative to. Before the keys are known they are shown as they are.
uint64_t OptionCodec::idsn_of(Sender whose) const {
  if (whose == Sender::kPeer) return peer_.peer_.idsn;
  return peer_.our_.has_value() ? peer_.our_->idsn : 0;
}

uint64_t OptionCodec::key_of(const std::string& name) const {
  if (name == "$peer") return peer_.peer_.key;
  if (name == "$local") return ours().key;
  if (name == "$wrong") return kWrongKey;
  return to_unsigned(name);
}

std::string OptionCodec::name_of_key(uint64_t key) const {
  if (key == peer_.peer_.key) return "$peer";
  if (peer_.our_.has_value() && key == peer_.our_->key) return "$local";
  Octets bytes;
  put64(bytes, key);
  return "0x" + to_hex(bytes);
}

void OptionCodec::learn_our_key(uint64_t key, int version) {
  if (is_from_peer_ || peer_.our_.has_value()) return;
  peer_.version_ = version;
  peer_.our_ = secret_of(key, version);
  peer_.peer_ = secret_of(peer_.peer_.key, version);
}

/// The sender's, over both nonces (RFC 8684, 3.2).
Octets OptionCodec::join_hmac() const {
  Octets message;
  put32(message, is_from_peer_ ? path_.peer_nonce : path_.our_nonce);
  put32(message, is_from_peer_ ? path_.our_nonce : path_.peer_nonce);
  return hmac_of(peer_.version_, sender().key, receiver().key, message);
}

uint64_t OptionCodec::add_addr_hmac(uint8_t id, const wire::IpAddress& address, uint16_t port) const {
  Octets message;
  put8(message, id);
  for (size_t i = 0; i < address.size(); ++i) put8(message, address.bytes()[i]);
  put16(message, port);
  const Octets hmac = hmac_of(peer_.version_, sender().key, receiver().key, message);
  return get(hmac, hmac.size() - 8, 8);
}

/// Over the octets that the mapping stands for in the sender's stream.
uint16_t OptionCodec::dss_checksum(uint64_t dsn, uint32_t ssn, uint16_t length, bool has_fin) const {
  Octets covered;
  put64(covered, dsn);
  put32(covered, ssn);
  put16(covered, length);
  put16(covered, 0);
  const uint64_t first = dsn - sender_idsn() + (is_from_peer_ ? path_.peer_syn_text : path_.our_syn_text);
  for (uint64_t i = 0; i + (has_fin ? 1 : 0) < length; ++i) put8(covered, stream_octet(first + i));
  return checksum_of(covered);
}

// ---- addresses

wire::IpAddress OptionCodec::parse_address(const std::string& word) const {
  if (word.starts_with("$peer")) return peer_.peer_address(static_cast<int>(to_number(word.substr(5))));
  if (word.starts_with("$local")) return peer_.our_address(static_cast<int>(to_number(word.substr(6))));
  const auto address = wire::IpAddress::parse(word);
  if (!address.has_value()) throw ScriptError("not an address: " + word);
  return *address;
}

std::string OptionCodec::name_of_address(const wire::IpAddress& address) const {
  for (int number = 1; number <= 9; ++number) {
    if (address == peer_.our_address(number)) return "$local" + std::to_string(number);
    if (address == peer_.peer_address(number)) return "$peer" + std::to_string(number);
  }
  return address.to_string();
}

// ---- from the script

Octets OptionCodec::encode(const OptionText& option) {
  const auto value = [&] { return to_unsigned(required(option, "value")); };
  Octets body;
  if (option.name == "nop") return {kNop};
  if (option.name == "eol") return {kEnd};
  if (option.name == "raw") return from_hex(required(option, "value"));
  if (option.name == "sackOK") return with_header(kSackPermitted, {});
  if (option.name == "md5") return with_header(kMd5, Octets(16));
  if (option.name == "tfo") {
    const std::string& cookie = required(option, "value");
    if (cookie == "$cookie") return with_header(kFastOpen, peer_.cookie_);
    return with_header(kFastOpen, cookie == "request" ? Octets{} : from_hex(cookie));
  }
  if (option.name == "mss") {
    put16(body, value());
    return with_header(kMss, body);
  }
  if (option.name == "ws") {
    put8(body, value());
    return with_header(kWindowScale, body);
  }
  if (option.name == "ts") {
    put32(body, value());
    const std::string* echo = option.find("ecr");
    put32(body, echo == nullptr ? path_.our_last_timestamp
                                : to_unsigned(*echo) + path_.our_first_timestamp.value_or(0));
    return with_header(kTimestamps, body);
  }
  if (option.name == "sack") {
    for (const std::string& block : split_words(required(option, "value"))) {
      const size_t colon = block.find(':');
      if (colon == std::string::npos) throw ScriptError("not a SACK block: " + block);
      put32(body, path_.our_isn.value_or(0) + to_unsigned(block.substr(0, colon)));
      put32(body, path_.our_isn.value_or(0) + to_unsigned(block.substr(colon + 1)));
    }
    return with_header(kSack, body);
  }
  return with_header(kMptcp, encode_mptcp(option));
}

Octets OptionCodec::encode_mptcp(const OptionText& option) {
  Octets out;
  const auto head = [&](Subtype subtype, unsigned low) { put8(out, subtype << 4 | low); };
  if (option.name == "mpcapable") {
    encode_capable(option, out);
  } else if (option.name == "mpjoin") {
    encode_join(option, out);
  } else if (option.name == "dss") {
    encode_dss(option, out);
  } else if (option.name == "addaddr") {
    encode_add_addr(option, out);
  } else if (option.name == "removeaddr") {
    head(kRemoveAddr, 0);
    for (const std::string& id : split_words(required(option, "id"))) put8(out, to_unsigned(id));
  } else if (option.name == "mpprio") {
    head(kPrio, option.has("backup") ? 1 : 0);
    if (const std::string* id = option.find("id")) put8(out, to_unsigned(*id));
  } else if (option.name == "mpfail") {
    head(kFail, 0);
    put8(out, 0);
    put64(out, receiver_idsn() + to_unsigned(required(option, "dsn")));
  } else if (option.name == "fastclose") {
    head(kFastclose, 0);
    put8(out, 0);
    put64(out, key_of(required(option, "key")));
  } else if (option.name == "mptcprst") {
    head(kTcpRst, option.has("transient") ? 1 : 0);
    put8(out, to_unsigned(required(option, "reason")));
  } else {
    throw ScriptError("no option has that name: " + option.name);
  }
  return out;
}

void OptionCodec::encode_capable(const OptionText& option, Octets& out) {
  const unsigned version = static_cast<unsigned>(to_unsigned(required(option, "version")));
  put8(out, kCapable << 4 | version);
  unsigned flags = 0;
  for (const char flag : required(option, "flags")) {
    const size_t bit = kCapableFlags.find(flag);
    if (bit != std::string_view::npos) flags |= 0x80u >> bit;
  }
  put8(out, flags);
  if (const std::string* key = option.find("key")) put64(out, key_of(*key));
  if (const std::string* keys = option.find("keys")) {
    for (const std::string& key : split_words(*keys)) put64(out, key_of(key));
  }
  const std::string* length = option.find("len");
  if (length == nullptr) return;
  const auto bytes = static_cast<uint16_t>(to_unsigned(*length));
  put16(out, bytes);
  path_.peer_mapping = Mapping{1, 1, bytes};
  if (const std::string* checksum = option.find("csum")) {
    const uint16_t right = dss_checksum(peer_.peer_.idsn + 1, 1, bytes, false);
    put16(out, *checksum == "ok" ? right : *checksum == "bad" ? right ^ 0x5555 : to_unsigned(*checksum));
  }
}

void OptionCodec::encode_join(const OptionText& option, Octets& out) {
  put8(out, kJoin << 4 | (option.has("backup") ? 1 : 0));
  const std::string* id = option.find("id");
  put8(out, id == nullptr ? 0 : to_unsigned(*id));
  if (const std::string* nonce = option.find("nonce"))
    path_.peer_nonce = static_cast<uint32_t>(to_unsigned(*nonce));
  if (is_syn() && !is_ack()) {
    const std::string& token = required(option, "token");
    put32(out, token == "$local" ? ours().token : token == "$wrong" ? ~ours().token : to_unsigned(token));
    put32(out, path_.peer_nonce);
    return;
  }
  Octets hmac = join_hmac();
  hmac.resize(is_syn() ? 8 : 20);
  const std::string* which = option.find("hmac");
  if (which != nullptr && *which == "bad") hmac[3] ^= 1;
  put_all(out, hmac);
  if (is_syn()) put32(out, path_.peer_nonce);
}

void OptionCodec::encode_dss(const OptionText& option, Octets& out) {
  const std::string* narrow_ack = option.find("ack4");
  const std::string* ack = narrow_ack != nullptr ? narrow_ack : option.find("ack");
  const std::string* narrow_seq = option.find("seq4");
  const std::string* seq = narrow_seq != nullptr ? narrow_seq : option.find("seq");
  const bool has_fin = option.has("fin");
  put8(out, kDss << 4);
  put8(out, (has_fin ? 0x10u : 0u) | (seq != nullptr && narrow_seq == nullptr ? 0x08u : 0u) |
                (seq != nullptr ? 0x04u : 0u) | (ack != nullptr && narrow_ack == nullptr ? 0x02u : 0u) |
                (ack != nullptr ? 0x01u : 0u));
  if (ack != nullptr) put(out, receiver_idsn() + to_unsigned(*ack), narrow_ack != nullptr ? 4 : 8);
  if (seq == nullptr) return;
  const uint32_t payload = segment_.len.value_or(0);
  const std::string* ssn = option.find("ssn");
  const std::string* length = option.find("len");
  const uint64_t data = to_unsigned(*seq);
  const auto stream = static_cast<uint32_t>(ssn != nullptr ? to_unsigned(*ssn)
                                            : payload == 0 && has_fin
                                                ? 0
                                                : static_cast<uint64_t>(*segment_.seq - path_.peer_syn_text));
  const auto bytes =
      static_cast<uint16_t>(length != nullptr ? to_unsigned(*length) : payload + (has_fin ? 1 : 0));
  put(out, sender_idsn() + data, narrow_seq != nullptr ? 4 : 8);
  put32(out, stream);
  put16(out, bytes);
  if (bytes != 1 || !has_fin) path_.peer_mapping = Mapping{data, stream, bytes - (has_fin ? 1u : 0u)};
  if (const std::string* checksum = option.find("csum")) {
    const uint16_t right = dss_checksum(sender_idsn() + data, stream, bytes, has_fin);
    put16(out, *checksum == "ok" ? right : *checksum == "bad" ? right ^ 0x5555 : to_unsigned(*checksum));
  }
}

void OptionCodec::encode_add_addr(const OptionText& option, Octets& out) {
  const auto id = static_cast<uint8_t>(to_unsigned(required(option, "id")));
  const wire::IpAddress address = parse_address(required(option, "addr"));
  const std::string* port = option.find("port");
  const bool is_echo = option.has("echo");
  const bool is_old = peer_.version_ == 0;
  put8(out, kAddAddr << 4 | (is_old ? (address.is_v4() ? 4u : 6u) : is_echo ? 1u : 0u));
  put8(out, id);
  for (size_t i = 0; i < address.size(); ++i) put8(out, address.bytes()[i]);
  if (port != nullptr) put16(out, to_unsigned(*port));
  if (is_old || is_echo) return;
  const auto number = static_cast<uint16_t>(port == nullptr ? 0 : to_unsigned(*port));
  const std::string* hmac = option.find("hmac");
  put64(out, add_addr_hmac(id, address, number) ^ (hmac != nullptr && *hmac == "bad" ? 0x100u : 0u));
}

// ---- from the engine

std::vector<OptionText> OptionCodec::decode(const Octets& options) {
  std::vector<OptionText> found;
  for (size_t at = 0; at < options.size();) {
    const uint8_t kind = options[at];
    if (kind == kEnd) break;
    if (kind == kNop) {
      ++at;
      continue;
    }
    const size_t size = get(options, at + 1, 1);
    if (size < 2 || at + size > options.size()) throw ScriptError("the engine sent an option without end");
    found.push_back(decode_one({options.begin() + static_cast<std::ptrdiff_t>(at),
                                options.begin() + static_cast<std::ptrdiff_t>(at + size)}));
    at += size;
  }
  return found;
}

OptionText OptionCodec::decode_one(const Octets& option) {
  OptionText text;
  switch (option[0]) {
    case kMss:
      text.name = "mss";
      text.add("value", std::to_string(get(option, 2, 2)));
      return text;
    case kWindowScale:
      text.name = "ws";
      text.add("value", std::to_string(get(option, 2, 1)));
      return text;
    case kSackPermitted:
      text.name = "sackOK";
      return text;
    case kSack: {
      text.name = "sack";
      std::string blocks;
      for (size_t at = 2; at + 8 <= option.size(); at += 8) {
        if (at > 2) blocks += ' ';
        blocks += std::to_string(static_cast<uint32_t>(get(option, at, 4)) - path_.peer_isn) + ":" +
                  std::to_string(static_cast<uint32_t>(get(option, at + 4, 4)) - path_.peer_isn);
      }
      text.add("value", blocks);
      return text;
    }
    case kTimestamps: {
      text.name = "ts";
      const auto value = static_cast<uint32_t>(get(option, 2, 4));
      if (!path_.our_first_timestamp.has_value()) path_.our_first_timestamp = value;
      path_.our_last_timestamp = value;
      text.add("value", std::to_string(value - *path_.our_first_timestamp));
      text.add("ecr", std::to_string(get(option, 6, 4)));
      return text;
    }
    case kFastOpen:
      text.name = "tfo";
      if (option.size() > 2 && is_ack()) peer_.cookie_ = {option.begin() + 2, option.end()};
      text.add("value", option.size() == 2 ? "request" : to_hex({option.begin() + 2, option.end()}));
      return text;
    case kMptcp:
      return decode_mptcp(option);
    default:
      text.name = "raw";
      text.add("value", to_hex(option));
      return text;
  }
}

OptionText OptionCodec::decode_mptcp(const Octets& option) {
  OptionText text;
  const uint64_t low = get(option, 2, 1) & 15;
  switch (option[2] >> 4) {
    case kCapable:
      return decode_capable(option);
    case kJoin:
      return decode_join(option);
    case kDss:
      return decode_dss(option);
    case kAddAddr:
      return decode_add_addr(option);
    case kRemoveAddr: {
      text.name = "removeaddr";
      std::string ids;
      for (size_t at = 3; at < option.size(); ++at) ids += (at > 3 ? " " : "") + std::to_string(option[at]);
      text.add("id", ids);
      return text;
    }
    case kPrio:
      text.name = "mpprio";
      if (low & 1) text.add("backup");
      if (option.size() > 3) text.add("id", std::to_string(option[3]));
      return text;
    case kFail:
      text.name = "mpfail";
      text.add("dsn", std::to_string(get(option, 4, 8) - receiver_idsn()));
      return text;
    case kFastclose:
      text.name = "fastclose";
      text.add("key", name_of_key(get(option, 4, 8)));
      return text;
    case kTcpRst:
      text.name = "mptcprst";
      text.add("reason", std::to_string(get(option, 3, 1)));
      if (low & 1) text.add("transient");
      return text;
    default:
      text.name = "raw";
      text.add("value", to_hex(option));
      return text;
  }
}

OptionText OptionCodec::decode_capable(const Octets& option) {
  OptionText text{"mpcapable", {}};
  const int version = option[2] & 15;
  text.add("version", std::to_string(version));
  std::string flags;
  for (size_t bit = 0; bit < kCapableFlags.size(); ++bit) {
    if ((get(option, 3, 1) & (0x80u >> bit)) != 0) flags += kCapableFlags[bit];
  }
  text.add("flags", flags.empty() ? "-" : flags);
  if (option.size() >= 12) learn_our_key(get(option, 4, 8), version);
  if (option.size() == 12) text.add("key", name_of_key(get(option, 4, 8)));
  if (option.size() >= 20)
    text.add("keys", name_of_key(get(option, 4, 8)) + " " + name_of_key(get(option, 12, 8)));
  if (option.size() < 22) return text;
  const auto length = static_cast<uint16_t>(get(option, 20, 2));
  text.add("len", std::to_string(length));
  path_.our_mappings.push_back({1, 1, length});
  if (option.size() >= 24) {
    const bool is_right = get(option, 22, 2) == dss_checksum(sender_idsn() + 1, 1, length, false);
    text.add("csum", is_right ? "ok" : "bad");
  }
  return text;
}

OptionText OptionCodec::decode_join(const Octets& option) {
  OptionText text{"mpjoin", {}};
  if ((option[2] & 1) != 0) text.add("backup");
  if (is_syn()) text.add("id", std::to_string(get(option, 3, 1)));
  if (is_syn() && !is_ack()) {
    const auto token = static_cast<uint32_t>(get(option, 4, 4));
    text.add("token", token == peer_.peer_.token ? "$peer" : std::to_string(token));
    path_.our_nonce = static_cast<uint32_t>(get(option, 8, 4));
    return text;
  }
  if (is_syn()) path_.our_nonce = static_cast<uint32_t>(get(option, 12, 4));
  Octets right = join_hmac();
  const Octets came(option.begin() + 4, option.begin() + (is_syn() ? 12 : 24));
  right.resize(came.size());
  if (came != right) text.add("hmac", "bad");
  return text;
}

OptionText OptionCodec::decode_dss(const Octets& option) {
  OptionText text{"dss", {}};
  const uint64_t flags = get(option, 3, 1);
  size_t at = 4;
  const auto number = [&](bool is_wide, uint64_t initial) {
    const size_t size = is_wide ? 8 : 4;
    const uint64_t relative = get(option, at, size) - initial;
    at += size;
    return is_wide ? relative : static_cast<uint32_t>(relative);
  };
  if ((flags & 0x01) != 0) {
    const bool is_wide = (flags & 0x02) != 0;
    text.add(is_wide ? "ack" : "ack4", std::to_string(number(is_wide, receiver_idsn())));
  }
  if ((flags & 0x04) == 0) return text;
  const bool is_wide = (flags & 0x08) != 0, has_fin = (flags & 0x10) != 0;
  const uint64_t data = number(is_wide, sender_idsn());
  const auto stream = static_cast<uint32_t>(get(option, at, 4));
  const auto length = static_cast<uint16_t>(get(option, at + 4, 2));
  const uint32_t payload = segment_.len.value_or(0);
  text.add(is_wide ? "seq" : "seq4", std::to_string(data));
  if (stream != (payload == 0 && has_fin ? 0 : *segment_.seq - path_.our_syn_text))
    text.add("ssn", std::to_string(stream));
  if (length != payload + (has_fin ? 1 : 0) || length == 0) text.add("len", std::to_string(length));
  if (has_fin) text.add("fin");
  if (option.size() >= at + 8) {
    const bool is_right =
        get(option, at + 6, 2) == dss_checksum(sender_idsn() + data, stream, length, has_fin);
    text.add("csum", length == 0 ? std::to_string(get(option, at + 6, 2)) : is_right ? "ok" : "bad");
  }
  if (length != 1 || !has_fin) path_.our_mappings.push_back({data, stream, length - (has_fin ? 1u : 0u)});
  return text;
}

OptionText OptionCodec::decode_add_addr(const Octets& option) {
  OptionText text{"addaddr", {}};
  const bool is_old = peer_.version_ == 0;
  const bool is_echo = !is_old && (option[2] & 1) != 0;
  const auto id = static_cast<uint8_t>(get(option, 3, 1));
  const size_t rest = option.size() - 4 - (is_echo || is_old ? 0 : 8);
  const bool is_v4 = rest < 16;
  std::array<uint8_t, 16> bytes{};
  std::copy_n(option.begin() + 4, is_v4 ? 4 : 16, bytes.begin());
  const wire::IpAddress address =
      is_v4 ? wire::IpAddress::v4(static_cast<uint32_t>(get(option, 4, 4))) : wire::IpAddress::v6(bytes);
  const size_t after = 4 + address.size();
  const bool has_port = rest == address.size() + 2;
  const auto port = static_cast<uint16_t>(has_port ? get(option, after, 2) : 0);
  text.add("id", std::to_string(id));
  text.add("addr", name_of_address(address));
  if (has_port) text.add("port", std::to_string(port));
  if (is_echo) text.add("echo");
  if (!is_echo && !is_old && get(option, option.size() - 8, 8) != add_addr_hmac(id, address, port))
    text.add("hmac", "bad");
  return text;
}

}  // namespace braid::segments
