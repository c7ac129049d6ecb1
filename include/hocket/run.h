/* SPDX-License-Identifier: MIT */
/* Running a program, or a part of it, in a loop.
 *
 *     static int hello(void *arg)
 *     {
 *         puts("hello");
 *         int err = hkt_sleep(1.0);
 *         puts("world");
 *         return err;
 *     }
 *
 *     int main(void)
 *     {
 *         return hkt_report(hkt_run(hello, NULL));
 *     }
 *
 * The first Ctrl-C cancels the job, which then ends in its own good order; the second one ends the
 * process. That is so in the main thread, where nobody handles SIGINT himself. */
#ifndef HOCKET_RUN_H
#define HOCKET_RUN_H

#include <hocket/loop.h>

HKT_BEGIN_DECLS

/* Makes a loop, runs job(arg) in it as its first task until that has ended, cancels the tasks
 * that are left, waits for them, and gives the loop back: what the job returned, with its
 * sentence. -EINTR: it was ended by a Ctrl-C, that is, it returned -ECANCELED after one. -EBUSY:
 * the caller is in a loop or a pool's job; -ENOMEM. If the caller's scope ends, the job is
 * cancelled. NULL options: the defaults. A cancellation point. (asyncio.run) */
HKT_API HKT_MUST_USE int hkt_run(hkt_job *job, void *arg);
HKT_API HKT_MUST_USE int hkt_run_with(hkt_job *job, void *arg, const hkt_loop_options *options);

/* The same in steps: a runner keeps its loop, and the values of the context variables, from one
 * run to the next. By one thread. create: 0, -ENOMEM, -EINVAL. run: as hkt_run, but tasks that
 * are left stay, and go on in the next run. loop: the runner's. destroy: cancels them, waits,
 * gives all back; NULL is fine. (asyncio.Runner) */
typedef struct hkt_runner hkt_runner;
HKT_API HKT_MUST_USE int hkt_runner_create(hkt_runner **runner, const hkt_loop_options *options);
HKT_API HKT_MUST_USE int hkt_runner_run(hkt_runner *runner, hkt_job *job, void *arg);
HKT_API hkt_loop *hkt_runner_loop(hkt_runner *runner);
HKT_API void hkt_runner_destroy(hkt_runner *runner);

HKT_END_DECLS
#endif
