#include "scenario/capture.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace braid::scenario {

namespace {

// Block and option types, and values of them; all in the byte order of this machine, as the first block says.
constexpr uint32_t kSectionHeader = 0x0a0d0d0a, kInterface = 1, kPacket = 6;
constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint16_t kLinkTypeRaw = 101;  // packets begin with their IP header
constexpr uint16_t kEnd = 0, kInterfaceName = 2, kResolution = 9, kPacketFlags = 2;
constexpr uint32_t kInbound = 1, kOutbound = 2;

class Block {
 public:
  explicit Block(uint32_t type) {
    put(type);
    put(uint32_t{0});  // its length, when it is known
  }
  template <class Value>
  void put(Value value) {
    append(&value, sizeof(value));
  }
  void put_padded(const void* bytes, size_t size) {
    append(bytes, size);
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
  }
  void option(uint16_t code, const void* value, size_t size) {
    put(code);
    put(static_cast<uint16_t>(size));
    put_padded(value, size);
  }
  void write(std::FILE* file) {
    const auto length = static_cast<uint32_t>(bytes_.size() + sizeof(uint32_t));
    put(length);
    std::memcpy(&bytes_[sizeof(uint32_t)], &length, sizeof(length));
    std::fwrite(bytes_.data(), 1, bytes_.size(), file);
  }

 private:
  void append(const void* bytes, size_t size) {
    const auto* begin = static_cast<const char*>(bytes);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  std::vector<char> bytes_;
};

}  // namespace

class Capture::File {
 public:
  explicit File(std::FILE* file) : file_(file) {}
  ~File() { std::fclose(file_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void begin(const std::string& name) {
    Block section(kSectionHeader);
    section.put(kByteOrderMagic);
    section.put(uint16_t{1});
    section.put(uint16_t{0});
    section.put(int64_t{-1});  // its length: until the end of the file
    section.write(file_);
    Block interface(kInterface);
    interface.put(kLinkTypeRaw);
    interface.put(uint16_t{0});
    interface.put(uint32_t{0});  // packets are whole
    interface.option(kInterfaceName, name.data(), name.size());
    const uint8_t nanoseconds = 9;
    interface.option(kResolution, &nanoseconds, sizeof(nanoseconds));
    interface.option(kEnd, nullptr, 0);
    interface.write(file_);
  }
  void add(const sim::Packet& packet, Time now, uint32_t flags) {
    const auto time = static_cast<uint64_t>(now.time_since_epoch().count());
    const auto size = static_cast<uint32_t>(packet.bytes.size());
    Block block(kPacket);
    block.put(uint32_t{0});
    block.put(static_cast<uint32_t>(time >> 32));
    block.put(static_cast<uint32_t>(time));
    block.put(size);
    block.put(size);
    block.put_padded(packet.bytes.data(), size);
    block.option(kPacketFlags, &flags, sizeof(flags));
    block.option(kEnd, nullptr, 0);
    block.write(file_);
  }

 private:
  std::FILE* file_;
};

Capture::Capture() = default;
Capture::~Capture() = default;

tl::expected<std::unique_ptr<Capture>, std::string> Capture::start(const Scenario& scenario, World& world,
                                                                   const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return tl::unexpected(fmt::format("{}: {}", directory, error.message()));
  std::unique_ptr<Capture> capture(new Capture);
  for (const LinkSpec& spec : scenario.links) {
    sim::Link& link = world.link(spec.name);
    std::array<File*, 2> files{};
    for (size_t end = 0; end < 2; ++end) {
      const std::string path = fmt::format("{}/{}-{}.pcapng", directory, spec.between[end], spec.name);
      std::FILE* file = std::fopen(path.c_str(), "wbe");
      if (file == nullptr) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
      files[end] = capture->files_.emplace_back(std::make_unique<File>(file)).get();
      files[end]->begin(spec.name);
    }
    link.tap_send = [files](sim::Direction direction, const sim::Packet& packet, Time now) {
      files[direction == sim::Direction::kForward ? 0 : 1]->add(packet, now, kOutbound);
    };
    link.channel(sim::Direction::kForward).tap_out = [file = files[1]](const sim::Packet& packet, Time now) {
      file->add(packet, now, kInbound);
    };
    link.channel(sim::Direction::kBackward).tap_out = [file = files[0]](const sim::Packet& packet, Time now) {
      file->add(packet, now, kInbound);
    };
  }
  return capture;
}

}  // namespace braid::scenario
