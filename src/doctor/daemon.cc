#include <fmt/format.h>
#include <unistd.h>

#include "doctor/checks.h"
#include "io/instances.h"
#include "io/netlink.h"
#include "io/routing_tables.h"
#include "service/control.h"

namespace braid::doctor {

namespace {
void check_running(const std::string& socket_path, bool& has_daemon, Findings& findings) {
  has_daemon = false;
  auto client = service::ControlClient::connect(socket_path);
  const auto status = client ? client->call({{"command", "status"}}) : tl::unexpected(client.error());
  if (!status) {
    if (access(socket_path.c_str(), F_OK) == 0 && access(socket_path.c_str(), W_OK) != 0) {
      findings.push_back({Severity::kNote, "daemon",
                          fmt::format("a daemon's socket is at {}, and not for this user", socket_path),
                          "`braid run` does not find that daemon",
                          "sudo adduser $USER braid   # then log in anew"});
    } else {
      findings.push_back(
          {Severity::kFine, "daemon", "no daemon runs; `braid run` starts one for its program", "", ""});
    }
    return;
  }
  has_daemon = true;
  const std::string version = status->value("version", "");
  if (version != BRAID_VERSION) {
    findings.push_back(
        {Severity::kWarning, "daemon",
         fmt::format("the running daemon is version {}, this program {}", version, BRAID_VERSION),
         "they may not understand each other", "sudo systemctl restart braid"});
    return;
  }
  findings.push_back({Severity::kFine, "daemon",
                      fmt::format("a daemon runs (pid {}) with {} connections", status->value("pid", 0),
                                  status->value("connections", 0)),
                      "", ""});
}

void check_leftovers(Findings& findings) {
  auto netlink = io::Netlink::open();
  auto directory = io::InstanceDirectory::open();
  if (!netlink || !directory) return;
  size_t orphans = 0, dead = 0;
  {
    const io::FileDescriptor lock = directory->lock();
    dead = directory->dead().size();
    const auto live = directory->live();
    for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
      for (const io::Rule& rule : (*netlink)->rules(family)) {
        bool is_owned = !io::is_any_instance_table(rule.table);
        for (const io::InstanceRecord& record : live) is_owned |= io::is_table_of(record.number, rule.table);
        if (!is_owned) ++orphans;
      }
    }
    const bool is_untouched =
        live.empty() && dead == 0 && access(directory->path_of("changes").c_str(), F_OK) != 0;
    if (is_untouched) {  // looking is no reason to leave one
      directory->remove_all();
      rmdir("/run/braid");  // unless something else is in it
    }
  }
  if (dead + orphans == 0) return;
  findings.push_back({Severity::kWarning, "leftovers",
                      fmt::format("a Braid that was killed left {} policy rules and its notes", orphans),
                      "its ports lead nowhere until the next Braid starts, which cleans up first",
                      "sudo braid cleanup"});
}
}  // namespace

Findings check_daemon(const std::string& socket_path, bool& has_daemon) {
  Findings findings;
  check_running(socket_path, has_daemon, findings);
  check_leftovers(findings);
  return findings;
}

}  // namespace braid::doctor
