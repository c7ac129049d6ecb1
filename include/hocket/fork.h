/* SPDX-License-Identifier: MIT */
/* Fork-join in inline code: hkt_fork and hkt_join of hocket/parallel.h for where a nanosecond
 * counts. A forked function takes the place for its own forks as an argument, and hands it on:
 *
 *     static int fib(hkt_forks forks, void *arg)
 *     {
 *         struct fib *f = arg;
 *         if (f->n < 2)
 *             return f->result = f->n, 0;
 *         struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
 *         hkt_forks_fork(&forks, fib, &a);
 *         int err = fib(forks, &b);
 *         int forked = hkt_forks_join(&forks, fib, &a);
 *         f->result = a.result + b.result;
 *         return err < 0 ? err : forked;
 *     }
 *
 * begun by hkt_forks_run(pool, fib, &f). Who joins says once more what was forked, so that what
 * nobody took is a plain call. Both forms may be mixed, but this one does not fork while a fork
 * of hkt_fork in the same function has not been joined.
 *
 * The binary interface: what stands in this header is compiled into programs, so the layout of
 * the two structs and the meaning of their fields stay as they are within a minor version (the
 * shared library's name has its number). Fields that others may write are touched by __atomic
 * builtins. Source of the design: Lace's split deque (van Dijk and van de Pol, 2014). */
#ifndef HOCKET_FORK_H
#define HOCKET_FORK_H

#include <hocket/parallel.h>

HKT_BEGIN_DECLS

struct hkt_fork_slot;

/* The place for the next fork, in an array that its strand owns. */
typedef struct hkt_forks {
    struct hkt_fork_slot *next;
} hkt_forks;

typedef int hkt_forked(hkt_forks forks, void *arg);

/* A fork that was not joined. */
struct hkt_fork_slot {
    hkt_forked *function; /* NULL: a job of hkt_fork, which `result` has meanwhile */
    void *arg;
    uintptr_t state; /* 0 until somebody takes it, and after it was joined; else the library's */
    intptr_t result;
};

/* What an array begins with; it lies at a multiple of its size. */
#define HKT_FORK_ARRAY_SIZE ((uintptr_t)256 * 1024)
struct hkt_fork_array {
    struct hkt_fork_slot *top;          /* the next free slot; the owner's */
    struct hkt_fork_slot *private_from; /* slots from here on are not shared; the owner's */
    struct hkt_fork_slot *fork_until;   /* forks below it need no more than to be written down; by
                                           thieves set to NULL: they are hungry */
};

HKT_API hkt_forks hkt_forks_push_slow(struct hkt_fork_slot *slot);
struct hkt_forks_joined {
    struct hkt_fork_slot *next;
    intptr_t result;
};
HKT_API struct hkt_forks_joined hkt_forks_join_slow(struct hkt_fork_slot *slot);

static inline struct hkt_fork_array *hkt_forks_array(const struct hkt_fork_slot *slot)
{
    return (struct hkt_fork_array *)((uintptr_t)slot & ~(HKT_FORK_ARRAY_SIZE - 1));
}

/* hkt_fork. */
static inline void hkt_forks_fork(hkt_forks *forks, hkt_forked *function, void *arg)
{
    struct hkt_fork_slot *slot = forks->next;
    struct hkt_fork_array *array = hkt_forks_array(slot);
    slot->function = function;
    slot->arg = arg;
    array->top = forks->next = slot + 1;
    if (__builtin_expect(slot >= __atomic_load_n(&array->fork_until, __ATOMIC_RELAXED), 0))
        *forks = hkt_forks_push_slow(slot);
}

/* hkt_join of what was forked last: function(arg). */
static inline int hkt_forks_join(hkt_forks *forks, hkt_forked *function, void *arg)
{
    struct hkt_fork_slot *slot = forks->next - 1;
    struct hkt_fork_array *array = hkt_forks_array(slot);
    if (__builtin_expect(slot < array->private_from, 0)) {
        struct hkt_forks_joined joined = hkt_forks_join_slow(slot);
        forks->next = joined.next;
        return (int)joined.result;
    }
    array->top = forks->next = slot;
    return function(*forks, arg);
}

/* hkt_fork_run. */
HKT_API int hkt_forks_run(hkt_executor *pool, hkt_forked *function, void *arg);

HKT_END_DECLS
#endif
