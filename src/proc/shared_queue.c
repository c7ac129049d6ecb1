/* SPDX-License-Identifier: MIT */
/* The calls of the queue between processes: a try (shared_queue_slot.c), and a wait. */
#include <errno.h>
#include <hocket/error.h>
#include <hocket/shared.h>
#include <limits.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"
#include "park/spin.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/shared_queue.h"
#include "proc/shared_queue_patience.h"

static int try(struct hkti_queue_call *call)
{
    return call->deed == HKTI_PUT ? hkti_queue_try_put(call) : hkti_queue_try_get(call);
}

/* Without the one that is in the middle of something, could it go on? */
static bool held_up(const struct hkti_queue_call *call)
{
    size_t count = hkt_shared_queue_qsize(call->queue);
    return call->suspect && (call->deed == HKTI_PUT ? count < call->queue->maxsize : count > 1);
}

int hkti_queue_now(struct hkti_queue_call *call)
{
    int err = try(call);
    if (__builtin_expect(err != -EAGAIN, 1) || !held_up(call))
        return err;
    int64_t end = hkti_os_now() + HKTI_PATIENCE;
    for (unsigned turns = 0; err == -EAGAIN && held_up(call) && hkti_os_now() < end; turns++) {
        hkti_os_yield(turns);
        err = try(call);
    }
    if (err == -EAGAIN && held_up(call) && hkti_family_look(call->suspect))
        err = try(call);
    return err;
}

/* Tries again without a place at the bell, so that who rings it need not enter the kernel; after gaps
 * of microseconds, in which the other side can do dozens, and has the lines to itself. (With gaps of
 * a tenth the two run in step, and a third slower.) The processor is not given away: that is for the
 * sleep, from which the kernel wakes sooner. */
static int spin(struct hkti_queue_call *call)
{
    unsigned max = hkti_spin_max();
    int err = -EAGAIN;
    for (unsigned pauses = max / 4 + 1; pauses <= max / 2 + 1 && err == -EAGAIN; pauses *= 2) {
        for (unsigned i = 0; i < pauses; i++)
            hkti_os_pause();
        err = try(call);
    }
    return err;
}

/* Listens and sleeps, until it has it or must give up. */
static int sleep_for(struct hkti_queue_call *call, int64_t deadline, bool cancellable)
{
    struct hkt_shared_queue *queue = call->queue;
    bool put = call->deed == HKTI_PUT;
    struct hkti_gate *gate = put ? &queue->not_full : &queue->not_empty;
    const char *what = put ? "shared queue: room" : "shared queue: item";
    struct hkti_patience patience = { 0 };
    int err;
    hkti_bell_listen(&gate->bell, HKTI_STAKE_WAIT, &call->listener);
    call->listening = true;
    for (;;) {
        hkti_store_seq_cst(&gate->rung, 0); /* pairs: queue-rung */
        err = try(call);
        if (err != -EAGAIN)
            break;
        err = hkti_patience_wait(&patience, &call->listener, what, queue, call->suspect, deadline,
                                 cancellable);
        if (err < 0)
            break;
    }
    call->listening = false;
    hkti_bell_leave(&call->listener, err == 0);
    /* Rung for, it has looked, and leaves to others what it found. */
    if (err == -ESHUTDOWN)
        hkti_bell_ring(&gate->bell, INT32_MAX);
    else if (err == -EMSGSIZE || err == -ENOMEM)
        hkti_bell_ring(&gate->bell, 1);
    return err;
}

int hkti_queue_wait(struct hkti_queue_call *call, int64_t deadline, bool cancellable)
{
    int err = try(call);
    if (__builtin_expect(err != -EAGAIN, 1))
        return err;
    if (deadline == HKTI_PASSED) {
        err = hkti_queue_now(call);
        return err == -EAGAIN ? -ETIMEDOUT : err;
    }
    err = hkti_strand_may_spin(hkti_self()) ? spin(call) : -EAGAIN;
    return err == -EAGAIN ? sleep_for(call, deadline, cancellable) : err;
}

static int run(struct hkti_queue_call *call, bool wait, int64_t deadline)
{
    return wait ? hkti_queue_wait(call, deadline, true) : hkti_queue_now(call);
}

static __attribute__((noinline)) int put_long(struct hkti_queue_call *call, bool wait,
                                              int64_t deadline)
{
    int err = hkti_queue_shut(call->queue) ? -ESHUTDOWN : hkti_draft_make(call);
    if (err == 0)
        err = run(call, wait, deadline);
    hkti_draft_end(call);
    if (err == -ENOMEM)
        hkt_fail(err, "no shared memory for a message of %zu bytes: %zu of %zu are in use",
                 call->size, hkt_shared_used(), hkt_shared_capacity());
    return err;
}

int hkti_queue_put(struct hkti_queue_call *call, bool wait, int64_t deadline)
{
    if (__builtin_expect(call->size > call->queue->message_size, 0))
        return put_long(call, wait, deadline);
    return run(call, wait, deadline);
}

/* Before each call: the caller's token in it, or an error. */
static inline int enter(struct hkti_queue_call *call, bool wait, int64_t deadline)
{
    int err = wait ? hkti_cancelled(deadline) : 0;
    if (__builtin_expect(err < 0, 0))
        return err;
    call->token = hkti_family_token();
    return __builtin_expect(call->token != 0, 1) ? 0 : -ENOMEM;
}

static inline int put(hkt_shared_queue *queue, const void *message, size_t size, bool wait,
                      int64_t deadline)
{
    struct hkti_queue_call call = {
        .queue = queue, .deed = HKTI_PUT, .bytes = message, .size = size
    };
    int err = enter(&call, wait, deadline);
    return err < 0 ? err : hkti_queue_put(&call, wait, deadline);
}

int hkt_shared_queue_put(hkt_shared_queue *queue, const void *message, size_t size)
{
    return put(queue, message, size, true, 0);
}

int hkt_shared_queue_put_until(hkt_shared_queue *queue, const void *message, size_t size,
                               hkt_deadline deadline)
{
    return put(queue, message, size, true, deadline.ns);
}

int hkt_shared_queue_put_nowait(hkt_shared_queue *queue, const void *message, size_t size)
{
    return put(queue, message, size, false, 0);
}

static int told(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

static inline int get(hkt_shared_queue *queue, void *message, size_t room, bool wait,
                      int64_t deadline)
{
    struct hkti_queue_call call = {
        .queue = queue, .deed = HKTI_GET, .into = message, .room = room
    };
    int err = enter(&call, wait, deadline);
    if (err == 0)
        err = run(&call, wait, deadline);
    if (err == -EMSGSIZE)
        hkt_fail(err, "the message has %zu bytes, and there is room for %zu: it is still the first",
                 call.size, room);
    return err < 0 ? err : told(call.size);
}

int hkt_shared_queue_get(hkt_shared_queue *queue, void *message, size_t room)
{
    return get(queue, message, room, true, 0);
}

int hkt_shared_queue_get_until(hkt_shared_queue *queue, void *message, size_t room,
                               hkt_deadline deadline)
{
    return get(queue, message, room, true, deadline.ns);
}

int hkt_shared_queue_get_nowait(hkt_shared_queue *queue, void *message, size_t room)
{
    return get(queue, message, room, false, 0);
}

int hkt_shared_queue_take_until(hkt_shared_queue *queue, void **message, size_t *size,
                                hkt_deadline deadline)
{
    struct hkti_queue_call call = { .queue = queue, .deed = HKTI_TAKE };
    int err = enter(&call, true, deadline.ns);
    if (err == 0)
        err = run(&call, true, deadline.ns);
    if (err == 0) {
        *message = call.memory;
        *size = call.size;
        return 0;
    }
    hkti_shared_release(call.memory); /* got for a message that another one took */
    if (err == -ENOMEM && call.token != 0)
        hkt_fail(err, "no shared memory to take a message of %zu bytes: it is still the first",
                 call.allocated);
    return err;
}

int hkt_shared_queue_take(hkt_shared_queue *queue, void **message, size_t *size)
{
    return hkt_shared_queue_take_until(queue, message, size, (hkt_deadline){ 0 });
}

int hkt_shared_queue_next_size(hkt_shared_queue *queue)
{
    struct hkti_queue_call call = { .queue = queue, .deed = HKTI_PEEK };
    int err = enter(&call, false, 0);
    if (err == 0)
        err = hkti_queue_now(&call);
    if (err == -ESHUTDOWN)
        return -EAGAIN;
    return err < 0 ? err : told(call.size);
}
