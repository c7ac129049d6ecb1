/* SPDX-License-Identifier: MIT */
/* Runners: a loop, a context that outlasts a run, and Ctrl-C. */
#include <errno.h>
#include <hocket/context.h>
#include <hocket/run.h>
#include <signal.h>

#include "base/memory.h"
#include "loop/signal.h"
#include "os/os.h"

struct hkt_runner {
    hkt_loop *loop;
    hkt_context *context;
    hkt_job *job; /* of the run that is on */
    void *arg;
    bool interrupted;
};

int hkt_runner_create(hkt_runner **runner, const hkt_loop_options *options)
{
    struct hkt_runner *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = hkt_context_copy(&made->context);
    if (err == 0)
        err = hkt_loop_create(&made->loop, options);
    if (err < 0) {
        hkt_context_destroy(made->context);
        hkti_release(made, sizeof *made);
        return err;
    }
    *runner = made;
    return 0;
}

static int interrupt(void *arg)
{
    struct hkt_runner *runner = arg;
    runner->interrupted = true;
    (void)hkt_future_request_cancel(runner->loop->main);
    return 0;
}

static int run_in_context(void *arg)
{
    struct hkt_runner *runner = arg;
    return hkt_context_run(runner->context, runner->job, runner->arg);
}

int hkt_runner_run(hkt_runner *runner, hkt_job *job, void *arg)
{
    hkt_loop *loop = runner->loop;
    hkti_loop_must_be_here(loop, "hkt_runner_run");
    if (hkt_loop_is_running(loop)) /* and what follows is of that run */
        return hkt_fail(-EBUSY, "hkt_runner_run: the runner's loop runs");
    bool catches = hkti_os_is_main() && hkti_os_signal_is_default(SIGINT) &&
                   hkti_signal_add(loop, SIGINT, interrupt, runner, true) == 0;
    runner->interrupted = false;
    runner->job = job;
    runner->arg = arg;
    int err = hkt_loop_run(loop, run_in_context, runner);
    if (catches)
        (void)hkti_signal_remove_once(loop, SIGINT);
    return runner->interrupted && err == -ECANCELED ? -EINTR : err;
}

hkt_loop *hkt_runner_loop(hkt_runner *runner)
{
    return runner->loop;
}

void hkt_runner_destroy(hkt_runner *runner)
{
    if (runner == NULL)
        return;
    hkt_loop_destroy(runner->loop);
    hkt_context_destroy(runner->context);
    hkti_release(runner, sizeof *runner);
}

int hkt_run_with(hkt_job *job, void *arg, const hkt_loop_options *options)
{
    hkt_runner *runner;
    if (hkti_self()->coroutine)
        return hkt_fail(-EBUSY, "hkt_run: the caller is a task, or a pool's job, himself");
    int err = hkt_runner_create(&runner, options);
    if (err < 0)
        return err;
    err = hkt_runner_run(runner, job, arg);
    hkt_runner_destroy(runner);
    return err;
}

int hkt_run(hkt_job *job, void *arg)
{
    return hkt_run_with(job, arg, NULL);
}
