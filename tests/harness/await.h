/* SPDX-License-Identifier: MIT */
/* Waiting for what another thread does, in tests. Everything here looks again and again, with a
 * short pause, until it is so; what never comes is ended by the test's deadline. So no test
 * guesses how long another thread takes, and none is slower than it must be. */
#ifndef HOCKET_TEST_AWAIT_H
#define HOCKET_TEST_AWAIT_H

#include <hocket/thread_state.h>
#include <time.h>

/* Not a wait of hocket's: it changes no state, gives no giant lock away, and is never cancelled. */
static inline void await_moment(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

/* Until the condition holds; read atomics in it. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        while (!(condition))                                                                       \
            await_moment();                                                                        \
    } while (0)

/* Until the thread is in this state. */
static inline void await_state(const hkt_thread *thread, hkt_thread_state state)
{
    AWAIT(hkt_thread_get_state(thread) == state);
}

static inline bool waits_for(const hkt_thread *thread, const void *object)
{
    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    return info.waits_for && info.object == object;
}

/* Until the thread waits for this lock, queue, event...: then it is in its list. */
static inline void await_waiting_for(const hkt_thread *thread, const void *object)
{
    AWAIT(waits_for(thread, object));
}

/* Since when the thread waits, which it must; on the clock of hkt_monotonic. */
static inline double waits_since(const hkt_thread *thread)
{
    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    return info.since;
}

/* Until so many seconds have passed on that clock, without waiting in hocket. */
static inline void await_time(double monotonic)
{
    AWAIT(hkt_monotonic() >= monotonic);
}

/* Keeps the processor for so many seconds, to come at any moment of what another thread does. */
static inline void await_spinning(double seconds)
{
    for (double end = hkt_monotonic() + seconds; hkt_monotonic() < end;)
        ;
}

#endif
