/* SPDX-License-Identifier: MIT */
/* Fork-join, the owner's side: the paths that are taken when somebody is hungry, when a fork was
 * taken, when there is no room; and the forms out of line. forks.h has the rules and their proof. */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/fork_slots.h"
#include "os/os.h"
#include "park/wait.h"

/* Somebody who is parked for a slot that the strand runs may go on, and help. */
static void wake_joiner(const struct hkti_forks *forks)
{
    for (const struct hkti_fork_level *level = forks->level; level; level = level->outer) {
        uintptr_t state = level->stolen ? hkti_load_relaxed(&level->stolen->state) : 0;
        if (state <= HKTI_FORK_HELD)
            continue;
        /* pairs: fork-done */
        if (hkti_cas_acq_rel(&level->stolen->state, state, (uintptr_t)HKTI_FORK_TAKEN)) {
            hkti_wake((struct hkti_strand *)state);
            return;
        }
    }
}

/* Shares the lower half of the private slots, the older ones, and calls who might take them. */
static void share(struct hkti_forks *forks)
{
    struct hkt_fork_slot *from = forks->open.private_from;
    size_t count = (size_t)(forks->open.top - from + 1) / 2;
    hkti_store_relaxed(&forks->open.fork_until, forks->limit);
    forks->open.private_from = from + count;
    /* pairs: fork-shared */
    hkti_fetch_add_seq_cst(&forks->shared, HKTI_FORK_ONE_CHANGE + count * HKTI_FORK_ONE_SPLIT);
    if (hkti_forks_is_welcome(forks->pool, hkti_load_relaxed(&forks->pool->forks.thieves)))
        hkti_pool_notify(forks->pool);
    wake_joiner(forks);
}

/* Of a fork that was run at once, until it is joined. */
static void keep_result(struct hkti_fork_results *kept, int result)
{
    if (kept->count == kept->room) {
        size_t room = kept->room ? 2 * kept->room : 64;
        int *results = hkti_allocate(room * sizeof *results);
        if (results && kept->results)
            memcpy(results, kept->results, kept->room * sizeof *results);
        if (results) {
            hkti_release(kept->results, kept->room * sizeof *results);
            kept->results = results;
            kept->room = room;
        }
    }
    if (kept->count < kept->room)
        kept->results[kept->count] = result;
    else if (kept->lost == 0 || result < 0)
        kept->lost = result < 0 ? result : -ENOMEM;
    kept->count++;
}

/* Joins the last one of them. */
static int take_result(struct hkti_fork_results *kept)
{
    size_t last = --kept->count;
    int result = last < kept->room ? kept->results[last] : kept->lost;
    if (last == 0) {
        hkti_release(kept->results, kept->room * sizeof *kept->results);
        *kept = (struct hkti_fork_results){ 0 };
    }
    return result;
}

hkt_forks hkt_forks_push_slow(struct hkt_fork_slot *slot)
{
    struct hkti_forks *forks = hkti_forks_of(slot);
    if (slot != forks->limit) {
        if (forks->overflow.count == 0)
            share(forks);
        return (hkt_forks){ slot + 1 };
    }
    forks->open.top = slot;
    keep_result(&forks->overflow, hkti_fork_call(*slot, slot));
    forks->open.private_from = slot + 1;
    return (hkt_forks){ slot };
}

/* Joins one of those beyond the limit. */
static struct hkt_forks_joined join_overflow(struct hkti_forks *forks)
{
    struct hkt_forks_joined joined = { forks->limit, take_result(&forks->overflow) };
    if (forks->overflow.count == 0) {
        uint32_t split = hkti_fork_split(hkti_load_relaxed(&forks->shared));
        forks->open.private_from = &forks->slots[split];
    }
    return joined;
}

/* Takes back what nobody took, the half of it and `index` at the least: false if that one is gone. */
static bool take_back(struct hkti_forks *forks, uint32_t index)
{
    for (;;) {
        uint64_t shared = hkti_load_relaxed(&forks->shared);
        uint32_t tail = hkti_fork_tail(shared);
        if (tail > index)
            return false;
        uint32_t split = tail + (index - tail) / 2;
        /* pairs: fork-shared */
        if (hkti_cas_seq_cst(&forks->shared, shared, hkti_fork_changed(shared, tail, split))) {
            forks->open.private_from = &forks->slots[split];
            return true;
        }
    }
}

static bool is_done(uintptr_t state)
{
    return state == HKTI_FORK_DONE || state == HKTI_FORK_FAILED;
}

/* The parked owner has been nudged: if a scope around it has ended, the thief is nudged too. */
static int pass_on(struct hkti_wait *wait)
{
    struct hkt_fork_slot *slot = (struct hkt_fork_slot *)(uintptr_t)wait->object;
    struct hkti_strand *self = hkti_self();
    uintptr_t parked = (uintptr_t)self, held = HKTI_FORK_HELD;
    if (hkti_scope_ended(self) &&
        hkti_cas_acq_rel(&slot->state, parked, held)) { /* pairs: fork-done */
        hkti_nudge(hkti_forks_of(slot->arg)->owner);
        hkti_store_release(&slot->state, parked); /* pairs: fork-done */
    }
    return 0;
}

/* Parks until the thief is done. */
static void park_for(struct hkt_fork_slot *slot, struct hkti_strand *self)
{
    struct hkti_worker *worker = hkti_worker_self();
    struct hkti_wait wait = { .what = "fork",
                              .object = slot,
                              .reason = pass_on,
                              .for_jobs = worker && hkti_coroutine_reserve(&worker->carrier) };
    hkti_wait_begin(self, &wait);
    if (hkti_cas_acq_rel(&slot->state, (uintptr_t)HKTI_FORK_TAKEN,
                         (uintptr_t)self)) /* pairs: fork-done */
        hkti_wait_finish(self, &wait);
    else
        hkti_store_relaxed(&self->word, HKTI_RUNNING);
}

/* Tells the thief that somebody would take parts of what it runs. */
static void ask_thief(struct hkt_fork_slot *slot)
{
    struct hkt_fork_array *thief = &hkti_forks_of(slot->arg)->open;
    if (hkti_load_relaxed(&thief->fork_until))
        hkti_store_relaxed(&thief->fork_until, (struct hkt_fork_slot *)0);
}

/* A slot that was taken: until it is done. Who waits only shortly asks for nothing, for that makes
 * the thief slower. */
static void await_slot(struct hkt_fork_slot *slot)
{
    struct hkti_strand *self = hkti_self();
    unsigned budget = hkti_spin_max();
    for (unsigned spent = 0;; spent++) {
        uintptr_t state = hkti_load_acquire(&slot->state); /* pairs: fork-done, fork-taken */
        if (is_done(state))
            return;
        if (state == HKTI_FORK_TAKEN && hkti_forks_steal_from(hkti_forks_of(slot->arg), self, slot))
            continue;
        if (state == HKTI_FORK_TAKEN && spent >= budget / 4)
            ask_thief(slot);
        if (spent < budget)
            hkti_os_pause();
        else if (state == HKTI_FORK_TAKEN)
            park_for(slot, self);
        else
            hkti_os_yield(spent - budget); /* the thief has not said yet where it begins */
    }
}

/* The result of a slot that is done, its sentence with the caller. */
static intptr_t result_of(struct hkt_fork_slot *slot)
{
    if (hkti_load_relaxed(&slot->state) != HKTI_FORK_FAILED)
        return slot->result;
    struct hkti_fork_failure *failure = (struct hkti_fork_failure *)slot->result;
    int err = failure->err;
    hkt_fail(err, "%s", failure->sentence);
    hkti_release(failure, sizeof *failure);
    return err;
}

struct hkt_forks_joined hkt_forks_join_slow(struct hkt_fork_slot *slot)
{
    struct hkti_forks *forks = hkti_forks_of(slot);
    if (forks->overflow.count)
        return join_overflow(forks);
    uint32_t index = (uint32_t)(slot - forks->slots);
    if (take_back(forks, index)) {
        forks->open.top = slot;
        return (struct hkt_forks_joined){ slot, hkti_fork_call(*slot, slot) };
    }
    await_slot(slot);
    uint64_t shared = hkti_load_relaxed(&forks->shared);
    hkti_store_seq_cst(&forks->shared,
                       hkti_fork_changed(shared, index, index)); /* pairs: fork-shared */
    forks->open.private_from = forks->open.top = slot;
    intptr_t result = result_of(slot);
    hkti_store_relaxed(&slot->state, (uintptr_t)HKTI_FORK_FREE);
    return (struct hkt_forks_joined){ slot, result };
}

/* Out of line. */

/* The array of a job that forks for the first time; NULL: it runs its forks at once. */
static struct hkti_forks *first_fork(struct hkti_strand *self)
{
    struct hkti_worker *worker = hkti_worker_self();
    struct hkti_scope *outermost = self->scope; /* the job's: it lasts as long as the array */
    while (outermost && outermost->parent)
        outermost = outermost->parent;
    return worker ? hkti_forks_attach(self, worker->pool, outermost) : NULL;
}

void hkt_fork(hkt_job *job, void *arg)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_forks *forks = self->forks;
    if (__builtin_expect(forks == NULL, 0) && (forks = first_fork(self)) == NULL) {
        keep_result(&self->run_at_once, job(arg));
        return;
    }
    struct hkt_fork_slot *slot = forks->open.top;
    slot->function = NULL;
    slot->arg = arg;
    slot->result = (intptr_t)job;
    forks->open.top = slot + 1;
    if (__builtin_expect(slot >= hkti_load_relaxed(&forks->open.fork_until), 0))
        hkt_forks_push_slow(slot);
}

/* Joins one that was run at once, outside any pool. */
static int join_run(struct hkti_strand *self)
{
    if (self->run_at_once.count == 0)
        hkti_misuse("hkt_join: there is no fork to join");
    return take_result(&self->run_at_once);
}

int hkt_join(void)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_forks *forks = self->forks;
    if (__builtin_expect(forks == NULL, 0))
        return join_run(self);
    struct hkt_fork_slot *slot = forks->open.top - 1;
    if (__builtin_expect(slot < forks->open.private_from, 0)) {
        if (slot < forks->slots && forks->overflow.count == 0)
            return join_run(self);
        return (int)hkt_forks_join_slow(slot).result;
    }
    forks->open.top = slot;
    return hkti_fork_call(*slot, slot);
}

/* Runs something in the calling strand with an array on the pool. */

/* Whose workers may take the caller's forks; NULL: nobody's. */
static struct hkti_pool *pool_for(const struct hkti_strand *self, hkt_executor *executor)
{
    struct hkti_worker *worker = hkti_worker_self();
    if (executor == NULL && self->forks)
        return self->forks->pool;
    if (executor == NULL && worker)
        return worker->pool;
    if (executor == NULL)
        executor = hkt_default_executor();
    return executor ? hkti_pool_of(executor) : NULL;
}

unsigned hkti_forks_workers(hkt_executor *executor)
{
    struct hkti_pool *pool = pool_for(hkti_self(), executor);
    return pool ? pool->executor.max_workers : 1;
}

/* The array that the caller has is of another pool, or it has none: it gets one for as long as this
 * lasts, and takes part as a guest, unless it is one of the pool's workers. */
static int run_with_array(struct hkti_strand *self, struct hkti_pool *pool,
                          int (*function)(void *arg), void *arg)
{
    struct hkti_forks *before = self->forks;
    struct hkti_worker *worker = hkti_worker_self();
    bool guest = pool && (worker == NULL || worker->pool != pool);
    self->forks = NULL;
    if (hkti_forks_attach(self, pool, self->scope) == NULL) {
        self->forks = before;
        return -ENOMEM;
    }
    if (guest)
        hkti_fetch_add_relaxed(&pool->forks.guests, 1);
    int result = function(arg);
    if (guest)
        hkti_fetch_add_relaxed(&pool->forks.guests, (uint32_t)-1);
    hkti_forks_leave(self);
    if (pool)
        hkti_forks_ask(pool); /* who was not welcome may be now */
    self->forks = before;
    return result;
}

int hkti_forks_within(hkt_executor *executor, int (*function)(void *arg), void *arg)
{
    struct hkti_strand *self = hkti_self();
    if (hkti_load_relaxed(&hkti_forked))
        hkti_misuse(
            "a parallel call: this is the child of a fork of a program whose threads ran: it "
            "may only exec");
    struct hkti_pool *pool = pool_for(self, executor);
    if (self->forks == NULL || self->forks->pool != pool)
        return run_with_array(self, pool, function, arg);
    struct hkti_fork_level level;
    struct hkti_forks *forks = self->forks;
    hkti_forks_push_level(forks, &level, self->scope, NULL);
    int result = function(arg);
    hkti_forks_pop_level(forks);
    return result;
}

int hkt_fork_run(hkt_executor *pool, hkt_job *job, void *arg)
{
    if (job == NULL)
        return -EINVAL;
    return hkti_forks_within(pool, job, arg);
}

struct inline_run {
    hkt_forked *function;
    void *arg;
};

static int run_inline(void *arg)
{
    struct inline_run *run = arg;
    return run->function((hkt_forks){ hkti_self()->forks->open.top }, run->arg);
}

int hkt_forks_run(hkt_executor *pool, hkt_forked *function, void *arg)
{
    struct inline_run run = { function, arg };
    if (function == NULL)
        return -EINVAL;
    return hkti_forks_within(pool, run_inline, &run);
}
