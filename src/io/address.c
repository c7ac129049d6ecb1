/* SPDX-License-Identifier: MIT */
/* Addresses of sockets: to text, from text, and from and to the system's own structs. Nothing here
 * waits or asks anybody; a plain value, touched by its owner alone.
 *
 * An address may come from outside with any family and any length; what is too short for its family
 * counts as one of no family at all, so nothing behind its length is ever looked at. */
#include <hocket/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PORT_MAX 65535
#define PATH_AT offsetof(struct sockaddr_un, sun_path)

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((hkt_address *)0)->hkt_storage,
               "an hkt_address has room for any");

/* What the storage is looked at as, whoever wrote it. */
union __attribute__((may_alias)) any {
    struct sockaddr base;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static const union any *any_of(const hkt_address *address)
{
    return (const union any *)(const void *)address->hkt_storage;
}

static int family_of(const hkt_address *address)
{
    const union any *any = any_of(address);
    if (address->length < sizeof any->base.sa_family ||
        address->length > sizeof address->hkt_storage)
        return AF_UNSPEC;
    int family = any->base.sa_family;
    if ((family == AF_INET && address->length < sizeof any->in) ||
        (family == AF_INET6 && address->length < sizeof any->in6))
        return AF_UNSPEC;
    return family;
}

static void keep(hkt_address *address, const void *from, uint32_t length)
{
    *address = (hkt_address){ .length = length };
    if (length > 0)
        memcpy(address->hkt_storage, from, length);
}

static void format_in6(const struct sockaddr_in6 *in6, char *text)
{
    char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    if (in6->sin6_scope_id) {
        zone[0] = '%';
        if (if_indextoname(in6->sin6_scope_id, zone + 1) == NULL)
            snprintf(zone + 1, sizeof zone - 1, "%u", (unsigned)in6->sin6_scope_id);
    }
    snprintf(text, HKT_ADDRESS_MAX, "[%s%s]:%u", host, zone, ntohs(in6->sin6_port));
}

/* The bytes of an abstract name count, zeros among them; a path ends at its zero, if it has one. */
static void format_un(const struct sockaddr_un *un, size_t length, char *text)
{
    size_t size = length - PATH_AT;
    if (size > sizeof un->sun_path)
        size = sizeof un->sun_path;
    if (un->sun_path[0] != 0)
        size = strnlen(un->sun_path, size);
    memcpy(text, un->sun_path, size);
    text[size] = 0;
    for (size_t i = 0; i < size; i++)
        if (text[i] == 0)
            text[i] = '@';
}

char *hkt_address_format(const hkt_address *address, char text[HKT_ADDRESS_MAX])
{
    const union any *any = any_of(address);
    char host[INET_ADDRSTRLEN];
    int saved = errno;
    switch (family_of(address)) {
    case AF_UNSPEC:
        strcpy(text, "none");
        break;
    case AF_INET:
        inet_ntop(AF_INET, &any->in.sin_addr, host, sizeof host);
        snprintf(text, HKT_ADDRESS_MAX, "%s:%u", host, ntohs(any->in.sin_port));
        break;
    case AF_INET6:
        format_in6(&any->in6, text);
        break;
    case AF_UNIX:
        if (address->length > PATH_AT)
            format_un(&any->un, address->length, text);
        else
            strcpy(text, "unix");
        break;
    default:
        snprintf(text, HKT_ADDRESS_MAX, "family %d", family_of(address));
    }
    errno = saved;
    return text;
}

static int parse_path(hkt_address *address, const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t length = path ? strlen(path) : 0;
    if (length == 0)
        return -EINVAL;
    if (length >= sizeof un.sun_path)
        return -ENAMETOOLONG;
    memcpy(un.sun_path, path, length);
    bool abstract = path[0] == '@';
    if (abstract)
        un.sun_path[0] = 0;
    keep(address, &un, (uint32_t)(PATH_AT + length + !abstract));
    return 0;
}

/* The number of an interface that is given by its name or its number; 0: there is none. */
static uint32_t parse_zone(const char *zone)
{
    uint64_t number = 0;
    size_t digits = strspn(zone, "0123456789");
    if (digits == 0 || digits > 10 || zone[digits])
        return if_nametoindex(zone);
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(zone[i] - '0');
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static int parse_in6(hkt_address *address, const char *host, int port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    char number[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%");
    if (length >= sizeof number)
        return -EINVAL;
    memcpy(number, host, length);
    number[length] = 0;
    if (inet_pton(AF_INET6, number, &in6.sin6_addr) != 1)
        return -EINVAL;
    if (host[length] && (in6.sin6_scope_id = parse_zone(host + length + 1)) == 0)
        return -EINVAL;
    keep(address, &in6, sizeof in6);
    return 0;
}

static int parse_ip(hkt_address *address, const char *host, int port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
        return parse_in6(address, host, port);
    keep(address, &in, sizeof in);
    return 0;
}

int hkt_address_parse(hkt_address *address, const char *host, int port)
{
    if (port == -1)
        return parse_path(address, host);
    if (port < 0 || port > PORT_MAX)
        return -EINVAL;
    int saved = errno;
    int err = parse_ip(address, host && *host ? host : "::", port);
    errno = saved;
    return err;
}

int hkt_address_from_sockaddr(hkt_address *address, const struct sockaddr *from, uint32_t length)
{
    if (length > sizeof address->hkt_storage)
        return -EINVAL;
    keep(address, from, length);
    return 0;
}

const struct sockaddr *hkt_address_sockaddr(const hkt_address *address)
{
    return &any_of(address)->base;
}

int hkt_address_port(const hkt_address *address)
{
    switch (family_of(address)) {
    case AF_INET:
        return ntohs(any_of(address)->in.sin_port);
    case AF_INET6:
        return ntohs(any_of(address)->in6.sin6_port);
    default:
        return -1;
    }
}

int hkt_address_set_port(hkt_address *address, int port)
{
    union any *any = (union any *)(void *)address->hkt_storage;
    int family = family_of(address);
    if (port < 0 || port > PORT_MAX || (family != AF_INET && family != AF_INET6))
        return -EINVAL;
    if (family == AF_INET)
        any->in.sin_port = htons((uint16_t)port);
    else
        any->in6.sin6_port = htons((uint16_t)port);
    return 0;
}
