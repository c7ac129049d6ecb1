/* SPDX-License-Identifier: MIT */
/* Futures: a job's end, before it has come.
 *
 *     hkt_future *future;
 *     int err = hkt_submit(pool, &future, count_words, &book);
 *     if (err == 0)
 *         err = hkt_future_finish(future);        waits; the job's result; gives the future back
 *
 * A job is `int job(void *arg)`: 0 or a useful count, or a negative errno, perhaps with a sentence
 * (hkt_fail). The argument is borrowed until the job has ended. A future is destroyed by who
 * submitted the job, at any time, also before the job has ended: the job then goes on by itself. A
 * failure whose result nobody has looked at goes to the report sink when the future is gone.
 *
 * States: pending, running, then finished or cancelled, once and for good. Every call may come from
 * any thread and any job, and from several at once as long as the future is there. The model is
 * concurrent.futures.Future. */
#ifndef HOCKET_FUTURE_H
#define HOCKET_FUTURE_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_future hkt_future;

/* What an executor runs. */
typedef int hkt_job(void *arg);

/* Waits until the job has ended, one way or another: 0. -ECANCELED: the caller's scope has
 * ended, and the job goes on; -ETIMEDOUT: it has not ended. -EDEADLK: the caller is in that very
 * job. -ENOMEM: a worker must run other jobs meanwhile, and has no memory for a stack.
 * Cancellation points. What the job returned is told by hkt_future_result. (Future.exception,
 * without the exception) */
HKT_API HKT_MUST_USE int hkt_future_wait(hkt_future *future);
HKT_API HKT_MUST_USE int hkt_future_wait_until(hkt_future *future, hkt_deadline deadline);

/* Has ended: 0 and what the job returned, -ECANCELED if it was cancelled before it began; of a
 * failure also the sentence, for hkt_sentence and hkt_report of the caller. Not ended: -EBUSY.
 * Never waits. (Future.result) */
HKT_API HKT_MUST_USE int hkt_future_result(hkt_future *future, int *result);

/* Waits until the job has ended, destroys the future, and returns what the job returned: with
 * its sentence, as above. If the caller's scope has ended or ends meanwhile, the job is
 * cancelled too (as by hkt_future_request_cancel), and still awaited; so on return nobody uses
 * the argument any more. -ENOMEM, as of hkt_future_wait: the job had not begun, and does not;
 * the future is given back. -EDEADLK in that very job: the future stays. NULL: 0. */
HKT_API int hkt_future_finish(hkt_future *future);

/* Takes back a job that has not begun: 0, now or before, and for NULL; -EBUSY if it runs or has
 * finished. Never waits; callbacks are called by the caller. (Future.cancel) */
HKT_API int hkt_future_cancel(hkt_future *future);

/* The same, and of a job that runs the scope is ended: its waits and checkpoints return
 * -ECANCELED, and what it then returns is its result. 0, also for NULL; -EBUSY if it has
 * finished. Never waits. */
HKT_API int hkt_future_request_cancel(hkt_future *future);

/* Where it stands; done is finished or cancelled. (Future.running, done, cancelled) */
HKT_API bool hkt_future_running(const hkt_future *future);
HKT_API bool hkt_future_done(const hkt_future *future);
HKT_API bool hkt_future_cancelled(const hkt_future *future);

/* What the job was handed in with, to get from a future to its item; NULL for one of a producer. */
HKT_API void *hkt_future_arg(const hkt_future *future);

/* Calls function(future, arg) once when the future is done: by who finishes or cancels it, in
 * the order in which they were added, perhaps after those who wait have gone on; at once and by
 * the caller if it is done. It may ask hkt_future_result, with its sentence; it must not wait
 * for long and must not destroy the future. 0, -ENOMEM. (Future.add_done_callback) */
typedef void hkt_done_callback(hkt_future *future, void *arg);
HKT_API HKT_MUST_USE int hkt_future_add_done_callback(hkt_future *future,
                                                      hkt_done_callback *function, void *arg);

/* The caller needs it no more; NULL is fine. A job that has not ended goes on. */
HKT_API void hkt_future_destroy(hkt_future *future);

/* The other side, for who produces a result without an executor: makes a pending future. It is
 * given back when it was destroyed by who waits and finished by who produces, in any order; so
 * one that nobody will finish is cancelled before it is destroyed. 0, -ENOMEM. (Future()) */
HKT_API HKT_MUST_USE int hkt_future_create(hkt_future **future);

/* It runs from now on and cannot be taken back: 0; -ECANCELED if it was; -EALREADY if it runs or
 * has finished; -EINVAL, here and below, for one that an executor runs.
 * (Future.set_running_or_notify_cancel) */
HKT_API HKT_MUST_USE int hkt_future_set_running(hkt_future *future);

/* Finishes it, pending or running, with the result of a job; of a failure with the caller's
 * sentence beside it: `hkt_future_set_result(f, hkt_fail(-EIO, "..."))`. 0; -ECANCELED if it was
 * cancelled; -EALREADY if it has finished. (Future.set_result, set_exception) */
HKT_API int hkt_future_set_result(hkt_future *future, int result);

/* Several at a time. */
typedef enum hkt_return_when {
    HKT_ALL_COMPLETED = 0,
    HKT_FIRST_COMPLETED = 1,
    HKT_FIRST_EXCEPTION = 2, /* the first failure, or all; a cancelled one is no failure */
} hkt_return_when;

/* Waits for `count` futures (the same one several times, and NULL, are fine) until what `when`
 * says: how many of these are done then, each counted once; 0 for none at all. -ETIMEDOUT,
 * -ECANCELED, -ENOMEM; -EDEADLK: one is that of a job that the caller is in; -EINVAL for another
 * `when`. Cancellation points. (concurrent.futures.wait) */
HKT_API HKT_MUST_USE int hkt_wait(hkt_future *const futures[], size_t count, hkt_return_when when);
HKT_API HKT_MUST_USE int hkt_wait_until(hkt_future *const futures[], size_t count,
                                        hkt_return_when when, hkt_deadline deadline);

/* One after the other as they end:
 *
 *     hkt_as_completed *ended;
 *     hkt_future *future;
 *     int err = hkt_as_completed_create(&ended, futures, count);
 *     while (err >= 0 && (err = hkt_as_completed_next(ended, &future)) > 0)
 *         ...
 *     hkt_as_completed_destroy(ended);
 *
 * create: 0, -ENOMEM, -EDEADLK (one is that of a job that the caller is in). next: 1 and a
 * future that is done; those done before come first, the others in the order in which they end,
 * each once. 0: there are no more. -ETIMEDOUT, -ECANCELED, -ENOMEM: none yet, and it may be
 * asked again. The futures must stay until they have come or the iterator is destroyed; the one
 * that has come may be destroyed at once. One caller at a time. destroy takes NULL. Cancellation
 * points. (concurrent.futures.as_completed) */
typedef struct hkt_as_completed hkt_as_completed;
HKT_API HKT_MUST_USE int hkt_as_completed_create(hkt_as_completed **iterator,
                                                 hkt_future *const futures[], size_t count);
HKT_API HKT_MUST_USE int hkt_as_completed_next(hkt_as_completed *iterator, hkt_future **future);
HKT_API HKT_MUST_USE int hkt_as_completed_next_until(hkt_as_completed *iterator,
                                                     hkt_future **future, hkt_deadline deadline);
HKT_API void hkt_as_completed_destroy(hkt_as_completed *iterator);

HKT_END_DECLS
#endif
