/* SPDX-License-Identifier: MIT */
/* Signals to wait for. The system's handler sets the signal's bit in the object that has it, and
 * makes that object's eventfd readable; who waits, waits for the eventfd.
 *
 * Who finds it readable empties it first and looks at the bits then; who takes a bit and leaves
 * others makes it readable again. The handler sets the bit before it writes. So while a bit is set,
 * the eventfd is readable, or somebody who has emptied it, or is about to write to it, has not
 * finished; nobody sleeps through a signal. It may be readable for nothing: then who waits looks
 * once in vain.
 *
 * A signal is claimed in the table of the loops (loop/signal.h), so it has one owner in the
 * process.
 *
 * Who may touch what: the table by who has claimed the place; its `owner` also by handlers, which
 * say so in `handling` first: an object is given back only when none of them is at it. The bits by
 * all, atomically. */
#include <errno.h>
#include <hocket/signal.h>
#include <poll.h>
#include <signal.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "loop/signal.h"
#include "park/scope.h"
#include "park/wait.h"

#define SIGNALS 65

struct hkt_signals {
    uint64_t came;    /* bit signo - 1; atomic */
    uint64_t claimed; /* the same bits: those that are ours */
    int fd;
    struct sigaction before[SIGNALS];
};

static hkt_signals *owners[SIGNALS]; /* NULL: none; atomic */
static uint32_t handling;

static uint64_t bit_of(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

static void on_signal(int signo)
{
    hkti_fetch_add_seq_cst(&handling, 1);                     /* pairs: signals-handling */
    hkt_signals *signals = hkti_load_seq_cst(&owners[signo]); /* pairs: signals-handling */
    if (signals) {
        hkti_fetch_or_seq_cst(&signals->came, bit_of(signo)); /* pairs: signals-came */
        hkti_os_wake_fd_set(signals->fd);
    }
    hkti_fetch_add_acq_rel(&handling, (uint32_t)-1); /* pairs: signals-handling */
}

static int catch_signal(hkt_signals *signals, int signo)
{
    if (!hkti_signal_claim(signo))
        return hkt_fail(-EALREADY, "signal %d has a handler of a loop, or is waited for elsewhere",
                        signo);
    /* On the thread's signal stack, if it has one: coroutines have small stacks. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
    int saved = errno;
    sigemptyset(&action.sa_mask);
    hkti_store_seq_cst(&owners[signo], signals); /* pairs: signals-handling */
    int err = sigaction(signo, &action, &signals->before[signo]) < 0 ? -errno : 0;
    errno = saved;
    if (err == 0) {
        signals->claimed |= bit_of(signo);
        return 0;
    }
    hkti_store_seq_cst(&owners[signo], (hkt_signals *)0); /* pairs: signals-handling */
    hkti_signal_disclaim(signo);
    return hkt_fail(err, "signal %d cannot be caught", signo);
}

int hkt_signals_create(hkt_signals **signals, int count, const int signos[])
{
    for (int i = 0; i < count; i++)
        if (signos[i] <= 0 || signos[i] >= SIGNALS)
            return hkt_fail(-EINVAL, "there is no signal %d", signos[i]);
    if (count <= 0)
        return hkt_fail(-EINVAL, "hkt_signals_create: no signals");
    hkt_signals *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->fd = hkti_os_wake_fd_open();
    int err = made->fd < 0 ? made->fd : 0;
    for (int i = 0; err == 0 && i < count; i++)
        if (!(made->claimed & bit_of(signos[i])))
            err = catch_signal(made, signos[i]);
    if (err < 0) {
        hkt_signals_destroy(made);
        return err;
    }
    *signals = made;
    return 0;
}

/* Takes the lowest that has come: its number; -EAGAIN: none. */
static int take(hkt_signals *signals)
{
    for (;;) {
        uint64_t came = hkti_load_seq_cst(&signals->came); /* pairs: signals-came */
        if (came == 0)
            return -EAGAIN;
        uint64_t rest = came & (came - 1);
        if (!hkti_cas_seq_cst(&signals->came, came, rest)) /* pairs: signals-came */
            continue;
        if (rest)
            hkti_os_wake_fd_set(signals->fd);
        return __builtin_ctzll(came) + 1;
    }
}

int hkt_signals_wait_until(hkt_signals *signals, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    for (;;) {
        int signo = take(signals);
        if (signo > 0)
            return signo;
        if (deadline.ns == HKTI_PASSED)
            return -ETIMEDOUT;
        struct hkti_fd_interest interest = { .fd = signals->fd, .events = POLLIN };
        struct hkti_wait wait = { .what = "signals",
                                  .object = signals,
                                  .deadline = deadline.ns,
                                  .fd = &interest,
                                  .cancellable = true,
                                  .no_spin = true };
        err = hkti_wait(&wait);
        if (err < 0)
            return err;
        hkti_os_wake_fd_clear(signals->fd);
    }
}

int hkt_signals_wait(hkt_signals *signals)
{
    return hkt_signals_wait_until(signals, (hkt_deadline){ 0 });
}

int hkt_signals_wait_nowait(hkt_signals *signals)
{
    return take(signals);
}

void hkt_signals_destroy(hkt_signals *signals)
{
    if (signals == NULL)
        return;
    int saved = errno;
    for (int signo = 1; signo < SIGNALS; signo++) {
        if (!(signals->claimed & bit_of(signo)))
            continue;
        (void)sigaction(signo, &signals->before[signo], NULL);
        hkti_store_seq_cst(&owners[signo], (hkt_signals *)0); /* pairs: signals-handling */
    }
    errno = saved;
    for (unsigned turns = 0; hkti_load_acquire(&handling); turns++) /* pairs: signals-handling */
        hkti_os_yield(turns);
    for (int signo = 1; signo < SIGNALS; signo++)
        if (signals->claimed & bit_of(signo))
            hkti_signal_disclaim(signo);
    if (signals->fd >= 0)
        hkti_os_close(signals->fd);
    hkti_release(signals, sizeof *signals);
}
