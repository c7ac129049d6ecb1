/* SPDX-License-Identifier: MIT */
/* Waiting at a bell, and perhaps for one who is in the middle of something: then with a look
 * now and then whether the system still has him, less and less often. */
#ifndef HKTI_PROC_SHARED_QUEUE_PATIENCE_H
#define HKTI_PROC_SHARED_QUEUE_PATIENCE_H

#include <errno.h>

#include "base/seconds.h"
#include "os/os.h"
#include "proc/bell.h"

#define HKTI_PATIENCE (50 * HKTI_MILLISECOND)
#define HKTI_PATIENCE_MAX HKTI_SECOND

/* All zero at the beginning of a wait. */
struct hkti_patience {
    uint32_t suspect;
    int64_t period;
};

/* As hkti_bell_wait; `suspect` 0: nobody. */
static inline int hkti_patience_wait(struct hkti_patience *patience, struct hkti_listener *listener,
                                     const char *what, const void *object, uint32_t suspect,
                                     int64_t deadline, bool cancellable)
{
    if (suspect == 0)
        return hkti_bell_wait(listener, what, object, deadline, cancellable);
    if (patience->suspect != suspect)
        *patience = (struct hkti_patience){ suspect, HKTI_PATIENCE };
    int64_t look = hkti_os_now() + patience->period;
    bool last = hkti_earlier(look, deadline) == deadline;
    int err = hkti_bell_wait(listener, what, object, last ? deadline : look, cancellable);
    if (err != -ETIMEDOUT || last)
        return err;
    if (patience->period < HKTI_PATIENCE_MAX)
        patience->period *= 2;
    hkti_family_look(suspect);
    return 0;
}

#endif
