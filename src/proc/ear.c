/* SPDX-License-Identifier: MIT */
/* The ear (ear.h): shared words, heard for coroutines.
 *
 * A coroutine puts a record, which lies on its stack, into `all`, and waits in the record's list. The
 * ear looks at all records, takes out those whose word has changed, and sleeps on the words of the
 * others and on its own doorbell, in one system call. Who comes with a word on which it does not sleep
 * rings the doorbell. Words that are too many for one call are looked at every 2 ms; all of them
 * every millisecond where the system cannot wait for several.
 *
 * A wake-up is meant for one sleeper, and the ear may get it: so it is passed on, if the ear wakes
 * nobody for that word. That is when the coroutine has left meanwhile, of which the ear is not told.
 *
 * Who may touch what: `all`, `current` and what it points to under the guard; the other set by the ear
 * alone. */
#include "proc/ear.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"
#include "park/wait.h"

#define TOO_MANY_NS (2 * HKTI_MILLISECOND)
#define NOT_ABLE_NS HKTI_MILLISECOND
#define PLACES 256 /* of the table: more than twice as many as words */
_Static_assert(PLACES > 2 * HKTI_OS_FUTEX_MANY, "there is always a free place");

struct heard {
    struct hkti_node node;
    struct hkti_wait_list list; /* the coroutine */
    const struct hkti_word_interest *interest;
};

/* The words that it sleeps on, as they were. */
struct set {
    size_t count;
    bool too_many;
    uint32_t *words[HKTI_OS_FUTEX_MANY];
    uint32_t values[HKTI_OS_FUTEX_MANY];
    bool heard[HKTI_OS_FUTEX_MANY]; /* somebody was woken for it */
    uint8_t places[PLACES];         /* a hash table: index + 1 */
};

enum { NONE, STARTING, RUNS };

static struct {
    uint32_t guard;
    uint32_t state;
    uint32_t stop;
    uint32_t doorbell; /* counts up */
    struct hkti_node all;
    struct set sets[2];
    struct set *current;
    struct hkti_os_thread thread;
} ear;

/* Where it is in the table, or would be. */
static uint8_t *place_of(struct set *set, const uint32_t *word)
{
    size_t place = (size_t)(((uint64_t)(uintptr_t)word * UINT64_C(0x9E3779B97F4A7C15)) >> 56);
    while (set->places[place] && set->words[set->places[place] - 1] != word)
        place = (place + 1) % PLACES;
    return &set->places[place];
}

static void add(struct set *set, uint32_t *word, uint32_t value)
{
    uint8_t *place = place_of(set, word);
    if (*place)
        return;
    if (set->count == HKTI_OS_FUTEX_MANY) {
        set->too_many = true;
        return;
    }
    set->words[set->count] = word;
    set->values[set->count] = value;
    *place = (uint8_t)++set->count;
}

/* Takes out whose word has changed; the words of the others are `next`, which is current then. */
static void look(struct set *slept, struct set *next, struct hkti_wait_list *taken)
{
    *next = (struct set){ 0 };
    hkti_guard_acquire(&ear.guard);
    for (struct hkti_node *node = ear.all.next, *after; node && node != &ear.all; node = after) {
        after = node->next;
        struct heard *one = HKTI_CONTAINER(node, struct heard, node);
        uint32_t *word = one->interest->word;
        if (!hkti_word_differs(one->interest)) {
            add(next, word, one->interest->value);
            continue;
        }
        hkti_list_remove(&one->node);
        hkti_wait_list_take(&one->list, 1, 0, taken);
        uint8_t *place = place_of(slept, word);
        if (*place)
            slept->heard[*place - 1] = true;
    }
    ear.current = next;
    hkti_guard_release(&ear.guard);
}

/* Wake-ups that were perhaps meant for others. */
static void pass_on(struct set *slept, struct set *next)
{
    for (size_t i = 0; i < slept->count; i++) {
        uint8_t *place = place_of(next, slept->words[i]);
        if (!slept->heard[i] && (*place == 0 || next->values[*place - 1] != slept->values[i]))
            hkti_os_shared_futex_wake(slept->words[i], 1);
    }
}

static void sleep_on(struct set *set, uint32_t rung)
{
    int64_t deadline = set->too_many ? hkti_os_now() + TOO_MANY_NS : 0;
    if (set->count == 0) {
        hkti_os_futex_wait(&ear.doorbell, rung, deadline);
        return;
    }
    int err = hkti_os_futex_wait_many(&ear.doorbell, rung, set->words, set->values, set->count,
                                      deadline);
    if (err == -ENOSYS)
        hkti_os_futex_wait(&ear.doorbell, rung, hkti_os_now() + NOT_ABLE_NS);
}

static void run(void *arg)
{
    (void)arg;
    hkti_os_set_name("hocket-ear");
    hkti_store_release(&ear.state, RUNS); /* pairs: ear-state; it can be joined from here on */
    for (unsigned turn = 0;; turn++) {
        struct set *slept = &ear.sets[turn % 2], *next = &ear.sets[(turn + 1) % 2];
        struct hkti_wait_list taken = { { 0 } };
        uint32_t rung = hkti_load_acquire(&ear.doorbell); /* pairs: ear */
        if (hkti_load_relaxed(&ear.stop))
            return;
        look(slept, next, &taken);
        hkti_wake_all(&taken);
        pass_on(slept, next);
        sleep_on(next, rung);
    }
}

static void ring(void)
{
    hkti_fetch_add_acq_rel(&ear.doorbell, 1); /* pairs: ear */
    hkti_os_futex_wake(&ear.doorbell, 1);
}

/* Without signals: their handlers are for threads that the program knows. */
static int start(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = hkti_os_thread_start(&ear.thread, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

/* Does it run, by now? */
static bool runs(void)
{
    for (unsigned turns = 0;; turns++) {
        uint32_t state = hkti_load_acquire(&ear.state); /* pairs: ear-state */
        if (state == RUNS)
            return true;
        if (state == NONE && hkti_cas_acquire(&ear.state, NONE, STARTING)) { /* pairs: ear-state */
            if (start() < 0) {
                hkti_store_release(&ear.state, NONE); /* pairs: ear-state */
                return false;
            }
        }
        hkti_os_yield(turns);
    }
}

bool hkti_ear_stop(void)
{
    if (hkti_load_acquire(&ear.state) != RUNS) /* pairs: ear-state */
        return true;
    hkti_guard_acquire(&ear.guard);
    bool used = !hkti_list_empty(&ear.all);
    hkti_guard_release(&ear.guard);
    if (used)
        return false;
    hkti_store_relaxed(&ear.stop, 1);
    ring();
    hkti_os_thread_join(&ear.thread);
    hkti_store_relaxed(&ear.stop, 0);
    ear.current = NULL;
    ear.sets[0].count = ear.sets[1].count = 0;
    hkti_store_release(&ear.state, NONE); /* pairs: ear-state */
    return true;
}

/* There is no thread for it: the coroutine looks for itself, every millisecond. */
static int look_now_and_then(struct hkti_wait *wait)
{
    for (;;) {
        struct hkti_wait nap = *wait;
        nap.shared = NULL;
        nap.expired = NULL;
        nap.deadline = hkti_earlier(wait->deadline, hkti_os_now() + NOT_ABLE_NS);
        bool last = nap.deadline == wait->deadline;
        int err = hkti_wait(&nap);
        if (hkti_word_differs(wait->shared))
            return 1;
        if (err != -ETIMEDOUT || last)
            return err;
    }
}

/* Under the guard: the coroutine has gone. */
static void left(struct hkti_wait *wait)
{
    hkti_list_remove(&HKTI_CONTAINER(wait->list, struct heard, list)->node);
}

int hkti_ear_wait(struct hkti_strand *self, struct hkti_wait *wait)
{
    struct heard heard = { .interest = wait->shared };
    if (!runs())
        return look_now_and_then(wait);
    hkti_guard_acquire(&ear.guard);
    if (hkti_word_differs(wait->shared)) {
        hkti_guard_release(&ear.guard);
        return wait->cancellable && hkti_cancelled(0) < 0 ? -ECANCELED : 1;
    }
    hkti_list_append(&ear.all, &heard.node);
    bool news = ear.current == NULL || *place_of(ear.current, wait->shared->word) == 0;
    wait->shared = NULL;
    wait->list = &heard.list;
    wait->guard = &ear.guard;
    wait->left = left;
    hkti_wait_begin(self, wait);
    hkti_guard_release(&ear.guard);
    if (news)
        ring();
    int err = hkti_wait_finish(self, wait);
    return err == 0 ? 1 : err;
}

/* It has no such thread, and none of those who waited. */
static void in_fork_child(void)
{
    ear.guard = ear.state = ear.stop = ear.doorbell = 0;
    ear.all = (struct hkti_node){ 0 };
    ear.current = NULL;
}

static struct hkti_strand_events events = { .finalize = hkti_ear_stop, .last = true };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
    (void)hkti_os_at_fork(in_fork_child);
}
