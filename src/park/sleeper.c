/* SPDX-License-Identifier: MIT */
/* Sleeping on a futex, and sleeping in ppoll.
 *
 * On a futex: the waker changes the word, then makes the system call with its address alone; the
 * sleeper may be gone by then, which harms nobody. Who waits for a shared word, too, sleeps on both at
 * once; where the system cannot do that, on its own one for a millisecond at a time.
 * In ppoll: the waker needs the eventfd, so it says WAKING first, and the sleeper does not go on
 * until that is over; then it empties the eventfd, which nobody else is at. */
#include "park/sleeper.h"

#include <errno.h>

#include "base/seconds.h"
#include "park/wait.h"

static int sleep_on_both(uint32_t *word, const struct hkti_word_interest *shared, int64_t deadline)
{
    int err = hkti_os_futex_wait_either(word, HKTI_ASLEEP_FUTEX, shared->word, shared->value,
                                        deadline);
    if (err != -ENOSYS)
        return err;
    int64_t slice = hkti_os_now() + HKTI_MILLISECOND;
    bool last = deadline != 0 && deadline <= slice;
    err = hkti_os_futex_wait(word, HKTI_ASLEEP_FUTEX, last ? deadline : slice);
    return last ? err : 0;
}

static int futex_sleep(struct hkti_strand *self, struct hkti_wait *wait, int64_t deadline)
{
    const struct hkti_word_interest *shared = wait->shared;
    if (!hkti_cas_acq_rel(&self->word, HKTI_ARMED, HKTI_ASLEEP_FUTEX)) /* pairs: wake, nudge */
        return 0;
    while (hkti_load_relaxed(&self->word) == HKTI_ASLEEP_FUTEX && !hkti_word_differs(shared)) {
        int err = shared ? sleep_on_both(&self->word, shared, deadline)
                         : hkti_os_futex_wait(&self->word, HKTI_ASLEEP_FUTEX, deadline);
        if (err == -ETIMEDOUT)
            break;
    }
    hkti_cas_acq_rel(&self->word, HKTI_ASLEEP_FUTEX, HKTI_ARMED); /* pairs: wake, nudge */
    return hkti_word_differs(shared);
}

static void futex_rouse(struct hkti_strand *strand)
{
    hkti_os_futex_wake(&strand->word, 1);
}

static int poll_sleep(struct hkti_strand *self, struct hkti_wait *wait, int64_t deadline)
{
    struct hkti_fd_interest *fd = wait->fd;
    int wake_fd = self->wake_fd ? 0 : hkti_os_wake_fd_open();
    if (wake_fd < 0)
        return wake_fd;
    if (wake_fd)
        self->wake_fd = wake_fd + 1;
    if (!hkti_cas_acq_rel(&self->word, HKTI_ARMED, HKTI_ASLEEP_POLL)) /* pairs: waking */
        return 0;
    int err = hkti_os_poll(fd->fd, fd->events, &fd->revents, self->wake_fd - 1, deadline);
    if (!hkti_cas_acq_rel(&self->word, HKTI_ASLEEP_POLL, HKTI_ARMED)) {          /* pairs: waking */
        for (unsigned turns = 0; hkti_load_acquire(&self->word) == HKTI_WAKING;) /* pairs: waking */
            hkti_os_yield(turns++);
        hkti_os_wake_fd_clear(self->wake_fd - 1);
    }
    if (err < 0 && err != -ETIMEDOUT)
        return err;
    return fd->revents != 0;
}

static void poll_rouse(struct hkti_strand *strand)
{
    hkti_os_wake_fd_set(strand->wake_fd - 1);
}

const struct hkti_sleeper hkti_sleeper_futex = { .sleep = futex_sleep, .rouse = futex_rouse };
const struct hkti_sleeper hkti_sleeper_poll = { .sleep = poll_sleep,
                                                .rouse = poll_rouse,
                                                .needs_strand = true };

const struct hkti_sleeper *hkti_sleeper_switched;
int (*hkti_ear)(struct hkti_strand *self, struct hkti_wait *wait);

const struct hkti_sleeper *hkti_sleeper_of(uint32_t word)
{
    switch (word) {
    case HKTI_ASLEEP_FUTEX:
        return &hkti_sleeper_futex;
    case HKTI_ASLEEP_POLL:
        return &hkti_sleeper_poll;
    case HKTI_ASLEEP_SWITCHED:
        return hkti_load_relaxed(&hkti_sleeper_switched);
    default:
        return NULL;
    }
}
