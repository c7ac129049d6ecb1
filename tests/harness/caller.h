/* SPDX-License-Identifier: MIT */
/* A caller: a thread that makes one call, in a scope of its own. So a test can look at it while it
 * waits, cancel it, and see what the call returned.
 *
 *     struct caller getter;
 *     caller_start(&getter, get_item, queue);
 *     await_waiting_for(getter.thread, queue);
 *     caller_cancel(&getter);
 *     CHECK_EQ(caller_end(&getter), -ECANCELED);
 */
#ifndef HOCKET_TEST_CALLER_H
#define HOCKET_TEST_CALLER_H

#include <errno.h>
#include <hocket/loop.h>
#include <hocket/scope.h>
#include <hocket/task.h>
#include <stdatomic.h>

#include "await.h"
#include "test.h"

struct caller {
    hkt_thread *thread;
    int (*call)(void *);
    void *arg;
    int result;
    atomic_bool in_scope;
    hkt_scope scope;
};

static inline int caller_run(void *arg)
{
    struct caller *caller = arg;
    hkt_scope_enter(&caller->scope, NULL);
    atomic_store(&caller->in_scope, true);
    caller->result = caller->call(caller->arg);
    hkt_scope_leave(&caller->scope);
    return 0;
}

static inline void caller_start(struct caller *caller, int (*call)(void *), void *arg)
{
    caller->call = call;
    caller->arg = arg;
    atomic_init(&caller->in_scope, false);
    CHECK_EQ(hkt_thread_spawn(&caller->thread, caller_run, caller, NULL), 0);
}

/* Starts it, and returns when it waits for this object. */
static inline void caller_start_waiting(struct caller *caller, int (*call)(void *), void *arg,
                                        const void *object)
{
    caller_start(caller, call, arg);
    await_waiting_for(caller->thread, object);
}

static inline void caller_cancel(struct caller *caller)
{
    AWAIT(atomic_load(&caller->in_scope));
    hkt_scope_cancel(&caller->scope);
}

/* Waits for the thread's end: what the call returned. */
static inline int caller_end(struct caller *caller)
{
    CHECK_EQ(hkt_thread_join(caller->thread), 0);
    hkt_thread_destroy(caller->thread);
    return caller->result;
}

/* What the call returns in another thread. */
static inline int call_elsewhere(int (*call)(void *), void *arg)
{
    struct caller caller;
    caller_start(&caller, call, arg);
    return caller_end(&caller);
}

/* What the call returns in a scope that has been cancelled before. */
static inline int call_cancelled(int (*call)(void *), void *arg)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    int result = call(arg);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    return result;
}

/* The same call in n threads at once, each with its element of `args`: all must return 0. Where the
 * test itself is a task, half of them are tasks too. */
static inline void call_in_threads(size_t n, int (*call)(void *), void *args, size_t arg_size)
{
    struct caller callers[64];
    hkt_task *tasks[64] = { NULL };
    CHECK(n <= sizeof callers / sizeof *callers);
    for (size_t i = 0; i < n; i++) {
        void *arg = (char *)args + i * arg_size;
        if (hkt_loop_running() && i % 2)
            CHECK_EQ(hkt_task_spawn(&tasks[i], call, arg), 0);
        else
            caller_start(&callers[i], call, arg);
    }
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(tasks[i] ? hkt_future_finish(tasks[i]) : caller_end(&callers[i]), 0);
}

#endif
