/* SPDX-License-Identifier: MIT */
/* Sockets as the system has them, non-blocking and not for children. */
#ifndef HKTI_IO_SOCKET_H
#define HKTI_IO_SOCKET_H

#include <hocket/stream.h>

#include "io/channel.h"

/* An fd, or a negative errno. */
int hkti_socket_open(int family, int type);
/* What kind of channel one that is connected is; TCP's has TCP_NODELAY on from now on. */
int hkti_socket_kind(int fd);
/* Where a channel's socket is, or what it is connected with: 0; -ESHUTDOWN, errors of the
 * system. */
int hkti_socket_local(const struct hkti_channel *channel, hkt_address *address);
int hkti_socket_peer(const struct hkti_channel *channel, hkt_address *address);
/* An option that is a number: 0, or a negative errno. */
int hkti_socket_set(int fd, int level, int option, int value);

#endif
