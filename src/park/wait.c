/* SPDX-License-Identifier: MIT */
/* The protocol of waiting and waking. park/README.md has its states, rules and proof; in short:
 *
 * A strand arms its word and joins a list under the list's guard. A waker takes it out under the
 * same guard, so that exactly one does, and owes it exactly one WOKEN. A nudge (of a cancel) may
 * come any time and leaves it in its list. A strand whose deadline or scope ends takes itself out
 * under the guard; if it is no longer in, a waker has it, and it awaits that WOKEN. So every wait
 * that was chosen ends with success, and no wake-up is lost or left over. */
#include "park/wait.h"

#include <errno.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"

void hkti_wait_begin(struct hkti_strand *self, struct hkti_wait *wait)
{
    if (hkti_load_relaxed(&hkti_forked))
        hkti_misuse(
            "%s: this is the child of a fork of a program whose threads ran: it may only exec",
            wait->what);
    if (self->sleeper ==
        NULL) /* of coroutines nobody asks it, and the clock costs more than they */
        hkti_store_relaxed(&self->since, wait->since ? wait->since : hkti_os_now());
    /* Also the store-load fence between arming and looking at the scopes. */
    hkti_exchange_seq_cst(&self->word, HKTI_ARMED); /* pairs: nudge */
    if (wait->list == NULL)
        return;
    hkti_init(&self->list, wait->list);
    if (wait->in_front)
        hkti_list_prepend(&wait->list->head, &self->node);
    else
        hkti_list_append(&wait->list->head, &self->node);
}

/* Spins until the word says something else than armed; what pays is learnt from what paid, but a
 * quarter of the most is spent in any case. After many misses it still tries in full now and then,
 * since the times may have changed. After each quarter the processor is given away once: who would
 * wake the caller may stand behind it, on the same one, where the system leaves them for long. */
static void spin_while_armed(struct hkti_strand *self, const struct hkti_wait *wait)
{
    unsigned max = hkti_spin_max(), quarter = max / 4 + 1;
    unsigned budget = self->spin_misses % 32 == 31 || self->spin > max ? max : self->spin;
    for (unsigned i = 1; i <= budget; i++) {
        if (hkti_load_relaxed(&self->word) != HKTI_ARMED || hkti_word_differs(wait->shared)) {
            self->spin = budget + (max - budget + 3) / 4;
            self->spin_misses = 0;
            return;
        }
        if (i % quarter == 0)
            hkti_os_yield(0);
        else
            hkti_os_pause();
    }
    self->spin_misses++;
    if (self->spin > quarter)
        self->spin -= (self->spin - quarter + 7) / 8;
}

/* Takes the caller out of its list: false if a waker has done so, and WOKEN is on its way. */
static bool leave_list(struct hkti_strand *self, struct hkti_wait *wait)
{
    if (wait->list == NULL)
        return true;
    hkti_guard_acquire(wait->guard);
    bool still_in = hkti_load_relaxed(&self->list) == wait->list;
    if (still_in) {
        hkti_list_remove(&self->node);
        hkti_store_relaxed(&self->list, (struct hkti_wait_list *)0);
        if (wait->left)
            wait->left(wait);
    }
    hkti_guard_release(wait->guard);
    return still_in;
}

/* Why the caller should stop waiting, or 0 and when to look again (0: only when told). */
static int reason_to_leave(struct hkti_strand *self, struct hkti_wait *wait, int64_t *alarm)
{
    int64_t scopes = 0;
    int reason = wait->reason ? wait->reason(wait) : 0;
    if (reason)
        return reason;
    if (wait->cancellable) {
        if (hkti_scope_ended(self))
            return -ECANCELED;
        scopes = hkti_scope_deadline(self);
    }
    *alarm = hkti_earlier(scopes, wait->deadline);
    if (*alarm == 0)
        return 0;
    int64_t now = hkti_os_now();
    if (scopes != 0 && scopes <= now && hkti_scope_expire(self, now))
        return -ECANCELED;
    if (wait->deadline != 0 && wait->deadline <= now) {
        wait->deadline = wait->expired ? wait->expired(wait, now) : -1;
        if (wait->deadline == -1)
            return -ETIMEDOUT;
        *alarm = hkti_earlier(scopes, wait->deadline);
    }
    return 0;
}

static const struct hkti_sleeper *sleeper_for(struct hkti_strand *self, struct hkti_wait *wait)
{
    if (wait->sleeper)
        return wait->sleeper;
    if (self->sleeper && (wait->fd == NULL || self->sleeper->takes_fds))
        return self->sleeper;
    return wait->fd ? &hkti_sleeper_poll : &hkti_sleeper_futex;
}

/* Until WOKEN, or a reason to leave that no waker has forestalled. */
static int sleep_until_woken(struct hkti_strand *self, struct hkti_wait *wait)
{
    const struct hkti_sleeper *sleeper = sleeper_for(self, wait);
    int64_t alarm = 0;
    if (!wait->no_spin && self->sleeper == NULL && (!wait->reason || !wait->reason(wait)))
        spin_while_armed(self, wait);
    for (;;) {
        uint32_t word = hkti_load_acquire(&self->word); /* pairs: wake */
        if (word == HKTI_WOKEN)
            return 0;
        if (word == HKTI_NUDGED && !hkti_cas_acq_rel(&self->word, HKTI_NUDGED, HKTI_ARMED))
            continue; /* pairs: nudge; woken meanwhile */
        int err = reason_to_leave(self, wait, &alarm);
        if (err == 0)
            err = sleeper->sleep(self, wait, alarm);
        if (err == 0)
            continue;
        if (leave_list(self, wait))
            return err;
        /* Chosen: the waker is between taking us out and waking us. */
        wait->cancellable = false;
        wait->reason = NULL;
        wait->deadline = alarm = 0;
        wait->fd = NULL;
        wait->shared = NULL;
        sleeper = sleeper_for(self, wait);
    }
}

/* What the strand waits for, for those who look from outside. */
static void show(struct hkti_strand *self, const struct hkti_wait *wait)
{
    hkti_store_relaxed(&self->object, wait->object);
    hkti_store_relaxed(&self->timed, wait->deadline != 0 && wait->expired == NULL);
    hkti_store_release(&self->what, wait->what); /* pairs: shown */
}

static void run_hooks(struct hkti_strand *self, struct hkti_node *hooks, bool after)
{
    /* A hook that waits must not run hooks. */
    struct hkti_node *node = after ? hooks->prev : hooks->next;
    self->hooks.next = NULL;
    while (node != hooks) {
        struct hkti_wait_hook *hook = HKTI_CONTAINER(node, struct hkti_wait_hook, node);
        node = after ? node->prev : node->next;
        (after ? hook->after : hook->before)(hook);
    }
}

int hkti_wait_finish(struct hkti_strand *self, struct hkti_wait *wait)
{
    bool hooks = !wait->no_hooks && !hkti_list_empty(&self->hooks);
    struct hkti_node *first = self->hooks.next;
    show(self, wait);
    if (hooks) {
        run_hooks(self, &self->hooks, false);
        self->hooks.next = first;
    }
    int err = sleep_until_woken(self, wait);
    hkti_store_relaxed(&self->what, (const char *)0);
    hkti_store_relaxed(&self->word, HKTI_RUNNING);
    if (hooks) {
        run_hooks(self, &self->hooks, true);
        self->hooks.next = first;
    }
    return err;
}

int hkti_wait(struct hkti_wait *wait)
{
    struct hkti_strand *self = hkti_self();
    uint32_t *guard = wait->guard;
    if (wait->shared && self->sleeper)
        return hkti_load_relaxed(&hkti_ear)(self, wait);
    hkti_wait_begin(self, wait);
    if (guard)
        hkti_guard_release(guard);
    return hkti_wait_finish(self, wait);
}

/* Brings the word to `target`, waking the sleeper by its kind if it sleeps. */
static void post(struct hkti_strand *strand, uint32_t target)
{
    for (;;) {
        uint32_t word = hkti_load_seq_cst(&strand->word); /* pairs: nudge */
        const struct hkti_sleeper *sleeper = hkti_sleeper_of(word);
        if (word == HKTI_WAKING) {
            hkti_os_yield(0); /* the other one is at the eventfd: two system calls at the most */
        } else if (word == HKTI_RUNNING || word == HKTI_WOKEN) {
            return; /* only a nudge comes here */
        } else if (word == HKTI_NUDGED && target == HKTI_NUDGED) {
            return;
        } else if (sleeper && sleeper->needs_strand) {
            if (hkti_cas_acq_rel(&strand->word, word, HKTI_WAKING)) { /* pairs: waking */
                sleeper->rouse(strand);
                hkti_store_release(&strand->word, target); /* pairs: wake, waking */
                return;
            }
        } else if (hkti_cas_seq_cst(&strand->word, word, target)) { /* pairs: wake, nudge */
            if (sleeper)
                sleeper->rouse(strand);
            return;
        }
    }
}

void hkti_wake(struct hkti_strand *strand)
{
    post(strand, HKTI_WOKEN);
}

void hkti_nudge(struct hkti_strand *strand)
{
    post(strand, HKTI_NUDGED);
}

size_t hkti_wait_list_take(struct hkti_wait_list *list, size_t n, uintptr_t grant,
                           struct hkti_wait_list *taken)
{
    size_t count = 0;
    struct hkti_strand *strand;
    while (count < n && (strand = hkti_wait_list_pop(list)) != NULL) {
        strand->grant = grant;
        hkti_list_append(&taken->head, &strand->node);
        count++;
    }
    return count;
}

void hkti_wake_all(struct hkti_wait_list *taken)
{
    struct hkti_strand *strand;
    while ((strand = hkti_wait_list_pop(taken)) != NULL)
        hkti_wake(strand);
}
