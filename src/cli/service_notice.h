// Tells the service manager that started us how we are (sd_notify(3)): a line or more to the datagram socket
// that NOTIFY_SOCKET names. Nothing happens where there is none.
#pragma once

#include <string_view>

namespace braid::cli {

/// "READY=1", "STOPPING=1", "STATUS=...", several with newlines between them.
void notify_service_manager(std::string_view state);

}  // namespace braid::cli
