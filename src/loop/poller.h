/* SPDX-License-Identifier: MIT */
/* The loop's poller, and its face to a foreign loop. */
#ifndef HKTI_LOOP_POLLER_H
#define HKTI_LOOP_POLLER_H

#include "loop/loop.h"
#include "park/sleeper.h"

struct entry;

struct hkti_poller {
    int fd;
    struct entry *entries; /* by fd */
    size_t room;
    int timer_fd; /* for a foreign loop; -1 */
    int64_t timer_at;
};

/* What a foreign loop waits for: the poller's fd, or a negative errno. The foreign loop goes on;
 * it has called the loop. */
int hkti_outside_open(hkt_loop *loop);
void hkti_outside_enter(hkt_loop *loop);
void hkti_outside_leave(hkt_loop *loop);
/* Between turns, when the first alarm may be another one. */
void hkti_outside_alarm(hkt_loop *loop);

#endif
