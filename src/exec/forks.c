/* SPDX-License-Identifier: MIT */
/* Fork-join: the paths that are taken when somebody is hungry, when a fork was taken, when there is
 * no room. forks.h has the rules and their proof. */
#include "exec/forks.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/pool.h"
#include "os/os.h"
#include "park/wait.h"

/* A slot's state. */
enum {
    FREE = 0, /* or forked and not taken */
    TAKEN = 1,
    DONE = 2,
    FAILED = 3, /* done; the result is a struct failure */
};              /* others: the strand that waits for it */

#define CAPACITY                                                                                   \
    ((HKT_FORK_ARRAY_SIZE - sizeof(struct hkti_forks)) / sizeof(struct hkt_fork_slot) - 1)

/* A taken fork's error and its sentence, on their way to who joins. */
struct failure {
    int err;
    char sentence[HKT_SENTENCE_MAX];
};

/* `shared`: tail 16 bits, split 16 bits, changes 32 bits. */
#define ONE_SPLIT ((uint64_t)1 << 16)
#define ONE_CHANGE ((uint64_t)1 << 32)

_Static_assert(CAPACITY < 65535, "places are 16 bits");

/* After this, with one change more. */
static uint64_t changed(uint64_t shared, uint32_t tail, uint32_t split)
{
    return ((shared >> 32) + 1) << 32 | (uint64_t)split << 16 | tail;
}

static uint32_t tail_of(uint64_t shared)
{
    return (uint16_t)shared;
}

static uint32_t split_of(uint64_t shared)
{
    return (uint16_t)(shared >> 16);
}

static struct hkti_forks *forks_of(struct hkt_fork_slot *slot)
{
    return (struct hkti_forks *)(void *)hkt_forks_array(slot);
}

/* Calls what a slot says; its forks go where it was, or where `next` says. */
static int call(struct hkt_fork_slot slot, struct hkt_fork_slot *next)
{
    if (slot.function == NULL)
        return ((hkt_job *)slot.result)(slot.arg);
    return slot.function((hkt_forks){ next }, slot.arg);
}

/* May one more worker help, beside the outsiders who take part? */
static bool is_welcome(const struct hkti_pool *pool, uint32_t thieves)
{
    return thieves + hkti_load_relaxed(&pool->forks.guests) < pool->executor.max_workers;
}

/* Arrays. */

static struct hkti_forks *make_array(struct hkti_pool *pool)
{
    struct hkti_forks *made = hkti_os_pages_map(HKT_FORK_ARRAY_SIZE, HKT_FORK_ARRAY_SIZE);
    if (made == NULL)
        return NULL;
    made->pool = pool;
    made->limit = &made->slots[CAPACITY];
    struct hkti_fork_places *places = &pool->forks;
    hkti_guard_acquire(&places->guard);
    made->next = places->all;
    hkti_store_release(&places->all, made); /* pairs: fork-arrays */
    hkti_guard_release(&places->guard);
    return made;
}

static struct hkti_forks *take_array(struct hkti_pool *pool)
{
    struct hkti_fork_places *places = &pool->forks;
    hkti_guard_acquire(&places->guard);
    struct hkti_forks *taken = places->free;
    if (taken)
        places->free = taken->next_free;
    hkti_guard_release(&places->guard);
    return taken ? taken : make_array(pool);
}

/* The calling strand's array, on this pool; what is forked is in `scope`. NULL: no memory. */
static struct hkti_forks *attach(struct hkti_strand *self, struct hkti_pool *pool,
                                 struct hkti_scope *scope)
{
    struct hkti_forks *forks = take_array(pool);
    if (forks == NULL)
        return NULL;
    forks->owner = self;
    forks->scope = scope;
    forks->overflow = 0;
    forks->overflow_failure = 0;
    forks->open.top = forks->open.private_from = forks->slots;
    hkti_store_relaxed(&forks->open.fork_until, (struct hkt_fork_slot *)0);
    hkti_store_relaxed(&forks->used, 1);
    self->forks = forks;
    return forks;
}

void hkti_forks_leave(struct hkti_strand *self)
{
    struct hkti_forks *forks = self->forks;
    if (forks == NULL)
        return;
    if (forks->open.top != forks->slots || forks->overflow)
        hkti_misuse("a job returned with %zu forks that it has not joined",
                    (size_t)(forks->open.top - forks->slots) + forks->overflow);
    self->forks = NULL;
    hkti_store_relaxed(&forks->used, 0);
    struct hkti_fork_places *places = &forks->pool->forks;
    hkti_guard_acquire(&places->guard);
    forks->next_free = places->free;
    places->free = forks;
    hkti_guard_release(&places->guard);
}

void hkti_forks_end(struct hkti_fork_places *places)
{
    while (places->all) {
        struct hkti_forks *forks = places->all;
        places->all = forks->next;
        hkti_os_pages_unmap(forks, HKT_FORK_ARRAY_SIZE);
    }
}

/* The thief's side. */

/* Tells the owner, who may be gone right after. */
static void tell(struct hkt_fork_slot *slot, int result, struct hkti_strand *self)
{
    struct failure *failure = NULL;
    if (result < 0 && self->sentence_err == result)
        failure = hkti_allocate(sizeof *failure);
    if (failure) {
        failure->err = result;
        memcpy(failure->sentence, self->sentence, sizeof failure->sentence);
    }
    slot->result = failure ? (intptr_t)failure : result;
    /* pairs: fork-done */
    uintptr_t waiter = hkti_exchange_acq_rel(&slot->state, (uintptr_t)(failure ? FAILED : DONE));
    if (waiter != TAKEN)
        hkti_wake((struct hkti_strand *)waiter);
}

/* Runs a slot of the victim that is the caller's now. */
static void run_stolen(struct hkti_forks *victim, struct hkt_fork_slot *slot,
                       struct hkti_strand *self)
{
    struct hkti_forks *own = self->forks;
    struct hkt_fork_slot taken = *slot;
    struct hkti_scope scope = { .strand = self, .parent = victim->scope };
    struct hkti_scope *before = self->scope, *around = own->scope;
    bool outermost = own->open.top == own->slots;
    slot->arg = own->open.top;
    hkti_store_release(&slot->state, (uintptr_t)TAKEN); /* pairs: fork-taken */
    self->scope = &scope;
    self->sentence_err = 0;
    if (outermost)
        own->scope = &scope;
    int result = call(taken, own->open.top);
    if (self->scope != &scope)
        hkti_misuse("a forked job returned without leaving scope %p", (void *)self->scope);
    self->scope = before;
    own->scope = around;
    tell(slot, result, self);
}

/* Takes the oldest that the victim shares; `from` a slot that was taken: only parts of that. */
static bool steal_from(struct hkti_forks *victim, struct hkti_strand *self,
                       struct hkt_fork_slot *from)
{
    uint64_t shared = hkti_load_acquire(&victim->shared); /* pairs: fork-shared */
    uint32_t tail = tail_of(shared);
    if (from && ((char *)&victim->slots[tail] < (char *)from->arg ||
                 hkti_load_acquire(&from->state) != TAKEN)) /* pairs: fork-done */
        return false;
    if (tail >= split_of(shared) || (self->forks == NULL && !attach(self, victim->pool, NULL)) ||
        !hkti_cas_seq_cst(&victim->shared, shared, shared + 1)) /* pairs: fork-shared */
        return false;
    run_stolen(victim, &victim->slots[tail], self);
    return true;
}

/* The owner's side. */

/* Shares the upper half of what is older, that is the lower half of the private slots, one at the
 * least; and calls a worker. */
static void share(struct hkti_forks *forks)
{
    struct hkt_fork_slot *from = forks->open.private_from;
    size_t count = (size_t)(forks->open.top - from + 1) / 2;
    hkti_store_relaxed(&forks->open.fork_until, forks->limit);
    if (!is_welcome(forks->pool, hkti_load_relaxed(&forks->pool->forks.thieves)))
        return;
    if (count > 0) {
        forks->open.private_from = from + count;
        hkti_fetch_add_seq_cst(&forks->shared,
                               ONE_CHANGE + count * ONE_SPLIT); /* pairs: fork-shared */
    }
    hkti_pool_notify(forks->pool);
}

hkt_forks hkt_forks_push_slow(struct hkt_fork_slot *slot)
{
    struct hkti_forks *forks = forks_of(slot);
    if (slot != forks->limit) {
        if (forks->overflow == 0)
            share(forks);
        return (hkt_forks){ slot + 1 };
    }
    forks->open.top = slot;
    int result = call(*slot, slot);
    if (result < 0 && forks->overflow_failure == 0)
        forks->overflow_failure = result;
    forks->overflow++;
    forks->open.private_from = slot + 1;
    return (hkt_forks){ slot };
}

/* Joins one of those beyond the limit. */
static struct hkt_forks_joined join_overflow(struct hkti_forks *forks)
{
    struct hkt_forks_joined joined = { forks->limit, forks->overflow_failure };
    if (--forks->overflow == 0) {
        uint32_t split = split_of(hkti_load_relaxed(&forks->shared));
        forks->open.private_from = &forks->slots[split];
        forks->overflow_failure = 0;
    }
    return joined;
}

/* Takes back what nobody took, the half of it and `index` at the least: false if that one is gone. */
static bool take_back(struct hkti_forks *forks, uint32_t index)
{
    for (;;) {
        uint64_t shared = hkti_load_relaxed(&forks->shared);
        uint32_t tail = tail_of(shared);
        if (tail > index)
            return false;
        uint32_t split = tail + (index - tail) / 2;
        /* pairs: fork-shared */
        if (hkti_cas_seq_cst(&forks->shared, shared, changed(shared, tail, split))) {
            forks->open.private_from = &forks->slots[split];
            return true;
        }
    }
}

static bool is_done(uintptr_t state)
{
    return state == DONE || state == FAILED;
}

/* Parks until the thief is done. */
static void park_for(struct hkt_fork_slot *slot, struct hkti_strand *self)
{
    struct hkti_worker *worker = hkti_worker_self();
    struct hkti_wait wait = { .what = "fork",
                              .object = slot,
                              .for_jobs = worker && hkti_coroutine_reserve(&worker->carrier) };
    hkti_wait_begin(self, &wait);
    if (hkti_cas_acq_rel(&slot->state, (uintptr_t)TAKEN, (uintptr_t)self)) /* pairs: fork-done */
        hkti_wait_finish(self, &wait);
    else
        hkti_store_relaxed(&self->word, HKTI_RUNNING);
}

/* A slot that was taken: until it is done. */
static void await_slot(struct hkt_fork_slot *slot)
{
    struct hkti_strand *self = hkti_self();
    unsigned budget = hkti_spin_max();
    for (unsigned spent = 0;; spent++) {
        uintptr_t state = hkti_load_acquire(&slot->state); /* pairs: fork-done, fork-taken */
        if (is_done(state))
            return;
        if (state == TAKEN && steal_from(forks_of(slot->arg), self, slot))
            continue;
        if (spent < budget)
            hkti_os_pause();
        else if (state == TAKEN)
            park_for(slot, self);
        else
            hkti_os_yield(spent - budget); /* the thief has not said yet where it begins */
    }
}

/* The result of a slot that is done, its sentence with the caller. */
static intptr_t result_of(struct hkt_fork_slot *slot)
{
    if (hkti_load_relaxed(&slot->state) != FAILED)
        return slot->result;
    struct failure *failure = (struct failure *)slot->result;
    int err = failure->err;
    hkt_fail(err, "%s", failure->sentence);
    hkti_release(failure, sizeof *failure);
    return err;
}

struct hkt_forks_joined hkt_forks_join_slow(struct hkt_fork_slot *slot)
{
    struct hkti_forks *forks = forks_of(slot);
    if (forks->overflow)
        return join_overflow(forks);
    uint32_t index = (uint32_t)(slot - forks->slots);
    if (take_back(forks, index)) {
        forks->open.top = slot;
        return (struct hkt_forks_joined){ slot, call(*slot, slot) };
    }
    await_slot(slot);
    uint64_t shared = hkti_load_relaxed(&forks->shared);
    hkti_store_seq_cst(&forks->shared, changed(shared, index, index)); /* pairs: fork-shared */
    forks->open.private_from = forks->open.top = slot;
    intptr_t result = result_of(slot);
    hkti_store_relaxed(&slot->state, (uintptr_t)FREE);
    return (struct hkt_forks_joined){ slot, result };
}

bool hkti_forks_shared(struct hkti_pool *pool)
{
    if (!is_welcome(pool, hkti_load_relaxed(&pool->forks.thieves)))
        return false;
    struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
    for (; forks; forks = forks->next) {
        uint64_t shared = hkti_load_seq_cst(&forks->shared); /* pairs: fork-shared, idle */
        if (tail_of(shared) < split_of(shared))
            return true;
    }
    return false;
}

bool hkti_forks_steal(struct hkti_pool *pool)
{
    struct hkti_strand *self = hkti_self();
    bool found = false;
    uint32_t thieves = hkti_fetch_add_relaxed(&pool->forks.thieves, 1);
    if (is_welcome(pool, thieves)) {
        struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
        for (; forks && !found; forks = forks->next)
            found = forks != self->forks && steal_from(forks, self, NULL);
    }
    hkti_fetch_add_relaxed(&pool->forks.thieves, (uint32_t)-1);
    return found;
}

void hkti_forks_ask(struct hkti_pool *pool)
{
    if (!is_welcome(pool, hkti_load_relaxed(&pool->forks.thieves)))
        return;
    struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
    for (; forks; forks = forks->next)
        if (hkti_load_relaxed(&forks->used) && hkti_load_relaxed(&forks->open.fork_until))
            hkti_store_relaxed(&forks->open.fork_until, (struct hkt_fork_slot *)0);
}

/* Out of line. */

/* The array of a job that forks for the first time; NULL: it runs its forks at once. */
static struct hkti_forks *first_fork(struct hkti_strand *self)
{
    struct hkti_worker *worker = hkti_worker_self();
    struct hkti_scope *outermost = self->scope; /* the job's: it lasts as long as the array */
    while (outermost && outermost->parent)
        outermost = outermost->parent;
    return worker ? attach(self, worker->pool, outermost) : NULL;
}

void hkt_fork(hkt_job *job, void *arg)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_forks *forks = self->forks;
    if (__builtin_expect(forks == NULL, 0) && (forks = first_fork(self)) == NULL) {
        int result = job(arg);
        if (result < 0 && self->fork_failure == 0)
            self->fork_failure = result;
        self->forks_run++;
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
    if (self->forks_run == 0)
        hkti_misuse("hkt_join: there is no fork to join");
    int failure = self->fork_failure;
    if (--self->forks_run == 0)
        self->fork_failure = 0;
    return failure;
}

int hkt_join(void)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_forks *forks = self->forks;
    if (__builtin_expect(forks == NULL, 0))
        return join_run(self);
    struct hkt_fork_slot *slot = forks->open.top - 1;
    if (__builtin_expect(slot < forks->open.private_from, 0)) {
        if (slot < forks->slots)
            return join_run(self);
        return (int)hkt_forks_join_slow(slot).result;
    }
    forks->open.top = slot;
    return call(*slot, slot);
}

/* Runs something in the calling strand with an array on the pool. */

static struct hkti_pool *pool_of(hkt_executor *executor)
{
    if (executor == NULL)
        executor = hkt_default_executor();
    return executor ? hkti_pool_of(executor) : NULL;
}

/* An outsider takes part: it has an array as long as this lasts. False: it has one already, or there
 * is no memory, or no pool. */
static bool begin(struct hkti_strand *self, struct hkti_pool *pool)
{
    if (self->forks || pool == NULL || attach(self, pool, self->scope) == NULL)
        return false;
    struct hkti_worker *worker = hkti_worker_self();
    if (worker == NULL || worker->pool != pool)
        hkti_fetch_add_relaxed(&pool->forks.guests, 1);
    return true;
}

static void end(struct hkti_strand *self, struct hkti_pool *pool)
{
    struct hkti_worker *worker = hkti_worker_self();
    if (worker == NULL || worker->pool != pool)
        hkti_fetch_add_relaxed(&pool->forks.guests, (uint32_t)-1);
    hkti_forks_leave(self);
}

int hkti_forks_within(hkt_executor *executor, int (*function)(void *arg), void *arg)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_pool *pool = self->forks ? self->forks->pool : pool_of(executor);
    bool mine = begin(self, pool);
    int result = function(arg);
    if (mine)
        end(self, pool);
    return result;
}

int hkt_fork_run(hkt_executor *pool, hkt_job *job, void *arg)
{
    return hkti_forks_within(pool, job, arg);
}

struct inline_run {
    hkt_forked *function;
    void *arg;
};

static int run_inline(void *arg)
{
    struct inline_run *run = arg;
    struct hkti_forks *forks = hkti_self()->forks;
    if (forks == NULL)
        return -ENOMEM;
    return run->function((hkt_forks){ forks->open.top }, run->arg);
}

int hkt_forks_run(hkt_executor *pool, hkt_forked *function, void *arg)
{
    struct inline_run run = { function, arg };
    return hkti_forks_within(pool, run_inline, &run);
}
