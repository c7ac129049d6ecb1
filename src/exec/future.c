/* SPDX-License-Identifier: MIT */
/* The life of a future: future.h has its states.
 *
 * No wake-up is lost: a watcher sets WATCHED under the guard, by a compare-and-swap that fails when
 * the future is done; who finishes it sees WATCHED in the same word, and then takes the guard. No
 * touch comes too late: whoever waits may destroy the future as soon as it is done; then who finished
 * it gives it back, at SETTLED. The scope of a running job is touched only under BUSY, and a job does
 * not finish while that is set. */
#include "exec/future.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/executor.h"
#include "park/wait.h"
#include "thread/context.h"

/* What the user asked to be called: a late watch. */
struct callback {
    struct hkti_watch watch;
    hkt_done_callback *function;
    void *arg;
};

static hkt_future *make(hkt_job *job, void *arg, uint32_t state)
{
    hkt_future *made = hkti_line_allocate();
    if (made == NULL)
        return NULL;
    made->job = job;
    made->arg = arg;
    made->executor = NULL;
    hkti_init(&made->state, state);
    hkti_init(&made->guard, 0);
    made->result = 0;
    made->priority = 0;
    made->no_foreign_work = false;
    made->is_task = made->eager_start = false;
    made->watches = NULL;
    made->sentence = NULL;
    hkti_init(&made->scope, (struct hkti_scope *)0);
    return made;
}

hkt_future *hkti_future_make(hkt_job *job, void *arg, hkt_executor *executor,
                             const hkt_submit_options *options, struct hkti_member *member)
{
    hkt_future *made = make(job, arg,
                            HKTI_FUTURE_PENDING | HKTI_FUTURE_QUEUED | executor->future_bits);
    if (made == NULL)
        return NULL;
    made->executor = executor;
    if (options) {
        made->priority = (uint8_t)options->priority;
        made->no_foreign_work = options->no_foreign_work;
        made->eager_start = options->eager_start;
    }
    const char *name = options ? options->name : NULL;
    if ((executor->tasks || hkti_self()->context || name || member) &&
        !hkti_task_add(made, name, member)) {
        hkti_future_unmake(made);
        return NULL;
    }
    return made;
}

int hkt_future_create(hkt_future **future)
{
    hkt_future *made = make(NULL, NULL, HKTI_FUTURE_PENDING);
    if (made == NULL)
        return -ENOMEM;
    *future = made;
    return 0;
}

void hkti_future_unmake(hkt_future *future)
{
    if (future->is_task)
        hkti_task_release(hkti_future_task(future));
    if (future->sentence)
        hkti_release(future->sentence, HKT_SENTENCE_MAX);
    hkti_line_release(future);
}

/* Nobody touches it any more. */
static void give_back(hkt_future *future, uint32_t state)
{
    bool failed = (state & HKTI_FUTURE_STEP) == HKTI_FUTURE_FINISHED && future->result < 0 &&
                  future->result != -ECANCELED;
    if (failed && !(state & HKTI_FUTURE_SEEN))
        hkti_report_line("a job failed, and nobody looked at its result: %s",
                         future->sentence ? future->sentence : hkt_strerror(future->result));
    hkti_future_unmake(future);
}

static bool is_over(uint32_t state)
{
    uint32_t bits = HKTI_FUTURE_SETTLED | HKTI_FUTURE_DETACHED | HKTI_FUTURE_QUEUED;
    return (state & bits) == (HKTI_FUTURE_SETTLED | HKTI_FUTURE_DETACHED);
}

/* Sets and clears bits; gives the future back if that was the last thing to come. */
static void change(hkt_future *future, uint32_t set, uint32_t clear)
{
    uint32_t before, after;
    do {
        before = hkti_load_relaxed(&future->state);
        after = (before | set) & ~clear;
    } while (!hkti_cas_acq_rel(&future->state, before, after)); /* pairs: future-end */
    if (is_over(after) && !is_over(before))
        give_back(future, after);
}

void hkt_future_destroy(hkt_future *future)
{
    if (future == NULL)
        return;
    uint32_t state = hkti_load_acquire(&future->state); /* pairs: future-end, future-done */
    if ((state & (HKTI_FUTURE_SETTLED | HKTI_FUTURE_QUEUED)) == HKTI_FUTURE_SETTLED)
        give_back(future, state);
    else
        change(future, HKTI_FUTURE_DETACHED, 0);
}

/* It is done and was watched: tells everybody, in the order in which they came. */
static void tell(hkt_future *future)
{
    struct hkti_watch *list = NULL, *late = NULL, **end = &late;
    hkti_guard_acquire(&future->guard);
    while (future->watches) {
        struct hkti_watch *watch = future->watches;
        future->watches = watch->next;
        watch->next = list;
        list = watch;
    }
    while (list) {
        struct hkti_watch *watch = list;
        list = list->next;
        if (watch->late) {
            watch->next = NULL;
            *end = watch;
            end = &watch->next;
        } else {
            watch->done(watch, future);
        }
    }
    hkti_guard_release(&future->guard);
    while (late) {
        struct hkti_watch *watch = late;
        late = late->next;
        watch->done(watch, future);
    }
    change(future, HKTI_FUTURE_SETTLED, 0);
}

/* From a step, PENDING or one that is the caller's, to an end: false if it is at another by now. */
static bool end(hkt_future *future, uint32_t from, uint32_t to)
{
    uint32_t state, after;
    for (unsigned turns = 0;;) {
        state = hkti_load_relaxed(&future->state);
        if ((state & HKTI_FUTURE_STEP) != from)
            return false;
        if (state & HKTI_FUTURE_BUSY) {
            hkti_os_yield(turns++);
            continue;
        }
        after = (state & ~(uint32_t)HKTI_FUTURE_STEP) | to;
        if (!(state & HKTI_FUTURE_WATCHED))
            after |= HKTI_FUTURE_SETTLED;
        if (hkti_cas_acq_rel(&future->state, state, after)) /* pairs: future-done */
            break;
    }
    if (state & HKTI_FUTURE_WATCHED)
        tell(future);
    else if (is_over(after))
        give_back(future, after);
    return true;
}

/* From `from` to `to`, of these the caller's. */
static bool take(hkt_future *future, uint32_t from, uint32_t to, uint32_t clear)
{
    for (;;) {
        uint32_t state = hkti_load_relaxed(&future->state);
        if ((state & HKTI_FUTURE_STEP) != from)
            return false;
        uint32_t after = (state & ~(HKTI_FUTURE_STEP | clear)) | to;
        if (hkti_cas_acq_rel(&future->state, state, after)) /* pairs: future-end */
            return true;
    }
}

bool hkti_future_claim(hkt_future *future, bool queued)
{
    if (take(future, HKTI_FUTURE_PENDING, HKTI_FUTURE_RUNNING, queued ? HKTI_FUTURE_QUEUED : 0))
        return true;
    if (queued)
        change(future, 0, HKTI_FUTURE_QUEUED);
    return false;
}

/* From a step that is the caller's to FINISHED, with the caller's sentence beside a failure. */
static void finish(hkt_future *future, uint32_t from, int result)
{
    struct hkti_strand *self = hkti_self();
    future->result = result;
    if (result < 0 && self->sentence_err == result) {
        future->sentence = hkti_allocate(HKT_SENTENCE_MAX); /* without memory: the general words */
        if (future->sentence)
            memcpy(future->sentence, self->sentence, HKT_SENTENCE_MAX);
    }
    end(future, from, HKTI_FUTURE_FINISHED);
}

void hkti_future_execute(hkt_future *future, bool shield)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_scope scope = { .strand = self, .shield = shield, .parent = self->scope };
    struct hkti_run run = { future, self->run };
    struct hkti_kept_sentence kept; /* of the caller, if the job runs inside its call */
    struct hkti_task *task = hkti_future_task(future);
    struct hkti_context_node *context = self->context;
    hkti_sentence_keep(self, &kept);
    self->scope = &scope;
    self->run = &run;
    self->context = task ? task->context : NULL;
    hkti_store_release(&future->scope, &scope); /* pairs: future-scope */
    int result = task ? hkti_task_run(task, &scope) : future->job(future->arg);
    if (hkti_self() != self)
        hkti_misuse(
            "a job was left by longjmp, while strand %p waited for it or beside it: it must "
            "return",
            (void *)self);
    if (self->scope != &scope)
        hkti_misuse("a job returned without leaving scope %p", (void *)self->scope);
    self->scope = scope.parent;
    self->run = run.outer;
    hkti_context_drop(self->context);
    self->context = context;
    finish(future, HKTI_FUTURE_RUNNING, result);
    hkti_sentence_restore(self, &kept);
}

bool hkti_is_inside(const hkt_executor *executor)
{
    struct hkti_run *run = hkti_self()->run;
    while (run && run->future->executor != executor)
        run = run->outer;
    return run != NULL;
}

void hkti_future_fail(hkt_future *future, int err)
{
    finish(future, HKTI_FUTURE_RUNNING, err);
}

void hkti_future_settle(hkt_future *future, int result, const char *sentence)
{
    future->result = result;
    if (result < 0 && sentence) {
        future->sentence = hkti_allocate(HKT_SENTENCE_MAX);
        if (future->sentence)
            snprintf(future->sentence, HKT_SENTENCE_MAX, "%s", sentence);
    }
    end(future, HKTI_FUTURE_RUNNING, HKTI_FUTURE_FINISHED);
}

void hkti_future_recalled(hkt_future *future)
{
    end(future, HKTI_FUTURE_RUNNING, HKTI_FUTURE_CANCELLED);
}

/* Why a producer may not go on with it. */
static int refused(const hkt_future *future)
{
    if (future->executor)
        return -EINVAL;
    return hkt_future_cancelled(future) ? -ECANCELED : -EALREADY;
}

int hkt_future_set_running(hkt_future *future)
{
    if (!future->executor && take(future, HKTI_FUTURE_PENDING, HKTI_FUTURE_RUNNING, 0))
        return 0;
    return refused(future);
}

int hkt_future_set_result(hkt_future *future, int result)
{
    if (future->executor || (!take(future, HKTI_FUTURE_PENDING, HKTI_FUTURE_SETTING, 0) &&
                             !take(future, HKTI_FUTURE_RUNNING, HKTI_FUTURE_SETTING, 0)))
        return refused(future);
    finish(future, HKTI_FUTURE_SETTING, result);
    return 0;
}

/* Sets BUSY if it runs, so that its scope stays. */
static bool hold_scope(hkt_future *future)
{
    uint32_t state = hkti_load_relaxed(&future->state);
    return (state & HKTI_FUTURE_STEP) == HKTI_FUTURE_RUNNING && !(state & HKTI_FUTURE_BUSY) &&
           hkti_cas_acq_rel(&future->state, state,
                            state | HKTI_FUTURE_BUSY); /* pairs: future-end */
}

bool hkti_future_hold(hkt_future *future)
{
    for (unsigned turns = 0;;) {
        uint32_t state = hkti_load_relaxed(&future->state);
        if (hkti_future_step_is_done(state))
            return false;
        if (state & HKTI_FUTURE_BUSY)
            hkti_os_yield(turns++);
        else if (hkti_cas_acq_rel(&future->state, state,
                                  state | HKTI_FUTURE_BUSY)) /* pairs: future-end */
            return true;
    }
}

void hkti_future_unhold(hkt_future *future)
{
    change(future, 0, HKTI_FUTURE_BUSY);
}

int hkt_future_cancel(hkt_future *future)
{
    if (future == NULL || end(future, HKTI_FUTURE_PENDING, HKTI_FUTURE_CANCELLED) ||
        (hkti_future_is_remote(future) && hkti_future_recall(future)))
        return 0;
    return hkt_future_cancelled(future) ? 0 : -EBUSY;
}

int hkt_future_request_cancel(hkt_future *future)
{
    for (unsigned turns = 0;; turns++) {
        if (hkt_future_cancel(future) == 0)
            return 0;
        if (hkt_future_done(future))
            return -EBUSY;
        if (future->executor == NULL)
            return 0; /* a producer's: there is nobody to tell */
        if (hkti_future_is_remote(future) && hkti_future_hold(future)) {
            future->executor->ops->remote->request(future->executor, future);
            hkti_future_unhold(future);
            return 0;
        }
        if (hkti_future_is_remote(future))
            continue;
        if (hold_scope(future)) {
            struct hkti_scope *scope = hkti_load_acquire(&future->scope); /* pairs: future-scope */
            if (scope)
                hkt_scope_cancel((hkt_scope *)scope);
            change(future, 0, HKTI_FUTURE_BUSY);
            if (scope)
                return 0;
        }
        hkti_os_yield(turns);
    }
}

struct hkti_coroutine *hkti_future_coroutine(hkt_future *future, const struct hkti_strand *home)
{
    for (unsigned turns = 0; hkt_future_running(future); hkti_os_yield(turns++)) {
        if (!hold_scope(future))
            continue;
        struct hkti_scope *scope = hkti_load_acquire(&future->scope); /* pairs: future-scope */
        struct hkti_strand *strand = scope ? scope->strand : NULL;
        bool here = strand && strand->home == home;
        change(future, 0, HKTI_FUTURE_BUSY);
        return here ? strand->coroutine : NULL;
    }
    return NULL;
}

static uint32_t step_of(const hkt_future *future)
{
    return hkti_load_acquire(&future->state) & HKTI_FUTURE_STEP; /* pairs: future-done */
}

void *hkt_future_arg(const hkt_future *future)
{
    const struct hkti_task *task = hkti_future_task(future);
    return task ? task->arg : future->arg;
}

bool hkt_future_running(const hkt_future *future)
{
    uint32_t step = step_of(future);
    if (hkti_future_is_remote(future) && step == HKTI_FUTURE_RUNNING)
        return hkti_future_began((hkt_future *)(uintptr_t)future);
    return step == HKTI_FUTURE_RUNNING || step == HKTI_FUTURE_SETTING;
}

bool hkt_future_done(const hkt_future *future)
{
    return hkti_future_step_is_done(step_of(future));
}

bool hkt_future_cancelled(const hkt_future *future)
{
    return step_of(future) == HKTI_FUTURE_CANCELLED;
}

int hkti_future_code(hkt_future *future)
{
    uint32_t state = hkti_load_acquire(&future->state); /* pairs: future-done */
    if ((state & HKTI_FUTURE_STEP) == HKTI_FUTURE_CANCELLED)
        return -ECANCELED;
    if (future->result < 0 && !(state & HKTI_FUTURE_SEEN))
        hkti_fetch_or_relaxed(&future->state, HKTI_FUTURE_SEEN);
    return future->result;
}

void hkti_future_adopt_sentence(hkt_future *future)
{
    if (future->sentence)
        hkt_fail(future->result, "%s", future->sentence);
    else
        hkti_self()->sentence_err = 0; /* an older one is of another failure */
}

int hkt_future_result(hkt_future *future, int *result)
{
    if (!hkt_future_done(future))
        return -EBUSY;
    *result = hkti_future_code(future);
    if (*result < 0)
        hkti_future_adopt_sentence(future);
    return 0;
}

int hkti_future_watch_guarded(hkt_future *future, struct hkti_watch *watch)
{
    uint32_t state;
    do {
        state = hkti_load_acquire(&future->state); /* pairs: future-done */
        if (hkti_future_step_is_done(state))
            return 1;
    } while (!(state & HKTI_FUTURE_WATCHED) &&
             !hkti_cas_acq_rel(&future->state, state,
                               state | HKTI_FUTURE_WATCHED)); /* pairs: future-done */
    watch->next = future->watches;
    future->watches = watch;
    return 0;
}

int hkti_future_watch(hkt_future *future, struct hkti_watch *watch)
{
    if (hkt_future_done(future))
        return 1;
    hkti_guard_acquire(&future->guard);
    int is_done = hkti_future_watch_guarded(future, watch);
    hkti_guard_release(&future->guard);
    return is_done;
}

void hkti_future_unwatch_guarded(hkt_future *future, struct hkti_watch *watch)
{
    struct hkti_watch **place = &future->watches;
    while (*place && *place != watch)
        place = &(*place)->next;
    if (*place)
        *place = watch->next;
}

void hkti_future_unwatch(hkt_future *future, struct hkti_watch *watch)
{
    hkti_guard_acquire(&future->guard);
    hkti_future_unwatch_guarded(future, watch);
    hkti_guard_release(&future->guard);
}

static void call_back(struct hkti_watch *watch, hkt_future *future)
{
    struct callback *callback = HKTI_CONTAINER(watch, struct callback, watch);
    callback->function(future, callback->arg);
    hkti_release(callback, sizeof *callback);
}

int hkt_future_add_done_callback(hkt_future *future, hkt_done_callback *function, void *arg)
{
    struct callback *callback = hkti_allocate(sizeof *callback);
    if (callback == NULL)
        return -ENOMEM;
    *callback = (struct callback){ { .done = call_back, .late = true }, function, arg };
    if (hkti_future_watch(future, &callback->watch) == 1)
        call_back(&callback->watch, future);
    return 0;
}
