#include "plugin/plugins.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "braid/plugin.h"
#include "mptcp/coupled/coupled.h"

namespace braid::plugin {

namespace {

std::vector<std::string>& files() {
  static std::vector<std::string> paths;
  return paths;
}

class Registry final : public PluginRegistry {
 public:
  void add_scheduler(std::string_view name, mptcp::SchedulerFactory factory) override {
    ++added_;
    if (!mptcp::register_scheduler(name, std::move(factory))) refuse("scheduler", name);
  }
  void add_congestion_control(std::string_view name, tcp::CongestionControlFactory factory) override {
    ++added_;
    if (std::ranges::count(mptcp::coupled_names(), name) > 0 ||
        !tcp::register_congestion_control(name, std::move(factory)))
      refuse("congestion control", name);
  }
  std::string wrong() const { return added_ == 0 ? "it registers nothing" : wrong_; }

 private:
  void refuse(const char* kind, std::string_view name) {
    wrong_ = name.empty() ? fmt::format("its {} has no name", kind)
                          : fmt::format("there is a {} \"{}\" already", kind, name);
  }
  std::string wrong_;
  size_t added_ = 0;
};

}  // namespace

tl::expected<void, std::string> load(const std::string& file) {
  const auto failure = [&](const std::string& why) {
    return tl::unexpected(fmt::format("plug-in {}: {}", file, why));
  };
  std::error_code error;
  const std::string path = std::filesystem::canonical(file, error);
  if (error) return failure(error.message());
  if (std::ranges::count(files(), path) > 0) return {};
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return failure(dlerror());
  const auto abi = reinterpret_cast<uint64_t (*)()>(dlsym(handle, "braid_plugin_abi"));
  const auto enter = reinterpret_cast<void (*)(PluginRegistry&)>(dlsym(handle, "braid_plugin_load"));
  if (abi == nullptr || enter == nullptr)
    return failure("is not one of Braid's: it has no BRAID_PLUGIN(...)");
  if (const uint64_t theirs = abi(); theirs != kPluginAbi)
    return failure(
        fmt::format("was built for version {:x}-{:x} of the plug-in interface, and this is {:x}-{:x}: "
                    "build it again, with the headers of this Braid",
                    theirs >> 32, theirs & 0xffffffff, kPluginAbi >> 32, kPluginAbi & 0xffffffff));
  // From here on its code may be referred to: it stays, whatever happens.
  Registry registry;
  enter(registry);
  if (std::string wrong = registry.wrong(); !wrong.empty()) return failure(wrong);
  files().push_back(path);
  return {};
}

const std::vector<std::string>& loaded() { return files(); }

}  // namespace braid::plugin
