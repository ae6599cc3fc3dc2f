// Reads one table of a TOML file key by key, and afterwards complains about keys that nobody asked for.
#pragma once

#include <toml++/toml.h>
#include <compare>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "wire/address.h"

namespace braid::config {

/// One mistake, or a warning, and where it is. Lines and columns count from 1.
struct TomlFinding {
  uint32_t line = 1, column = 1;
  std::string text;
  auto operator<=>(const TomlFinding&) const = default;
};

/// What is wrong with the file, in the order in which it was found: "NAME:LINE:COLUMN: TEXT".
class TomlErrors {
 public:
  explicit TomlErrors(std::string name) : name_(std::move(name)) {}
  void add(const toml::source_position& where, const std::string& text);
  bool empty() const { return findings_.empty(); }
  std::string text() const;
  const std::vector<TomlFinding>& findings() const { return findings_; }

  /// Which keys of which tables the reader asked for, so that a test can hold their documentation to it.
  void note_key(const std::string& table, std::string_view key) { keys_.emplace(table, key); }
  const std::set<std::pair<std::string, std::string>>& keys() const { return keys_; }

 private:
  std::string name_;
  std::vector<TomlFinding> findings_;
  std::set<std::pair<std::string, std::string>> keys_;
};

/// "NAME:LINE:COLUMN: TEXT"
std::string to_text(std::string_view name, const TomlFinding& finding);

/// Every read_ leaves `out` alone when the key is not there, and notes an error when its value won't do.
class TomlTable {
 public:
  /// `name`: how to call the table in messages, "[connection]". A null table has no keys.
  TomlTable(const toml::table* table, std::string name, TomlErrors& errors);

  void read(std::string_view key, bool& out);
  void read(std::string_view key, std::string& out);
  void read(std::string_view key, std::vector<std::string>& out);
  template <class Integer>
  requires std::is_integral_v<Integer>
  void read(std::string_view key, Integer& out, int64_t least, int64_t most) {
    int64_t value = 0;
    if (read_integer(key, value, least, most)) out = static_cast<Integer>(value);
  }
  /// One of `names`.
  void read_choice(std::string_view key, std::string& out, const std::vector<std::string>& names);
  /// Bytes: an integer, or "256 KiB", "4MiB", "1 GB".
  void read_size(std::string_view key, uint64_t& out, uint64_t least, uint64_t most);
  /// Seconds as a number, or "200 ms", "10s", "5 min".
  void read_duration(std::string_view key, Duration& out);
  /// Bits per second: a number, or "10 Mbit/s", "1Gbit/s", "64kbit/s". 0: no limit.
  void read_rate(std::string_view key, uint64_t& out);
  /// A number from `least` to `most`.
  void read_number(std::string_view key, double& out, double least, double most);
  /// "61000-64999".
  void read_port_range(std::string_view key, uint16_t& first, uint16_t& last);
  bool read_address(std::string_view key, wire::IpAddress& out);
  bool has(std::string_view key) const { return table_ != nullptr && table_->contains(key); }

  /// An error for the value of `key`.
  void complain(std::string_view key, const std::string& text);
  /// A table or an array inside; null if the key is not there, or is something else, which is noted.
  const toml::table* read_table(std::string_view key);
  const toml::array* read_array(std::string_view key, std::string_view expected);
  /// A table inside of it, with the same list of errors.
  TomlTable inner(const toml::table* table, std::string name) const {
    return TomlTable(table, std::move(name), errors_);
  }
  /// The value as it stands, for keys of more than one form; null if it is not there.
  const toml::node* read_any(std::string_view key) { return take(key); }
  /// Call last: every other key is an error, with the known one that was probably meant.
  void refuse_others();

 private:
  const toml::node* take(std::string_view key);
  bool read_integer(std::string_view key, int64_t& out, int64_t least, int64_t most);
  void expect(const toml::node& node, std::string_view key, const std::string& what);

  const toml::table* table_;
  std::string name_;
  TomlErrors& errors_;
  std::vector<std::string_view> known_;
};

}  // namespace braid::config
