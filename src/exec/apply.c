/* SPDX-License-Identifier: MIT */
/* Jobs whose argument is a struct of known size: what all engines can run. */
#include "exec/executor.h"

int hkt_apply_async(hkt_executor *executor, hkt_future **future, hkt_job *job, void *arg,
                    size_t size)
{
    hkt_submit_options options = { .arg_size = size };
    return hkt_submit_with(executor, future, job, arg, &options);
}

int hkt_apply(hkt_executor *executor, hkt_job *job, void *arg, size_t size)
{
    hkt_future *future;
    int err = hkt_apply_async(executor, &future, job, arg, size);
    return err < 0 ? err : hkt_future_finish(future);
}
