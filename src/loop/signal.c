/* SPDX-License-Identifier: MIT */
/* Signal handlers of loops. The system's handler sets the signal's bit in its loop, and sees to
 * it that the loop does not sleep through it; the loop, at the next turn, makes the place's
 * handle ready. So signals that come meanwhile are one call, and nothing is allocated.
 *
 * To wake the loop the handler, which may have interrupted anybody anywhere, never says WAKING:
 * a strand that sleeps in the poller has its eventfd written to, without a change of its word;
 * from the other states the word goes to NUDGED in one step. The loop clears the eventfd when it
 * sees it.
 *
 * Who may touch what: the table under the guard; loop and once also by handlers, which say so in
 * `handling` first: a place is free only when none of them is at it. The handle by the loop. */
#include "loop/signal.h"

#include <errno.h>

#include "base/report.h"
#include "park/guard.h"

#define SIGNALS 65

static uint32_t guard;
static struct place {
    hkt_loop *loop; /* NULL: free; atomic */
    uint32_t once;  /* the handler takes itself away; atomic */
    bool taken;
    hkt_job *callback;
    void *arg;
    hkt_handle handle;
} places[SIGNALS];
static uint32_t handling;

static void ring(hkt_loop *loop)
{
    struct hkti_strand *sleeper = hkti_load_seq_cst(&loop->carrier.doorbell); /* pairs: ready */
    for (;;) {
        uint32_t word = hkti_load_seq_cst(&sleeper->word); /* pairs: nudge */
        if (word == HKTI_ASLEEP_POLL) {
            hkti_os_wake_fd_set(sleeper->wake_fd - 1);
            return;
        }
        if (word != HKTI_ARMED && word != HKTI_ASLEEP_FUTEX)
            return; /* it runs, or somebody wakes it: it will look */
        if (!hkti_cas_seq_cst(&sleeper->word, word, HKTI_NUDGED)) /* pairs: nudge */
            continue;
        if (word == HKTI_ASLEEP_FUTEX)
            hkti_os_futex_wake(&sleeper->word, 1);
        return;
    }
}

static void on_signal(int signo)
{
    hkti_fetch_add_seq_cst(&handling, 1); /* pairs: signal-handling */
    if (hkti_load_relaxed(&places[signo].once))
        (void)hkti_os_signal(signo, NULL);
    hkt_loop *loop = hkti_load_seq_cst(&places[signo].loop); /* pairs: signal-handling */
    if (loop) {
        hkti_fetch_or_seq_cst(&loop->signals, UINT64_C(1) << (signo - 1)); /* pairs: nudge */
        ring(loop);
    }
    hkti_fetch_add_acq_rel(&handling, (uint32_t)-1); /* pairs: signal-handling */
}

void hkti_signals_take(hkt_loop *loop)
{
    /* pairs: nudge */
    uint64_t came = hkti_exchange_seq_cst(&loop->signals, UINT64_C(0));
    for (int signo = 1; signo < SIGNALS; signo++) {
        struct place *place = &places[signo];
        if ((came >> (signo - 1) & 1) && hkti_load_relaxed(&place->loop) == loop &&
            !hkt_handle_pending(&place->handle))
            (void)hkt_loop_call_soon(loop, &place->handle, place->callback, place->arg);
    }
}

/* The runner's handler of Ctrl-C gives way to one of the user's. The runner is in the main
 * thread, so there its loop does not go meanwhile. */
static void make_way(int signo)
{
    hkt_loop *loop = hkti_load_relaxed(&places[signo].loop);
    if (loop && hkti_load_relaxed(&places[signo].once) && hkti_os_is_main() &&
        hkti_loop_is_here(loop))
        (void)hkti_signal_remove(loop, signo);
}

bool hkti_signal_claim(int signo)
{
    make_way(signo);
    hkti_guard_acquire(&guard);
    bool taken = places[signo].taken;
    places[signo].taken = true;
    hkti_guard_release(&guard);
    return !taken;
}

void hkti_signal_disclaim(int signo)
{
    hkti_guard_acquire(&guard);
    places[signo].taken = false;
    hkti_guard_release(&guard);
}

int hkti_signal_add(hkt_loop *loop, int signo, hkt_job *callback, void *arg, bool once)
{
    if (signo <= 0 || signo >= SIGNALS || callback == NULL)
        return -EINVAL;
    if (!hkti_signal_claim(signo))
        return -EALREADY;
    struct place *place = &places[signo];
    place->callback = callback;
    place->arg = arg;
    hkti_store_relaxed(&place->once, once);
    hkti_store_seq_cst(&place->loop, loop); /* pairs: signal-handling */
    int err = hkti_os_signal(signo, on_signal);
    if (err < 0)
        (void)hkti_signal_remove(loop, signo);
    return err;
}

bool hkti_signal_remove(hkt_loop *loop, int signo)
{
    if (signo <= 0 || signo >= SIGNALS || hkti_load_relaxed(&places[signo].loop) != loop)
        return false;
    struct place *place = &places[signo];
    (void)hkti_os_signal(signo, NULL);
    hkti_store_seq_cst(&place->loop, (hkt_loop *)0);                /* pairs: signal-handling */
    for (unsigned turns = 0; hkti_load_acquire(&handling); turns++) /* pairs: signal-handling */
        hkti_os_yield(turns);
    (void)hkt_handle_cancel(&place->handle);
    hkti_signal_disclaim(signo);
    return true;
}

bool hkti_signal_remove_once(hkt_loop *loop, int signo)
{
    return hkti_load_relaxed(&places[signo].once) && hkti_signal_remove(loop, signo);
}

int hkt_loop_add_signal_handler(hkt_loop *loop, int signo, hkt_job *callback, void *arg)
{
    hkti_loop_must_be_here(loop, "hkt_loop_add_signal_handler");
    return hkti_signal_add(loop, signo, callback, arg, false);
}

bool hkt_loop_remove_signal_handler(hkt_loop *loop, int signo)
{
    hkti_loop_must_be_here(loop, "hkt_loop_remove_signal_handler");
    return hkti_signal_remove(loop, signo);
}

void hkti_signals_end(hkt_loop *loop)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        (void)hkti_signal_remove(loop, signo);
}
