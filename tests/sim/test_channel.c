/* SPDX-License-Identifier: MIT */
/* Channels and the loop's poller, under all schedules: close against wait against news. The
 * sockets are real, and this program counts how often each fd is closed. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/channel.h"
#include "loops.h"

static struct hkti_channel channel;
static int ends[2]; /* the first is the channel's */
static int closings, wanted;
static hkt_event entered, released;
static hkt_future *waiter;
static char data[8];

/* In place of the C library's. */
int close(int fd);
int close(int fd)
{
    closings += wanted && fd == ends[0];
    return (int)syscall(SYS_close, fd);
}

static int begin(enum hkti_channel_kind kind)
{
    wanted = closings = 0;
    entered = released = (hkt_event){ { 0 } };
    waiter = NULL;
    memset(data, 0, sizeof data);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    hkti_channel_open(&channel, ends[0], kind);
    wanted = 1;
    return loop_begin();
}

/* Whatever came first, it has been closed once, in the end. */
static int end(int err)
{
    err = loop_end(err);
    hkti_channel_close(&channel);
    int closed = closings;
    wanted = 0;
    syscall(SYS_close, ends[1]);
    if (closed == 0)
        syscall(SYS_close, ends[0]);
    MUST(closed == 1);
    return err;
}

/* As a stream reads: at the most so many bytes. */
static int read_some(size_t most)
{
    int n = hkti_channel_enter(&channel);
    if (n < 0)
        return n;
    for (;;) {
        n = hkti_load_relaxed(&channel.quiet[HKTI_IN]) ? -EAGAIN
                                                       : hkti_channel_read(&channel, data, most);
        MUST(closings == 0); /* as long as the caller is in */
        if (n != -EAGAIN)
            break;
        n = hkti_channel_wait(&channel, POLLIN, 0);
        MUST(closings == 0);
        if (n < 0)
            break;
    }
    hkti_channel_leave(&channel);
    return n;
}

static int reads(void *arg)
{
    (void)arg;
    hkt_event_set(&entered);
    return read_some(8);
}

static int writes(void *arg)
{
    (void)arg;
    hkt_simulate_point(); /* a call of the system is none */
    ssize_t n = send(ends[1], "x", 1, MSG_NOSIGNAL);
    return n == 1 || errno == EPIPE ? 0 : -EIO;
}

static int closes(void *arg)
{
    (void)arg;
    hkti_channel_close(&channel);
    return 0;
}

static int waits_for_reader(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    return 0;
}

static int closes_late(void *arg)
{
    return waits_for_reader(arg) < 0 ? 0 : closes(arg);
}

/* A byte, and two who close, while somebody reads: a task, or a thread. */
static int is_read_and_closed(int err)
{
    MUST(err == 1 || err == -ESHUTDOWN || err == -ECANCELED);
    MUST((err == 1) == (data[0] == 'x'));
    MUST(read_some(8) == -ESHUTDOWN || err == 1);
    return 0;
}

static int closed_under_task(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    beside(writes);
    beside(closes);
    beside(closes_late);
    int err = is_read_and_closed(hkt_loop_run(loop, reads, NULL));
    return end(err);
}

static int closed_under_thread(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    beside(writes);
    beside(closes);
    beside(closes_late);
    int err = is_read_and_closed(reads(NULL));
    return end(err);
}

TEST_TIMEOUT(a_channel_is_closed_once_and_who_waits_is_told, 60)
{
    bury();
    prove_for(2000, closed_under_task);
    prove_for(2000, closed_under_thread);
}

/* Without news: only the close can end the wait, so it must. */
static int only_closed_task(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    beside(closes);
    int err = hkt_loop_run(loop, reads, NULL);
    MUST(err == -ESHUTDOWN || err == -ECANCELED);
    return end(0);
}

static int only_closed_thread(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    beside(closes_late);
    int err = reads(NULL);
    MUST(err == -ESHUTDOWN || err == -ECANCELED);
    return end(0);
}

TEST_TIMEOUT(a_close_wakes_who_waits, 60)
{
    bury();
    prove_for(2000, only_closed_task);
    prove_for(2000, only_closed_thread);
}

/* The wait is cancelled when the byte comes; the next one who reads has it. */
static int cancels(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    (void)hkt_future_request_cancel(waiter);
    return 0;
}

static int is_cancelled(void *arg)
{
    int err, result;
    (void)arg;
    MUST(hkt_task_spawn(&waiter, reads, NULL) == 0);
    beside(cancels);
    err = hkt_future_wait(waiter);
    MUST(err == 0 && hkt_future_result(waiter, &result) == 0);
    MUST(result == 1 || result == -ECANCELED);
    if (result < 0) {
        MUST(data[0] == 0);
        err = read_some(8);
        MUST(err == 1);
    }
    return 0;
}

static int cancelled_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_TCP) == 0);
    beside(writes);
    int err = hkt_loop_run(loop, is_cancelled, NULL);
    MUST(join_others() == 0);
    MUST(err < 0 || data[0] == 'x');
    hkt_future_destroy(waiter);
    return end(err);
}

TEST_TIMEOUT(a_cancelled_wait_leaves_the_news_to_the_next_one, 60)
{
    bury();
    prove_for(2500, cancelled_meanwhile);
}

/* Byte by byte, while the reader now waits and now does not: news that come when nobody waits are
 * kept. */
static int writes_three(void *arg)
{
    for (int i = 0; i < 3; i++) {
        (void)hkt_sleep(1e-6);
        MUST(writes(arg) == 0);
    }
    return 0;
}

static int reads_three(void *arg)
{
    (void)arg;
    for (int got = 0; got < 3;) {
        int n = read_some(8); /* short, so the next one waits without a try */
        MUST(n > 0 || n == -ECANCELED);
        if (n < 0)
            return n;
        got += n;
        MUST(got <= 3);
        if (got < 3)
            (void)hkt_sleep(1e-6); /* the loop looks, and nobody waits */
    }
    return 0;
}

static int three_pieces(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_TCP) == 0);
    beside(writes_three);
    return end(hkt_loop_run(loop, reads_three, NULL));
}

/* The same, read in turn by a task of the loop and by a thread. */
static int one_in_turn(void *arg)
{
    (void)arg;
    int n = read_some(1);
    return n == 1 ? 0 : n < 0 ? n : -EIO;
}

static int three_in_turn(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    beside(writes_three);
    int err = hkt_loop_run(loop, one_in_turn, NULL);
    if (err == 0)
        err = one_in_turn(NULL);
    if (err == 0)
        err = hkt_loop_run(loop, one_in_turn, NULL);
    return end(err);
}

TEST_TIMEOUT(news_that_nobody_waits_for_are_kept, 60)
{
    bury();
    prove_for(2500, three_pieces);
    prove_for(2500, three_in_turn);
}

/* The end comes with the last byte, or after it, and is no news a second time. */
static int writes_and_ends(void *arg)
{
    MUST(writes(arg) == 0);
    hkt_simulate_point();
    return shutdown(ends[1], SHUT_WR) == 0 ? 0 : -EIO;
}

static int reads_to_the_end(void *arg)
{
    (void)arg;
    int n = read_some(8);
    MUST(n == 1 || n == -ECANCELED);
    for (int i = 0; i < 2 && n >= 0; i++) {
        n = read_some(8);
        MUST(n == 0 || n == -ECANCELED);
    }
    return n;
}

static int last_byte(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_TCP) == 0);
    beside(writes_and_ends);
    return end(hkt_loop_run(loop, reads_to_the_end, NULL));
}

TEST_TIMEOUT(the_end_is_seen_though_it_came_with_the_last_byte, 60)
{
    bury();
    prove_for(2500, last_byte);
}

/* One reads and one writes; each hears what is his, also when it comes for both at once. */
static int write_one(void)
{
    struct iovec piece = { "y", 1 };
    int n = hkti_channel_enter(&channel);
    while (n >= 0) {
        n = hkti_load_relaxed(&channel.quiet[HKTI_OUT]) ? -EAGAIN
                                                        : hkti_channel_write(&channel, &piece, 1);
        if (n == -EAGAIN)
            n = hkti_channel_wait(&channel, POLLOUT, 0);
        else
            break;
    }
    hkti_channel_leave(&channel);
    return n;
}

static int writes_when_there_is_room(void *arg)
{
    (void)arg;
    int n = write_one();
    return n == 1 ? 0 : n < 0 ? n : -EIO;
}

static int makes_room_and_writes(void *arg)
{
    static char room[4096];
    while (read(ends[1], room, sizeof room) > 0)
        ;
    return writes(arg);
}

static int reads_and_writes(void *arg)
{
    hkt_task *writer;
    MUST(hkt_task_spawn(&writer, writes_when_there_is_room, NULL) == 0);
    int n = reads(arg);
    int err = hkt_future_finish(writer);
    MUST(n == 1 || n == -ECANCELED);
    MUST(err == 0 || err == -ECANCELED);
    return err;
}

static int both_directions(void *arg)
{
    static const char zeros[4096];
    int small = 1;
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    MUST(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    while (write(ends[0], zeros, sizeof zeros) > 0)
        ;
    beside(makes_room_and_writes);
    return end(hkt_loop_run(loop, reads_and_writes, NULL));
}

TEST_TIMEOUT(a_reader_and_a_writer_hear_each_his_own, 60)
{
    bury();
    prove_for(1500, both_directions);
}

/* Somebody waits for the same fd without the channel, a few times, and takes no news from it. */
static int waits_for_fd(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < 4 && err >= 0; i++) {
        err = hkt_fd_wait(ends[0], HKT_READABLE);
        MUST(err == HKT_READABLE || err == -ECANCELED);
        if (err > 0)
            err = hkt_yield();
    }
    return err;
}

static int waits_and_reads(void *arg)
{
    hkt_task *other;
    int n = one_in_turn(arg); /* the loop knows the channel first, in some schedules */
    MUST(hkt_task_spawn(&other, waits_for_fd, NULL) == 0);
    for (int i = 0; i < 2 && n == 0; i++)
        n = one_in_turn(arg);
    (void)hkt_future_request_cancel(other);
    int err = hkt_future_finish(other);
    MUST(err == 0 || err == -ECANCELED);
    return n;
}

static int beside_another_wait(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_TCP) == 0);
    beside(writes_three);
    return end(hkt_loop_run(loop, waits_and_reads, NULL));
}

TEST_TIMEOUT(an_fd_may_be_waited_for_beside_its_channel, 60)
{
    bury();
    prove_for(2000, beside_another_wait);
}

/* The number is used again, while what had it lives on (a child of fork has it, say): what is
 * heard of the old one is not taken for news of the new one. */
static int other_pair[2], old;

static int waits_for_new(void *arg)
{
    (void)arg;
    int err = hkt_fd_wait(ends[0], HKT_READABLE);
    hkt_event_set(&released);
    return err < 0 ? err : err == HKT_READABLE ? 0 : -EIO;
}

static int uses_number_again(void *arg)
{
    hkt_task *task;
    (void)arg;
    MUST(writes(NULL) == 0);
    MUST(read_some(8) == 1 || hkt_checkpoint() < 0);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(1e-6) });
    (void)read_some(8); /* now the system knows it */
    hkt_scope_leave(&scope);
    hkti_channel_close(&channel);
    MUST(dup2(other_pair[0], ends[0]) == ends[0]);
    MUST(hkt_task_spawn(&task, waits_for_new, NULL) == 0);
    (void)hkt_sleep(1e-6);
    MUST(writes(NULL) == 0); /* to the old one */
    for (int i = 0; i < 3; i++)
        (void)hkt_sleep(1e-6); /* the loop looks */
    MUST(!hkt_event_is_set(&released));
    MUST(write(other_pair[1], "x", 1) == 1);
    return hkt_future_finish(task);
}

static int number_used_again(void *arg)
{
    (void)arg;
    MUST(begin(HKTI_CHANNEL_SOCKET) == 0);
    old = dup(ends[0]);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other_pair) == 0);
    int err = hkt_loop_run(loop, uses_number_again, NULL);
    err = end(err);
    syscall(SYS_close, ends[0]);
    syscall(SYS_close, old);
    syscall(SYS_close, other_pair[0]);
    syscall(SYS_close, other_pair[1]);
    return err;
}

TEST_TIMEOUT(what_an_old_fd_of_the_same_number_says_is_not_heard, 60)
{
    bury();
    prove_for(500, number_used_again);
}
