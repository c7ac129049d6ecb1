/* SPDX-License-Identifier: MIT */
/* The lock between processes: one word and a bell.
 *
 * The word is the token of the process that holds it, 0 if it is free, and two flags. To take it:
 * 0 to one's own token by one compare-and-swap; to give it back: the token to 0, and a look whether
 * anybody listens. Everything else is the slow path.
 *
 * A holder that is dead is seen by its token. Who finds one puts its own in the place of that very
 * word, so one of several gets it; then it says `inconsistent`, which stays until somebody says
 * otherwise. If it dies before it has said so, it is itself a dead holder. Who waits is told of a
 * death by the bell (family.h); or, if nobody could see that death, finds it when it asks the system,
 * which it does after LOOK_FIRST, and then every LOOK_AGAIN.
 *
 * Barging: a release frees the lock and rings for one, which has to try for it like anyone else.
 * CALLED says that such a one is on its way, and until it has looked no release rings again. Who sets
 * CALLED rings after that; who listens clears it at each look, and looks after each ring. So it
 * stays only if who is on its way has died, until the others are rung for that, or look by
 * themselves.
 *
 * STARVED is set in a word that says held by one that listens, has been rung for, and has had no luck
 * for FAIR_AFTER. Newcomers let a free lock alone that is STARVED, and listen. Any one that has been
 * rung, or has waited for COURTESY, takes it, and clears the flag: so the flag of one that has died
 * costs COURTESY, and nobody need know whose it was. Who gives up clears it too; others that starve
 * set it again.
 *
 * Why nobody is forgotten: who waits is counted at the bell before it looks at the word; a release
 * changes the word before it looks at the count, all sequentially consistent (pairs: bell). If that
 * release does not ring since it has found CALLED, the called one will look: it takes the lock, and
 * its release rings; or it clears CALLED while somebody holds the lock, whose release rings; or it
 * gives up, and passes its ring on (bell.h).
 *
 * The price: a called one that is stopped (a debugger, a loop that is busy) keeps those behind it
 * waiting until they look by themselves; newcomers get through.
 *
 * Who may touch what: the word by everybody, atomically; inconsistent by the holder. */
#include "proc/shared_lock.h"

#include <errno.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"
#include "park/spin.h"

#define CALLED (UINT32_C(1) << HKTI_TOKEN_BITS)
#define STARVED (CALLED << 1)

#define FAIR_AFTER (HKTI_MILLISECOND / 2)
#define COURTESY HKTI_MILLISECOND
#define LOOK_FIRST (50 * HKTI_MILLISECOND)
#define LOOK_AGAIN HKTI_SECOND

_Static_assert(sizeof(struct hkti_shared_lock) == sizeof(hkt_shared_lock), "these are one");

/* One that waits. */
struct waiter {
    struct hkti_shared_lock *lock;
    uint32_t token;
    bool rung;    /* has waited at least once */
    bool starves; /* has waited for long */
};

/* What the new holder is told. */
static inline int taken(struct hkti_shared_lock *lock, bool dead)
{
    if (__builtin_expect(dead, 0))
        lock->inconsistent = 1;
    return __builtin_expect(lock->inconsistent, 0) ? -EOWNERDEAD : 0;
}

/* Takes a lock that is free; one with another flag than `ignored` is let alone. */
static inline bool take_free(struct hkti_shared_lock *lock, uint32_t token, uint32_t ignored)
{
    uint32_t word = hkti_load_relaxed(&lock->word);
    while ((word & ~ignored) == 0) {
        if (hkti_cas_acquire(&lock->word, word, word | token)) /* pairs: shared-lock */
            return true;
        word = hkti_load_relaxed(&lock->word);
    }
    return false;
}

static bool is_dead(uint32_t holder)
{
    return holder != 0 && hkti_family_is_dead(holder);
}

/* Takes a lock whose holder has died. */
static bool take_over(struct hkti_shared_lock *lock, uint32_t token)
{
    uint32_t word = hkti_load_relaxed(&lock->word);
    return is_dead(word & HKTI_TOKEN_MASK) &&
           hkti_cas_acquire(&lock->word, word, /* pairs: shared-lock */
                            (word & ~HKTI_TOKEN_MASK) | token);
}

/* 0, -EOWNERDEAD; -EAGAIN. */
static int take_now(struct hkti_shared_lock *lock, uint32_t token)
{
    do {
        if (take_free(lock, token, CALLED | STARVED))
            return taken(lock, false);
        if (take_over(lock, token))
            return taken(lock, true);
    } while (!(hkti_load_relaxed(&lock->word) & HKTI_TOKEN_MASK));
    return -EAGAIN;
}

static bool spin_and_take(struct hkti_shared_lock *lock, uint32_t token)
{
    if (!hkti_strand_may_spin(hkti_self()))
        return false;
    for (unsigned round = 0; hkti_spin(&round, HKTI_TRY_ROUNDS);)
        if (take_free(lock, token, CALLED))
            return true;
    return false;
}

/* A look by one that listens: 0, -EOWNERDEAD; -EAGAIN, the flags are as they should be. */
static int look(const struct waiter *waiter)
{
    struct hkti_shared_lock *lock = waiter->lock;
    for (;;) {
        uint32_t word = hkti_load_seq_cst(&lock->word); /* pairs: bell */
        uint32_t holder = word & HKTI_TOKEN_MASK, next = word & ~CALLED;
        bool dead = is_dead(holder);
        if (holder == 0 && (word & STARVED) && !waiter->rung)
            return -EAGAIN;
        if (holder == 0 || dead)
            next = waiter->token;
        else if (waiter->starves)
            next |= STARVED;
        bool mine = holder == 0 || dead;
        if (!mine && next == word)
            return -EAGAIN;
        if (hkti_cas_seq_cst(&lock->word, word, next)) /* pairs: bell, shared-lock */
            return mine ? taken(lock, dead) : -EAGAIN;
    }
}

/* It is time to look whether the holder lives; and says when it will be again. */
static void look_at_holder(const struct waiter *waiter, struct hkti_listener *listener,
                           int64_t since, int64_t now)
{
    uint32_t holder = hkti_load_relaxed(&waiter->lock->word) & HKTI_TOKEN_MASK;
    if (now - since < LOOK_FIRST) {
        listener->look = since + LOOK_FIRST;
        return;
    }
    if (holder != 0 && holder != waiter->token)
        hkti_family_look(holder);
    listener->look = now + LOOK_AGAIN;
}

/* The lock is held by somebody else. */
static int wait_for(struct waiter *waiter, int64_t deadline, bool cancellable)
{
    struct hkti_shared_lock *lock = waiter->lock;
    struct hkti_listener listener;
    int64_t since = hkti_os_now(), now = since;
    int err = 0, result;
    hkti_bell_listen(&lock->bell, HKTI_STAKE_WAIT, &listener);
    listener.look = since + LOOK_FIRST;
    while ((result = look(waiter)) == -EAGAIN && err == 0) {
        if (!waiter->rung && !(hkti_load_relaxed(&lock->word) & HKTI_TOKEN_MASK))
            listener.look = since + COURTESY;
        err = hkti_bell_wait(&listener, "shared lock", lock, deadline, cancellable);
        now = hkti_os_now();
        waiter->rung = true;
        waiter->starves = now - since >= FAIR_AFTER;
        if (now >= listener.look)
            look_at_holder(waiter, &listener, since, now);
    }
    if (result == -EAGAIN && waiter->starves)
        hkti_fetch_and_relaxed(&lock->word, ~STARVED);
    hkti_bell_leave(&listener, result != -EAGAIN);
    return result == -EAGAIN ? err : result;
}

static __attribute__((noinline)) int contend(struct hkti_shared_lock *lock, uint32_t token,
                                             int64_t deadline, bool cancellable)
{
    struct waiter waiter = { .lock = lock, .token = token };
    if (token == 0)
        return -ENOMEM;
    return spin_and_take(lock, token) ? taken(lock, false)
                                      : wait_for(&waiter, deadline, cancellable);
}

int hkt_shared_lock_acquire(hkt_shared_lock *public)
{
    struct hkti_shared_lock *lock = (struct hkti_shared_lock *)public;
    uint32_t token = hkti_family_token();
    if (__builtin_expect(token == 0 || !take_free(lock, token, CALLED), 0))
        return contend(lock, token, 0, false);
    return taken(lock, false);
}

int hkt_shared_lock_acquire_until(hkt_shared_lock *public, hkt_deadline deadline)
{
    struct hkti_shared_lock *lock = (struct hkti_shared_lock *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (deadline.ns == HKTI_PASSED) {
        err = hkt_shared_lock_acquire_nowait(public);
        return err == -EAGAIN ? -ETIMEDOUT : err;
    }
    uint32_t token = hkti_family_token();
    if (token == 0 || !take_free(lock, token, CALLED))
        return contend(lock, token, deadline.ns, true);
    return taken(lock, false);
}

int hkt_shared_lock_acquire_nowait(hkt_shared_lock *public)
{
    uint32_t token = hkti_family_token();
    return token == 0 ? -ENOMEM : take_now((struct hkti_shared_lock *)public, token);
}

void hkt_shared_lock_consistent(hkt_shared_lock *public)
{
    struct hkti_shared_lock *lock = (struct hkti_shared_lock *)public;
    if (!(hkti_load_relaxed(&lock->word) & HKTI_TOKEN_MASK))
        hkti_misuse("hkt_shared_lock_consistent: shared lock %p is not held by anybody",
                    (void *)lock);
    lock->inconsistent = 0;
}

/* Rings for one, unless one is on its way. */
static __attribute__((noinline)) void call_one(struct hkti_shared_lock *lock)
{
    if (!(hkti_fetch_or_seq_cst(&lock->word, CALLED) & CALLED)) /* pairs: bell */
        hkti_bell_ring_slow(&lock->bell, 1);
}

void hkt_shared_lock_release(hkt_shared_lock *public)
{
    struct hkti_shared_lock *lock = (struct hkti_shared_lock *)public;
    uint32_t word;
    do {
        word = hkti_load_relaxed(&lock->word);
        if (__builtin_expect(!(word & HKTI_TOKEN_MASK), 0))
            hkti_misuse("hkt_shared_lock_release: shared lock %p is not held by anybody",
                        (void *)lock);
        /* pairs: bell, shared-lock */
    } while (!hkti_cas_seq_cst(&lock->word, word, word & ~HKTI_TOKEN_MASK));
    if (__builtin_expect(hkti_load_seq_cst(&lock->bell.sleepers) != 0, 0) && /* pairs: bell */
        !(word & CALLED))
        call_one(lock);
}

bool hkt_shared_lock_locked(const hkt_shared_lock *public)
{
    const struct hkti_shared_lock *lock = (const struct hkti_shared_lock *)public;
    uint32_t holder = hkti_load_relaxed(&lock->word) & HKTI_TOKEN_MASK;
    return holder != 0 && !hkti_family_is_dead(holder);
}

int hkt_shared_lock_holder(const hkt_shared_lock *public)
{
    const struct hkti_shared_lock *lock = (const struct hkti_shared_lock *)public;
    uint32_t holder = hkti_load_relaxed(&lock->word) & HKTI_TOKEN_MASK;
    return holder == 0 ? 0 : hkti_family_pid(holder);
}
