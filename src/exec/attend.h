/* SPDX-License-Identifier: MIT */
/* Attending: a thread that waits for a job of an engine in another address space looks itself whether
 * it has ended, so that nobody stands between the result and it. The engine has a word that whoever
 * ends a job there changes; the thread sleeps on it beside its own.
 *
 *     struct hkti_attendance attendance = { .executor = NULL };
 *     hkti_attend_hold(&attendance, future);
 *     hkti_attend_begin(&attendance, deadline);
 *     do {
 *         hkti_attend_prepare(&attendance, &wait, is_over, arg);       spins; says what to wait for
 *         err = ... hkti_wait(&wait);
 *     } while (err == 1);
 *     hkti_attend_end(&attendance);
 *     hkti_attend_drop(&attendance);
 *
 * All of it does nothing for other engines, and for coroutines, whose thread has other things to do:
 * then the engine's own thread looks. Between hold and drop the engine's memory stays, also when the
 * executor has been destroyed. */
#ifndef HKTI_EXEC_ATTEND_H
#define HKTI_EXEC_ATTEND_H

#include <hocket/executor.h>

#include "park/wait.h"

struct hkti_attendance {
    hkt_executor *executor; /* held; NULL: none */
    bool attends;
    struct hkti_word_interest word;
};

/* An engine's part, in struct hkti_remote_ops. */
struct hkti_attend_ops {
    /* Its memory stays until drop. */
    void (*hold)(hkt_executor *executor);
    void (*drop)(hkt_executor *executor);
    /* Somebody looks from now on; and no more: then one last look is taken. */
    void (*begin)(hkt_executor *executor);
    void (*end)(hkt_executor *executor);
    /* Ends the futures of jobs that have ended: true if there were any. */
    bool (*look)(hkt_executor *executor);
    /* The caller is about to sleep on this word, if it still has the value when it has looked once
     * more; and does not sleep any more. */
    void (*sleeps)(hkt_executor *executor, struct hkti_word_interest *word);
    void (*woke)(hkt_executor *executor);
};

/* Of an undone future's engine; if it is done, nothing. */
void hkti_attend_hold(struct hkti_attendance *attendance, hkt_future *future);
void hkti_attend_drop(struct hkti_attendance *attendance);
/* deadline HKTI_PASSED: the caller will not wait. */
void hkti_attend_begin(struct hkti_attendance *attendance, int64_t deadline);
void hkti_attend_end(struct hkti_attendance *attendance);
/* Before each wait: looks for some time until is_over(arg), then gets ready to sleep. */
void hkti_attend_prepare(struct hkti_attendance *attendance, struct hkti_wait *wait,
                         bool (*is_over)(void *arg), void *arg);

#endif
