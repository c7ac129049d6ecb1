/* SPDX-License-Identifier: MIT */
/* The scheduler: a binary heap of events, the next one first, and one strand at the most that runs
 * it. All is under the guard, but no action is called under it.
 *
 * The number of an event is that of a slot and of the slot's generation, which grows each time the
 * slot is given back. A slot whose generations are used up is not used again. So a number never
 * names two events, and finds its place in the heap at once.
 *
 * The runner waits until the time of the first event. Whoever makes another one the first, or takes
 * the first out, wakes it, and it looks again: so it never sleeps longer than it should, nor when
 * there is nothing left. */
#include <errno.h>
#include <hocket/scheduler.h>
#include <math.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "park/wait.h"

#define FIRST_CAPACITY 16
#define MOST_EVENTS ((size_t)1 << 31)
#define NEVER INT64_MAX

struct event {
    int64_t when;
    uint64_t order; /* of entering */
    int (*action)(void *arg);
    void *arg;
    int priority;
    uint32_t slot;
};

struct slot {
    uint32_t generation;
    uint32_t place; /* of its event in the heap; of a free one, the next free one + 1 */
};

struct hkt_scheduler {
    uint32_t guard;
    bool running;
    struct hkti_wait_list runner;
    struct event *events;
    struct slot *slots; /* behind the events, as many */
    size_t capacity;
    size_t count;       /* atomic: read without the guard */
    uint32_t used;      /* slots that have been used; those behind were never */
    uint32_t free_slot; /* + 1; 0: none */
    uint64_t entered;
};

static bool before(const struct event *a, const struct event *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->order < b->order;
}

static size_t count_of(const struct hkt_scheduler *scheduler)
{
    return hkti_load_relaxed(&scheduler->count);
}

static void put(struct hkt_scheduler *scheduler, size_t place, const struct event *event)
{
    scheduler->events[place] = *event;
    scheduler->slots[event->slot].place = (uint32_t)place;
}

/* Finds the place for the event from a hole in the heap, upwards or downwards. */
static void settle(struct hkt_scheduler *scheduler, size_t hole, const struct event *event)
{
    struct event *events = scheduler->events;
    size_t count = count_of(scheduler);
    for (; hole > 0 && before(event, &events[(hole - 1) / 2]); hole = (hole - 1) / 2)
        put(scheduler, hole, &events[(hole - 1) / 2]);
    for (size_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count && before(&events[child + 1], &events[child]))
            child++;
        if (!before(&events[child], event))
            break;
        put(scheduler, hole, &events[child]);
    }
    put(scheduler, hole, event);
}

/* Takes out the event at this place, and gives its slot back. */
static struct event take(struct hkt_scheduler *scheduler, size_t place)
{
    struct event taken = scheduler->events[place];
    size_t count = count_of(scheduler) - 1;
    struct event last = scheduler->events[count];
    struct slot *slot = &scheduler->slots[taken.slot];
    hkti_store_relaxed(&scheduler->count, count);
    if (place < count)
        settle(scheduler, place, &last);
    if (++slot->generation != 0) {
        slot->place = scheduler->free_slot;
        scheduler->free_slot = taken.slot + 1;
    }
    return taken;
}

/* A free slot; there must be one. */
static uint32_t take_slot(struct hkt_scheduler *scheduler)
{
    if (scheduler->free_slot == 0) {
        scheduler->slots[scheduler->used].generation = 1;
        return scheduler->used++;
    }
    uint32_t slot = scheduler->free_slot - 1;
    scheduler->free_slot = scheduler->slots[slot].place;
    return slot;
}

static bool has_room(const struct hkt_scheduler *scheduler)
{
    return scheduler->free_slot != 0 || scheduler->used < scheduler->capacity;
}

static size_t size_for(size_t capacity)
{
    return capacity * (sizeof(struct event) + sizeof(struct slot));
}

/* Under the guard, which it lets go for a moment: more memory. 0, and the caller looks again, or
 * -ENOMEM. */
static int grow(struct hkt_scheduler *scheduler)
{
    size_t old_capacity = scheduler->capacity;
    size_t capacity = old_capacity ? 2 * old_capacity : FIRST_CAPACITY;
    hkti_guard_release(&scheduler->guard);
    struct event *events = capacity > MOST_EVENTS ? NULL : hkti_allocate(size_for(capacity));
    hkti_guard_acquire(&scheduler->guard);
    if (events == NULL)
        return has_room(scheduler) ? 0 : -ENOMEM;
    if (scheduler->capacity == old_capacity) {
        struct event *old = scheduler->events;
        struct slot *slots = (struct slot *)(void *)(events + capacity);
        for (size_t i = 0; i < count_of(scheduler); i++)
            events[i] = old[i];
        for (size_t i = 0; i < scheduler->used; i++)
            slots[i] = scheduler->slots[i];
        scheduler->events = events;
        scheduler->slots = slots;
        scheduler->capacity = capacity;
        events = old;
        capacity = old_capacity;
    }
    hkti_guard_release(&scheduler->guard);
    hkti_release(events, size_for(capacity));
    hkti_guard_acquire(&scheduler->guard);
    return 0;
}

/* Releases the guard; wakes the runner if it is to look again. */
static void release(struct hkt_scheduler *scheduler, bool news)
{
    struct hkti_strand *runner = news ? hkti_wait_list_pop(&scheduler->runner) : NULL;
    hkti_guard_release(&scheduler->guard);
    if (runner)
        hkti_wake(runner);
}

static int enter(struct hkt_scheduler *scheduler, struct event *event, uint64_t *number)
{
    int err = 0;
    if (event->action == NULL)
        return -EINVAL;
    hkti_guard_acquire(&scheduler->guard);
    while (err == 0 && !has_room(scheduler))
        err = grow(scheduler);
    if (err < 0) {
        release(scheduler, false);
        return err;
    }
    event->order = ++scheduler->entered;
    event->slot = take_slot(scheduler);
    if (number)
        *number = (uint64_t)scheduler->slots[event->slot].generation << 32 | event->slot;
    size_t count = count_of(scheduler);
    hkti_store_relaxed(&scheduler->count, count + 1);
    settle(scheduler, count, event);
    release(scheduler, scheduler->slots[event->slot].place == 0);
    return 0;
}

/* `delay` from now; unlike with a deadline, of two that have passed the earlier one is earlier. */
static int64_t time_after(double delay)
{
    int64_t now = hkti_os_now();
    if (delay > 0) {
        int64_t when = hkti_deadline_after(now, delay);
        return when ? when : NEVER;
    }
    return -delay * 1e9 < (double)(now - 1) ? now - (int64_t)(-delay * 1e9) : 1;
}

int hkt_scheduler_enter(hkt_scheduler *scheduler, double delay, int priority,
                        int (*action)(void *arg), void *arg, uint64_t *event)
{
    if (delay != delay)
        return -EINVAL;
    struct event made = {
        .when = time_after(delay), .priority = priority, .action = action, .arg = arg
    };
    return enter(scheduler, &made, event);
}

int hkt_scheduler_enter_at(hkt_scheduler *scheduler, hkt_deadline when, int priority,
                           int (*action)(void *arg), void *arg, uint64_t *event)
{
    struct event made = { .when = when.ns, .priority = priority, .action = action, .arg = arg };
    if (when.ns == 0)
        made.when = NEVER;
    else if (when.ns == HKTI_PASSED)
        made.when = hkti_os_now();
    return enter(scheduler, &made, event);
}

int hkt_scheduler_cancel(hkt_scheduler *scheduler, uint64_t event)
{
    uint32_t slot = (uint32_t)event, generation = (uint32_t)(event >> 32);
    hkti_guard_acquire(&scheduler->guard);
    size_t place = slot < scheduler->used && scheduler->slots[slot].generation == generation
                       ? scheduler->slots[slot].place
                       : SIZE_MAX;
    bool found = place < count_of(scheduler) && scheduler->events[place].slot == slot;
    if (found)
        take(scheduler, place);
    release(scheduler, found && place == 0);
    return found ? 0 : -ENOENT;
}

size_t hkt_scheduler_size(const hkt_scheduler *scheduler)
{
    return count_of(scheduler);
}

bool hkt_scheduler_empty(const hkt_scheduler *scheduler)
{
    return hkt_scheduler_size(scheduler) == 0;
}

/* Under the guard, which it releases: waits for the first event's time, or for news. */
static int await(struct hkt_scheduler *scheduler)
{
    int64_t when = scheduler->events[0].when;
    struct hkti_wait wait = { .what = "scheduler",
                              .object = scheduler,
                              .list = &scheduler->runner,
                              .guard = &scheduler->guard,
                              .deadline = when == NEVER ? 0 : when,
                              .cancellable = true,
                              .no_spin = true };
    int err = hkti_wait(&wait);
    return err == -ETIMEDOUT ? 0 : err;
}

/* By the runner: calls what is due. Returns with the guard held: 0, and nothing is due at `*now`;
 * or the error of an action, or of the scope, if it is to wait. */
static int call_due(struct hkt_scheduler *scheduler, bool waits, int64_t *now)
{
    for (;;) {
        int err = waits ? hkt_checkpoint() : 0;
        *now = hkti_os_now();
        hkti_guard_acquire(&scheduler->guard);
        if (err < 0 || count_of(scheduler) == 0 || scheduler->events[0].when > *now)
            return err;
        struct event due = take(scheduler, 0);
        hkti_guard_release(&scheduler->guard);
        err = due.action(due.arg);
        if (err < 0) {
            hkti_guard_acquire(&scheduler->guard);
            return err;
        }
    }
}

static int run(struct hkt_scheduler *scheduler, bool waits, double *next_delay)
{
    hkti_guard_acquire(&scheduler->guard);
    bool busy = scheduler->running;
    scheduler->running = true;
    hkti_guard_release(&scheduler->guard);
    if (busy)
        return -EBUSY;
    int64_t now, when = NEVER;
    int err;
    while ((err = call_due(scheduler, waits, &now)) == 0 && waits && count_of(scheduler) > 0) {
        err = await(scheduler);
        if (err < 0) {
            hkti_guard_acquire(&scheduler->guard);
            break;
        }
    }
    if (count_of(scheduler) > 0)
        when = scheduler->events[0].when;
    scheduler->running = false;
    hkti_guard_release(&scheduler->guard);
    if (err == 0 && next_delay)
        *next_delay = when == NEVER ? (double)INFINITY : (double)(when - now) / 1e9;
    return err;
}

int hkt_scheduler_run(hkt_scheduler *scheduler)
{
    return run(scheduler, true, NULL);
}

int hkt_scheduler_run_nowait(hkt_scheduler *scheduler, double *next_delay)
{
    return run(scheduler, false, next_delay);
}

int hkt_scheduler_create(hkt_scheduler **scheduler)
{
    struct hkt_scheduler *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    *scheduler = made;
    return 0;
}

void hkt_scheduler_destroy(hkt_scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    hkti_guard_acquire(&scheduler->guard);
    if (scheduler->running)
        hkti_misuse("hkt_scheduler_destroy: scheduler %p is being run", (void *)scheduler);
    hkti_guard_release(&scheduler->guard);
    hkti_release(scheduler->events, size_for(scheduler->capacity));
    hkti_release(scheduler, sizeof *scheduler);
}
