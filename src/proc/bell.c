/* SPDX-License-Identifier: MIT */
/* The bell: bell.h has its rules.
 *
 * A listener is counted before its stake is written down, and the stake is taken back before it is
 * uncounted: so who is killed between the two leaves the count too high, never too low. */
#include "proc/bell.h"

#include <errno.h>
#include <hocket/shared.h>

#include "base/seconds.h"
#include "os/os.h"
#include "park/sleeper.h"
#include "park/wait.h"
#include "proc/ear.h"

/* Who has no place for its stake looks again as often. */
#define SLICE (100 * HKTI_MILLISECOND)

void hkti_bell_listen(struct hkti_bell *bell, enum hkti_stake_kind kind,
                      struct hkti_listener *listener)
{
    *listener = (struct hkti_listener){ .bell = bell };
    hkti_fetch_add_seq_cst(&bell->sleepers, 1); /* pairs: bell */
    listener->stake = hkti_stake_add(bell, kind);
    listener->rings = hkti_load_acquire(&bell->rings); /* pairs: bell */
}

static int64_t give_up(struct hkti_wait *wait, int64_t now)
{
    (void)wait;
    (void)now;
    return -1;
}

/* When to look again, deadline or not; 0: never. */
static int64_t look_of(const struct hkti_listener *listener)
{
    if (listener->stake >= 0 || !hkt_shared_contains(listener->bell))
        return listener->look;
    return hkti_earlier(listener->look, hkti_os_now() + SLICE);
}

int hkti_bell_wait(struct hkti_listener *listener, const char *what, const void *object,
                   int64_t deadline, bool cancellable)
{
    struct hkti_bell *bell = listener->bell;
    struct hkti_word_interest interest = { .word = &bell->rings, .value = listener->rings };
    int64_t alarm = hkti_earlier(deadline, look_of(listener));
    if (listener->since == 0)
        listener->since = hkti_os_now();
    /* Who has no deadline is not shown as one who has. */
    struct hkti_wait wait = { .what = what,
                              .object = object,
                              .deadline = alarm,
                              .since = listener->since,
                              .expired = deadline ? NULL : give_up,
                              .shared = &interest,
                              .cancellable = cancellable };
    int err = hkti_wait(&wait);
    if (err < 0 && (err != -ETIMEDOUT || alarm == deadline))
        return err;
    listener->rings = hkti_load_acquire(&bell->rings); /* pairs: bell */
    return 0;
}

void hkti_bell_leave(struct hkti_listener *listener, bool satisfied)
{
    struct hkti_bell *bell = listener->bell;
    hkti_stake_remove(listener->stake);
    hkti_fetch_add_seq_cst(&bell->sleepers, (uint32_t)-1);                /* pairs: bell */
    if (!satisfied && hkti_load_seq_cst(&bell->rings) != listener->rings) /* pairs: bell */
        hkti_bell_ring(bell, 1);
}

void hkti_bell_ring_slow(struct hkti_bell *bell, int n)
{
    hkti_fetch_add_seq_cst(&bell->rings, 1); /* pairs: bell */
    hkti_os_shared_futex_wake(&bell->rings, n);
}

__attribute__((constructor(200))) static void begin(void)
{
    hkti_store_relaxed(&hkti_ear, hkti_ear_wait);
}
