/* Socket options that Braid's sockets have besides the kernel's. Plain C; a kernel socket answers
 * ENOPROTOOPT. */
#ifndef BRAID_SOCKET_OPTIONS_H
#define BRAID_SOCKET_OPTIONS_H

/* The level: Linux's own for Multipath TCP. */
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* The scheduler's name ("redundant"), as TCP_CONGESTION has the congestion control's: before or after
   connecting. ENOENT: there is none of that name. */
#define BRAID_SCHEDULER 0x4201

#endif
