/* SPDX-License-Identifier: MIT */
/* What the future of a task has besides: future.h has who may touch it. */
#include <stdio.h>

#include "exec/executor.h"
#include "exec/member.h"
#include "thread/context.h"
#include "thread/thread.h"

/* The number of the task that the caller is in, if it is one of this executor; 0. */
static uint32_t parent_number(const hkt_executor *executor)
{
    const struct hkti_run *run = hkti_self()->run;
    const struct hkti_task *task = run ? hkti_future_task(run->future) : NULL;
    return task && run->future->executor == executor ? task->number : 0;
}

bool hkti_task_add(hkt_future *future, const char *name, struct hkti_member *member)
{
    struct hkti_task *task = hkti_line_allocate();
    if (task == NULL)
        return false;
    *task = (struct hkti_task){ .future = future, .arg = future->arg, .member = member };
    future->arg = task;
    future->is_task = true;
    if (name && !hkti_task_keep_name(task, name))
        return false;
    task->context = hkti_context_hold();
    task->parent = parent_number(future->executor);
    if (member)
        hkti_member_join(member, future);
    return true;
}

bool hkti_task_keep_name(struct hkti_task *task, const char *name)
{
    if (task->name == NULL)
        task->name = hkti_line_allocate();
    if (task->name)
        snprintf(task->name, HKT_NAME_MAX, "%s", name);
    return task->name != NULL;
}

void hkti_task_name(const hkt_future *future, char name[HKT_NAME_MAX])
{
    const struct hkti_task *task = hkti_future_task(future);
    if (task && task->name)
        snprintf(name, HKT_NAME_MAX, "%s", task->name);
    else if (task && task->number)
        snprintf(name, HKT_NAME_MAX, "Task-%u", task->number);
    else
        snprintf(name, HKT_NAME_MAX, "job %p", (const void *)future);
}

const char *hkti_job_name(void)
{
    const struct hkti_strand *self = hkti_os_local();
    const struct hkti_task *task = self->run ? hkti_future_task(self->run->future) : NULL;
    const struct hkt_thread *thread = self->thread;
    if (task && task->name)
        return task->name;
    return thread ? thread->name : NULL;
}

void hkti_task_release(struct hkti_task *task)
{
    hkti_context_drop(task->context);
    if (task->name)
        hkti_line_release(task->name);
    hkti_line_release(task);
}

int hkti_task_run(struct hkti_task *task, struct hkti_scope *scope)
{
    task->context = NULL; /* the strand has it now */
    if (task->member && !hkti_member_begin(task->member, scope))
        return -ECANCELED;
    int result = task->future->job(task->arg);
    if (task->member)
        hkti_member_end(task->member);
    return result;
}
