/* SPDX-License-Identifier: MIT */
/* Bad days: no file descriptors. Only waiting for one needs another (an eventfd, to be woken). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "waits.h"

static struct rlimit usual;

/* From now on no fd can be opened; those that are open stay. */
static void forbid_fds(void)
{
    int next = dup(STDERR_FILENO);
    CHECK(next >= 0);
    close(next);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit none = { .rlim_cur = (rlim_t)next, .rlim_max = usual.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(dup(STDERR_FILENO), -1);
}

static void allow_fds(void)
{
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

TEST(waiting_for_an_fd_without_fds)
{
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    forbid_fds();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), -EMFILE);
        CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(1)), -EMFILE);
    }
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_WRITABLE), HKT_WRITABLE); /* need not wait */
    CHECK_EQ(hkt_fd_wait(fds[0], 0), -EINVAL);
    CHECK_EQ(hkt_fd_wait(12345, HKT_READABLE), -EBADF);
    allow_fds();
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    forbid_fds(); /* once it has its eventfd, the thread keeps it */
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    allow_fds();
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(waiting_for_an_fd_beyond_the_limit)
{
    int fds[2];
    struct rlimit one;
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    one = (struct rlimit){ .rlim_cur = 1, .rlim_max = usual.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &one), 0);
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_WRITABLE), HKT_WRITABLE);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), -EMFILE);
    allow_fds();
    close(fds[0]);
    close(fds[1]);
}

TEST(a_report_on_a_signal_without_fds)
{
    forbid_fds();
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), -EMFILE);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
    allow_fds();
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0);
    CHECK_EQ(hkt_finalize(), 0);
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

TEST(all_else_goes_on_without_fds)
{
    struct place place;
    place_open(&place);
    forbid_fds();
    hkt_event event = { 0 };
    hkt_thread_options options = { .name = "no fds", .daemon = HKT_DAEMON_YES };
    hkt_thread *thread = must_spawn(wait_for_event, &event, &options);
    CHECK_EQ(hkt_thread_set_name(thread, "still none"), 0);
    CHECK_STR(hkt_thread_name(thread), "still none");
    for (size_t i = 0; i < wait_kind_count; i++) {
        const struct wait_kind *kind = &wait_kinds[i];
        bool fd = strncmp(kind->name, "fd", 2) == 0;
        printf("%s\n", kind->name);
        if (kind->wait_until)
            CHECK_EQ(kind->wait_until(&place, hkt_after(0.002)), fd ? -EMFILE : kind->timed_out);
        hkt_barrier_reset(&place.barrier);
    }
    hkt_event_set(&event);
    must_join(thread);
    allow_fds();
    place_close(&place);
}
