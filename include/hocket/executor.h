/* SPDX-License-Identifier: MIT */
/* Executors run jobs. Which engine does it (threads, processes, coroutines, a cluster, one of
 * your own) is decided in the line that makes the executor; the rest of the program stays:
 *
 *     hkt_executor *pool;
 *     int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 3 });
 *     if (err < 0)
 *         return hkt_report(err);
 *     err = hkt_map(pool, download, HKT_ARRAY(pages));
 *     hkt_executor_destroy(pool);
 *
 * A job may submit to its own executor and wait for what it submitted, to any depth and with one
 * worker too: a pool's worker runs other jobs meanwhile; a job of an engine of yours runs what
 * it waits for itself, if nobody has begun that. The model is concurrent.futures.Executor. */
#ifndef HOCKET_EXECUTOR_H
#define HOCKET_EXECUTOR_H

#include <hocket/future.h>
#include <hocket/item.h>

HKT_BEGIN_DECLS

typedef struct hkt_executor hkt_executor;

typedef enum hkt_priority {
    HKT_PRIORITY_NORMAL = 0,
    HKT_PRIORITY_HIGH = 1,
    HKT_PRIORITY_BACKGROUND = 2, /* when nothing else is there, and now and then all the same */
} hkt_priority;

typedef struct hkt_submit_options {
    hkt_priority priority;
    bool no_foreign_work; /* waits of this job start and resume no jobs but those it waits for: for
                             jobs that hold a foreign lock (a pthread_mutex_t) over our waits, which
                             belongs to the thread and not to the job */
    bool eager_start;     /* a task runs at once, up to its first wait, before hkt_submit returns */
    const char *name;     /* for reports; copied; NULL: none, a task is then "Task-N" */
    size_t arg_size;      /* bytes of *arg: engines of another address space copy them out and back;
                             others do not look. 0: arg is NULL or lies in shared memory */
    hkt_deadline deadline; /* then the scope of the job ends, begun or not: what has not begun ends
                              with -ETIMEDOUT; {0}: never. Of the process engine alone: else
                              -EOPNOTSUPP */
    uint64_t reserved[1];  /* zero */
} hkt_submit_options;

/* Hands in a job: 0 and its future, in *future if that is not NULL. Who does not want it gets a
 * failure reported to the sink. `executor` NULL: hkt_default_executor(), here and in all that
 * follows but shutdown, close and destroy, to which it is nothing. A caller that is not itself a
 * job of the executor waits while max_pending jobs have not begun. -ESHUTDOWN; -ENOMEM; -EAGAIN
 * if the system gives not even one thread; -ECANCELED; -EINVAL without a job or for another
 * priority; of a pool whose initializer failed, that failure. A cancellation point; that a
 * deadline has passed it notices only if it waits. (Executor.submit) */
HKT_API HKT_MUST_USE int hkt_submit(hkt_executor *executor, hkt_future **future, hkt_job *job,
                                    void *arg);
HKT_API HKT_MUST_USE int hkt_submit_with(hkt_executor *executor, hkt_future **future, hkt_job *job,
                                         void *arg, const hkt_submit_options *options);

/* Runs job(item) for each of the `count` items of `size` bytes from `items` on, and returns when
 * all have ended, also when the caller is cancelled. 0; or the first failure in time, after
 * which those that had not begun were not run, and those that ran were cancelled; or, with
 * keep_going, the failure of the lowest index, after all have run. Errors of hkt_submit,
 * -ECANCELED. Its sentence can be read by hkt_sentence. A cancellation point. (Executor.map) */
typedef struct hkt_map_options {
    bool keep_going;
    int *codes;     /* count of them, each gets what its item's job returned, -ECANCELED if it
                             was not run; NULL: not wanted */
    size_t *failed; /* the index of the failure that is returned, `count` if it is no item's (the
                             caller's scope ended, ...); NULL: not wanted */
    hkt_priority priority;
    bool no_foreign_work; /* as in hkt_submit_options */
    /* Called by the caller of the map for each item, in their order, as soon as it and those
     * before it have ended: with what its job returned, of a failure with the item's own
     * sentence. NULL: not wanted. */
    void (*done)(void *context, size_t index, int code);
    void *context;
    uint64_t reserved[2]; /* zero */
} hkt_map_options;
HKT_API HKT_MUST_USE int hkt_map(hkt_executor *executor, hkt_job *job, void *items, size_t count,
                                 size_t size);
HKT_API HKT_MUST_USE int hkt_map_with(hkt_executor *executor, hkt_job *job, void *items,
                                      size_t count, size_t size, const hkt_map_options *options);

/* hkt_submit for a struct of `size` bytes: what all engines can run. (Pool.apply_async) */
HKT_API HKT_MUST_USE int hkt_apply_async(hkt_executor *executor, hkt_future **future, hkt_job *job,
                                         void *arg, size_t size);
/* The same, and waits for it: what the job returned, with its sentence. (Pool.apply) */
HKT_API HKT_MUST_USE int hkt_apply(hkt_executor *executor, hkt_job *job, void *arg, size_t size);

/* No more jobs from outside; those that were handed in run to their ends, and may still submit.
 * Waits for that: 0, again and again and by many. -ETIMEDOUT, -ECANCELED: some have not ended.
 * -EDEADLK in a job of the executor itself. (Executor.shutdown) */
HKT_API int hkt_executor_shutdown(hkt_executor *executor);
HKT_API int hkt_executor_shutdown_until(hkt_executor *executor, hkt_deadline deadline);

/* No more jobs from outside, without waiting; `cancel_futures`: those that have not begun are
 * cancelled. From anywhere. (Executor.shutdown(wait=False, cancel_futures=...)) */
HKT_API void hkt_executor_close(hkt_executor *executor, bool cancel_futures);

/* Shuts down, waits, and gives everything back; NULL is fine. After a shutdown_until that ended
 * with -ETIMEDOUT it waits no more: what still runs is left to itself, with one line to the
 * report sink (a pool gives itself back later, an engine of yours is not given back). Futures
 * stay valid. Not from a job of the executor itself. Not a cancellation point. */
HKT_API void hkt_executor_destroy(hkt_executor *executor);

/* How many jobs it may run at a time. */
HKT_API unsigned hkt_executor_max_workers(const hkt_executor *executor);

/* The executor that the caller is a job of, the innermost, or whose loop calls it back; NULL in
 * none. */
HKT_API hkt_executor *hkt_executor_current(void);

/* The engine without workers: a job runs in hkt_submit itself, before that returns. For tests, and
 * where nothing may run beside. 0, -ENOMEM. */
HKT_API HKT_MUST_USE int hkt_inline_executor_create(hkt_executor **executor);

/* The executor of the process: a thread pool with as many workers as processors, made at the first
 * call; NULL if there is no memory. It is not destroyed; its jobs that have not ended hold up
 * hkt_finalize. */
HKT_API hkt_executor *hkt_default_executor(void);

/* An engine of your own: hkt_submit makes the future, checks for shutdown, and hands it to
 * `submit`, which must see to it that hkt_future_run is called for it once, somewhere, some time.
 * A negative result of `submit` refuses it, and is the result of hkt_submit. */
typedef struct hkt_engine {
    const char *name;
    int (*submit)(void *engine, hkt_future *future, const hkt_submit_options *options);
    /* Nobody outside submits any more; jobs that still run may. Those taken must be run all the
     * same, or be cancelled if so told (hkt_future_cancel), and then go through hkt_future_run
     * too. Called again with cancel_futures if that is asked for later; perhaps beside `submit`.
     * May be NULL. */
    void (*close)(void *engine, bool cancel_futures);
    /* All have been run, and no more will come: ends its threads, gives it back. Called by who
     * calls hkt_executor_destroy, never by a job. May be NULL. */
    void (*destroy)(void *engine);
    unsigned max_workers;
    uint64_t reserved[3]; /* zero */
} hkt_engine;

/* 0, -ENOMEM, -EINVAL (no submit). `vtable` must stay as long as the executor. */
HKT_API HKT_MUST_USE int hkt_executor_create(hkt_executor **executor, const hkt_engine *vtable,
                                             void *engine);

/* Runs the future's job here and finishes the future, unless it was cancelled; in either case the
 * engine must not touch it afterwards. */
HKT_API void hkt_future_run(hkt_future *future);

HKT_END_DECLS
#endif
