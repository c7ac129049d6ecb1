/* SPDX-License-Identifier: MIT */
/* Scopes and the two ways to sleep, under all schedules: no cancel is lost, and nobody touches a
 * scope, a strand or an eventfd that is gone. */
#include <poll.h>
#include <unistd.h>

#include "park/strand.h"
#include "proof.h"

static hkt_event entered;
static hkt_scope *scope;

static int cancels(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    hkt_scope_cancel(scope);
    return 0;
}

static int sleeps_until_cancelled(void *arg)
{
    (void)arg;
    static hkt_scope mine;
    hkt_scope_enter(&mine, NULL);
    scope = &mine;
    hkt_event_set(&entered);
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    MUST(err == -ECANCELED);
    err = hkt_sleep(1);
    MUST(err == -ECANCELED);
    err = hkt_scope_leave(&mine);
    MUST(err == -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    entered = (hkt_event){ { 0 } };
    return TOGETHER(sleeps_until_cancelled, cancels, cancels);
}

TEST_TIMEOUT(no_cancel_is_lost, 120)
{
    prove(cancelled);
}

static int leaves_soon(void *arg)
{
    (void)arg;
    static hkt_scope mine;
    hkt_scope_enter(&mine, &(hkt_scope_options){ .deadline = hkt_after(10e-6) });
    scope = &mine;
    hkt_event_set(&entered);
    int err = hkt_sleep(20e-6);
    MUST(err == -ECANCELED || err == 0);
    int end = hkt_scope_leave(&mine);
    MUST(end == -ECANCELED || end == -ETIMEDOUT || (end == 0 && err == 0));
    memset(&mine, 0x5a, sizeof mine); /* nobody may write to it any more; it reads as left */
    return 0;
}

static int reschedules(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    hkt_scope_reschedule(scope, hkt_after(5e-6));
    return 0;
}

static int left_meanwhile(void *arg)
{
    (void)arg;
    entered = (hkt_event){ { 0 } };
    int err = TOGETHER(leaves_soon, cancels, reschedules);
    for (size_t i = 0; err == 0 && i < sizeof *scope; i++)
        MUST(((const char *)scope)[i] == 0x5a);
    return err;
}

TEST_TIMEOUT(a_scope_may_be_left_while_it_is_cancelled, 120)
{
    prove(left_meanwhile);
}

/* In ppoll. */
static int pipe_fds[2];

static int waits_for_the_pipe(void *arg)
{
    (void)arg;
    static hkt_scope mine;
    hkt_scope_enter(&mine, NULL);
    scope = &mine;
    hkt_event_set(&entered);
    int err = hkt_fd_wait_until(pipe_fds[0], HKT_READABLE, hkt_after(30e-6));
    MUST(err == HKT_READABLE || err == -ECANCELED || err == -ETIMEDOUT);
    int end = hkt_scope_leave(&mine);
    MUST(err != -ECANCELED || end == -ECANCELED);
    /* The eventfd must be empty again: else the next wait would not sleep, but spin. */
    struct pollfd wake = { .fd = hkti_self()->wake_fd - 1, .events = POLLIN };
    MUST(wake.fd < 0 || poll(&wake, 1, 0) == 0);
    return 0;
}

static int writes(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    return write(pipe_fds[1], "x", 1) == 1 ? 0 : -EIO;
}

static int in_ppoll(void *arg)
{
    (void)arg;
    entered = (hkt_event){ { 0 } };
    if (pipe(pipe_fds) < 0)
        return -errno;
    int err = TOGETHER(waits_for_the_pipe, cancels, writes);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return err;
}

TEST_TIMEOUT(who_sleeps_in_ppoll_is_woken_by_fd_deadline_or_cancel, 120)
{
    prove(in_ppoll);
}
