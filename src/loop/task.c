/* SPDX-License-Identifier: MIT */
/* Tasks: making them, their names, and all of a loop. There is no list of tasks: those that have
 * begun are found by the carrier's coroutines, the others are in its ready list. */
#include <errno.h>
#include <hocket/task.h>

#include "base/report.h"
#include "loop/tasks.h"
#include "os/os.h"

int hkt_task_spawn_with(hkt_task **task, hkt_job *job, void *arg, const hkt_submit_options *options)
{
    hkt_executor *executor = hkt_executor_current();
    if (executor == NULL)
        return hkt_fail(-EINVAL, "hkt_task_spawn: the caller is in no task; hkt_run begins one");
    return hkt_submit_with(executor, task, job, arg, options);
}

int hkt_task_spawn(hkt_task **task, hkt_job *job, void *arg)
{
    return hkt_task_spawn_with(task, job, arg, NULL);
}

hkt_task *hkt_task_current(void)
{
    const struct hkti_run *run = hkti_self()->run;
    return run ? run->future : NULL;
}

void hkt_task_get_name(const hkt_task *task, char name[HKT_NAME_MAX])
{
    hkti_task_name(task, name);
}

int hkt_task_set_name(hkt_task *future, const char *name)
{
    struct hkti_task *task = hkti_future_task(future);
    if (task == NULL)
        return -EINVAL;
    return hkti_task_keep_name(task, name) ? 0 : -ENOMEM;
}

int hkt_yield(void)
{
    int err = hkti_cancelled(0);
    if (err == 0 && !hkti_carrier_yield())
        hkti_os_yield(0);
    return err;
}

int hkt_wait_for_until(hkt_job *job, void *arg, hkt_deadline deadline)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = deadline });
    int result = job(arg);
    int end = hkt_scope_leave(&scope);
    return end == -ETIMEDOUT && result == -ECANCELED ? end : result;
}

int hkt_wait_for(hkt_job *job, void *arg, double seconds)
{
    return hkt_wait_for_until(job, arg, hkt_after(seconds));
}

/* The task that a coroutine is in, the outermost, if it is one of this loop; NULL. */
static struct hkti_task *task_in(const hkt_loop *loop, const struct hkti_coroutine *coroutine)
{
    const struct hkti_run *run = coroutine->strand.run;
    while (run && run->outer)
        run = run->outer;
    struct hkti_task *task = run ? hkti_future_task(run->future) : NULL;
    return task && coroutine->carrier == &loop->carrier && task->ready.begins ? task : NULL;
}

size_t hkti_tasks_visit(hkt_loop *loop, hkti_task_visitor *visit, void *context)
{
    struct hkti_carrier *carrier = &loop->carrier;
    size_t count = 0;
    hkti_carrier_collect(carrier);
    for (struct hkti_coroutine *made = carrier->made; made; made = made->next_made) {
        struct hkti_task *task = task_in(loop, made);
        if (task == NULL)
            continue;
        count++;
        visit(context, task, &made->strand);
    }
    for (struct hkti_ready *ready = carrier->ready, *next; ready; ready = next) {
        next = ready->next;
        if (ready->begins != HKTI_BEGINS_TASK)
            continue;
        struct hkti_task *task = HKTI_CONTAINER(ready, struct hkti_task, ready);
        if (task->number == 0)
            task->number = ++loop->numbers;
        if (hkt_future_done(task->future))
            continue;
        count++;
        visit(context, task, NULL);
    }
    return count;
}

static void cancel(void *context, struct hkti_task *task, struct hkti_strand *strand)
{
    (void)context;
    (void)strand;
    (void)hkt_future_request_cancel(task->future);
}

size_t hkti_loop_cancel_tasks(hkt_loop *loop)
{
    return hkti_tasks_visit(loop, cancel, NULL);
}

static void complain(void *context, struct hkti_task *task, struct hkti_strand *strand)
{
    const hkt_loop *loop = context;
    char name[HKT_NAME_MAX], does[96] = "has not begun";
    hkti_task_name(task->future, name);
    if (strand)
        hkti_strand_describe(strand, does, sizeof does);
    hkti_report_line(
        "loop \"%s\" has ended, but task \"%s\", though cancelled, has not: it %s, and is "
        "left to itself",
        loop->name, name, does);
}

void hkti_loop_complain(hkt_loop *loop)
{
    size_t tasks = hkti_tasks_visit(loop, complain, loop);
    if (tasks < loop->live)
        hkti_report_line("loop \"%s\" has ended, but %zu callbacks have not, and are left",
                         loop->name, loop->live - tasks);
}
