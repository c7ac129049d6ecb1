/* SPDX-License-Identifier: MIT */
/* hocket/address.h without the names: text to address and back, the system's structs, ports. */
#include <hocket/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "test.h"

static const char *text_of(const hkt_address *address)
{
    static char text[HKT_ADDRESS_MAX];
    memset(text, 'x', sizeof text);
    CHECK(hkt_address_format(address, text) == text);
    CHECK(strnlen(text, sizeof text) < sizeof text);
    return text;
}

static hkt_address must_parse(const char *host, int port)
{
    hkt_address address;
    memset(&address, 0xa5, sizeof address);
    CHECK_EQ(hkt_address_parse(&address, host, port), 0);
    return address;
}

static void check_refused(const char *host, int port, int err)
{
    hkt_address address, before;
    memset(&address, 0xa5, sizeof address);
    before = address;
    errno = 4711;
    CHECK_EQ(hkt_address_parse(&address, host, port), err);
    CHECK_EQ(errno, 4711);
    CHECK(memcmp(&address, &before, sizeof address) == 0);
}

TEST(what_is_parsed_is_formatted_as_it_was)
{
    static const struct {
        const char *host;
        int port;
        const char *text;
    } table[] = {
        { "127.0.0.1", 80, "127.0.0.1:80" },
        { "0.0.0.0", 0, "0.0.0.0:0" },
        { "255.255.255.255", 65535, "255.255.255.255:65535" },
        { "::1", 80, "[::1]:80" },
        { "::", 1, "[::]:1" },
        { "", 8080, "[::]:8080" },
        { NULL, 8080, "[::]:8080" },
        { "2001:db8:0:0:0:0:0:1", 443, "[2001:db8::1]:443" },
        { "::ffff:192.0.2.1", 7, "[::ffff:192.0.2.1]:7" },
        { "1111:2222:3333:4444:5555:6666:7777:8888", 65535,
          "[1111:2222:3333:4444:5555:6666:7777:8888]:65535" },
        { "/tmp/a socket", -1, "/tmp/a socket" },
        { "here", -1, "here" },
        { "@abstract", -1, "@abstract" },
        { "@", -1, "@" },
    };
    errno = 4711;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hkt_address address = must_parse(table[i].host, table[i].port);
        CHECK_STR(text_of(&address), table[i].text);
        CHECK_EQ(hkt_address_port(&address), table[i].port);
        hkt_address again; /* all its bytes are told */
        CHECK_EQ(hkt_address_from_sockaddr(&again, hkt_address_sockaddr(&address), address.length),
                 0);
        CHECK(memcmp(&again, &address, sizeof again) == 0);
    }
    CHECK_EQ(errno, 4711);
}

TEST(what_is_no_address_is_refused)
{
    static const char *const hosts[] = { "localhost",
                                         "1.2.3",
                                         "1.2.3.4.5",
                                         "256.0.0.1",
                                         "1.2.3.4 ",
                                         " 1.2.3.4",
                                         ":::",
                                         "[::1]",
                                         "::1%",
                                         "::g",
                                         "12345::",
                                         "1.2.3.4%lo",
                                         "::1%no-such-interface",
                                         "::1%99999999999999999999",
                                         "1111:2222:3333:4444:5555:6666:7777:8888:9999",
                                         "a very long name that is longer than any number can be" };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        check_refused(hosts[i], 80, -EINVAL);
    check_refused("127.0.0.1", 65536, -EINVAL);
    check_refused("127.0.0.1", -2, -EINVAL);
    check_refused("::1", INT32_MAX, -EINVAL);
    check_refused(NULL, -1, -EINVAL);
    check_refused("", -1, -EINVAL);
}

TEST(a_path_has_room_up_to_its_zero)
{
    const struct sockaddr_un un;
    char path[sizeof un.sun_path + 2];
    memset(path, 'p', sizeof path);
    for (int first = 0; first < 2; first++) {
        path[0] = first ? '@' : '/';
        path[sizeof un.sun_path - 1] = 0;
        hkt_address address = must_parse(path, -1);
        CHECK_STR(text_of(&address), path);
        CHECK_EQ(address.length, sizeof un - (first ? 1 : 0));
        path[sizeof un.sun_path - 1] = 'p';
        path[sizeof un.sun_path] = 0;
        check_refused(path, -1, -ENAMETOOLONG);
        path[sizeof un.sun_path] = 'p';
    }
}

TEST(an_interface_is_named)
{
    unsigned lo = if_nametoindex("lo");
    char host[64];
    if (lo == 0)
        TEST_SKIP("no interface \"lo\"");
    hkt_address address = must_parse("fe80::1%lo", 80);
    CHECK_STR(text_of(&address), "[fe80::1%lo]:80");
    snprintf(host, sizeof host, "fe80::1%%%u", lo);
    hkt_address by_number = must_parse(host, 80);
    CHECK(memcmp(&by_number, &address, sizeof address) == 0);
    address = must_parse("fe80::1%4294967295", 80); /* one that is not there keeps its number */
    CHECK_STR(text_of(&address), "[fe80::1%4294967295]:80");
    check_refused("fe80::1%4294967296", 80, -EINVAL);
    check_refused("fe80::1%0", 80, -EINVAL);
}

TEST(the_longest_texts_fit)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 0xffff };
    hkt_address address;
    memset(&in6.sin6_addr, 0x11, sizeof in6.sin6_addr);
    in6.sin6_scope_id = UINT32_MAX;
    CHECK_EQ(hkt_address_from_sockaddr(&address, (struct sockaddr *)&in6, sizeof in6), 0);
    CHECK_STR(text_of(&address), "[1111:1111:1111:1111:1111:1111:1111:1111%4294967295]:65535");
    memset(un.sun_path, 'p', sizeof un.sun_path); /* without a zero, as the system may give it */
    CHECK_EQ(hkt_address_from_sockaddr(&address, (struct sockaddr *)&un, sizeof un), 0);
    CHECK_EQ(strlen(text_of(&address)), sizeof un.sun_path);
    CHECK_EQ(hkt_address_from_sockaddr(&address, (struct sockaddr *)&un, sizeof un), 0);
    CHECK_EQ(strlen(text_of(&address)), sizeof un.sun_path);
}

TEST(an_abstract_name_may_have_any_bytes)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0a\0b" };
    hkt_address address;
    CHECK_EQ(hkt_address_from_sockaddr(&address, (struct sockaddr *)&un, 2 + 4), 0);
    CHECK_STR(text_of(&address), "@a@b");
    CHECK_EQ(hkt_address_from_sockaddr(&address, (struct sockaddr *)&un, 2), 0);
    CHECK_STR(text_of(&address), "unix");
}

TEST(what_the_system_gives_is_taken_at_any_length)
{
    struct sockaddr_storage storage = { .ss_family = AF_INET6 };
    hkt_address address;
    const struct sockaddr *from = (const struct sockaddr *)&storage;
    for (uint32_t length = 0; length <= sizeof storage; length++) {
        CHECK_EQ(hkt_address_from_sockaddr(&address, from, length), 0);
        CHECK_EQ(address.length, length);
        CHECK(memcmp(hkt_address_sockaddr(&address), &storage, length) == 0);
        bool whole = length >= sizeof(struct sockaddr_in6);
        CHECK_STR(text_of(&address), whole ? "[::]:0" : "none");
        CHECK_EQ(hkt_address_port(&address), whole ? 0 : -1);
        CHECK_EQ(hkt_address_set_port(&address, 1), whole ? 0 : -EINVAL);
    }
    CHECK_EQ(hkt_address_from_sockaddr(&address, from, 129), -EINVAL);
    CHECK_EQ(hkt_address_from_sockaddr(&address, from, UINT32_MAX), -EINVAL);
    CHECK_EQ(hkt_address_from_sockaddr(&address, NULL, 0), 0);
    CHECK_STR(text_of(&address), "none");
    storage.ss_family = AF_INET;
    CHECK_EQ(hkt_address_from_sockaddr(&address, from, sizeof(struct sockaddr_in) - 1), 0);
    CHECK_STR(text_of(&address), "none");
    storage.ss_family = AF_NETLINK;
    CHECK_EQ(hkt_address_from_sockaddr(&address, from, 12), 0);
    CHECK_STR(text_of(&address), "family 16");
    address.length = 4711; /* what was not made here is not believed */
    CHECK_STR(text_of(&address), "none");
}

TEST(only_ip_addresses_have_ports)
{
    hkt_address four = must_parse("192.0.2.1", 1), six = must_parse("2001:db8::1", 2);
    hkt_address path = must_parse("/x", -1), none = { .length = 0 };
    CHECK_EQ(hkt_address_port(&four), 1);
    CHECK_EQ(hkt_address_port(&six), 2);
    CHECK_EQ(hkt_address_port(&path), -1);
    CHECK_EQ(hkt_address_port(&none), -1);
    CHECK_EQ(hkt_address_set_port(&four, 65535), 0);
    CHECK_EQ(hkt_address_set_port(&six, 0), 0);
    CHECK_STR(text_of(&four), "192.0.2.1:65535");
    CHECK_STR(text_of(&six), "[2001:db8::1]:0");
    CHECK_EQ(hkt_address_set_port(&four, 65536), -EINVAL);
    CHECK_EQ(hkt_address_set_port(&six, -1), -EINVAL);
    CHECK_STR(text_of(&four), "192.0.2.1:65535");
    CHECK_EQ(hkt_address_set_port(&path, 1), -EINVAL);
    CHECK_EQ(hkt_address_set_port(&none, 1), -EINVAL);
    CHECK_STR(text_of(&path), "/x");
    const struct sockaddr_in *in = (const void *)hkt_address_sockaddr(&four);
    CHECK_EQ(in->sin_family, AF_INET);
    CHECK_EQ(ntohs(in->sin_port), 65535);
    CHECK_EQ(ntohl(in->sin_addr.s_addr), 0xc0000201);
}
