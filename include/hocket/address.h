/* SPDX-License-Identifier: MIT */
/* Addresses of sockets, and names for them.
 *
 *     hkt_address addresses[8];
 *     int n = hkt_resolve("localhost", "http", addresses, 8, NULL);
 *     char text[HKT_ADDRESS_MAX];
 *     for (int i = 0; i < n; i++)
 *         puts(hkt_address_format(&addresses[i], text));         "127.0.0.1:80", "[::1]:80"
 *
 * Asking for names is done by the C library's getaddrinfo, on a few threads that hocket keeps
 * for it; so a task that asks is parked, and who gives up need not wait for a name server that
 * does not answer. */
#ifndef HOCKET_ADDRESS_H
#define HOCKET_ADDRESS_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

struct sockaddr;

/* A struct sockaddr of any family, and its length. All zero: none. */
typedef struct hkt_address {
    uint64_t hkt_storage[16]; /* a struct sockaddr_storage */
    uint32_t length;          /* bytes of it that count */
} hkt_address;

/* The longest text that hkt_address_format makes, with its final zero. */
#define HKT_ADDRESS_MAX 128

/* The address as text, in `text`, which is returned: "192.0.2.1:80", "[2001:db8::1]:80",
 * "[fe80::1%eth0]:80"; the path of a Unix socket, "@name" of an abstract one, "unix" of one
 * without a name; "none". */
HKT_API char *hkt_address_format(const hkt_address *address, char text[HKT_ADDRESS_MAX]);

/* The other way, without asking anybody: a numeric host, "" or NULL for all interfaces ("::"),
 * and a port; or with port -1 the path of a Unix socket, "@name" for an abstract one. 0;
 * -EINVAL: it is neither; -ENAMETOOLONG. Never waits. */
HKT_API int hkt_address_parse(hkt_address *address, const char *host, int port);

/* From and to the system's own struct. -EINVAL if `length` is too much. */
HKT_API int hkt_address_from_sockaddr(hkt_address *address, const struct sockaddr *from,
                                      uint32_t length);
HKT_API const struct sockaddr *hkt_address_sockaddr(const hkt_address *address);

/* The port of an IP address, -1 of others. To set it: 0, -EINVAL of others. */
HKT_API int hkt_address_port(const hkt_address *address);
HKT_API int hkt_address_set_port(hkt_address *address, int port);

typedef struct hkt_resolve_options {
    int family;           /* AF_INET or AF_INET6 alone; 0: both */
    int type;             /* SOCK_STREAM or SOCK_DGRAM; 0: SOCK_STREAM */
    bool passive;         /* to listen on: no host is all interfaces, not the loopback */
    bool numeric;         /* ask nobody: host and service are numbers */
    uint64_t reserved[2]; /* zero */
} hkt_resolve_options;

/* The addresses of a host (a name, a number, or NULL: this machine) and a service ("http", "80",
 * or NULL): how many there are, of which the first `max` are written, in the order in which they
 * should be tried. Each once. -ENOENT: there is no such name or service, or it has no address;
 * -EAGAIN: the name server does not know now; -EIO: it failed; -ECANCELED: given up, the
 * question is left to itself; -ENOMEM; -EINVAL; with a sentence that names the host. At the most
 * 8 questions are on their way, further ones wait for these; numbers are answered at once. A
 * cancellation point. (getaddrinfo) */
HKT_API HKT_MUST_USE int hkt_resolve(const char *host, const char *service, hkt_address *addresses,
                                     size_t max, const hkt_resolve_options *options);

/* The name of the host that has this address; a number if it has none, or if `numeric`. And the
 * name of the port. Either may be NULL. 0; -EMSGSIZE: too long; errors as above. A cancellation
 * point unless `numeric`. (getnameinfo) */
HKT_API HKT_MUST_USE int hkt_resolve_name(const hkt_address *address, char *host, size_t host_size,
                                          char *service, size_t service_size, bool numeric);

HKT_END_DECLS

#endif
