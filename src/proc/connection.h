/* SPDX-License-Identifier: MIT */
/* A connection inside: a channel, and the message that is on its way in.
 *
 * Nothing is read ahead: what has not been asked for stays in the kernel. So the fd can be waited
 * for beside others, it can be passed to a child after some messages, and no fd that comes with a
 * later byte is lost.
 *
 * Receiving: who holds `receiving` reads. A message is first its header, up to 12 bytes, then its
 * body. The body goes straight into the receiver's memory; `kept` is room for all of it, had before
 * the first byte is read, so that a receive that ends early can leave there what it has got: `got`
 * bytes of the body have been read, and between two calls they are in `kept`. Room of more than
 * some KiB is mapped and not touched, and costs next to nothing.
 *
 * Sending: who holds `sending` writes. A message that went only in part makes the connection
 * `torn`: what would follow could not be told from the rest of it.
 *
 * An fd goes beside one byte 1, as Python sends it. Nobody begins a message with an fd; so who
 * begins to read a message looks whether one came, and keeps it in `fd_came`.
 *
 * Lock order: none is taken under another. */
#ifndef HKTI_PROC_CONNECTION_H
#define HKTI_PROC_CONNECTION_H

#include <hocket/connection.h>
#include <hocket/lock.h>

#include "io/channel.h"

/* Room of `room` bytes; NULL: none. Its owner may be a user: hkt_connection_free. */
struct hkti_block {
    char *data;
    size_t room;
};

struct hkt_connection {
    struct hkti_channel channel; /* first: who waits is seen to wait for the connection */
    bool readable, writable;
    bool passes_fds; /* a Unix socket */
    bool torn;
    hkt_lock receiving, sending;
    unsigned char header[12];
    uint8_t header_got;
    bool sized;     /* the header is complete, and `size` is what it says */
    bool senseless; /* what came cannot be understood, and what follows neither */
    int fd_came;    /* -1: none */
    uint64_t size, got;
    struct hkti_block kept;
};

/* A connection of an fd of that kind, which is closed if there is no memory. */
int hkti_connection_make(hkt_connection **connection, int fd, enum hkti_channel_kind kind);

/* The caller is the one who receives, or sends, from begin to end: 0; -EOPNOTSUPP, -ESHUTDOWN,
 * -ECANCELED, -ETIMEDOUT. */
int hkti_connection_begin(hkt_connection *connection, hkt_lock *direction, hkt_deadline deadline);
void hkti_connection_end(hkt_connection *connection, hkt_lock *direction);

/* By who receives over a Unix socket, at the beginning of a message: a try as of hkti_channel_read.
 * -EBADMSG: an fd came instead, which is in fd_came, or something else that makes no sense. */
int hkti_connection_read_first(hkt_connection *connection, void *data, size_t size);

/* Between two tries: 0, or why not. */
int hkti_connection_await(hkt_connection *connection, short events);

void hkti_block_release(struct hkti_block *block);

/* The caller and the other side show each other that they know the key (NULL: that neither has
 * one), by the end of the caller's scope: 0. -EKEYREJECTED, with a sentence; -ECANCELED,
 * -ESHUTDOWN, -ENOMEM. `listener`: it is the one who was connected to. */
int hkti_authenticate(hkt_connection *connection, const void *key, size_t size, bool listener);
/* Can it be done, with this key? 0, -ENOSYS, -EINVAL, each with a sentence. */
int hkti_authenticate_ready(const void *key, size_t size);

#endif
