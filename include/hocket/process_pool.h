/* SPDX-License-Identifier: MIT */
/* The process engine: a pool of processes that run jobs.
 *
 *     hkt_executor *pool;
 *     int err = hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 4 });
 *     if (err == 0)
 *         err = hkt_map(pool, square, HKT_ARRAY(numbers));
 *     hkt_executor_destroy(pool);
 *
 * A job's argument is copied into the worker and, when the job has returned, back: an item of an array
 * (hkt_map, hkt_imap), HKT_ITEM of hkt_apply_async, or .arg_size of hkt_submit_with say how much
 * that is. One that lies in shared memory (shared.h) is not copied. It holds values and pointers to
 * shared memory; the checked build says which field does not.
 *
 * A worker that dies fails the job that it ran, alone, with -EOWNERDEAD and a sentence that names
 * the job and the signal; it is replaced, and all others go on. A job that is cancelled, or whose
 * deadline passes, while it runs has its scope ended; if it has not returned `grace` seconds later
 * its worker is killed: -ECANCELED, -ETIMEDOUT. Terminal signals are for the program, not for
 * the workers. The pool is its creator's: in a copy by fork it is refused (-EPERM), in other
 * processes its pointer means nothing. It has a thread of its own, beside which no fork is made. */
#ifndef HOCKET_PROCESS_POOL_H
#define HOCKET_PROCESS_POOL_H

#include <hocket/executor.h>
#include <hocket/process.h>

HKT_BEGIN_DECLS

/* A job whose worker has died. */
typedef enum hkt_lost_worker {
    HKT_LOST_FAIL = 0,  /* fails: -EOWNERDEAD */
    HKT_LOST_RETRY = 1, /* is run again, by another, `retries` times at the most: for jobs that may
                            be run twice */
} hkt_lost_worker;

typedef struct hkt_process_pool_options {
    unsigned max_workers;    /* 0: hkt_process_cpu_count; -EINVAL above 256 */
    hkt_start_method method; /* of the workers; HKT_START_FORK: copies of this process as it is
                                      now, while no other thread runs */
    const char *name;        /* of the workers: "NAME-1" and so on; copied; NULL: "worker" */
    hkt_job *initializer;    /* run by each worker before its first job, with a copy of */
    const void
        *initializer_arg;    /* these bytes; a failure, or a death in it, breaks the pool: all */
    size_t initializer_size; /* jobs, now and later, end with that error */
    unsigned max_tasks_per_child; /* jobs that a worker runs before it is replaced; 0: no limit */
    double idle_timeout;          /* seconds without a job after which a worker ends; 0: never */
    hkt_lost_worker on_lost_worker;
    unsigned retries;     /* of HKT_LOST_RETRY; 0: 3. Then the job fails: it kills its workers */
    double grace;         /* seconds; 0: 5; negative: for ever */
    size_t max_pending;   /* jobs that have not begun, after which hkt_submit waits; 0: a million */
    bool daemon;          /* the end of the process does not wait for its jobs */
    uint64_t reserved[3]; /* zero */
} hkt_process_pool_options;

/* Makes a pool, which starts workers as jobs come. NULL options: the defaults. 0; -ENOMEM, -EINVAL;
 * errors of hkt_process_start, of the first worker, which is started at once. Ends by
 * hkt_executor_destroy; at the exit of the process as a thread pool does.
 * (ProcessPoolExecutor, multiprocessing.Pool) */
HKT_API HKT_MUST_USE int hkt_process_pool_create(hkt_executor **executor,
                                                 const hkt_process_pool_options *options);

/* Ends what runs: SIGTERM or SIGKILL to all workers; their jobs end with -EOWNERDEAD, those that have
 * not begun with -ECANCELED, and the pool is shut down. 0; -EINVAL for another engine. Does not
 * wait. (terminate_workers, kill_workers, Pool.terminate) */
HKT_API int hkt_process_pool_terminate_workers(hkt_executor *executor);
HKT_API int hkt_process_pool_kill_workers(hkt_executor *executor);

/* What it is about, a moment ago. Zero for another engine. */
typedef struct hkt_process_pool_state {
    unsigned workers, idle; /* alive */
    size_t pending, running;
    uint64_t ended, lost; /* jobs since its beginning; lost: with their worker, and not run again */
    uint64_t started;     /* workers */
    uint64_t reserved[4];
} hkt_process_pool_state;
HKT_API void hkt_process_pool_look(hkt_executor *executor, hkt_process_pool_state *state);
/* The numbers of its workers' processes, `room` at the most: how many there are. */
HKT_API size_t hkt_process_pool_pids(hkt_executor *executor, int pids[], size_t room);

HKT_END_DECLS
#endif
