/* SPDX-License-Identifier: MIT */
/*
 * Every kind of wait that hocket has, as a table, for tests of what holds for each of them:
 * a cancel, a deadline, a signal, idleness.
 *
 * A place is where one can wait for ever: an event that nobody sets, a lock that is held, a full
 * queue, a thread that does not end. Leaving it, `place_close`, lets all through. Threads that
 * wait in one should be daemons, since one of the kinds waits for all that are not.
 */
#ifndef HOCKET_TESTS_WAITS_H
#define HOCKET_TESTS_WAITS_H

#include <hocket.h>

#include "await.h"
#include "test.h"

/* Is this build made with a sanitizer? With TSan? */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif
#define SANITIZED (UNDER_TSAN || UNDER_ASAN)

/* Upper bounds are for a loaded machine: what should take milliseconds takes less than this. */
#define SOON 5.0

struct place {
    hkt_event event, open, kept;
    hkt_lock lock, condition_lock;
    hkt_rlock rlock;
    hkt_rwlock rwlock;
    hkt_condition condition;
    hkt_semaphore semaphore;
    hkt_barrier barrier;
    hkt_once once;
    hkt_queue *empty, *full;
    hkt_thread *keeper; /* holds rlock and rwlock, is in `once`, and ends when `open` is set */
    int pipe[2];        /* empty */
    int full_pipe[2];
    long inside; /* of condition_lock: changed by who holds it */
};

struct wait_kind {
    const char *name;
    const char *waits_for; /* as in hkt_thread_info */
    int (*wait)(struct place *place);
    int (*wait_until)(struct place *place, hkt_deadline deadline); /* NULL: it has none */
    int timed_out; /* what wait_until returns when its deadline has passed */
};

/* All that can be cancelled. */
extern const struct wait_kind wait_kinds[];
extern const size_t wait_kind_count;

void place_open(struct place *place);
void place_close(struct place *place);

/* A thread, a daemon, in one kind of wait, in a scope of its own. Zero what is not set. */
struct waiter {
    struct place *place;
    const struct wait_kind *kind;
    hkt_deadline deadline; /* {0}: kind->wait, else kind->wait_until */
    hkt_scope_options options;
    hkt_scope scope;
    hkt_event entered; /* the scope has been */
    hkt_thread *thread;
    double began, took;
    int result, again; /* of the wait; of a second one in the same scope, after an error */
    int left;          /* of the scope */
};

void waiter_start(struct waiter *waiter);
void waiter_join(struct waiter *waiter);

/* Until the thread waits in hocket, and the kernel has put it to sleep. */
void await_asleep(const hkt_thread *thread);

/* A thread that must be had. */
hkt_thread *must_spawn(int (*function)(void *), void *arg, const hkt_thread_options *options);
/* Joins a thread that must have succeeded, and gives the handle back. */
void must_join(hkt_thread *thread);
/* Joins it and gives it back; its result. */
int join_result(hkt_thread *thread);

#endif
