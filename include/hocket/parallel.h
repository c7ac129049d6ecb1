/* SPDX-License-Identifier: MIT */
/* Parallel algorithms and fork-join, on a thread pool's workers and the calling thread, which
 * takes part: with max_workers of N, N threads at a time compute for it.
 *
 *     static int scale(void *context, size_t begin, size_t end)
 *     {
 *         double *values = context;
 *         for (size_t i = begin; i < end; i++)
 *             values[i] *= 2;
 *         return 0;
 *     }
 *
 *     err = hkt_parallel_for(pool, 0, count, scale, values);
 *
 * `pool` NULL: that of the job that calls, else hkt_default_executor(). On executors of other
 * engines these run in the caller alone. The first failure, or the end of the caller's scope,
 * stops the rest soon: parts not begun are not run. All return when nothing of them runs any
 * more: 0, or the first failure in time, with its sentence; -ECANCELED, -ENOMEM. They are
 * cancellation points between the parts. */
#ifndef HOCKET_PARALLEL_H
#define HOCKET_PARALLEL_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

/* Computes the part [begin, end) of a range. */
typedef int hkt_range_job(void *context, size_t begin, size_t end);

/* The range [begin, end) in parts, which are cut smaller only where somebody is free to take them:
 * few large parts when undisturbed, small ones where work is uneven. `grain` is the least that is
 * worth a part of its own; 0 or hkt_parallel_for: found by itself. (OpenMP's parallel for; oneTBB's
 * parallel_for) */
HKT_API HKT_MUST_USE int hkt_parallel_for(hkt_executor *pool, size_t begin, size_t end,
                                          hkt_range_job *job, void *context);
HKT_API HKT_MUST_USE int hkt_parallel_for_grain(hkt_executor *pool, size_t begin, size_t end,
                                                size_t grain, hkt_range_job *job, void *context);

/* job(item) for each item of an array: hkt_parallel_for_each(pool, job, HKT_ARRAY(items)). */
HKT_API HKT_MUST_USE int hkt_parallel_for_each(hkt_executor *pool, hkt_job *job, void *items,
                                               size_t count, size_t size);

/* These jobs, side by side. */
typedef struct hkt_invocation {
    hkt_job *job;
    void *arg;
} hkt_invocation;
HKT_API HKT_MUST_USE int hkt_parallel_invoke(hkt_executor *pool, const hkt_invocation *invocations,
                                             size_t count);

/* Folds a range into one value of value_size bytes: `fold` adds the part [begin, end) to *value,
 * which starts as a copy of `identity`; `combine` adds *right, of the part after it, to *left.
 * The parts and the tree by which they are combined depend on the range and the grain alone: so
 * the result is the same, to the last bit, for any number of workers. `grain` 0: the range in at
 * the most 1024 parts. An empty range, as one whose end is before its beginning, is the
 * identity. -ENOMEM too. (oneTBB's parallel_deterministic_reduce) */
typedef struct hkt_reduce_options {
    int (*fold)(void *context, size_t begin, size_t end, void *value);
    void (*combine)(void *context, void *left, const void *right);
    void *context;
    const void *identity; /* NULL: zero bytes */
    size_t value_size;
    size_t grain;
    uint64_t reserved[3]; /* zero */
} hkt_reduce_options;
HKT_API HKT_MUST_USE int hkt_reduce(hkt_executor *pool, size_t begin, size_t end, void *value,
                                    const hkt_reduce_options *options);

/* Fork and join, at the cost of a few calls:
 *
 *     static int fib(void *arg)
 *     {
 *         struct fib *f = arg;
 *         if (f->n < 2)
 *             return f->result = f->n, 0;
 *         struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
 *         hkt_fork(fib, &a);
 *         int err = fib(&b);
 *         int forked = hkt_join();
 *         f->result = a.result + b.result;
 *         return err < 0 ? err : forked;
 *     }
 *
 * hkt_fork leaves a job to whoever is free. hkt_join ends the last fork that was not joined, and
 * returns what its job returned: it is a plain call if nobody took it, else it waits for who
 * did. In a job of a thread pool, or below hkt_fork_run, which runs `job` on the calling thread,
 * with its forks on the pool; elsewhere hkt_fork runs the job at once. Every fork is joined
 * before the function that made it returns. hkt_join does not end early, since others use your
 * memory: it is no cancellation point; but the end of the scope around hkt_fork_run (or of the
 * job) reaches all forks. Nothing is allocated, but for forks beyond some thousands that are not
 * joined: they run at once, and what they return is kept (-ENOMEM without memory for it).
 * hocket/fork.h has the same in inline code. (Cilk's spawn and sync; Lace) */
HKT_API void hkt_fork(hkt_job *job, void *arg);
HKT_API int hkt_join(void);
HKT_API int hkt_fork_run(hkt_executor *pool, hkt_job *job, void *arg);

HKT_END_DECLS
#endif
