/* SPDX-License-Identifier: MIT */
/* The ways to sleep: two for threads; coroutines, which sleep by switching, have the third. */
#ifndef HKTI_PARK_SLEEPER_H
#define HKTI_PARK_SLEEPER_H

#include "park/strand.h"

struct hkti_wait;

struct hkti_sleeper {
    /* Sleeps while the word stays what it makes of ARMED, at the longest until the deadline; 0 when
     * there may be news: the word is armed again, or says what they are. Another value ends the
     * wait: that of an fd. */
    int (*sleep)(struct hkti_strand *self, struct hkti_wait *wait, int64_t deadline);
    /* Wakes one who sleeps so. */
    void (*rouse)(struct hkti_strand *strand);
    /* rouse touches the strand, which must stay until then: the word says WAKING meanwhile. */
    bool needs_strand;
    bool takes_fds; /* as a strand's own one: it can wait for an fd, too */
};

extern const struct hkti_sleeper hkti_sleeper_futex;
extern const struct hkti_sleeper hkti_sleeper_poll;
/* Set by the layer strand, before anybody sleeps so; atomic. */
extern const struct hkti_sleeper *hkti_sleeper_switched;

/* Waits for a shared word (wait->shared) in the place of a strand that sleeps by switching, as the
 * futex cannot: hkti_wait of such a strand is this. Set by the layer proc, before anybody waits so;
 * atomic. */
extern int (*hkti_ear)(struct hkti_strand *self, struct hkti_wait *wait);

/* May it pay for the strand to try for a while before it waits? Not for a loop's task: who would
 * end its wait may be on its own thread. */
static inline bool hkti_strand_may_spin(const struct hkti_strand *self)
{
    return self->sleeper == NULL || !self->sleeper->takes_fds;
}

/* The sleeper that a state of the word belongs to; NULL if in it nobody sleeps. */
const struct hkti_sleeper *hkti_sleeper_of(uint32_t word);

#endif
