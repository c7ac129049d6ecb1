/* SPDX-License-Identifier: MIT */
/* hocket/datagram.h, waiting: for messages and for room, by many, until it is cancelled or closed. */
#include <stddef.h>
#include <sys/un.h>

#include "datagrams.h"
#include "random.h"

static int receive_one(void *socket)
{
    char data[8];
    return hkt_datagram_receive(socket, data, sizeof data, NULL);
}

static int receive_some(void *socket)
{
    char data[8];
    hkt_message message = { .data = data, .size = sizeof data };
    return hkt_datagram_receive_many(socket, &message, 1);
}

/* Fills the way to the other side; how many messages that were. */
static int fill_up(hkt_datagram *socket, const hkt_address *to)
{
    int count = 0, err;
    while ((err = hkt_datagram_send_nowait(socket, "12345678", 8, to)) == 0)
        count++;
    CHECK_EQ(err, -EAGAIN);
    return count;
}

static int send_one(void *socket)
{
    return hkt_datagram_send(socket, "12345678", 8, NULL);
}

static int send_some(void *socket)
{
    hkt_message messages[3];
    int sent;
    for (int i = 0; i < 3; i++)
        messages[i] = (hkt_message){ .data = (char *)"87654321", .size = 8 };
    int err = hkt_datagram_send_many(socket, messages, 3, &sent);
    CHECK_EQ(sent, err == 0 ? 3 : 0);
    return err;
}

static int await_messages(void *arg)
{
    struct pair pair = unix_pair(SOCK_DGRAM);
    (void)arg;
    hkt_executor *here = hkt_executor_current();
    hkt_future *one = must_submit(here, receive_one, pair.b);
    hkt_future *some = must_submit(here, receive_some, pair.b);
    CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK(!hkt_future_done(one) && !hkt_future_done(some));
    CHECK_EQ(hkt_datagram_send(pair.a, "xy", 2, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "xy", 2, NULL), 0);
    CHECK_EQ(hkt_future_finish(one), 2);
    CHECK_EQ(hkt_future_finish(some), 1);
    pair_close(&pair);
    return 0;
}

TEST(who_receives_waits_for_a_message)
{
    side_by_side(await_messages);
}

static int await_room(void *arg)
{
    struct pair pair = unix_pair(SOCK_DGRAM);
    (void)arg;
    hkt_executor *here = hkt_executor_current();
    int count = fill_up(pair.a, NULL);
    hkt_future *one = must_submit(here, send_one, pair.a);
    hkt_future *some = must_submit(here, send_some, pair.a);
    CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK(!hkt_future_done(one) && !hkt_future_done(some));
    for (int i = 0; i < count + 4; i++)
        CHECK_EQ(receive_one(pair.b), 8);
    CHECK_EQ(hkt_future_finish(one), 0);
    CHECK_EQ(hkt_future_finish(some), 0);
    pair_close(&pair);
    return 0;
}

TEST(who_sends_waits_for_room)
{
    side_by_side(await_room);
}

/* To an address: there the system does not tell when there is room. */
struct addressed {
    hkt_datagram *socket;
    hkt_address to;
};

static int send_addressed(void *arg)
{
    struct addressed *addressed = arg;
    return hkt_datagram_send(addressed->socket, "12345678", 8, &addressed->to);
}

static int await_room_at_address(void *arg)
{
    hkt_datagram *receiver;
    struct addressed addressed;
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)arg;
    CHECK_EQ(bind(fd, (struct sockaddr *)&name, sizeof name.sun_family), 0); /* any name */
    CHECK_EQ(hkt_datagram_adopt(&receiver, fd), 0);
    addressed.to = local_of(receiver);
    CHECK_EQ(hkt_datagram_adopt(&addressed.socket, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
             0);
    hkt_executor *here = hkt_executor_current();
    int count = fill_up(addressed.socket, &addressed.to);
    CHECK(count > 0);
    hkt_future *sender = must_submit(here, send_addressed, &addressed);
    CHECK_EQ(hkt_sleep(0.02), 0);
    CHECK(!hkt_future_done(sender));
    CHECK_EQ(call_cancelled(send_addressed, &addressed), -ECANCELED);
    for (int i = 0; i < count + 1; i++)
        CHECK_EQ(receive_one(receiver), 8);
    CHECK_EQ(hkt_future_finish(sender), 0);
    fill_up(addressed.socket, &addressed.to);
    sender = must_submit(here, send_addressed, &addressed);
    CHECK_EQ(hkt_sleep(0.002), 0);
    CHECK_EQ(hkt_future_request_cancel(sender), 0);
    CHECK_EQ(hkt_future_finish(sender), -ECANCELED);
    sender = must_submit(here, send_addressed, &addressed);
    CHECK_EQ(hkt_sleep(0.002), 0);
    hkt_datagram_close(addressed.socket);
    CHECK_EQ(hkt_future_finish(sender), -ESHUTDOWN);
    hkt_datagram_destroy(addressed.socket);
    hkt_datagram_destroy(receiver);
    return 0;
}

TEST(who_sends_to_a_full_unix_socket_waits)
{
    side_by_side(await_room_at_address);
}

static int close_under_waiters(void *arg)
{
    struct pair pair = unix_pair(SOCK_DGRAM);
    hkt_address address;
    (void)arg;
    hkt_executor *here = hkt_executor_current();
    fill_up(pair.a, NULL);
    CHECK(hkt_datagram_fd(pair.a) >= 0);
    hkt_future *waiting[3] = { must_submit(here, receive_one, pair.a),
                               must_submit(here, receive_some, pair.a),
                               must_submit(here, send_some, pair.a) };
    CHECK_EQ(hkt_sleep(0.005), 0);
    hkt_datagram_close(pair.a);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(waiting[i]), -ESHUTDOWN);
    hkt_datagram_close(pair.a);
    CHECK_EQ(hkt_datagram_local(pair.a, &address), -ESHUTDOWN);
    CHECK_EQ(hkt_datagram_fd(pair.a), -ESHUTDOWN);
    CHECK_EQ(receive_one(pair.a), -ESHUTDOWN);
    CHECK_EQ(hkt_datagram_send_nowait(pair.a, "x", 1, NULL), -ESHUTDOWN);
    CHECK_EQ(receive_some(pair.a), -ESHUTDOWN);
    pair_close(&pair);
    return 0;
}

TEST(closing_wakes_who_waits)
{
    side_by_side(close_under_waiters);
}

static int cancel_each(void *arg)
{
    struct pair pair = unix_pair(SOCK_DGRAM);
    int (*const calls[])(void *) = { receive_one, receive_some, send_one, send_some };
    hkt_datagram *socket = NULL;
    (void)arg;
    fill_up(pair.a, NULL);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(call_cancelled(calls[i], pair.a), -ECANCELED);
        hkt_scope scope;
        double start = hkt_monotonic();
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.005) });
        CHECK_EQ(calls[i](pair.a), -ECANCELED);
        CHECK(hkt_monotonic() - start >= 0.005);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    }
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_datagram_bind(&socket, "127.0.0.1", 0, NULL), -ECANCELED);
    CHECK_EQ(hkt_datagram_connect(&socket, "127.0.0.1", 1, NULL), -ECANCELED);
    CHECK_EQ(hkt_datagram_send_nowait(pair.a, "x", 1, NULL), -EAGAIN);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    pair_close(&pair);
    return 0;
}

TEST(waits_can_be_cancelled)
{
    in_each_kind(cancel_each);
}

/* Numbers go through one socket, each once, whoever receives them, and whoever gives up. */
struct crossing {
    struct pair pair;
    long count; /* of numbers, by each sender */
    atomic_long received, sum;
    atomic_uint seeds;
    bool gives_up;
};

static int send_numbers(void *arg)
{
    struct crossing *crossing = arg;
    for (long i = 1; i <= crossing->count; i++)
        CHECK_EQ(hkt_datagram_send(crossing->pair.a, &i, sizeof i, NULL), 0);
    return 0;
}

/* Until it is closed. */
static int receive_numbers(void *arg)
{
    struct crossing *crossing = arg;
    struct test_random random = random_of(atomic_fetch_add(&crossing->seeds, 1));
    for (;;) {
        long number;
        hkt_scope scope;
        double patience = random_seconds(&random, 0.0005);
        hkt_deadline deadline = crossing->gives_up ? hkt_after(patience) : (hkt_deadline){ 0 };
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = deadline });
        int n = hkt_datagram_receive(crossing->pair.b, &number, sizeof number, NULL);
        hkt_scope_leave(&scope);
        if (n == -ESHUTDOWN)
            return 0;
        if (crossing->gives_up && n == -ECANCELED)
            continue;
        CHECK_EQ(n, sizeof number);
        atomic_fetch_add(&crossing->sum, number);
        atomic_fetch_add(&crossing->received, 1);
    }
}

/* From `senders` senders to `receivers` receivers, tasks of two loops, and threads of a pool. */
static void cross(int senders, int receivers, bool gives_up)
{
    struct crossing crossing = { .pair = unix_pair(SOCK_DGRAM), .gives_up = gives_up };
    hkt_executor *pools[2] = { must_coroutines(0, 2), must_pool(8) };
    hkt_future *sending[8], *receiving[8];
    crossing.count = test_scaled(2000);
    for (int i = 0; i < receivers; i++)
        receiving[i] = must_submit(pools[i % 2], receive_numbers, &crossing);
    for (int i = 0; i < senders; i++)
        sending[i] = must_submit(pools[i % 2], send_numbers, &crossing);
    for (int i = 0; i < senders; i++)
        CHECK_EQ(hkt_future_finish(sending[i]), 0);
    AWAIT(atomic_load(&crossing.received) == senders * crossing.count);
    hkt_datagram_close(crossing.pair.b);
    for (int i = 0; i < receivers; i++)
        CHECK_EQ(hkt_future_finish(receiving[i]), 0);
    CHECK_EQ(crossing.sum, senders * crossing.count * (crossing.count + 1) / 2);
    hkt_executor_destroy(pools[0]);
    hkt_executor_destroy(pools[1]);
    pair_close(&crossing.pair);
    check_finalized();
}

TEST_TIMEOUT(each_message_comes_once_to_many_receivers, 60)
{
    cross(1, 8, false);
    cross(4, 4, false);
    cross(4, 1, false);
}

TEST_TIMEOUT(who_gives_up_loses_no_message, 60)
{
    cross(1, 1, true);
    cross(1, 2, true);
    cross(4, 8, true);
}

/* Two in a loop and a thread play with one ball. */
static int play(void *arg)
{
    struct pair *pair = arg;
    char ball = 0;
    for (long i = test_scaled(500); i > 0; i--) {
        CHECK_EQ(hkt_datagram_receive(pair->b, &ball, 1, NULL), 1);
        ball++;
        CHECK_EQ(hkt_datagram_send(pair->b, &ball, 1, NULL), 0);
    }
    return 0;
}

static int play_against(void *arg)
{
    struct pair pair = unix_pair(SOCK_DGRAM);
    struct caller other;
    char ball = 1, back;
    (void)arg;
    hkt_future *task = NULL;
    if (hkt_executor_current())
        task = must_submit(hkt_executor_current(), play, &pair);
    else
        caller_start(&other, play, &pair);
    for (long i = test_scaled(500); i > 0; i--) {
        CHECK_EQ(hkt_datagram_send(pair.a, &ball, 1, NULL), 0);
        CHECK_EQ(hkt_datagram_receive(pair.a, &back, 1, NULL), 1);
        CHECK_EQ(back, (char)(ball + 1));
        ball = back;
    }
    CHECK_EQ(task ? hkt_future_finish(task) : caller_end(&other), 0);
    pair_close(&pair);
    return 0;
}

TEST(a_ball_goes_to_and_fro)
{
    in_kinds(ON_THREAD + 1, play_against);
}
