/* SPDX-License-Identifier: MIT */
/* A loop's life: made, run, driven from outside, ended. loop.h has the rules. */
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "loop/poller.h"
#include "strand/overflow.h"

#define STACK_SIZE ((size_t)64 << 10)
#define STACK_MIN ((size_t)16 << 10)
#define STACK_MAX ((size_t)64 << 20)
#define GRACE 5.0
#define SLOW 0.1
/* What hkt_executor_max_workers says of a loop, which has no limit. */
#define MANY 1024

void hkti_loop_must_be_here(const hkt_loop *loop, const char *call)
{
    if (!hkti_loop_is_here(loop))
        hkti_misuse(
            "%s: loop \"%s\" belongs to another thread: hkt_loop_call_soon and hkt_submit may "
            "be called from here",
            call, loop->name);
}

void hkt_loop_set_debug(hkt_loop *loop, bool on, double slow)
{
    loop->debug = on;
    loop->slow = (int64_t)((slow > 0 ? slow : SLOW) * 1e9);
    loop->resumed_at = 0;
}

int hkt_loop_create(hkt_loop **loop, const hkt_loop_options *options)
{
    hkt_loop_options chosen = options ? *options : (hkt_loop_options){ 0 };
    if ((chosen.stack_size && chosen.stack_size < STACK_MIN) || chosen.stack_size > STACK_MAX)
        return -EINVAL;
    struct hkt_loop *made = hkti_allocate_lines(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    snprintf(made->name, sizeof made->name, "%s", chosen.name ? chosen.name : "loop");
    made->executor.ops = &hkti_loop_ops;
    made->executor.max_workers = MANY;
    made->executor.tasks = true;
    made->carrier.executor = &made->executor;
    made->grace = (int64_t)((chosen.grace > 0 ? chosen.grace : GRACE) * 1e9);
    hkt_loop_set_debug(made, chosen.debug, 0);
    made->carrier.park = hkti_loop_park;
    made->carrier.watch = hkti_poller_watch;
    made->carrier.unwatch = hkti_poller_unwatch;
    hkti_carrier_begin(&made->carrier, chosen.stack_size ? chosen.stack_size : STACK_SIZE);
    made->outside.home = made->carrier.base;
    made->outside.registered = 1;
    hkti_store_relaxed(&hkti_overflow_name, hkti_job_name);
    hkti_overflow_watch();
    (void)hkti_overflow_thread(); /* without memory for it an overflow has no report */
    if (!hkti_coroutine_reserve(&made->carrier)) {
        hkti_carrier_end(&made->carrier);
        hkti_release_lines(made, sizeof *made);
        return -ENOMEM;
    }
    hkti_loops_add(made);
    *loop = made;
    return 0;
}

static int has_news(struct hkti_wait *wait)
{
    hkt_loop *loop = (hkt_loop *)(uintptr_t)wait->object;
    bool stops = loop->forever && hkti_load_seq_cst(&loop->stop); /* pairs: nudge */
    return stops || hkti_carrier_has_news(&loop->carrier) ||
           hkti_load_seq_cst(&loop->signals); /* pairs: nudge */
}

/* The scope around the run has ended. */
static void scope_ended(hkt_loop *loop)
{
    loop->cancellable = false;
    if (loop->main)
        hkt_future_request_cancel(loop->main);
    else
        hkti_store_relaxed(&loop->stop, 1);
}

/* Nothing is ready: until there may be something, at the longest until the deadline. */
static void sleep(hkt_loop *loop, int64_t deadline)
{
    struct hkti_strand *base = loop->carrier.base;
    struct hkti_wait wait = { .what = "events",
                              .object = loop,
                              .deadline = hkti_earlier(hkti_carrier_alarm(&loop->carrier),
                                                       deadline),
                              .reason = has_news,
                              .sleeper = loop->poller ? &hkti_sleeper_poller : NULL,
                              .cancellable = loop->cancellable,
                              .no_spin = !loop->hot };
    hkti_wait_begin(base, &wait);
    int err = hkti_wait_finish(base, &wait);
    loop->hot = hkti_carrier_has_news(&loop->carrier);
    if (err == -ECANCELED)
        scope_ended(loop);
}

static bool is_drained(const hkt_loop *loop)
{
    return loop->live == 0 && loop->carrier.ready == NULL && !hkti_carrier_has_news(&loop->carrier);
}

void hkti_loop_drive(hkt_loop *loop, bool drain, int64_t deadline)
{
    struct hkti_carrier *carrier = &loop->carrier;
    for (;;) {
        if (loop->main && hkt_future_done(loop->main))
            return;
        if (loop->main == NULL &&
            (drain ? is_drained(loop) : hkti_load_acquire(&loop->stop))) /* pairs: nudge */
            return;
        if (deadline && deadline <= hkti_os_now())
            return;
        if (carrier->ready == NULL && !hkti_carrier_has_news(carrier))
            sleep(loop, deadline);
        else if (loop->poller)
            hkti_poller_look(loop);
        if (loop->cancellable && hkt_checkpoint() < 0)
            scope_ended(loop);
        hkti_loop_turn(loop);
    }
}

/* The calling thread begins to run the loop: 0, -EBUSY. */
static int begin_run(hkt_loop *loop, const char *call)
{
    hkti_loop_must_be_here(loop, call);
    struct hkti_strand *self = hkti_self();
    if (self->coroutine)
        return hkt_fail(-EBUSY, "%s: the caller is a task, or a pool's job, himself", call);
    if (hkti_load_relaxed(&loop->running))
        return -EBUSY;
    if (loop->driven)
        hkti_outside_leave(loop);
    hkti_store_seq_cst(&loop->carrier.doorbell, self); /* pairs: ready */
    hkti_store_relaxed(&loop->running, 1);
    loop->cancellable = true;
    return 0;
}

static void end_run(hkt_loop *loop)
{
    hkti_store_relaxed(&loop->running, 0);
    hkti_store_relaxed(&loop->stop, 0);
    if (loop->driven)
        hkti_outside_enter(loop);
}

int hkt_loop_run(hkt_loop *loop, hkt_job *job, void *arg)
{
    int err = hkti_cancelled(0);
    if (err == 0)
        err = begin_run(loop, "hkt_loop_run");
    if (err < 0)
        return err;
    hkt_future *main;
    err = hkt_submit_with(&loop->executor, &main, job, arg,
                          &(hkt_submit_options){ .name = "main" });
    if (err == 0) {
        loop->main = main;
        hkti_loop_drive(loop, false, 0);
        loop->main = NULL;
        err = hkti_future_code(main);
        if (err < 0)
            hkti_future_adopt_sentence(main);
        hkt_future_destroy(main);
    }
    end_run(loop);
    return err;
}

int hkt_loop_run_forever(hkt_loop *loop)
{
    int err = hkti_cancelled(0);
    if (err == 0)
        err = begin_run(loop, "hkt_loop_run_forever");
    if (err < 0)
        return err;
    loop->forever = true;
    hkti_loop_drive(loop, false, 0);
    loop->forever = false;
    err = loop->cancellable ? 0 : -ECANCELED;
    end_run(loop);
    return err;
}

void hkt_loop_stop(hkt_loop *loop)
{
    hkti_fetch_add_relaxed(&loop->carrier.visitors, 1);     /* it may stop, and end, at once */
    hkti_store_seq_cst(&loop->stop, 1);                     /* pairs: nudge */
    hkti_nudge(hkti_load_seq_cst(&loop->carrier.doorbell)); /* pairs: ready */
    hkti_fetch_add_acq_rel(&loop->carrier.visitors, (uint32_t)-1); /* pairs: visitors */
}

bool hkt_loop_is_running(const hkt_loop *loop)
{
    return hkti_load_relaxed(&loop->running);
}

hkt_loop *hkt_loop_running(void)
{
    struct hkti_carrier *carrier = hkti_carrier_self();
    return carrier && carrier->park == hkti_loop_park ? (hkt_loop *)carrier : NULL;
}

int hkt_loop_fd(hkt_loop *loop)
{
    hkti_loop_must_be_here(loop, "hkt_loop_fd");
    int fd = hkti_outside_open(loop);
    if (fd >= 0 && !loop->driven) {
        loop->driven = true;
        if (!hkti_load_relaxed(&loop->running))
            hkti_outside_enter(loop);
    }
    return fd;
}

int hkt_loop_step(hkt_loop *loop)
{
    hkti_loop_must_be_here(loop, "hkt_loop_step");
    if (hkti_load_relaxed(&loop->running) || hkti_self()->coroutine)
        return -EBUSY;
    if (loop->driven)
        hkti_outside_leave(loop);
    hkti_store_relaxed(&loop->running, 1);
    if (loop->poller)
        hkti_poller_look(loop);
    unsigned count = hkti_loop_turn(loop);
    hkti_store_relaxed(&loop->running, 0);
    if (loop->driven)
        hkti_outside_enter(loop);
    return (int)count;
}

/* Cancels what is left and waits for it: false if something does not end. What others hand in
 * meanwhile is no reason to give up: it is waited for once the door is closed. */
static bool end_tasks(hkt_loop *loop)
{
    struct hkti_strand *self = hkti_self();
    int64_t deadline = hkti_os_now() + loop->grace;
    if (loop->driven)
        hkti_outside_leave(loop);
    hkti_store_seq_cst(&loop->carrier.doorbell, self); /* pairs: ready */
    loop->cancellable = false;
    hkti_watchers_end(loop);
    hkti_loop_cancel_tasks(loop);
    hkti_loop_drive(loop, true, deadline);
    for (int more = 0; more < 2 && !is_drained(loop); more++) { /* born meanwhile */
        hkti_loop_cancel_tasks(loop);
        hkti_loop_drive(loop, true, hkti_os_now() + loop->grace / 4);
    }
    return loop->live == 0 && loop->carrier.ready == NULL;
}

/* Nobody hands in any more, and nobody is about to. */
static void close_door(hkt_loop *loop)
{
    hkti_store_seq_cst(&loop->closed, 1); /* pairs: loop-closed */
    /* pairs: visitors */
    for (unsigned turns = 0; hkti_load_acquire(&loop->carrier.visitors); turns++)
        hkti_os_yield(turns);
}

void hkt_loop_destroy(hkt_loop *loop)
{
    if (loop == NULL)
        return;
    hkti_loop_must_be_here(loop, "hkt_loop_destroy");
    if (hkti_load_relaxed(&loop->running) || hkti_self()->coroutine)
        hkti_misuse("hkt_loop_destroy: loop \"%s\" runs, or the caller is a task", loop->name);
    bool ended = end_tasks(loop);
    close_door(loop);
    ended = ended && (is_drained(loop) || end_tasks(loop));
    hkti_signals_end(loop);
    hkti_loops_remove(loop);
    if (!ended) {
        hkti_loop_complain(loop);
        return;
    }
    hkti_handles_end(loop);
    hkti_carrier_end(&loop->carrier);
    hkti_poller_close(loop);
    if (loop->outside.wake_fd)
        hkti_os_close(loop->outside.wake_fd - 1);
    hkti_overflow_thread_end();
    hkti_release_lines(loop, sizeof *loop);
}
