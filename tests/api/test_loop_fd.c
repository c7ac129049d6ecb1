/* SPDX-License-Identifier: MIT */
/* hkt_fd_wait in tasks: many at one fd, deadlines, cancels, numbers of fds used again. */
#include <sys/resource.h>

#include "loops.h"

static void open_pipe(int ends[2])
{
    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static void open_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void put_byte(int fd)
{
    CHECK_EQ(write(fd, "x", 1), 1);
}

static void fill(int fd)
{
    static const char zeros[4096];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    CHECK_EQ(errno, EAGAIN);
}

static void drain(int fd)
{
    static char room[65536];
    while (read(fd, room, sizeof room) > 0)
        ;
    CHECK_EQ(errno, EAGAIN);
}

/* A wait for an fd, as a task. */
struct wait {
    int fd;
    unsigned events;
    hkt_deadline deadline;
};

static int wait_for_fd(void *arg)
{
    struct wait *wait = arg;
    return hkt_fd_wait_until(wait->fd, wait->events, wait->deadline);
}

static int wait_in_both_directions(void *arg)
{
    int ends[2];
    hkt_task *readers[3], *writers[3], *both[2];
    (void)arg;
    open_pair(ends);
    fill(ends[0]);
    struct wait reading = { .fd = ends[0], .events = HKT_READABLE };
    struct wait writing = { .fd = ends[0], .events = HKT_WRITABLE };
    struct wait either = { .fd = ends[0], .events = HKT_READABLE | HKT_WRITABLE };
    for (int i = 0; i < 3; i++) {
        readers[i] = must_start(wait_for_fd, &reading);
        writers[i] = must_start(wait_for_fd, &writing);
    }
    both[0] = must_start(wait_for_fd, &either);
    CHECK_EQ(hkt_sleep(0.005), 0);
    for (int i = 0; i < 3; i++)
        CHECK(!hkt_future_done(readers[i]) && !hkt_future_done(writers[i]));
    CHECK(!hkt_future_done(both[0]));

    put_byte(ends[1]);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(readers[i]), HKT_READABLE);
    CHECK_EQ(hkt_future_finish(both[0]), HKT_READABLE);
    CHECK_EQ(hkt_sleep(0.005), 0);
    drain(ends[0]);
    both[1] = must_start(wait_for_fd, &either);
    CHECK_EQ(hkt_yield(), 0);
    for (int i = 0; i < 3; i++)
        CHECK(!hkt_future_done(writers[i]));
    drain(ends[1]);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(writers[i]), HKT_WRITABLE);
    CHECK_EQ(hkt_future_finish(both[1]), HKT_WRITABLE);
    close_both(ends);
    return 0;
}

TEST(several_tasks_wait_for_one_fd_in_both_directions)
{
    must_run(wait_in_both_directions, NULL);
}

static int wait_with_deadlines(void *arg)
{
    int ends[2];
    (void)arg;
    open_pipe(ends);
    struct wait reading = { .fd = ends[0], .events = HKT_READABLE };
    hkt_task *patient = must_start(wait_for_fd, &reading);
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0)), -ETIMEDOUT);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.03)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.03);
    CHECK_EQ(hkt_fd_wait(ends[1], HKT_WRITABLE), HKT_WRITABLE);
    put_byte(ends[1]);
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(100)), HKT_READABLE);
    CHECK_EQ(hkt_future_finish(patient), HKT_READABLE);
    close_both(ends);
    return 0;
}

TEST(a_wait_for_an_fd_ends_at_its_deadline)
{
    must_run(wait_with_deadlines, NULL);
}

static int cancel_waits(void *arg)
{
    int ends[2];
    (void)arg;
    open_pipe(ends);
    struct wait reading = { .fd = ends[0], .events = HKT_READABLE };
    for (int i = 0; i < 3; i++) {
        hkt_task *one = must_start(wait_for_fd, &reading), *two = must_start(wait_for_fd, &reading);
        CHECK_EQ(hkt_yield(), 0);
        CHECK_EQ(hkt_future_request_cancel(one), 0);
        CHECK_EQ(hkt_future_finish(one), -ECANCELED);
        CHECK(!hkt_future_done(two));
        put_byte(ends[1]);
        CHECK_EQ(hkt_future_finish(two), HKT_READABLE);
        drain(ends[0]);
    }
    CHECK_EQ(hkt_wait_for(wait_for_fd, &reading, 0.01), -ETIMEDOUT);
    close_both(ends);
    return 0;
}

TEST(a_wait_for_an_fd_is_cancelled_alone)
{
    must_run(cancel_waits, NULL);
}

/* What the system was told for the closed one must not be taken for the next one. */
static int use_numbers_again(void *arg)
{
    int first = -1;
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int ends[2];
        open_pair(ends);
        first = first < 0 ? ends[0] : first;
        CHECK_EQ(ends[0], first);
        struct wait wait = { .fd = ends[0],
                             .events = HKT_READABLE,
                             .deadline = hkt_after(i % 3 == 2 ? 0.0005 : 1000) };
        hkt_task *task = must_start(wait_for_fd, &wait);
        CHECK_EQ(hkt_yield(), 0);
        CHECK(!hkt_future_done(task) || i % 3 == 2);
        if (i % 3 == 0)
            put_byte(ends[1]);
        else if (i % 3 == 1)
            CHECK_EQ(hkt_future_request_cancel(task), 0);
        int result = hkt_future_finish(task);
        CHECK_EQ(result, i % 3 == 0 ? HKT_READABLE : i % 3 == 1 ? -ECANCELED : -ETIMEDOUT);
        close_both(ends);
    }
    return 0;
}

TEST(the_number_of_a_closed_fd_is_waited_for_again)
{
    must_run(use_numbers_again, NULL);
}

/* The open file stays, under another number, after the fd was closed: the system goes on telling of it. */
static int keep_a_copy(void *arg)
{
    int ends[2], next[2];
    (void)arg;
    open_pipe(ends);
    struct wait wait = { .fd = ends[0], .events = HKT_READABLE };
    hkt_task *task = must_start(wait_for_fd, &wait);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK_EQ(hkt_future_finish(task), -ECANCELED);
    int copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 100);
    CHECK(copy >= 100);
    close(ends[0]);
    open_pipe(next);
    CHECK_EQ(next[0], ends[0]);
    task = must_start(wait_for_fd, &wait);
    CHECK_EQ(hkt_yield(), 0);
    put_byte(ends[1]); /* of the old one */
    CHECK_EQ(hkt_sleep(0.005), 0);
    CHECK(!hkt_future_done(task));
    put_byte(next[1]);
    CHECK_EQ(hkt_future_finish(task), HKT_READABLE);
    close(copy);
    close(ends[1]);
    close_both(next);
    return 0;
}

TEST(an_fd_whose_number_had_another_file_is_not_mistaken)
{
    must_run(keep_a_copy, NULL);
}

static int wait_for_what_is_wrong(void *arg)
{
    int ends[2];
    (void)arg;
    open_pipe(ends);
    CHECK_EQ(hkt_fd_wait(-1, HKT_READABLE), -EBADF);
    CHECK_EQ(hkt_fd_wait(ends[0], 0), -EINVAL);
    CHECK_EQ(hkt_fd_wait(ends[0], 4), -EINVAL);
    close_both(ends);
    CHECK_EQ(hkt_fd_wait(ends[0], HKT_READABLE), -EBADF);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    CHECK_EQ(hkt_fd_wait(file, HKT_READABLE | HKT_WRITABLE), HKT_READABLE | HKT_WRITABLE);
    close(file);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_EQ(hkt_fd_wait(null, HKT_WRITABLE), HKT_WRITABLE);
    close(null);
    return 0;
}

TEST(what_cannot_be_waited_for_is_told)
{
    must_run(wait_for_what_is_wrong, NULL);
}

static int see_hang_up(void *arg)
{
    int ends[2];
    (void)arg;
    open_pair(ends);
    fill(ends[0]);
    struct wait reading = { .fd = ends[0], .events = HKT_READABLE };
    struct wait writing = { .fd = ends[0], .events = HKT_WRITABLE };
    hkt_task *reader = must_start(wait_for_fd, &reading);
    hkt_task *writer = must_start(wait_for_fd, &writing);
    CHECK_EQ(hkt_yield(), 0);
    close(ends[1]);
    CHECK_EQ(hkt_future_finish(reader), HKT_READABLE);
    CHECK_EQ(hkt_future_finish(writer), HKT_WRITABLE);
    close(ends[0]);
    return 0;
}

TEST(a_hang_up_counts_as_both)
{
    must_run(see_hang_up, NULL);
}

/* A ring of tasks with a pipe between each and the next. */
struct member {
    int in, out;
    long rounds;
};

static int pass_on(void *arg)
{
    struct member *member = arg;
    char byte;
    for (long i = 0; i < member->rounds; i++) {
        CHECK_EQ(hkt_fd_wait(member->in, HKT_READABLE), HKT_READABLE);
        CHECK_EQ(read(member->in, &byte, 1), 1);
        CHECK_EQ(hkt_fd_wait(member->out, HKT_WRITABLE), HKT_WRITABLE);
        CHECK_EQ(write(member->out, &byte, 1), 1);
    }
    return 0;
}

static int run_ring(void *arg)
{
    enum { MEMBERS = 100 };
    static struct member members[MEMBERS];
    static hkt_task *tasks[MEMBERS];
    (void)arg;
    for (int i = 0; i < MEMBERS; i++) {
        int ends[2];
        open_pipe(ends);
        members[i].out = ends[1];
        members[(i + 1) % MEMBERS].in = ends[0];
        members[i].rounds = test_scaled(50);
    }
    for (int i = 0; i < MEMBERS; i++)
        tasks[i] = must_start(pass_on, &members[i]);
    put_byte(members[MEMBERS - 1].out);
    for (int i = 0; i < MEMBERS; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    for (int i = 0; i < MEMBERS; i++) {
        close(members[i].in);
        close(members[i].out);
    }
    return 0;
}

TEST_TIMEOUT(a_byte_goes_round_a_ring_of_tasks, 60)
{
    must_run(run_ring, NULL);
}

static int wait_without_fds(void *arg)
{
    int ends[2];
    struct rlimit old, none;
    (void)arg;
    open_pipe(ends);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)ends[1] + 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(hkt_fd_wait(ends[0], HKT_READABLE), -EMFILE);
    CHECK_EQ(hkt_fd_wait(ends[1], HKT_WRITABLE), HKT_WRITABLE); /* it is ready: nothing is needed */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    close_both(ends);
    return 0;
}

TEST(without_fds_a_wait_for_an_fd_fails)
{
    must_run(wait_without_fds, NULL);
}
