/* SPDX-License-Identifier: MIT */
/* Fork-join, the thief's side: takes forks from others, and runs them. forks.h has the rules. */
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/fork_slots.h"
#include "os/os.h"
#include "park/wait.h"

/* Tells the owner, who may be gone right after. */
static void tell(struct hkt_fork_slot *slot, int result, struct hkti_strand *self)
{
    struct hkti_fork_failure *failure = NULL;
    if (result < 0 && self->sentence_err == result)
        failure = hkti_allocate(sizeof *failure);
    if (failure) {
        failure->err = result;
        memcpy(failure->sentence, self->sentence, sizeof failure->sentence);
    }
    slot->result = failure ? (intptr_t)failure : result;
    uintptr_t waiter;
    for (unsigned turns = 0;;) {
        waiter = hkti_load_relaxed(&slot->state);
        if (waiter == HKTI_FORK_HELD)
            hkti_os_yield(turns++);
        else if (hkti_cas_acq_rel(&slot->state, waiter,
                                  (uintptr_t)(failure ? HKTI_FORK_FAILED : HKTI_FORK_DONE)))
            break; /* pairs: fork-done */
    }
    if (waiter != HKTI_FORK_TAKEN)
        hkti_wake((struct hkti_strand *)waiter);
}

/* Runs a slot of the victim that is the caller's now. */
static void run_stolen(struct hkti_forks *victim, struct hkt_fork_slot *slot,
                       struct hkti_strand *self)
{
    struct hkti_forks *own = self->forks;
    struct hkt_fork_slot taken = *slot;
    struct hkti_scope scope = { .strand = self, .parent = hkti_forks_scope_around(victim, slot) };
    struct hkti_scope *before = self->scope;
    struct hkti_fork_level level;
    struct hkti_kept_sentence kept; /* of an owner that helps its thief */
    hkti_sentence_keep(self, &kept);
    slot->arg = own->open.top;
    hkti_store_release(&slot->state, (uintptr_t)HKTI_FORK_TAKEN); /* pairs: fork-taken */
    self->scope = &scope;
    hkti_forks_push_level(own, &level, &scope, slot);
    int result = hkti_fork_call(taken, own->open.top);
    if (hkti_self() != self || self->scope != &scope)
        hkti_misuse("a forked job ended otherwise than by return, or in scope %p, which it has not "
                    "left",
                    (void *)hkti_self()->scope);
    hkti_forks_pop_level(own);
    self->scope = before;
    tell(slot, result, self);
    hkti_sentence_restore(self, &kept);
}

bool hkti_forks_steal_from(struct hkti_forks *victim, struct hkti_strand *self,
                           struct hkt_fork_slot *from)
{
    uint64_t shared = hkti_load_acquire(&victim->shared); /* pairs: fork-shared */
    uint32_t tail = hkti_fork_tail(shared);
    if (from && ((char *)&victim->slots[tail] < (char *)from->arg ||
                 hkti_load_acquire(&from->state) != HKTI_FORK_TAKEN)) /* pairs: fork-done */
        return false;
    if (tail >= hkti_fork_split(shared) ||
        (self->forks == NULL && !hkti_forks_attach(self, victim->pool, NULL)) ||
        !hkti_cas_seq_cst(&victim->shared, shared, shared + 1)) /* pairs: fork-shared */
        return false;
    run_stolen(victim, &victim->slots[tail], self);
    return true;
}

bool hkti_forks_shared(struct hkti_pool *pool)
{
    if (!hkti_forks_is_welcome(pool, hkti_load_relaxed(&pool->forks.thieves)))
        return false;
    struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
    for (; forks; forks = forks->next) {
        uint64_t shared = hkti_load_seq_cst(&forks->shared); /* pairs: fork-shared, idle */
        if (hkti_fork_tail(shared) < hkti_fork_split(shared))
            return true;
    }
    return false;
}

bool hkti_forks_steal(struct hkti_pool *pool)
{
    struct hkti_strand *self = hkti_self();
    bool found = false;
    uint32_t thieves = hkti_fetch_add_relaxed(&pool->forks.thieves, 1);
    if (hkti_forks_is_welcome(pool, thieves)) {
        struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
        for (; forks && !found; forks = forks->next)
            found = forks != self->forks && hkti_forks_steal_from(forks, self, NULL);
    }
    hkti_fetch_add_relaxed(&pool->forks.thieves, (uint32_t)-1);
    return found;
}

void hkti_forks_ask(struct hkti_pool *pool)
{
    if (!hkti_forks_is_welcome(pool, hkti_load_relaxed(&pool->forks.thieves)))
        return;
    struct hkti_forks *forks = hkti_load_acquire(&pool->forks.all); /* pairs: fork-arrays */
    for (; forks; forks = forks->next)
        if (hkti_load_relaxed(&forks->used) && hkti_load_relaxed(&forks->open.fork_until))
            hkti_store_relaxed(&forks->open.fork_until, (struct hkt_fork_slot *)0);
}
