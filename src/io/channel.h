/* SPDX-License-Identifier: MIT */
/* A channel: an fd that is owned, and those who are in it. What streams, listeners and datagram
 * sockets are made of.
 *
 * Who uses the fd is a user from hkti_channel_enter to hkti_channel_leave. To close it marks it
 * as closed, wakes those who wait in it, and the last user closes the fd; so the number is not
 * given to anybody else while somebody may still use it, and it is closed once. States: open;
 * closed with users; gone.
 *
 * A try comes before a wait: who has found nothing says so in `quiet`, and the next one waits
 * before he tries. A socket that gave less than was asked for has no more, unless the other side
 * has ended, for that is no news a second time. In a loop the fd is told to the poller once
 * (hkti_fd_interest.serial), which keeps what it hears.
 *
 * Who may touch what: users, with the bits for closed and for the one reader, by anybody,
 * atomically; waiting under the guard; quiet[HKTI_IN] by the one reader, quiet[HKTI_OUT] by the
 * one writer, or atomically where there are several: it is a hint. */
#ifndef HKTI_IO_CHANNEL_H
#define HKTI_IO_CHANNEL_H

#include <signal.h>

#include "park/wait.h"

enum { HKTI_IN, HKTI_OUT };

/* Why a short read is not the end of what there is: the other side has ended; or it failed, or
 * sent something urgent, at which a read stops. */
enum { HKTI_ENDED = 1, HKTI_STOPS_SHORT };

enum hkti_channel_kind {
    HKTI_CHANNEL_TCP,    /* send and recv, which need no O_NONBLOCK; a short read has emptied it */
    HKTI_CHANNEL_SOCKET, /* another socket: the same, but for short reads */
    HKTI_CHANNEL_OWN,    /* a pipe of our own: O_NONBLOCK */
    HKTI_CHANNEL_SHARED, /* a pipe or terminal that others may have too, without O_NONBLOCK */
};

struct hkti_channel {
    int fd;
    uint8_t kind;
    bool borrowed;    /* never closed */
    uint32_t users;   /* and HKTI_CLOSED */
    uint8_t quiet[2]; /* a try would find nothing */
    uint8_t ended;    /* 0, or one of the above */
    bool more;        /* the writer's: what he writes now is followed by more at once */
    uint32_t guard;
    struct hkti_wait_list waiting;
    uint64_t serial; /* of all channels; not 0; a new one when it begins again after its end */
};

/* An open fd; `kind` as above. */
void hkti_channel_open(struct hkti_channel *channel, int fd, enum hkti_channel_kind kind);
/* 0: the caller is a user now; -ESHUTDOWN. */
int hkti_channel_enter(struct hkti_channel *channel);
void hkti_channel_leave(struct hkti_channel *channel);
/* The same as the one reader: -EBUSY: there is another. */
int hkti_channel_enter_reader(struct hkti_channel *channel);
void hkti_channel_leave_reader(struct hkti_channel *channel);
/* Waits, as a user, until the fd may be ready for one of `events` (of poll): 0. -ESHUTDOWN: it
 * has been closed; -ECANCELED, -ETIMEDOUT; -ENOMEM, -EMFILE. It may be ready for less than that:
 * try again. */
int hkti_channel_wait(struct hkti_channel *channel, short events, int64_t deadline);
/* From any thread: true if it was open. */
bool hkti_channel_close(struct hkti_channel *channel);
bool hkti_channel_is_closed(const struct hkti_channel *channel);
/* Closed or not, somebody is in it. */
bool hkti_channel_is_used(const struct hkti_channel *channel);
/* No more is written, and reading goes on: 0; -EOPNOTSUPP of what has no half. */
int hkti_channel_end_output(struct hkti_channel *channel);

/* One try each, by users: how many bytes; 0 at the end; -EAGAIN, and `quiet` is set if nothing
 * more is to be expected; other errors of the system. At the most INT_MAX bytes. */
struct iovec;
int hkti_channel_read(struct hkti_channel *channel, void *data, size_t size);
int hkti_channel_write(struct hkti_channel *channel, const struct iovec *pieces, int count);

/* Around a call of the system that may raise SIGPIPE, which nobody else shall see: it is blocked
 * meanwhile, and taken back if the call `perhaps` raised it (EPIPE, or only a part was done),
 * unless one was waiting already. No wait between. */
struct hkti_sigpipe {
    sigset_t before;
    bool waiting;
};
void hkti_sigpipe_hold(struct hkti_sigpipe *held);
void hkti_sigpipe_release(const struct hkti_sigpipe *held, bool perhaps);

#endif
