/* SPDX-License-Identifier: MIT */
/* Task groups. A group is NEW, then OPEN while its owner is in the body, then LEAVING until its last
 * child has ended and the owner has seen it, then OVER. Children may be spawned while it is open, and
 * while it is leaving and has children.
 *
 * A child is a member: in `pending` until its job begins, in `begun` until its future is done. The
 * count also has those that are being submitted. A member's end is told by its future's late watch,
 * so it comes whatever becomes of the job, run, refused to begin, or cancelled by its future.
 *
 * Ending the group sets `ended`, and cancels the scopes of the members that have one; under the
 * guard, under which a member that begins looks at `ended` and says which scope it has. So each is
 * reached by one of the two. Cancelling a scope takes no guard. Who ends it because a child failed is
 * that child's end, which still counts: so the group is there meanwhile.
 *
 * The last child's end wakes the owner as its last touch; the group may be gone then.
 *
 * Who may touch what: all under the guard, but `ended`, which is also read without; scope by the
 * owner. Lock order: a future's guard is not held when the group's is taken; under it, nothing. */
#include <errno.h>
#include <hocket/task_group.h>
#include <stdio.h>

#include "base/report.h"
#include "base/seconds.h"
#include "exec/group.h"
#include "park/wait.h"

enum { NEW, OPEN, LEAVING, OVER };

#define PATIENCE 10.0

/* The grant of who waited for room and has been counted. */
#define ROOM 1

_Static_assert(sizeof(struct hkti_group) <= sizeof(hkt_task_group), "hkt_task_group has room");

static struct hkti_group *of(hkt_task_group *public)
{
    return (struct hkti_group *)public;
}

void hkt_task_group_enter(hkt_task_group *public, const hkt_task_group_options *options)
{
    struct hkti_group *group = of(public);
    hkt_task_group_options chosen = options ? *options : (hkt_task_group_options){ 0 };
    if (chosen.patience != chosen.patience)
        hkti_misuse("hkt_task_group_enter: the patience is NaN");
    group->executor = chosen.executor ? chosen.executor : hkt_executor_current();
    group->limit = chosen.limit;
    group->patience = chosen.patience > 0 ? chosen.patience : PATIENCE;
    hkti_guard_acquire(&group->guard);
    if (group->phase != NEW)
        hkti_misuse("hkt_task_group_enter: group %p was entered before", (void *)group);
    group->phase = OPEN;
    hkt_scope_enter((hkt_scope *)&group->scope, NULL);
    if (hkti_load_relaxed(&group->ended))
        hkt_scope_cancel((hkt_scope *)&group->scope);
    hkti_guard_release(&group->guard);
}

/* Under the guard: of an engine in another address space all children are in `pending`; it is to end
 * them. A member that is in the list has a future that has not been given back. */
static void end_remote(struct hkti_group *group)
{
    struct hkti_node *head = &group->pending;
    for (struct hkti_node *node = head->next; node && node != head; node = node->next) {
        hkt_future *future = HKTI_CONTAINER(node, struct hkti_member, node)->future;
        if (hkti_future_is_remote(future))
            future->executor->ops->remote->request(future->executor, future);
    }
}

/* Under the guard: no more children, and those that run are cancelled. Those who wait for room are to be
 * woken without it. */
static void end_group(struct hkti_group *group, struct hkti_wait_list *wake)
{
    hkti_wait_list_take(&group->room, SIZE_MAX, 0, wake);
    if (hkti_load_relaxed(&group->ended))
        return;
    hkti_store_release(&group->ended, 1); /* pairs: group-ended */
    if (group->phase == OPEN)
        hkt_scope_cancel((hkt_scope *)&group->scope);
    struct hkti_node *head = &group->begun;
    for (struct hkti_node *node = head->next; node && node != head; node = node->next) {
        struct hkti_scope *scope = HKTI_CONTAINER(node, struct hkti_member, node)->scope;
        if (scope)
            hkt_scope_cancel((hkt_scope *)scope);
    }
    end_remote(group);
}

void hkt_task_group_cancel(hkt_task_group *public)
{
    struct hkti_group *group = of(public);
    struct hkti_wait_list wake = { { NULL, NULL } };
    hkti_guard_acquire(&group->guard);
    end_group(group, &wake);
    hkti_guard_release(&group->guard);
    hkti_wake_all(&wake);
}

bool hkt_task_group_cancelled(const hkt_task_group *group)
{
    return hkti_load_acquire(&((const struct hkti_group *)group)->ended); /* pairs: group-ended */
}

size_t hkt_task_group_count(const hkt_task_group *group)
{
    return hkti_load_relaxed(&((const struct hkti_group *)group)->count);
}

/* Under the guard: may somebody spawn into it? */
static int refusal(const struct hkti_group *group)
{
    if (group->phase != OPEN && (group->phase != LEAVING || group->count == 0))
        return -ESHUTDOWN;
    return hkti_load_relaxed(&group->ended) ? -ECANCELED : 0;
}

/* Under the guard: the group's failure, if it is the first. */
static void fail(struct hkti_group *group, int err, const char *sentence,
                 struct hkti_wait_list *wake)
{
    if (group->err == 0) {
        group->err = err;
        snprintf(group->sentence, sizeof group->sentence, "%s", sentence ? sentence : "");
    }
    end_group(group, wake);
}

/* One fewer; the room goes to who has waited longest. Releases the guard and wakes; the group may be gone
 * after it. */
static void count_down(struct hkti_group *group, struct hkti_wait_list *wake)
{
    size_t count = group->count - 1;
    if (!hkti_load_relaxed(&group->ended))
        while (count < group->limit && hkti_wait_list_take(&group->room, 1, ROOM, wake) == 1)
            count++;
    hkti_store_relaxed(&group->count, count);
    if (count == 0)
        hkti_wait_list_take(&group->owner, 1, 0, wake);
    hkti_guard_release(&group->guard);
    hkti_wake_all(wake);
}

static void done(struct hkti_watch *watch, hkt_future *future)
{
    struct hkti_member *member = HKTI_CONTAINER(watch, struct hkti_member, watch);
    struct hkti_group *group = member->group;
    int code = hkti_future_code(future);
    struct hkti_wait_list wake = { { NULL, NULL } };
    hkti_guard_acquire(&group->guard);
    hkti_list_remove(&member->node);
    if (code < 0 && code != -ECANCELED)
        fail(group, code, future->sentence, &wake);
    count_down(group, &wake);
    hkti_line_release(member);
}

void hkti_member_join(struct hkti_member *member, hkt_future *future)
{
    member->watch = (struct hkti_watch){ .done = done, .late = true };
    member->future = future;
    hkti_init(&future->state, future->state | HKTI_FUTURE_WATCHED);
    future->watches = &member->watch;
    hkti_guard_acquire(&member->group->guard);
    hkti_list_append(&member->group->pending, &member->node);
    hkti_guard_release(&member->group->guard);
}

/* Claimed first, so that whoever looks at the list meanwhile finds a future, and does not get it. */
bool hkti_member_withdraw(struct hkti_member *member, hkt_future *future)
{
    if (!hkti_future_claim(future, false)) {
        (void)hkti_future_claim(future, true); /* no queue has it */
        return false;
    }
    hkti_guard_acquire(&member->group->guard);
    hkti_list_remove(&member->node);
    hkti_guard_release(&member->group->guard);
    return true;
}

bool hkti_member_begin(struct hkti_member *member, struct hkti_scope *scope)
{
    struct hkti_group *group = member->group;
    hkti_guard_acquire(&group->guard);
    hkti_list_remove(&member->node);
    hkti_list_append(&group->begun, &member->node);
    bool may = !hkti_load_relaxed(&group->ended);
    member->scope = may ? scope : NULL;
    hkti_guard_release(&group->guard);
    return may;
}

bool hkti_member_has_ended(const struct hkti_member *member)
{
    return hkti_load_acquire(&member->group->ended); /* pairs: group-ended */
}

void hkti_member_end(struct hkti_member *member)
{
    hkti_guard_acquire(&member->group->guard);
    member->scope = NULL;
    hkti_guard_release(&member->group->guard);
}

static bool is_child(const struct hkti_group *group)
{
    for (const struct hkti_run *run = hkti_self()->run; run; run = run->outer) {
        const struct hkti_task *task = hkti_future_task(run->future);
        if (task && task->member && task->member->group == group)
            return true;
    }
    return false;
}

/* For the worker of one who waits: a child that nobody has begun. */
static hkt_future *claim(struct hkti_group *group, const hkt_executor *executor)
{
    hkt_future *found = NULL;
    hkti_guard_acquire(&group->guard);
    struct hkti_node *node;
    while (found == NULL && group->executor == executor &&
           (node = hkti_list_pop(&group->pending)) != NULL) {
        struct hkti_member *member = HKTI_CONTAINER(node, struct hkti_member, node);
        hkti_list_append(&group->begun, node);
        if (hkti_future_claim(member->future, false))
            found = member->future;
    }
    hkti_guard_release(&group->guard);
    return found;
}

/* Who waits for room may be a job on the one worker that would run the children. */
struct room_wait {
    struct hkti_wanted wanted;
    struct hkti_group *group;
};

static hkt_future *claim_for_room(struct hkti_wanted *wanted, const hkt_executor *executor)
{
    return claim(HKTI_CONTAINER(wanted, struct room_wait, wanted)->group, executor);
}

/* With the guard, which it releases: waits for room, which is counted by who makes it. 0; -ECANCELED; 1: to
 * be asked again. */
static int await_room(struct hkti_group *group)
{
    struct room_wait room = { .wanted = { .claim = claim_for_room }, .group = group };
    struct hkti_wait wait = { .what = "room in task group",
                              .object = group,
                              .list = &group->room,
                              .guard = &group->guard,
                              .cancellable = true };
    hkti_guard_release(&group->guard);
    if (hkti_futures_prepare(&room.wanted, &wait.for_jobs) < 0)
        wait.for_jobs = false; /* no memory for another stack: others run them */
    hkti_guard_acquire(&group->guard);
    int err = 1;
    if (refusal(group) == 0 && group->count >= group->limit)
        err = hkti_wait(&wait);
    else
        hkti_guard_release(&group->guard);
    hkti_futures_waited();
    return err == 0 && hkti_self()->grant != ROOM ? 1 : err;
}

/* Counts one more, when there is room. */
static int reserve(struct hkti_group *group)
{
    bool child = is_child(group);
    int err;
    do {
        hkti_guard_acquire(&group->guard);
        err = refusal(group);
        if (err == 0 && !child && group->limit && group->count >= group->limit) {
            err = await_room(group);
            continue;
        }
        if (err == 0)
            hkti_store_relaxed(&group->count, group->count + 1);
        hkti_guard_release(&group->guard);
    } while (err > 0);
    return err;
}

int hkt_task_group_spawn_with(hkt_task_group *public, hkt_future **task, hkt_job *job, void *arg,
                              const hkt_submit_options *options)
{
    struct hkti_group *group = of(public);
    int err = hkti_cancelled(0);
    if (err == 0)
        err = reserve(group);
    if (err < 0)
        return err;
    struct hkti_member *member = hkti_line_allocate();
    if (member) {
        *member = (struct hkti_member){ .group = group };
        err = hkti_submit(group->executor, task, job, arg, options, member);
    } else {
        err = -ENOMEM;
    }
    if (err >= 0)
        return 0;
    struct hkti_wait_list wake = { { NULL, NULL } };
    hkti_guard_acquire(&group->guard);
    if (member && member->node.next)
        hkti_list_remove(&member->node);
    count_down(group, &wake);
    if (member)
        hkti_line_release(member);
    return err;
}

int hkt_task_group_spawn(hkt_task_group *group, hkt_future **task, hkt_job *job, void *arg)
{
    return hkt_task_group_spawn_with(group, task, job, arg, NULL);
}

static hkt_future *claim_for_owner(struct hkti_wanted *wanted, const hkt_executor *executor)
{
    return claim(HKTI_CONTAINER(wanted, struct hkti_group, wanted), executor);
}

/* How many children do not end, and the name of the first. */
static void complain(struct hkti_group *group)
{
    hkti_guard_acquire(&group->guard);
    size_t count = group->count;
    char first[HKT_NAME_MAX] = "?";
    if (!hkti_list_empty(&group->begun) || !hkti_list_empty(&group->pending)) {
        bool none = hkti_list_empty(&group->begun); /* as when they run in another address space */
        struct hkti_node *node = none ? group->pending.next : group->begun.next;
        hkti_task_name(HKTI_CONTAINER(node, struct hkti_member, node)->future, first);
    }
    hkti_guard_release(&group->guard);
    if (count > 0)
        hkti_report_line("task group %p has been cancelled, but %zu of its tasks have not ended, "
                         "the first of them \"%s\": a wait that is not checked, or no wait at all?",
                         (void *)group, count, first);
}

/* Until no child is left: 0, -ETIMEDOUT, -ECANCELED. */
static int await(struct hkti_group *group, int64_t deadline, bool cancellable)
{
    struct hkti_wait wait = { .what = "task group",
                              .object = group,
                              .list = &group->owner,
                              .guard = &group->guard,
                              .deadline = deadline,
                              .cancellable = cancellable };
    group->wanted = (struct hkti_wanted){ .claim = claim_for_owner };
    if (hkti_futures_prepare(&group->wanted, &wait.for_jobs) < 0)
        wait.for_jobs = false; /* no memory for another stack: others run them */
    hkti_guard_acquire(&group->guard);
    int err = 0;
    if (group->count > 0)
        err = hkti_wait(&wait);
    else
        hkti_guard_release(&group->guard);
    hkti_futures_waited();
    return err;
}

/* The owner's body is over, with `err`. */
static void leave_body(struct hkti_group *group, int err)
{
    struct hkti_wait_list wake = { { NULL, NULL } };
    hkti_guard_acquire(&group->guard);
    if (group->phase != OPEN)
        hkti_misuse("hkt_task_group_leave: group %p was not entered, or has been left",
                    (void *)group);
    group->phase = LEAVING;
    if (err < 0 && err != -ECANCELED)
        fail(group, err, hkti_self()->sentence_err == err ? hkti_self()->sentence : NULL, &wake);
    else if (err < 0 && !hkti_load_relaxed(&group->ended)) {
        group->outer = true; /* a scope around the group has ended */
        end_group(group, &wake);
    }
    hkti_guard_release(&group->guard);
    hkti_wake_all(&wake);
    hkt_scope_leave((hkt_scope *)&group->scope);
}

static int await_children(struct hkti_group *group, int64_t deadline)
{
    for (;;) {
        bool ended = hkti_load_relaxed(&group->ended);
        int64_t patience = ended ? hkti_deadline_after(hkti_os_now(), group->patience) : 0;
        int err = await(group, hkti_earlier(deadline, patience), !group->outer);
        if (err == -ECANCELED) {
            struct hkti_wait_list wake = { { NULL, NULL } };
            hkti_guard_acquire(&group->guard);
            group->outer = true;
            end_group(group, &wake);
            hkti_guard_release(&group->guard);
            hkti_wake_all(&wake);
        } else if (err == -ETIMEDOUT && deadline && deadline <= hkti_os_now()) {
            return err;
        } else if (err == -ETIMEDOUT) {
            complain(group);
        } else {
            return 0;
        }
    }
}

int hkt_task_group_leave_until(hkt_task_group *public, int err, hkt_deadline deadline)
{
    struct hkti_group *group = of(public);
    if (group->phase != LEAVING)
        leave_body(group, err);
    int waited = await_children(group, deadline.ns);
    if (waited < 0)
        return waited;
    hkti_guard_acquire(&group->guard);
    group->phase = OVER;
    int result = group->err ? group->err : group->outer ? -ECANCELED : 0;
    hkti_guard_release(&group->guard);
    if (group->err && group->sentence[0])
        return hkt_fail(result, "%s", group->sentence);
    hkti_self()->sentence_err = 0;
    return result;
}

int hkt_task_group_leave(hkt_task_group *group, int err)
{
    return hkt_task_group_leave_until(group, err, (hkt_deadline){ 0 });
}

int hkt_gather_with(hkt_job *job, void *items, size_t count, size_t size,
                    const hkt_map_options *options)
{
    return hkt_map_with(hkt_executor_current(), job, items, count, size, options);
}

int hkt_gather(hkt_job *job, void *items, size_t count, size_t size)
{
    return hkt_gather_with(job, items, count, size, NULL);
}
