#pragma once

/// The symbols that stand in front of libc's; everything else in the library is hidden.
#define BRAID_EXPORT extern "C" __attribute__((visibility("default")))
