/* SPDX-License-Identifier: MIT */
/* Connections with processes that hocket has started, by each way to start: the child gets an end
 * by the number of its fd. */
#include "processes.h"

struct errand {
    int fd;
    char address[HKT_ADDRESS_MAX];
};

static int answer(void *arg)
{
    const struct errand *errand = arg;
    hkt_connection *connection = NULL;
    char data[64];
    int n, err = hkt_connection_adopt(&connection, errand->fd);
    if (err < 0)
        return err;
    /* Until an empty one: a copy by fork has our end too, and would not see it go. */
    while ((n = hkt_connection_recv(connection, data, sizeof data)) > 0)
        if ((err = hkt_connection_send(connection, data, (size_t)n)) < 0)
            return err;
    hkt_connection_destroy(connection);
    return n;
}

static hkt_process *start_with(hkt_start_method method, hkt_job *job, struct errand *errand,
                               hkt_connection *theirs)
{
    hkt_process *process = NULL;
    errand->fd = hkt_connection_fileno(theirs);
    hkt_process_options options = { .method = method, .pass_fds = &errand->fd, .pass_fd_count = 1 };
    int err = hkt_process_spawn(&process, job, errand, sizeof *errand, &options);
    if (err < 0)
        test_fail(__FILE__, __LINE__, "a start by %s: %s", hkt_start_method_name(method),
                  hkt_sentence(err));
    hkt_connection_destroy(theirs);
    return process;
}

TEST_TIMEOUT(a_child_adopts_the_end_whose_fd_it_was_passed, 60)
{
    EACH_METHOD(method)
    {
        hkt_connection *ours, *theirs;
        struct errand errand = { 0 };
        char data[64] = "";
        CHECK_EQ(hkt_pipe_create(&ours, &theirs, true), 0);
        hkt_process *child = start_with(method, answer, &errand, theirs);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(hkt_connection_send(ours, "to and fro", 11), 0);
            CHECK_EQ(hkt_connection_recv(ours, data, sizeof data), 11);
            CHECK_STR(data, "to and fro");
        }
        CHECK_EQ(hkt_connection_send(ours, NULL, 0), 0);
        CHECK_EQ(end_of(child), 0);
        hkt_connection_destroy(ours);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

static int say_and_wait(void *arg)
{
    const struct errand *errand = arg;
    hkt_connection *connection = NULL;
    int err = hkt_connection_adopt(&connection, errand->fd);
    if (err == 0)
        err = hkt_connection_send(connection, "here", 4);
    return err < 0 ? err : hkt_sleep(1000);
}

TEST_TIMEOUT(connections_and_sentinels_are_waited_for_together, 60)
{
    EACH_METHOD(method)
    {
        hkt_connection *ours, *theirs;
        struct errand errand = { 0 };
        bool ready[2];
        char data[8];
        CHECK_EQ(hkt_pipe_create(&ours, &theirs, true), 0);
        hkt_process *child = start_with(method, say_and_wait, &errand, theirs);
        const int fds[2] = { hkt_process_sentinel(child), hkt_connection_fileno(ours) };
        CHECK_EQ(hkt_wait_many(fds, ready, 2), 1);
        CHECK(!ready[0] && ready[1]);
        CHECK_EQ(hkt_connection_recv(ours, data, sizeof data), 4);
        CHECK_EQ(hkt_wait_many_until(fds, ready, 2, hkt_after(0)), -ETIMEDOUT);
        CHECK_EQ(hkt_process_kill(child), 0);
        while (hkt_wait_many(fds, ready, 2) == 1 && !ready[0]) /* the end comes first, perhaps */
            usleep(100);
        CHECK(ready[0]);
        CHECK_EQ(hkt_connection_recv(ours, data, sizeof data), -ENODATA);
        hkt_connection_destroy(ours);
        CHECK_EQ(end_of(child), -SIGKILL);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

static int visit(void *arg)
{
    static const hkt_connection_options key = { .authkey = "key", .authkey_size = 3 };
    const struct errand *errand = arg;
    hkt_connection *connection = NULL;
    int err = hkt_connection_connect(&connection, errand->address, &key);
    if (err < 0)
        return err;
    err = hkt_connection_send_fd(connection, 1);
    hkt_connection_destroy(connection);
    return err;
}

TEST_TIMEOUT(a_child_comes_to_a_listener_with_the_key, 60)
{
    static const hkt_connection_options key = { .authkey = "key", .authkey_size = 3 };
    EACH_METHOD(method)
    {
        hkt_connection_listener *listener;
        hkt_connection *guest;
        struct errand errand = { .fd = -1 };
        CHECK_EQ(hkt_connection_listener_create(&listener, NULL, &key), 0);
        strcpy(errand.address, hkt_connection_listener_address(listener));
        hkt_process *child = start_by(method, visit, &errand, sizeof errand);
        CHECK_EQ(hkt_connection_listener_accept(listener, &guest), 0);
        int fd = hkt_connection_recv_fd(guest);
        CHECK(fd >= 0);
        CHECK_EQ(close(fd), 0);
        CHECK_EQ(end_of(child), 0);
        hkt_connection_destroy(guest);
        hkt_connection_listener_destroy(listener);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

/* The name of a segment that a child has made; it is gone when the child has ended, however. */
static int make_segment(void *arg)
{
    const struct errand *errand = arg;
    static hkt_shared_memory *segment; /* kept until the exit: no leak */
    hkt_connection *connection = NULL;
    char byte;
    int err = hkt_connection_adopt(&connection, errand->fd);
    if (err == 0)
        err = hkt_shared_memory_create(&segment, NULL, 100);
    if (err < 0)
        return err;
    strcpy(hkt_shared_memory_bytes(segment), "made by a child");
    const char *name = hkt_shared_memory_name(segment);
    err = hkt_connection_send(connection, name, strlen(name) + 1);
    if (err == 0)
        err = hkt_connection_recv(connection, &byte, 1);
    hkt_connection_destroy(connection);
    return err == 1 ? 0 : err; /* its exit removes the name */
}

TEST_TIMEOUT(a_childs_segment_is_there_until_it_ends, 60)
{
    EACH_METHOD(method)
    for (int killed = 0; killed < 2; killed++) {
        hkt_connection *ours, *theirs;
        hkt_shared_memory *segment = NULL;
        struct errand errand = { 0 };
        char name[64];
        CHECK_EQ(hkt_pipe_create(&ours, &theirs, true), 0);
        hkt_process *child = start_with(method, make_segment, &errand, theirs);
        CHECK(hkt_connection_recv(ours, name, sizeof name) > 1);
        CHECK_EQ(hkt_shared_memory_open(&segment, name), 0);
        CHECK_STR(hkt_shared_memory_bytes(segment), "made by a child");
        hkt_shared_memory_destroy(segment);
        if (killed)
            CHECK_EQ(hkt_process_kill(child), 0);
        else
            CHECK_EQ(hkt_connection_send(ours, "x", 1), 0);
        CHECK_EQ(end_of(child), killed ? -SIGKILL : 0);
        CHECK_EQ(hkt_shared_memory_open(&segment, name), -ENOENT);
        hkt_connection_destroy(ours);
    }
    CHECK_EQ(hkt_finalize(), 0);
}
