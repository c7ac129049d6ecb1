/* SPDX-License-Identifier: MIT */
/* Threads take jobs from a queue that the calling thread fills, until it is shut down and empty.
 * Under the giant lock each thread takes it once and keeps it: waiting for a job, as every wait of
 * hocket's, lends it to the others. The calling thread fills the queue without it.
 *
 * A thread that cannot go on drops what is left in the queue, so that nobody waits for it.
 *
 * The ways by processes come last, so that a system that has none has fewer ways. */
#include "ways.h"

#include "progress.h"

#include <hocket/coroutine_pool.h>
#include <hocket/error.h>
#include <hocket/process_pool.h>
#include <hocket/queue.h>
#include <hocket/thread.h>
#include <hocket/thread_pool.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 << 10) /* of a coroutine: a job has its buffers on it */

struct crew {
    struct work *work;
    hkt_queue *queue; /* of struct job * */
    hkt_giant_lock *giant;
    hkt_thread **threads;
    unsigned started;
};

static int run_serial(struct work *work, const struct way *way)
{
    int err = 0;

    (void)way;
    for (size_t i = 0; err == 0 && i < work->count; i++)
        err = work->run(work_job(work, i));
    return err;
}

static int do_jobs(struct crew *crew)
{
    struct job *job;
    int err;

    while ((err = hkt_queue_get(crew->queue, &job)) == 0) {
        err = crew->work->run(job);
        if (err < 0)
            return err;
        if (crew->giant)
            hkt_giant_lock_checkpoint(crew->giant);
    }
    return err == -ESHUTDOWN ? 0 : err;
}

static int worker(void *arg)
{
    struct crew *crew = arg;

    if (crew->giant)
        hkt_giant_lock_acquire(crew->giant);
    int err = do_jobs(crew);

    if (crew->giant)
        hkt_giant_lock_release(crew->giant);
    if (err < 0)
        hkt_queue_shutdown(crew->queue, true);
    return err;
}

/* 0 too when a thread has given up: it tells itself. */
static int feed(struct crew *crew)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < crew->work->count; i++) {
        struct job *job = work_job(crew->work, i);

        err = hkt_queue_put(crew->queue, &job);
    }
    return err == -ESHUTDOWN ? 0 : err;
}

/* Passes on what a thread failed with. */
static int fail_as(const hkt_thread *thread, int err)
{
    const char *sentence = hkt_thread_sentence(thread);

    return hkt_fail(err, "a thread failed: %s", *sentence ? sentence : hkt_strerror(err));
}

/* Joins all who were started; the first failure, with its sentence. */
static int dismiss(struct crew *crew)
{
    int first = 0;

    for (unsigned i = 0; i < crew->started; i++) {
        hkt_thread *thread = crew->threads[i];
        int result = 0;
        int err = hkt_thread_join(thread);

        if (err == 0)
            err = hkt_thread_result(thread, &result);
        if (err == 0 && result < 0)
            err = fail_as(thread, result);
        if (first == 0)
            first = err;
        hkt_thread_destroy(thread);
    }
    return first;
}

static int work_together(struct crew *crew, unsigned workers)
{
    int err = 0;

    while (err == 0 && crew->started < workers) {
        err = hkt_thread_spawn(&crew->threads[crew->started], worker, crew, NULL);
        if (err == 0)
            crew->started++;
        else
            hkt_fail(err, "the system gives only %u of %u threads", crew->started, workers);
    }
    if (err == 0)
        err = feed(crew);
    hkt_queue_shutdown(crew->queue, err < 0);
    int failure = dismiss(crew);

    return err < 0 ? err : failure;
}

static int run_crew(struct work *work, unsigned workers, hkt_giant_lock *giant)
{
    struct crew crew = { .work = work, .giant = giant };
    hkt_queue_options room = { .maxsize = work->count }; /* who fills it never waits */
    int err = hkt_queue_create(&crew.queue, sizeof(struct job *), &room);

    if (err < 0)
        return err;
    crew.threads = calloc(workers, sizeof(hkt_thread *));
    err = crew.threads ? work_together(&crew, workers) : -ENOMEM;
    free(crew.threads);
    hkt_queue_destroy(crew.queue);
    return err;
}

static int run_threads(struct work *work, const struct way *way)
{
    return run_crew(work, way->workers, NULL);
}

static int run_giant(struct work *work, const struct way *way)
{
    hkt_giant_lock giant = { { 0 } };

    work_reset(work, &giant);
    return run_crew(work, way->workers, &giant);
}

static int run_pool(struct work *work, const struct way *way)
{
    hkt_thread_pool_options options = { .max_workers = way->workers };
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, &options);

    if (err < 0)
        return err;
    err = hkt_map(pool, work->run, work->jobs, work->count, work->job_size);
    hkt_executor_destroy(pool);
    return err;
}

/* One loop on one thread; its workers are the tasks at a time. */
static int run_coroutines(struct work *work, const struct way *way)
{
    hkt_coroutine_pool_options options = { .max_tasks = way->workers, .stack_size = STACK_SIZE };
    hkt_executor *pool;
    int err = hkt_coroutine_pool_create(&pool, &options);

    if (err < 0)
        return err;
    err = hkt_map(pool, work->run, work->jobs, work->count, work->job_size);
    hkt_executor_destroy(pool);
    return err;
}

/* Workers count what they have done in their own memory; here it is counted as they hand it back. */
static void count_progress(void *context, size_t index, int code)
{
    struct work *work = context;

    (void)code;
    progress_add(work->progress_of(work_job(work, index)));
}

/* The jobs go out and come back as copies; what they lead to is in shared memory. */
static int run_processes(struct work *work, const struct way *way)
{
    hkt_process_pool_options options = { .max_workers = way->workers, .initializer = work->setup };
    hkt_map_options map = { .done = count_progress, .context = work };
    hkt_executor *pool;
    int err = hkt_process_pool_create(&pool, &options);

    if (err < 0)
        return err;
    err = hkt_map_with(pool, work->run, work->jobs, work->count, work->job_size, &map);
    hkt_executor_destroy(pool);
    return err;
}

static char processes[32] = "processes"; /* ", forkserver" */

const struct way ways[] = {
    { "one after another", "serial", run_serial, 1 },
    { "threads fed by a queue", "threads", run_threads, 1 },
    { "threads fed by a queue", "threads", run_threads, 2 },
    { "threads fed by a queue", "threads", run_threads, 4 },
    { "thread pool", "thread_pool", run_pool, 1 },
    { "thread pool", "thread_pool", run_pool, 2 },
    { "thread pool", "thread_pool", run_pool, 4 },
    { "coroutines, one thread", "coroutine_pool", run_coroutines, 1 },
    { "coroutines, one thread", "coroutine_pool", run_coroutines, 2 },
    { "coroutines, one thread", "coroutine_pool", run_coroutines, 4 },
    { "coroutines, one thread", "coroutine_pool", run_coroutines, 16 },
    { "threads, giant lock", "giant_lock", run_giant, 1 },
    { "threads, giant lock", "giant_lock", run_giant, 2 },
    { "threads, giant lock", "giant_lock", run_giant, 4 },
    { processes, "process_pool", run_processes, 1 },
    { processes, "process_pool", run_processes, 2 },
    { processes, "process_pool", run_processes, 4 },
};
enum { PROCESS_WAYS = 3 };
size_t ways_count = sizeof ways / sizeof ways[0];

bool ways_set_start_method(hkt_start_method method)
{
    hkt_start_method methods[8];
    size_t count = hkt_process_start_methods(methods, sizeof methods / sizeof methods[0]);

    for (size_t i = 0; i < count; i++) {
        if (method != HKT_START_DEFAULT && methods[i] != method)
            continue;
        if (hkt_process_set_start_method(methods[i]) < 0)
            break;
        snprintf(processes, sizeof processes, "processes, %s", hkt_start_method_name(methods[i]));
        return true;
    }
    ways_count = sizeof ways / sizeof ways[0] - PROCESS_WAYS;
    return false;
}

bool ways_have_processes(void)
{
    return ways_count == sizeof ways / sizeof ways[0];
}

int way_run(const struct way *way, struct work *work)
{
    work_reset(work, NULL);
    return way->run(work, way);
}

unsigned ways_processors(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more than a cpu_set_t has place for */
    return online > 0 ? (unsigned)online : 1;
}

struct way way_for_this_machine(void)
{
    return (struct way){ "thread pool", "thread_pool", run_pool, ways_processors() };
}
