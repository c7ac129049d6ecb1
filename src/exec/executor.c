/* SPDX-License-Identifier: MIT */
/* What is the same for all executors: handing in, shutting down. */
#include "exec/executor.h"

#include <errno.h>

#include "base/report.h"
#include "base/seconds.h"
#include "exec/member.h"
#include "park/wait.h"
#include "strand/carrier.h"

static int check(const hkt_executor *executor, const hkt_submit_options *options)
{
    if (options->priority > HKT_PRIORITY_BACKGROUND)
        return -EINVAL;
    if (options->deadline.ns && executor->ops->remote == NULL)
        return hkt_fail(-EOPNOTSUPP,
                        "hkt_submit: .deadline is for process pools; elsewhere the job "
                        "itself enters a scope with one");
    return 0;
}

int hkti_submit(hkt_executor *executor, hkt_future **future, hkt_job *job, void *arg,
                const hkt_submit_options *options, struct hkti_member *member)
{
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    if (job == NULL)
        return -EINVAL;
    if (hkti_load_relaxed(&hkti_forked))
        hkti_misuse("hkt_submit: this is the child of a fork of a program whose threads ran: it "
                    "may only exec");
    if (executor == NULL && (executor = hkt_default_executor()) == NULL)
        return -ENOMEM;
    if (options && (err = check(executor, options)) < 0)
        return err;
    hkt_future *made = hkti_future_make(job, arg, executor, options, member);
    if (made == NULL)
        return -ENOMEM;
    err = executor->ops->submit(executor, made, options);
    if (err < 0 && member && !hkti_member_withdraw(member, made))
        err = 0; /* the group's owner has begun it meanwhile; the member may be gone */
    if (err < 0)
        hkti_future_unmake(made);
    else if (future)
        *future = made;
    else
        hkt_future_destroy(made);
    return err;
}

int hkt_submit_with(hkt_executor *executor, hkt_future **future, hkt_job *job, void *arg,
                    const hkt_submit_options *options)
{
    return hkti_submit(executor, future, job, arg, options, NULL);
}

int hkt_submit(hkt_executor *executor, hkt_future **future, hkt_job *job, void *arg)
{
    return hkt_submit_with(executor, future, job, arg, NULL);
}

void hkt_executor_close(hkt_executor *executor, bool cancel_futures)
{
    if (executor == NULL)
        return;
    executor->ops->close(executor, cancel_futures);
}

int hkt_executor_shutdown_until(hkt_executor *executor, hkt_deadline deadline)
{
    if (executor == NULL)
        return 0;
    executor->ops->close(executor, false);
    int err = executor->ops->await(executor, deadline);
    if (err == -ETIMEDOUT)
        hkti_store_relaxed(&executor->gave_up, 1);
    return err;
}

int hkt_executor_shutdown(hkt_executor *executor)
{
    return hkt_executor_shutdown_until(executor, (hkt_deadline){ 0 });
}

void hkt_executor_destroy(hkt_executor *executor)
{
    if (executor == NULL)
        return;
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    executor->ops->close(executor, false);
    bool gave_up = hkti_load_relaxed(&executor->gave_up);
    int err = executor->ops->await(executor,
                                   gave_up ? (hkt_deadline){ HKTI_PASSED } : (hkt_deadline){ 0 });
    hkt_scope_leave(&scope);
    if (err == -EDEADLK)
        hkti_misuse("hkt_executor_destroy: called by a job of that executor %p", (void *)executor);
    executor->ops->destroy(executor);
}

hkt_executor *hkt_executor_current(void)
{
    const struct hkti_run *run = hkti_self()->run;
    const struct hkti_carrier *carrier = run ? NULL : hkti_carrier_self();
    if (run)
        return run->future->executor;
    return carrier ? carrier->executor : NULL; /* a callback of a loop */
}

unsigned hkt_executor_max_workers(const hkt_executor *executor)
{
    if (executor == NULL)
        executor = hkt_default_executor();
    return executor ? executor->max_workers : 1;
}

void hkt_future_run(hkt_future *future)
{
    hkt_executor *executor = future->executor;
    if (executor == NULL)
        hkti_misuse("hkt_future_run: future %p was not handed to an engine", (void *)future);
    if (hkti_future_claim(future, true))
        hkti_future_execute(future, true);
    if (executor->ops->ran)
        executor->ops->ran(executor);
}
