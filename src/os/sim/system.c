/* SPDX-License-Identifier: MIT */
/* The system's part: futexes, fds, the clock, threads; and the table of the seam.
 *
 * A call of the system empties the caller's store buffer. A futex wait looks at the word and goes
 * to sleep in one step. Fds are real: pipes and eventfds made and written natively; a strand that
 * waits for one is looked at before each step. */
#include <errno.h>
#include <poll.h>

#include "os/sim/describe.h"
#include "os/sim/sim.h"

static void call(unsigned kind)
{
    hkti_sim_point(kind, false);
    hkti_sim_land(hkti_sim.current);
}

static void trace(unsigned kind, const void *address, uint64_t a, uint64_t b, uint64_t result)
{
    if (hkti_sim.trace)
        hkti_sim_trace_line(kind, address, a, b, result);
}

static bool passed(int64_t deadline)
{
    return deadline != 0 && deadline <= hkti_sim.now;
}

static int futex_wait_many(uint32_t *word, uint32_t expected, uint32_t *const others[],
                           const uint32_t others_expected[], size_t n, int64_t deadline)
{
    call(HKTI_SIM_WAIT);
    trace(HKTI_SIM_WAIT, word, expected, *word, 0);
    if (*word != expected)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (*others[i] != others_expected[i])
            return 0;
    if (passed(deadline))
        return -ETIMEDOUT;
    if (hkti_sim.strategy->spurious()) {
        hkti_sim_point(HKTI_SIM_WAIT, false);
        return 0;
    }
    hkti_sim.current->word = word;
    hkti_sim.current->other_words = others;
    hkti_sim.current->other_count = n;
    return hkti_sim_block(HKTI_SIM_IN_FUTEX, deadline);
}

static int futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
    return futex_wait_many(word, expected, NULL, NULL, 0, deadline);
}

static bool sleeps_on(const struct hkti_sim_strand *strand, const uint32_t *word)
{
    if (strand->state != HKTI_SIM_IN_FUTEX)
        return false;
    for (size_t i = 0; i < strand->other_count; i++)
        if (strand->other_words[i] == word)
            return true;
    return strand->word == word;
}

/* Which of those who sleep on word is to wake: who came first, or the strategy's choice. */
static struct hkti_sim_strand *sleeper_on(const uint32_t *word)
{
    struct hkti_sim_strand *first = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < hkti_sim.waiting_count; i++) {
        struct hkti_sim_strand *strand = hkti_sim.waiting[i];
        if (!sleeps_on(strand, word))
            continue;
        count++;
        if (first == NULL || strand->since < first->since)
            first = strand;
    }
    if (count < 2 || hkti_sim.strategy->pick == NULL)
        return first;
    size_t chosen = hkti_sim.strategy->pick(count);
    for (uint32_t i = 0;; i++)
        if (sleeps_on(hkti_sim.waiting[i], word) && chosen-- == 0)
            return hkti_sim.waiting[i];
}

static void futex_wake(uint32_t *word, int count)
{
    struct hkti_sim_strand *strand;
    call(HKTI_SIM_WAKE);
    trace(HKTI_SIM_WAKE, word, (uint64_t)count, 0, 0);
    while (count-- > 0 && (strand = sleeper_on(word)) != NULL)
        hkti_sim_wake(strand, 0);
}

bool hkti_sim_fd_ready(struct hkti_sim_strand *strand)
{
    struct pollfd fds[2] = { { .fd = strand->fd, .events = strand->events },
                             { .fd = strand->wake_fd, .events = POLLIN } };
    int saved = errno;
    int ready = poll(fds, 2, 0);
    strand->revents = ready > 0 ? fds[0].revents : 0;
    strand->result = ready < 0 && errno != EINTR && errno != EAGAIN ? -errno : 0;
    errno = saved;
    return ready != 0;
}

static int wait_for_fd(int fd, short events, short *revents, int wake_fd, int64_t deadline)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    call(HKTI_SIM_POLL);
    trace(HKTI_SIM_POLL, NULL, (uint64_t)fd, (uint64_t)events, 0);
    self->fd = fd;
    self->events = events;
    self->wake_fd = wake_fd;
    int err;
    if (hkti_sim_fd_ready(self))
        err = self->result;
    else if (passed(deadline))
        err = -ETIMEDOUT;
    else
        err = hkti_sim_block(HKTI_SIM_IN_POLL, deadline);
    *revents = err < 0 ? 0 : self->revents;
    return err;
}

static int64_t now(void)
{
    hkti_sim_point(HKTI_SIM_NOW, false);
    return hkti_sim.now;
}

static void spin(void)
{
    hkti_sim_point(HKTI_SIM_PAUSE, true);
}

static void *local(void)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    return self->other_local ? self->other_local : self->local;
}

static void set_local(void *local, const void *stack)
{
    hkti_sim.current->other_local = stack ? local : NULL;
    hkti_sim.current->other_stack = stack;
}

static int at_thread_exit(void (*function)(void *local))
{
    hkti_sim.current->at_exit = function;
    return 0;
}

static int thread_start(struct hkti_os_thread *thread, void (*function)(void *), void *arg)
{
    struct hkti_sim_strand *strand;
    hkti_sim_land(hkti_sim.current);
    int err = hkti_sim_strand_start(thread->stack_size, function, arg, &strand);
    if (err < 0)
        return err;
    thread->handle = (uintptr_t)strand->number << 32 | strand->slot;
    trace(HKTI_SIM_START, NULL, strand->number, 0, 0);
    hkti_sim_point(HKTI_SIM_START, false);
    return 0;
}

static void thread_join(struct hkti_os_thread *thread)
{
    struct hkti_sim_strand *other = hkti_sim.slots[(uint32_t)thread->handle];
    uint32_t number = (uint32_t)(thread->handle >> 32);
    call(HKTI_SIM_JOIN);
    trace(HKTI_SIM_JOIN, NULL, number, 0, 0);
    if (other->state == HKTI_SIM_FREE || other->number != number)
        return;
    hkti_sim.current->joined = number;
    hkti_sim_block(HKTI_SIM_IN_JOIN, 0);
}

static int native_id(void)
{
    return (int)hkti_sim.current->number;
}

static void released(void)
{
    hkti_sim_land(hkti_sim.current);
}

const struct hkti_seam hkti_sim_seam = {
    .atomic = hkti_sim_access,
    .futex_wait = futex_wait,
    .futex_wait_many = futex_wait_many,
    .futex_wake = futex_wake,
    .now = now,
    .pause = spin,
    .local = local,
    .set_local = set_local,
    .at_thread_exit = at_thread_exit,
    .poll = wait_for_fd,
    .thread_start = thread_start,
    .thread_join = thread_join,
    .native_id = native_id,
    .released = released,
};
