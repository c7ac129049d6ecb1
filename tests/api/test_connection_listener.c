/* SPDX-License-Identifier: MIT */
/* Listening for connections, connecting, and showing each other that one has the key. */
#include <hocket.h>

#include "connections.h"

static const hkt_connection_options with_key = { .authkey = "open sesame", .authkey_size = 11 };
static const hkt_connection_options other_key = { .authkey = "open barley", .authkey_size = 11 };
static const hkt_connection_options short_key = { .authkey = "open sesam", .authkey_size = 10 };
static const hkt_connection_options empty_key = { .authkey = "", .authkey_size = 0 };
static const hkt_connection_options no_key = { .authkey = NULL };

/* Both sides: what accept and connect say. A pair that comes about can talk. */
static void meet(const char *address, const hkt_connection_options *host,
                 const hkt_connection_options *guest, int results[2])
{
    struct acceptance acceptance = { must_invite(address, host), NULL };
    struct visit visit = { hkt_connection_listener_address(acceptance.listener), guest, NULL };
    struct beside accepting;
    beside_start(&accepting, call_accept, &acceptance);
    results[1] = call_connect(&visit);
    results[0] = beside_end(&accepting);
    CHECK_EQ(acceptance.connection != NULL, results[0] == 0);
    CHECK_EQ(visit.connection != NULL, results[1] == 0);
    if (results[0] == 0 && results[1] == 0) {
        say(visit.connection, "hello");
        hear(acceptance.connection, "hello");
        say(acceptance.connection, "welcome");
        hear(visit.connection, "welcome");
    }
    hkt_connection_destroy(acceptance.connection);
    hkt_connection_destroy(visit.connection);
    hkt_connection_listener_destroy(acceptance.listener);
}

static void check_met(const char *address, const hkt_connection_options *options)
{
    int results[2];
    meet(address, options, options, results);
    CHECK_EQ(results[0], 0);
    CHECK_EQ(results[1], 0);
}

static void in_folder(const char *folder, void (*act)(const char *path))
{
    char path[64], home[512];
    CHECK(getcwd(home, sizeof home) != NULL);
    CHECK_EQ(chdir(folder), 0);
    snprintf(path, sizeof path, "%s/socket", folder);
    act(path);
    act("./socket");
    CHECK_EQ(access("./socket", F_OK), -1);
    CHECK_EQ(chdir(home), 0);
}

static void meet_at_path(const char *path)
{
    check_met(path, &with_key);
    check_met(path, NULL);
}

TEST(who_has_the_key_is_let_in_at_each_kind_of_address)
{
    char folder[] = "/tmp/hocket-test-XXXXXX", name[64];
    const hkt_connection_options *all[] = { &with_key, &empty_key, &no_key, NULL };
    snprintf(name, sizeof name, "@hkt-test-%ld", (long)getpid());
    for (int i = 0; i < 4; i++) {
        check_met(NULL, all[i]);
        check_met("127.0.0.1:0", all[i]);
        check_met("localhost:0", all[i]);
        check_met(name, all[i]);
    }
    CHECK(mkdtemp(folder) != NULL);
    in_folder(folder, meet_at_path);
    CHECK_EQ(rmdir(folder), 0);
    check_finalized();
}

TEST(who_has_not_the_key_is_told_so_on_both_sides)
{
    static const hkt_connection_options *const cases[][2] = {
        { &with_key, &other_key }, { &with_key, &short_key }, { &with_key, &empty_key },
        { &with_key, &no_key },    { &no_key, &with_key },    { &empty_key, &no_key },
        { &no_key, &empty_key },   { &empty_key, &with_key },
    };
    static const char *const addresses[] = { NULL, "127.0.0.1:0" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int j = 0; j < 2; j++) {
            int results[2];
            meet(addresses[j], cases[i][0], cases[i][1], results);
            CHECK_EQ(results[0], -EKEYREJECTED);
            CHECK_EQ(results[1], -EKEYREJECTED);
        }
    check_finalized();
}

TEST(after_a_wrong_guest_the_next_one_is_welcome)
{
    struct acceptance acceptance = { must_invite("127.0.0.1:0", &with_key), NULL };
    const char *address = hkt_connection_listener_address(acceptance.listener);
    struct visit wrong = { address, &other_key, NULL }, right = { address, &with_key, NULL };
    struct beside first, second;
    beside_start(&first, call_connect, &wrong);
    CHECK_EQ(call_accept(&acceptance), -EKEYREJECTED);
    CHECK_EQ(beside_end(&first), -EKEYREJECTED);
    beside_start(&second, call_connect, &right);
    CHECK_EQ(call_accept(&acceptance), 0);
    CHECK_EQ(beside_end(&second), 0);
    hkt_connection_destroy(acceptance.connection);
    hkt_connection_destroy(right.connection);
    hkt_connection_listener_destroy(acceptance.listener);
    check_finalized();
}

static int connect_raw(const char *address)
{
    hkt_address to;
    struct sockaddr_in *in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = atoi(strrchr(address, ':') + 1);
    CHECK_EQ(hkt_address_parse(&to, "127.0.0.1", port), 0);
    in = (struct sockaddr_in *)(uintptr_t)hkt_address_sockaddr(&to);
    CHECK_EQ(connect(fd, (struct sockaddr *)in, to.length), 0);
    return fd;
}

TEST(a_silent_guest_is_sent_away_in_time_and_keeps_nobody_waiting)
{
    hkt_connection_options quick = with_key;
    quick.timeout = 0.3;
    hkt_connection_listener *listener = must_invite("127.0.0.1:0", &quick);
    const char *address = hkt_connection_listener_address(listener);
    struct acceptance silent = { listener, NULL }, quiet = { listener, NULL };
    struct visit visit = { address, &with_key, NULL };
    struct beside first, second;
    double start = hkt_monotonic();
    int fd = connect_raw(address);
    char byte;
    beside_start(&first, call_accept, &silent);
    beside_start(&second, call_accept, &quiet);
    CHECK_EQ(call_connect(&visit), 0);
    int a = beside_end(&first), b = beside_end(&second);
    CHECK((a == -ETIMEDOUT && b == 0) || (a == 0 && b == -ETIMEDOUT));
    CHECK(hkt_monotonic() - start >= 0.3);
    hkt_connection_destroy(silent.connection);
    hkt_connection_destroy(quiet.connection);
    hkt_connection_destroy(visit.connection);
    hkt_connection_listener_destroy(listener);
    while (recv(fd, &byte, 1, 0) > 0) /* the challenge, and the end */
        ;
    CHECK_EQ(close(fd), 0);
    check_finalized();
}

TEST(a_silent_host_is_given_up_in_time)
{
    hkt_connection_options quick = with_key;
    hkt_connection *connection = NULL;
    hkt_listener *silent = NULL;
    char name[40], sentence[80];
    snprintf(name, sizeof name, "@hkt-silent-%ld", (long)getpid());
    snprintf(sentence, sizeof sentence, "cannot connect to %s in time", name);
    quick.timeout = 0.05;
    CHECK_EQ(hkt_listener_create_unix(&silent, name, NULL), 0);
    double start = hkt_monotonic();
    CHECK_EQ(hkt_connection_connect(&connection, name, &quick), -ETIMEDOUT);
    CHECK(hkt_monotonic() - start >= 0.05);
    CHECK_STR(hkt_sentence(-ETIMEDOUT), sentence);
    CHECK(connection == NULL);
    hkt_listener_destroy(silent);
    check_finalized();
}

TEST(an_outer_cancel_reaches_both_sides)
{
    struct acceptance acceptance = { must_invite(NULL, &with_key), NULL };
    hkt_listener *silent = NULL;
    char name[40];
    snprintf(name, sizeof name, "@hkt-mute-%ld", (long)getpid());
    struct visit visit = { name, &with_key, NULL };
    struct beside side;
    beside_start(&side, call_accept, &acceptance);
    beside_cancel(&side);
    CHECK_EQ(beside_end(&side), -ECANCELED);
    CHECK_EQ(hkt_listener_create_unix(&silent, name, NULL), 0);
    beside_start(&side, call_connect, &visit);
    beside_cancel(&side);
    CHECK_EQ(beside_end(&side), -ECANCELED);
    hkt_listener_destroy(silent);
    hkt_connection_listener_destroy(acceptance.listener);
    check_finalized();
}

TEST(to_close_a_listener_ends_accepts_and_talks_with_guests)
{
    hkt_connection_listener *listener = must_invite("127.0.0.1:0", &with_key);
    struct acceptance one = { listener, NULL }, other = { listener, NULL };
    struct beside first, second;
    char byte;
    int fd = connect_raw(hkt_connection_listener_address(listener));
    beside_start(&first, call_accept, &one);
    beside_start(&second, call_accept, &other);
    if (first.task)
        YIELD_UNTIL(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
    else
        CHECK_EQ(recv(fd, &byte, 1, MSG_PEEK), 1); /* he is being talked to */
    hkt_connection_listener_close(listener);
    hkt_connection_listener_close(listener);
    CHECK_EQ(beside_end(&first), -ESHUTDOWN);
    CHECK_EQ(beside_end(&second), -ESHUTDOWN);
    CHECK_EQ(call_accept(&one), -ESHUTDOWN);
    CHECK_EQ(close(fd), 0);
    hkt_connection_listener_destroy(listener);
    hkt_connection_listener_destroy(NULL);
    check_finalized();
}

TEST(addresses_that_are_none_are_refused)
{
    static const char *const wrong[] = { "",        "localhost",     "localhost:",
                                         ":x",      "[::1]",         "localhost:80x",
                                         "h:65536", "h:99999999999", "localhost:-1" };
    hkt_connection_listener *listener = NULL;
    hkt_connection *connection = NULL;
    char path[200];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_EQ(hkt_connection_listener_create(&listener, wrong[i], NULL), -EINVAL);
        CHECK_EQ(hkt_connection_connect(&connection, wrong[i], NULL), -EINVAL);
        CHECK(strstr(hkt_sentence(-EINVAL), "is no address") != NULL);
    }
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    CHECK_EQ(hkt_connection_listener_create(&listener, path, NULL), -ENAMETOOLONG);
    CHECK_EQ(hkt_connection_connect(&connection, path, NULL), -ENAMETOOLONG);
    CHECK_EQ(hkt_connection_listener_create(&listener, "/no/such/folder/socket", NULL), -ENOENT);
    CHECK(listener == NULL && connection == NULL);
    check_finalized();
}

TEST(where_nobody_listens_connecting_is_refused)
{
    hkt_connection *connection = NULL;
    hkt_connection_listener *listener = must_invite("127.0.0.1:0", NULL), *second = NULL;
    char address[HKT_ADDRESS_MAX];
    snprintf(address, sizeof address, "%s", hkt_connection_listener_address(listener));
    CHECK_EQ(hkt_connection_listener_create(&second, address, NULL), -EADDRINUSE);
    hkt_connection_listener_destroy(listener);
    CHECK_EQ(hkt_connection_connect(&connection, address, NULL), -ECONNREFUSED);
    CHECK_EQ(hkt_connection_connect(&connection, "@hkt-nobody", NULL), -ECONNREFUSED);
    CHECK_EQ(hkt_connection_connect(&connection, "/tmp/hkt-nobody", NULL), -ENOENT);
    CHECK(connection == NULL && second == NULL);
    check_finalized();
}

/* A plain listener and a plain client, who are told what a real one says and change it. */
enum { SIZE = 4 + 96 };

/* False: the end came before. */
static bool hear_raw(int fd, unsigned char message[SIZE])
{
    for (size_t got = 0; got < SIZE;) {
        ssize_t n = recv(fd, message + got, SIZE - got, MSG_DONTWAIT);
        if (n == 0)
            return false;
        CHECK(n > 0 || errno == EAGAIN);
        if (n < 0)
            CHECK_EQ(hkt_fd_wait(fd, HKT_READABLE), HKT_READABLE);
        else
            got += (size_t)n;
    }
    return true;
}

/* To answer with what was said to him is no proof of the key, nor is a MAC of another talk. */
TEST(a_guest_who_gives_back_what_he_heard_is_not_let_in)
{
    struct acceptance acceptance = { must_invite("127.0.0.1:0", &with_key), NULL };
    unsigned char challenge[SIZE], heard[SIZE];
    struct beside accepting;
    int fd = connect_raw(hkt_connection_listener_address(acceptance.listener));
    beside_start(&accepting, call_accept, &acceptance);
    CHECK(hear_raw(fd, challenge));
    memcpy(challenge + 4, "hocket answer 1", 16);
    utter(fd, challenge, SIZE);
    CHECK_EQ(beside_end(&accepting), -EKEYREJECTED);
    CHECK(hear_raw(fd, heard));
    CHECK_EQ(memcmp(heard + 4, "hocket refused1", 16), 0);
    CHECK_EQ(close(fd), 0);
    hkt_connection_listener_destroy(acceptance.listener);
    check_finalized();
}

/* In the middle: carries over what the two say, but the bit `at` of message `which`. */
struct middle {
    hkt_listener *listener;
    const char *behind;
    int which, at;
};

static bool carry(int from, int to, bool change, int at)
{
    unsigned char message[SIZE];
    if (!hear_raw(from, message))
        return false;
    if (change)
        message[at / 8] ^= (unsigned char)(1 << at % 8);
    return send(to, message, SIZE, MSG_NOSIGNAL) == SIZE;
}

static int stand_between(void *arg)
{
    struct middle *middle = arg;
    hkt_stream *client = NULL;
    CHECK_EQ(hkt_listener_accept(middle->listener, &client), 0);
    int fds[2] = { connect_raw(middle->behind), hkt_stream_fd(client) };
    for (int i = 0; i < 4; i++)
        if (!carry(fds[i % 2], fds[(i + 1) % 2], i == middle->which, middle->at))
            break;
    CHECK_EQ(close(fds[0]), 0);
    hkt_stream_destroy(client);
    return 0;
}

TEST_TIMEOUT(whatever_is_changed_on_the_way_the_key_is_rejected, 60)
{
    struct test_random random = random_of(3);
    hkt_connection_options patient = with_key;
    patient.timeout = 15;
    for (int which = 0; which < 4; which++)
        for (int i = 0; i < 12; i++) {
            /* kind, algorithm, nonce, mac: where each is looked at */
            int part = i % 4, begin[] = { 0, 16, 32, 64 }, length[] = { 16, 16, 32, 32 };
            if ((part == 2 && which > 1) || (part == 3 && (which == 0 || which == 3)))
                continue;
            hkt_address address;
            char where[HKT_ADDRESS_MAX];
            struct acceptance acceptance = { must_invite("127.0.0.1:0", &patient), NULL };
            struct middle middle = { must_listen(&address),
                                     hkt_connection_listener_address(acceptance.listener), which,
                                     (int)(8 * (4 + begin[part])) +
                                         (int)random_below(&random, (uint32_t)(8 * length[part])) };
            struct visit visit = { hkt_address_format(&address, where), &patient, NULL };
            struct beside host, between;
            beside_start(&host, call_accept, &acceptance);
            beside_start(&between, stand_between, &middle);
            int err = call_connect(&visit);
            CHECK_EQ(err, which == 3 ? 0 : -EKEYREJECTED);
            CHECK_EQ(beside_end(&host), -EKEYREJECTED);
            CHECK_EQ(beside_end(&between), 0);
            hkt_connection_destroy(visit.connection);
            hkt_listener_destroy(middle.listener);
            hkt_connection_listener_destroy(acceptance.listener);
        }
    check_finalized();
}

TEST_TIMEOUT(garbage_from_guests_is_rejected_and_never_waited_for_longer, 60)
{
    struct test_random random = random_of(7);
    unsigned char bytes[600];
    hkt_connection_options quick = with_key;
    quick.timeout = 0.2;
    struct acceptance acceptance = { must_invite("127.0.0.1:0", &quick), NULL };
    for (long i = 0; i < test_scaled(60); i++) {
        struct beside accepting;
        size_t size = (size_t)random_below(&random, sizeof bytes);
        int fd = connect_raw(hkt_connection_listener_address(acceptance.listener));
        for (size_t j = 0; j < size; j++)
            bytes[j] = (unsigned char)random_below(&random, 256);
        if (size >= 4 && i % 2)
            memcpy(bytes, "\0\0\0\x60", 4); /* a good size */
        beside_start(&accepting, call_accept, &acceptance);
        utter(fd, bytes, size);
        if (i % 3)
            (void)shutdown(fd, SHUT_WR); /* he may be sent away by now */
        int err = beside_end(&accepting);
        CHECK(err == -EKEYREJECTED || (err == -ETIMEDOUT && i % 3 == 0));
        CHECK_EQ(close(fd), 0);
    }
    hkt_connection_listener_destroy(acceptance.listener);
    check_finalized();
}
