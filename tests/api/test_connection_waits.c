/* SPDX-License-Identifier: MIT */
/* Those who wait in connections: several at an end, cancelled ones, and closes under them. */
#include <hocket.h>

#include "connections.h"

#define BIG ((size_t)1 << 20)

TEST(who_waits_is_told_of_a_close)
{
    static int (*const calls[])(void *) = { call_recv, call_recv_alloc, call_next_size, call_poll,
                                            call_recv_fd };
    for (int link = 0; link < LINKS; link++)
        for (size_t i = 0; i < sizeof calls / sizeof *calls - (link != DUPLEX); i++) {
            hkt_connection *c[2];
            struct beside waiters[2];
            char byte;
            must_link(link, c);
            struct parcel parcel = { .connection = c[0], .data = &byte, .size = 1 };
            beside_start_waiting(&waiters[0], calls[i], &parcel, c[0]);
            /* The second one waits for the first. */
            beside_start(&waiters[1], calls[i], &parcel);
            hkt_connection_close(c[0]);
            CHECK_EQ(beside_end(&waiters[0]), -ESHUTDOWN);
            CHECK_EQ(beside_end(&waiters[1]), -ESHUTDOWN);
            unlink_both(c);
        }
    check_finalized();
}

TEST(who_sends_is_told_of_a_close)
{
    char *data = calloc(1, BIG);
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        struct beside sender;
        must_link(link, c);
        struct parcel parcel = { .connection = c[1], .data = data, .size = 16 * BIG };
        parcel.data = calloc(16, BIG);
        beside_start_waiting(&sender, call_send, &parcel, c[1]);
        hkt_connection_close(c[1]);
        CHECK_EQ(beside_end(&sender), -ESHUTDOWN);
        free(parcel.data);
        unlink_both(c);
    }
    free(data);
    check_finalized();
}

TEST(a_cancelled_wait_has_taken_nothing)
{
    static int (*const calls[])(void *) = { call_recv, call_recv_alloc, call_next_size, call_poll,
                                            call_recv_fd };
    for (int link = 0; link < LINKS; link++)
        for (size_t i = 0; i < sizeof calls / sizeof *calls - (link != DUPLEX); i++) {
            hkt_connection *c[2];
            struct beside waiter;
            char data[8];
            must_link(link, c);
            struct parcel parcel = { .connection = c[0], .data = data, .size = sizeof data };
            beside_start_waiting(&waiter, calls[i], &parcel, c[0]);
            beside_cancel(&waiter);
            CHECK_EQ(beside_end(&waiter), -ECANCELED);
            say(c[1], "kept");
            hear(c[0], "kept");
            unlink_both(c);
        }
    check_finalized();
}

static int receive_in_ended_scope(void *arg)
{
    struct parcel *parcel = arg;
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_connection_recv(parcel->connection, parcel->data, parcel->size), -ECANCELED);
    CHECK_EQ(hkt_connection_next_size(parcel->connection), -ECANCELED);
    CHECK_EQ(hkt_connection_recv_fd(parcel->connection), -ECANCELED);
    CHECK_EQ(hkt_connection_poll(parcel->connection, (hkt_deadline){ 0 }), -ECANCELED);
    CHECK_EQ(hkt_connection_poll(parcel->connection, hkt_after(0)), 1);
    CHECK_EQ(hkt_connection_send(parcel->connection, "x", 1), -ECANCELED);
    CHECK_EQ(hkt_connection_send_fd(parcel->connection, 0), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    return 0;
}

TEST(in_an_ended_scope_nothing_is_taken_though_it_is_there)
{
    hkt_connection *c[2];
    char data[8];
    must_link(DUPLEX, c);
    say(c[1], "there");
    struct parcel parcel = { .connection = c[0], .data = data, .size = sizeof data };
    CHECK_EQ(receive_in_ended_scope(&parcel), 0);
    hear(c[0], "there");
    unlink_both(c);
    check_finalized();
}

/* However a message comes in pieces, and wherever a receive is cut short, the next one has all of
 * it. */
TEST_TIMEOUT(a_receive_that_is_cut_short_keeps_what_had_come, 60)
{
    static const size_t sizes[] = { 3, 300, 70000 };
    unsigned char *data = malloc(70000), *back = malloc(70000);
    for (size_t s = 0; s < 3; s++)
        for (int step = 0; step < 6; step++) {
            int fd;
            hkt_connection *connection = must_face(&fd);
            unsigned char head[4] = { 0, (unsigned char)(sizes[s] >> 16),
                                      (unsigned char)(sizes[s] >> 8), (unsigned char)sizes[s] };
            size_t cuts[] = { 0, 2, 4, 4 + sizes[s] / 3, 4 + sizes[s] / 2, 4 + sizes[s] };
            number_bytes(data, sizes[s], s);
            for (int i = 1; i < 6; i++) {
                struct parcel parcel = { .connection = connection, .data = back, .size = 70000 };
                struct beside reader;
                bool allocates = (step + i) % 2;
                for (size_t at = cuts[i - 1]; at < cuts[i]; at++)
                    if (at < 4) {
                        utter(fd, head + at, 1);
                    } else {
                        utter(fd, data + at - 4, cuts[i] - at);
                        at = cuts[i];
                    }
                if (i == 5)
                    break;
                memset(back, 0, 70000);
                beside_start_waiting(&reader, allocates ? call_recv_alloc : call_recv, &parcel,
                                     connection);
                beside_cancel(&reader);
                CHECK_EQ(beside_end(&reader), -ECANCELED);
            }
            struct parcel last = { .connection = connection, .data = back, .size = 70000 };
            int n = step < 3 ? call_recv(&last) : call_recv_alloc(&last);
            CHECK_EQ(n, step < 3 ? (int)sizes[s] : 0);
            check_bytes(last.data, sizes[s], s);
            if (step >= 3)
                hkt_connection_free(last.data);
            CHECK_EQ(close(fd), 0);
            hkt_connection_destroy(connection);
        }
    free(data);
    free(back);
    check_finalized();
}

TEST(a_send_that_is_cancelled_before_anything_went_is_not_sent)
{
    hkt_connection *c[2];
    struct beside first, second;
    char *data = calloc(16, BIG), *back = malloc(16 * BIG);
    must_link(DUPLEX, c);
    struct parcel big = { .connection = c[1], .data = data, .size = 16 * BIG };
    struct parcel small = { .connection = c[1], .data = "never", .size = 5 };
    beside_start_waiting(&first, call_send, &big, c[1]);
    beside_start(&second, call_send, &small); /* waits for the first */
    beside_cancel(&second);
    CHECK_EQ(beside_end(&second), -ECANCELED);
    CHECK_EQ(hkt_connection_recv(c[0], back, 16 * BIG), 16 * BIG);
    CHECK_EQ(beside_end(&first), 0);
    say(c[1], "later");
    hear(c[0], "later");
    free(data);
    free(back);
    unlink_both(c);
    check_finalized();
}

TEST(a_send_that_is_cancelled_in_the_middle_is_the_last_one)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        struct beside sender;
        char *data = calloc(16, BIG), *back = malloc(16 * BIG);
        must_link(link, c);
        struct parcel big = { .connection = c[1], .data = data, .size = 16 * BIG };
        beside_start_waiting(&sender, call_send, &big, c[1]);
        beside_cancel(&sender);
        CHECK_EQ(beside_end(&sender), -ECANCELED);
        CHECK_EQ(hkt_connection_send(c[1], "x", 1), -EPIPE);
        CHECK_EQ(hkt_connection_send_fd(c[1], 0), link == DUPLEX ? -EPIPE : -EOPNOTSUPP);
        if (link != SIMPLEX) { /* the other way goes on */
            say(c[0], "I wait");
            hear(c[1], "I wait");
        } else {
            hkt_connection_close(c[1]); /* a pipe has one end for all of it */
        }
        CHECK_EQ(hkt_connection_recv(c[0], back, 16 * BIG), -EPIPE);
        free(data);
        free(back);
        unlink_both(c);
    }
    check_finalized();
}

/* Several at each end: each message stays whole, and each comes once. */
enum { SENDERS = 4, RECEIVERS = 4, EACH = 60 };

struct crowd {
    hkt_connection *c[2];
    atomic_int next, seen[SENDERS * EACH];
};

static size_t size_of_message(int i)
{
    return sizeof(int) + (size_t)(i * 7919 % 30000);
}

static int send_many(void *arg)
{
    struct crowd *crowd = arg;
    int first = atomic_fetch_add(&crowd->next, 1) * EACH;
    unsigned char *data = malloc(40000);
    for (int i = first; i < first + EACH; i++) {
        memcpy(data, &i, sizeof i);
        number_bytes(data + sizeof i, size_of_message(i) - sizeof i, (uint64_t)i);
        CHECK_EQ(hkt_connection_send(crowd->c[1], data, size_of_message(i)), 0);
    }
    free(data);
    return 0;
}

static int receive_many(void *arg)
{
    struct crowd *crowd = arg;
    unsigned char *data = malloc(40000);
    int n, i;
    while ((n = hkt_connection_recv(crowd->c[0], data, 40000)) > 0) {
        memcpy(&i, data, sizeof i);
        CHECK(i >= 0 && i < SENDERS * EACH);
        CHECK_EQ(n, size_of_message(i));
        check_bytes(data + sizeof i, size_of_message(i) - sizeof i, (uint64_t)i);
        CHECK_EQ(atomic_fetch_add(&crowd->seen[i], 1), 0);
    }
    free(data);
    return n;
}

TEST_TIMEOUT(several_may_send_and_several_receive_at_one_end, 60)
{
    for (int link = 0; link < LINKS; link++) {
        struct crowd crowd = { .next = 0 };
        struct beside senders[SENDERS], receivers[RECEIVERS];
        must_link(link, crowd.c);
        for (int i = 0; i < RECEIVERS; i++)
            beside_start(&receivers[i], receive_many, &crowd);
        for (int i = 0; i < SENDERS; i++)
            beside_start(&senders[i], send_many, &crowd);
        for (int i = 0; i < SENDERS; i++)
            CHECK_EQ(beside_end(&senders[i]), 0);
        hkt_connection_close(crowd.c[1]);
        for (int i = 0; i < RECEIVERS; i++)
            CHECK_EQ(beside_end(&receivers[i]), -ENODATA);
        for (int i = 0; i < SENDERS * EACH; i++)
            CHECK_EQ(crowd.seen[i], 1);
        unlink_both(crowd.c);
    }
    check_finalized();
}

/* A receive is cancelled in the moment in which pieces of messages come. */
struct dribble {
    int fd;
    unsigned char *bytes;
    size_t size;
    uint64_t seed;
};

static int dribble_run(void *arg)
{
    struct dribble *dribble = arg;
    struct test_random random = random_of(dribble->seed);
    for (size_t at = 0; at < dribble->size;) {
        size_t piece = 1 + (size_t)random_below(&random, 9000);
        if (piece > dribble->size - at)
            piece = dribble->size - at;
        utter(dribble->fd, dribble->bytes + at, piece);
        at += piece;
        if (random_below(&random, 2))
            await_spinning(random_seconds(&random, 0.00005));
    }
    return 0;
}

static int cancel_soon(void *arg)
{
    struct beside *beside = arg;
    AWAIT(atomic_load(&beside->caller.in_scope));
    hkt_scope_cancel(&beside->caller.scope);
    return 0;
}

TEST_TIMEOUT(whenever_receives_are_cancelled_no_byte_is_lost, 100)
{
    struct test_random random = random_of(5);
    unsigned char *wire = malloc(BIG), *back = malloc(BIG);
    for (long round = 0; round < test_scaled(8); round++) {
        int fd, messages = 0;
        size_t size = 0;
        hkt_connection *connection = must_face(&fd);
        while (size < BIG / 2 && messages < 300) {
            size_t body = (size_t)random_below(&random, messages % 10 ? 500 : 100000);
            unsigned char head[4] = { 0, (unsigned char)(body >> 16), (unsigned char)(body >> 8),
                                      (unsigned char)body };
            memcpy(wire + size, head, 4);
            number_bytes(wire + size + 4, body, (uint64_t)messages++);
            size += 4 + body;
        }
        struct dribble dribble = { fd, wire, size, (uint64_t)round };
        hkt_thread *writer = must_spawn(dribble_run, &dribble, NULL);
        for (int i = 0; i < messages;) {
            struct beside reader;
            struct parcel parcel = { .connection = connection, .data = back, .size = BIG };
            bool allocates = random_below(&random, 3) == 0;
            beside_start(&reader, allocates ? call_recv_alloc : call_recv, &parcel);
            hkt_thread *canceller = random_below(&random, 2)
                                        ? must_spawn(cancel_soon, &reader, NULL)
                                        : NULL;
            int n = beside_end(&reader);
            if (canceller)
                must_join(canceller);
            if (n == -ECANCELED)
                continue;
            CHECK(n >= 0);
            check_bytes(parcel.data, allocates ? parcel.size : (size_t)n, (uint64_t)i++);
            if (allocates)
                hkt_connection_free(parcel.data);
        }
        must_join(writer);
        CHECK_EQ(hkt_connection_poll(connection, hkt_after(0)), 0);
        CHECK_EQ(close(fd), 0);
        hkt_connection_destroy(connection);
    }
    free(wire);
    free(back);
    check_finalized();
}
