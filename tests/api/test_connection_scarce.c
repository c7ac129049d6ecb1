/* SPDX-License-Identifier: MIT */
/* Connections where memory and fds run out, and misuse of them. */
#include <hocket.h>
#include <sys/resource.h>

#include "connections.h"
#include "scarce.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        int err_ = (call);                                                                         \
        if (err_ < 0)                                                                              \
            return err_;                                                                           \
    } while (0)

/* A pipe, and a message that needs more than one try. What fails can be tried again. */
static int talk(void *arg)
{
    (void)arg;
    hkt_connection *c[2];
    static char data[70000], back[70000];
    void *made = NULL;
    size_t size = 0;
    MUST(hkt_pipe_create(&c[0], &c[1], true));
    CHECK_EQ(hkt_connection_send(c[1], data, 3000), 0);
    CHECK_EQ(hkt_connection_send(c[1], data, 2000), 0);
    CHECK_EQ(hkt_connection_send(c[1], data, sizeof data), 0);
    int err = hkt_connection_recv(c[0], back, sizeof back);
    int again = err == -ENOMEM ? hkt_connection_recv(c[0], back, sizeof back) : err;
    CHECK(again == 3000 || again == -ENOMEM);
    if (again == 3000) {
        err = hkt_connection_recv_alloc(c[0], &made, &size, 0);
        CHECK(err == 0 || err == -ENOMEM);
        CHECK(err < 0 || size == 2000);
    }
    if (again == 3000 && err == 0)
        CHECK_EQ(hkt_connection_recv(c[0], back, sizeof back), sizeof back);
    hkt_connection_free(made);
    unlink_both(c);
    return err < 0 ? err : again < 0 ? again : 0;
}

TEST_TIMEOUT(without_memory_messages_wait_and_nothing_is_lost, 60)
{
    with_scarce_memory(ON_THREAD, talk);
    with_scarce_memory(IN_LOOP, talk);
}

/* In a loop, one and the same strand cannot be both sides: a thread is the host. */
struct hosting {
    hkt_connection_listener *listener;
    hkt_connection *connection;
};

static int host(void *arg)
{
    struct hosting *hosting = arg;
    if (hkt_connection_listener_accept(hosting->listener, &hosting->connection) < 0)
        hkt_connection_listener_close(hosting->listener); /* so nobody waits to be let in */
    return 0;
}

static const hkt_connection_options key = { .authkey = "k", .authkey_size = 1, .timeout = 5 };

static int visit(void *arg)
{
    (void)arg;
    struct hosting hosting = { NULL, NULL };
    hkt_thread *thread;
    hkt_connection *connection = NULL;
    MUST(hkt_connection_listener_create(&hosting.listener, NULL, &key));
    int err = hkt_thread_spawn(&thread, host, &hosting, NULL);
    if (err == 0) {
        err = hkt_connection_connect(&connection, hkt_connection_listener_address(hosting.listener),
                                     &key);
        if (err < 0)
            hkt_connection_listener_close(hosting.listener);
        must_join(thread);
        /* The side that has no memory for it goes, and the other one sees that. */
        CHECK(err == 0 || err == -ENOMEM || err == -EKEYREJECTED || err == -ECONNREFUSED);
        if (err == -EKEYREJECTED || err == -ECONNREFUSED ||
            (err == 0 && hosting.connection == NULL))
            err = -ENOMEM;
    }
    hkt_connection_destroy(connection);
    hkt_connection_destroy(hosting.connection);
    hkt_connection_listener_destroy(hosting.listener);
    return err;
}

TEST_TIMEOUT(without_memory_nobody_is_let_in_and_nothing_is_left, 100)
{
    with_scarce_memory(ON_THREAD, visit);
}

/* All fds below the limit are taken. */
static void close_the_door(struct rlimit *before)
{
    struct rlimit none;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, before), 0);
    int first = dup(0);
    CHECK(first >= 0);
    CHECK_EQ(close(first), 0);
    none = *before;
    none.rlim_cur = (rlim_t)first;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
}

TEST(without_fds_each_call_says_so)
{
    struct rlimit before;
    hkt_connection *c[2] = { NULL, NULL };
    hkt_connection_listener *listener = must_invite(NULL, NULL), *other = NULL;
    struct acceptance acceptance = { listener, NULL };
    close_the_door(&before);
    CHECK_EQ(hkt_pipe_create(&c[0], &c[1], true), -EMFILE);
    CHECK_EQ(hkt_pipe_create(&c[0], &c[1], false), -EMFILE);
    CHECK_EQ(hkt_connection_listener_create(&other, NULL, NULL), -EMFILE);
    CHECK_EQ(hkt_connection_connect(&c[0], hkt_connection_listener_address(listener), NULL),
             -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    struct visit visitor = { hkt_connection_listener_address(listener), NULL, NULL };
    struct caller guest;
    caller_start(&guest, call_connect, &visitor);
    CHECK_EQ(call_accept(&acceptance), 0);
    CHECK_EQ(caller_end(&guest), 0);
    CHECK(c[0] == NULL && c[1] == NULL && other == NULL);
    hkt_connection_destroy(acceptance.connection);
    hkt_connection_destroy(visitor.connection);
    hkt_connection_listener_destroy(listener);
    check_finalized();
}

static int receive_one(void *arg)
{
    char byte;
    return hkt_connection_recv(arg, &byte, 1);
}

static int destroy_under_a_reader(void *arg)
{
    hkt_connection *c[2];
    hkt_task *task;
    (void)arg;
    must_link(DUPLEX, c);
    task = must_start(receive_one, c[0]);
    YIELD_UNTIL(task_waits_for(c[0]));
    hkt_connection_destroy(c[0]);
    return hkt_future_finish(task);
}

TEST_ABORTS(to_destroy_one_that_is_in_use_is_misuse, "somebody still sends or receives")
{
    CHECK_EQ(hkt_run(destroy_under_a_reader, NULL), 0);
}

static int accept_one(void *arg)
{
    hkt_connection *connection;
    return hkt_connection_listener_accept(arg, &connection);
}

static int destroy_under_a_host(void *arg)
{
    hkt_connection_listener *listener = must_invite("127.0.0.1:0", NULL);
    hkt_address address;
    (void)arg;
    const char *where = hkt_connection_listener_address(listener);
    CHECK_EQ(hkt_address_parse(&address, "127.0.0.1", atoi(strrchr(where, ':') + 1)), 0);
    hkt_stream *silent = must_connect(&address);
    hkt_task *task = must_start(accept_one, listener);
    char byte;
    CHECK_EQ(hkt_stream_peek(silent, &byte, 1), 1);
    hkt_connection_listener_destroy(listener);
    return hkt_future_finish(task);
}

TEST_ABORTS(to_destroy_a_listener_that_is_in_use_is_misuse, "somebody still accepts")
{
    CHECK_EQ(hkt_run(destroy_under_a_host, NULL), 0);
}
