/* SPDX-License-Identifier: MIT */
/* Connections between processes, which end as they like. The children are raw forks, of a test that
 * has no threads yet, and use hocket by themselves. */
#include <hocket.h>
#include <sys/wait.h>

#include "connections.h"

#define BIG ((size_t)4 << 20)

/* What the child does with its end; its exit code. */
typedef int child_part(hkt_connection *connection);

/* Forks a child that has the second end, by its fd as a started program would. */
static pid_t fork_with(hkt_connection *c[2], bool duplex, child_part *part)
{
    CHECK_EQ(hkt_pipe_create(&c[0], &c[1], duplex), 0);
    pid_t child = fork();
    if (child == 0) {
        hkt_connection *mine = NULL;
        int fd = dup(hkt_connection_fileno(c[1]));
        hkt_connection_destroy(c[0]);
        hkt_connection_destroy(c[1]);
        if (hkt_connection_adopt(&mine, fd) < 0)
            _exit(99);
        _exit(part(mine));
    }
    CHECK(child > 0);
    hkt_connection_destroy(c[1]);
    c[1] = NULL;
    return child;
}

static int end_of(pid_t child)
{
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static int echo(hkt_connection *connection)
{
    void *message;
    size_t size;
    int err;
    while ((err = hkt_connection_recv_alloc(connection, &message, &size, 0)) == 0) {
        err = hkt_connection_send(connection, message, size);
        hkt_connection_free(message);
        if (err < 0)
            return 1;
    }
    hkt_connection_destroy(connection);
    return err == -ENODATA ? 0 : 2;
}

TEST(a_child_answers_over_the_end_that_it_was_passed)
{
    hkt_connection *c[2];
    pid_t child = fork_with(c, true, echo);
    unsigned char *data = malloc(100000), *back = malloc(100000);
    for (size_t size = 1; size < 100000; size *= 7) {
        number_bytes(data, size, size);
        CHECK_EQ(hkt_connection_send(c[0], data, size), 0);
        CHECK_EQ(hkt_connection_recv(c[0], back, 100000), size);
        check_bytes(back, size, size);
    }
    hkt_connection_destroy(c[0]);
    CHECK_EQ(end_of(child), 0);
    free(data);
    free(back);
    check_finalized();
}

static int send_without_end(hkt_connection *connection)
{
    char *data = calloc(1, BIG);
    while (hkt_connection_send(connection, data, BIG) == 0)
        ;
    return 3;
}

TEST(who_is_killed_in_the_middle_of_a_message_leaves_a_broken_one)
{
    for (int duplex = 0; duplex < 2; duplex++) {
        hkt_connection *c[2];
        char small[16];
        pid_t child = fork_with(c, duplex, send_without_end);
        CHECK_EQ(hkt_connection_recv(c[0], small, sizeof small), -EMSGSIZE); /* it has begun */
        char *data = malloc(BIG);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
        int n;
        while ((n = hkt_connection_recv(c[0], data, BIG)) == (int)BIG)
            ;
        CHECK_EQ(n, -EPIPE); /* four megabytes do not fit into what is on its way */
        free(data);
        hkt_connection_destroy(c[0]);
    }
    check_finalized();
}

static int wait_for_death(hkt_connection *connection)
{
    int err = hkt_connection_send(connection, "ready", 5);
    while (err == 0)
        pause();
    return 4;
}

TEST(who_is_killed_between_messages_has_gone)
{
    hkt_connection *c[2];
    char byte;
    pid_t child = fork_with(c, true, wait_for_death);
    hear(c[0], "ready");
    struct parcel parcel = { .connection = c[0], .data = &byte, .size = 1 };
    struct caller reader;
    caller_start_waiting(&reader, call_recv, &parcel, c[0]);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(caller_end(&reader), -ENODATA);
    CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
    CHECK_EQ(hkt_connection_send(c[0], "x", 1), -EPIPE);
    hkt_connection_destroy(c[0]);
    check_finalized();
}

TEST(who_is_killed_before_he_reads_all_leaves_the_sender_a_broken_pipe)
{
    hkt_connection *c[2];
    char *data = calloc(1, BIG);
    pid_t child = fork_with(c, true, wait_for_death);
    hear(c[0], "ready");
    struct parcel parcel = { .connection = c[0], .data = data, .size = BIG };
    struct caller sender;
    caller_start_waiting(&sender, call_send, &parcel, c[0]);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(caller_end(&sender), -EPIPE);
    CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
    free(data);
    hkt_connection_destroy(c[0]);
    check_finalized();
}

static int send_a_pipe(hkt_connection *connection)
{
    int fds[2];
    if (pipe(fds) < 0 || hkt_connection_send_fd(connection, fds[0]) < 0 ||
        write(fds[1], "from afar", 9) != 9)
        return 1;
    hkt_connection_destroy(connection);
    return 0;
}

TEST(an_fd_outlives_the_process_that_sent_it)
{
    hkt_connection *c[2];
    char data[16] = { 0 };
    pid_t child = fork_with(c, true, send_a_pipe);
    int fd = hkt_connection_recv_fd(c[0]);
    CHECK(fd >= 0);
    CHECK_EQ(end_of(child), 0);
    CHECK_EQ(read(fd, data, sizeof data), 9);
    CHECK_STR(data, "from afar");
    CHECK_EQ(close(fd), 0);
    hkt_connection_destroy(c[0]);
    check_finalized();
}

/* A listener is killed: of its abstract name nothing is left, and its guests are told. */
static int tell_where_and_listen(hkt_connection *connection)
{
    hkt_connection_listener *listener;
    hkt_connection *guest;
    if (hkt_connection_listener_create(&listener, NULL, NULL) < 0)
        return 1;
    const char *address = hkt_connection_listener_address(listener);
    if (hkt_connection_send(connection, address, strlen(address) + 1) < 0 ||
        hkt_connection_listener_accept(listener, &guest) < 0)
        return 2;
    return wait_for_death(guest);
}

TEST(of_a_listener_that_was_killed_nothing_is_left)
{
    hkt_connection *c[2], *guest = NULL;
    char address[HKT_ADDRESS_MAX], byte;
    pid_t child = fork_with(c, true, tell_where_and_listen);
    CHECK(hkt_connection_recv(c[0], address, sizeof address) > 1);
    CHECK_EQ(strncmp(address, "@hocket-", 8), 0);
    CHECK_EQ(hkt_connection_connect(&guest, address, NULL), 0);
    hear(guest, "ready");
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(hkt_connection_recv(guest, &byte, 1), -ENODATA);
    CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
    hkt_connection_destroy(guest);
    CHECK_EQ(hkt_connection_connect(&guest, address, NULL), -ECONNREFUSED);
    hkt_connection_destroy(c[0]);
    check_finalized();
}

static int connect_as_another_user(hkt_connection *connection)
{
    char address[HKT_ADDRESS_MAX];
    hkt_connection *guest;
    if (hkt_connection_recv(connection, address, sizeof address) < 0 || setuid(12345) < 0)
        return 1;
    return hkt_connection_connect(&guest, address, NULL) == -EKEYREJECTED ? 0 : 2;
}

TEST(a_name_that_was_chosen_for_us_is_for_our_user_alone)
{
    if (geteuid() != 0)
        TEST_SKIP("only root can be somebody else");
    hkt_connection *c[2];
    pid_t child = fork_with(c, true, connect_as_another_user);
    struct acceptance acceptance = { must_invite(NULL, NULL), NULL };
    const char *address = hkt_connection_listener_address(acceptance.listener);
    CHECK_EQ(hkt_connection_send(c[0], address, strlen(address) + 1), 0);
    CHECK_EQ(call_accept(&acceptance), -EKEYREJECTED);
    CHECK_EQ(end_of(child), 0);
    hkt_connection_listener_destroy(acceptance.listener);
    hkt_connection_destroy(c[0]);
    check_finalized();
}
