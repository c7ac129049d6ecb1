/* SPDX-License-Identifier: MIT */
/* Thread-local values. A name has a place in the table and a number that is never used again; a
 * strand has an array of values by place, each with the number that it was set under. So the
 * values of a destroyed name are not found any more, whoever has its place now.
 *
 * The table is under its guard; a strand's array is its own. */
#include <errno.h>
#include <hocket/local.h>

#include "base/memory.h"
#include "park/guard.h"
#include "thread/thread.h"

#define PLACES 1024
#define ROUNDS 4 /* of destructors that set values again */

struct hkt_local {
    size_t place;
    uint64_t number;
};

struct value {
    uint64_t number;
    void *value;
};

static uint32_t guard;
static uint64_t last_number;
static struct {
    uint64_t number; /* 0: free */
    void (*destructor)(void *);
} table[PLACES];

int hkt_local_create(hkt_local **local, void (*destructor)(void *))
{
    struct hkt_local *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    hkti_guard_acquire(&guard);
    while (made->place < PLACES && table[made->place].number != 0)
        made->place++;
    if (made->place < PLACES) {
        made->number = table[made->place].number = ++last_number;
        table[made->place].destructor = destructor;
    }
    hkti_guard_release(&guard);
    if (made->number == 0) {
        hkti_release(made, sizeof *made);
        return -ENOMEM;
    }
    *local = made;
    return 0;
}

void hkt_local_destroy(hkt_local *local)
{
    if (local == NULL)
        return;
    hkti_guard_acquire(&guard);
    table[local->place].number = 0;
    hkti_guard_release(&guard);
    hkti_release(local, sizeof *local);
}

void *hkt_local_get(const hkt_local *local)
{
    struct hkti_strand *self = hkti_self()->home;
    const struct value *values = self->locals;
    if (local->place >= self->local_count || values[local->place].number != local->number)
        return NULL;
    return values[local->place].value;
}

int hkt_local_set(hkt_local *local, void *value)
{
    struct hkti_strand *self = hkti_self()->home;
    struct value *values = self->locals;
    if (local->place >= self->local_count) {
        size_t count = (local->place + 8) & ~(size_t)7;
        struct value *more = hkti_allocate(count * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        for (size_t i = 0; i < self->local_count; i++)
            more[i] = values[i];
        hkti_release(values, self->local_count * sizeof *values);
        self->locals = values = more;
        self->local_count = count;
    }
    values[local->place] = (struct value){ .number = local->number, .value = value };
    return 0;
}

/* The value in this place, taken away, and what to call for it; NULL if there is nothing to call.
 */
static void (*take(struct hkti_strand *self, size_t place, void **value))(void *)
{
    void (*destructor)(void *) = NULL;
    struct value *values = self->locals;
    *value = values[place].value;
    hkti_guard_acquire(&guard);
    if (*value && values[place].number == table[place].number)
        destructor = table[place].destructor;
    hkti_guard_release(&guard);
    values[place] = (struct value){ 0 };
    return destructor;
}

void hkti_locals_end(struct hkti_strand *self)
{
    bool again = self->local_count > 0;
    for (int round = 0; again && round < ROUNDS; round++) {
        again = false;
        for (size_t place = 0; place < self->local_count; place++) {
            void *value;
            void (*destructor)(void *) = take(self, place, &value);
            if (destructor) {
                destructor(value);
                again = true;
            }
        }
    }
    hkti_release(self->locals, self->local_count * sizeof(struct value));
    self->locals = NULL;
    self->local_count = 0;
}
