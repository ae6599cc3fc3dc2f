#include "io/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace braid::io {
namespace {

/// Listens as systemd does, at an abstract name.
class Manager {
 public:
  Manager()
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), name_("@braid-test-" + std::to_string(getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }
  ~Manager() { unsetenv("NOTIFY_SOCKET"); }

  std::string next() {
    std::array<char, 512> buffer;
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return n < 0 ? "" : std::string(buffer.data(), static_cast<size_t>(n));
  }

 private:
  FileDescriptor fd_;
  std::string name_;
};

TEST(ServiceManager, TellsTheSocketThatTheEnvironmentNames) {
  Manager manager;
  ServiceManager service = ServiceManager::from_environment();
  EXPECT_TRUE(service.is_present());
  service.ready("2 uplinks,\nall well");
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=2 uplinks, all well\nMAINPID=" + std::to_string(getpid()));
  service.reloading();
  EXPECT_TRUE(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  service.stopping();
  EXPECT_EQ(manager.next(), "STOPPING=1");
  EXPECT_EQ(manager.next(), "");
}

TEST(ServiceManager, LeavesNothingForProgramsThatAreStarted) {
  Manager manager;
  setenv("WATCHDOG_USEC", "3000000", 1);
  const ServiceManager service = ServiceManager::from_environment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
  EXPECT_EQ(service.watchdog_interval(), Duration(1500ms));
}

TEST(ServiceManager, HeedsNoWatchdogOfAnotherProcess) {
  Manager manager;
  setenv("WATCHDOG_USEC", "3000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceManager::from_environment().watchdog_interval(), std::nullopt);
}

TEST(ServiceManager, IsSilentWithoutOneAndWithNonsense) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(ServiceManager::from_environment().is_present());
  for (const std::string& name : {std::string("relative"), std::string("/"), std::string(200, '/')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ServiceManager service = ServiceManager::from_environment();
    EXPECT_FALSE(service.is_present()) << name;
    service.ready("nobody hears");
  }
}

TEST(ServiceManager, SeesTheJournalBehindStandardError) {
  struct stat status {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  EXPECT_TRUE(is_logging_to_journal());
  setenv("JOURNAL_STREAM", "1:1", 1);
  EXPECT_FALSE(is_logging_to_journal());
  unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(is_logging_to_journal());
}

}  // namespace
}  // namespace braid::io
