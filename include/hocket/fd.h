/* SPDX-License-Identifier: MIT */
/* Waiting for a file descriptor, as any other wait: scopes and deadlines reach into it. */
#ifndef HOCKET_FD_H
#define HOCKET_FD_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* What to wait for, and what came. An error or a hang-up counts as both: the read or write that
 * follows tells more. */
enum {
    HKT_READABLE = 1, /* a read would not block: data, end of file, or an error */
    HKT_WRITABLE = 2, /* a write would not block, or would fail at once */
};

/* Waits until `fd` is ready for one of `events` (HKT_READABLE | HKT_WRITABLE): the events that
 * came, a positive number. -ECANCELED; -EBADF if fd is not open, -EINVAL for other events than
 * these, -EMFILE or -ENOMEM when there is no way to be woken. The fd may be closed by nobody
 * meanwhile. A cancellation point. (selectors, loop.add_reader) */
HKT_API int hkt_fd_wait(int fd, unsigned events);

/* The same until a deadline: -ETIMEDOUT when it passes. */
HKT_API int hkt_fd_wait_until(int fd, unsigned events, hkt_deadline deadline);

HKT_END_DECLS
#endif
