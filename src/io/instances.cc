#include "io/instances.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace braid::io {

namespace {
constexpr const char* kBootIdPath = "/proc/sys/kernel/random/boot_id";

std::string to_text(const InstanceRecord& record) {
  return nlohmann::json{{"pid", getpid()},
                        {"first_port", record.first_port},
                        {"last_port", record.last_port},
                        {"reserved_ports", record.reserved_ports}}
             .dump() +
         "\n";
}

InstanceRecord from_text(int number, const std::string& text) {
  InstanceRecord record;
  record.number = number;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return record;
  record.first_port = json.value("first_port", uint16_t{0});
  record.last_port = json.value("last_port", uint16_t{0});
  record.reserved_ports = json.value("reserved_ports", std::string());
  return record;
}

// The cookie (Linux 5.14) never comes twice, while the inode's number may pass to another namespace.
uint64_t network_namespace_number() {
  const FileDescriptor fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0) return cookie;
  struct stat status {};
  return stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

std::vector<std::string> candidates() {
  std::vector<std::string> result = {"/run/braid"};
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR")) result.push_back(std::string(runtime) + "/braid");
  result.push_back(fmt::format("/tmp/braid-{}", geteuid()));
  return result;
}
}  // namespace

std::optional<std::string> read_file(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t size;
  while ((size = read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}

bool write_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  const FileDescriptor fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return false;
  }
  return rename(temporary.c_str(), path.c_str()) == 0;
}

Setup<InstanceDirectory> InstanceDirectory::open() {
  const uint64_t name_space = network_namespace_number();
  int error = 0;
  for (const std::string& base : candidates()) {
    const std::string path = fmt::format("{}/net-{}", base, name_space);
    std::error_code failure;
    std::filesystem::create_directories(path, failure);
    if (!failure && access(path.c_str(), W_OK) == 0) return InstanceDirectory(path);
    error = failure ? failure.value() : errno;
  }
  return tl::unexpected(setup_error("Cannot write to /run/braid, where Braid notes what it changes", error,
                                    "Run as root, or set XDG_RUNTIME_DIR to a directory of yours."));
}

FileDescriptor InstanceDirectory::lock() const {
  const std::string path = path_of("lock");
  for (;;) {
    std::error_code ignored;
    std::filesystem::create_directories(path_, ignored);
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) return fd;
    while (flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    // Whoever had it may have been the last one, and have removed the file.
    struct stat held {
    }, named{};
    if (fstat(fd.get(), &held) != 0 || stat(path.c_str(), &named) != 0) continue;
    if (held.st_ino == named.st_ino) return fd;
  }
}

void InstanceDirectory::remove_all() const {
  unlink(path_of("boot").c_str());
  unlink(path_of("lock").c_str());
  rmdir(path_.c_str());
}

std::string InstanceDirectory::instance_path(int number) const {
  return path_of(fmt::format("instance-{}", number));
}

std::vector<InstanceRecord> InstanceDirectory::scan(bool want_live) const {
  std::vector<InstanceRecord> result;
  for (int number = 0; number < kMaxInstances; ++number) {
    const std::string path = instance_path(number);
    const FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) continue;
    const bool is_live = flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
    if (is_live == want_live) result.push_back(from_text(number, read_file(path).value_or("")));
  }
  return result;
}

std::vector<InstanceRecord> InstanceDirectory::dead() const { return scan(false); }
std::vector<InstanceRecord> InstanceDirectory::live() const { return scan(true); }

Setup<FileDescriptor> InstanceDirectory::claim(InstanceRecord& record) const {
  for (int number = 0; number < kMaxInstances; ++number) {
    const std::string path = instance_path(number);
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) return tl::unexpected(setup_error("Cannot write " + path, errno));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    record.number = number;
    update(fd, record);
    return fd;
  }
  return tl::unexpected(
      SetupError{fmt::format("{} Braids run in this network namespace already.", kMaxInstances)});
}

void InstanceDirectory::update(const FileDescriptor& held, const InstanceRecord& record) const {
  // In place: the lock is on this very file.
  const std::string text = to_text(record);
  if (ftruncate(held.get(), 0) != 0 || pwrite(held.get(), text.data(), text.size(), 0) < 0) return;
}

void InstanceDirectory::remove(int number) const { unlink(instance_path(number).c_str()); }

bool InstanceDirectory::is_from_this_boot() const {
  return read_file(path_of("boot")) == read_file(kBootIdPath);
}

void InstanceDirectory::mark_this_boot() const {
  write_file(path_of("boot"), read_file(kBootIdPath).value_or(""));
}

}  // namespace braid::io
