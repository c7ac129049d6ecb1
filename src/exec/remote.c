/* SPDX-License-Identifier: MIT */
/* Futures of jobs in another address space, which run as far as this process knows: their engine knows
 * whether they have begun. It is asked while the future is BUSY, so that it is there. */
#include <errno.h>

#include "exec/executor.h"

bool hkti_future_recall(hkt_future *future)
{
    for (unsigned turns = 0;; hkti_os_yield(turns++)) {
        void *parcel = NULL;
        if (!hkti_future_hold(future))
            return false;
        hkt_executor *executor = future->executor;
        bool running = (hkti_load_relaxed(&future->state) & HKTI_FUTURE_STEP) ==
                       HKTI_FUTURE_RUNNING;
        int err = running ? executor->ops->remote->recall(executor, future, &parcel) : -EAGAIN;
        hkti_future_unhold(future);
        if (err == 0) {
            hkti_future_recalled(future); /* perhaps the last touch of it */
            executor->ops->remote->recalled(executor, parcel);
        }
        if (err != -EAGAIN)
            return err == 0;
    }
}

bool hkti_future_began(hkt_future *future)
{
    if (!hkti_future_hold(future))
        return false;
    bool began = future->executor->ops->remote->began(future->executor, future);
    hkti_future_unhold(future);
    return began;
}
