/* SPDX-License-Identifier: MIT */
/* The engine without workers: a job is run where it is handed in. It is what anybody could write. */
#include "exec/executor.h"

static int submit(void *engine, hkt_future *future, const hkt_submit_options *options)
{
    (void)engine;
    (void)options;
    hkt_future_run(future);
    return 0;
}

int hkt_inline_executor_create(hkt_executor **executor)
{
    static const hkt_engine engine = { .name = "inline", .submit = submit, .max_workers = 1 };
    return hkt_executor_create(executor, &engine, NULL);
}
