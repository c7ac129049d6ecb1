/* SPDX-License-Identifier: MIT */
/* oneTBB's task groups, for bench_submit. Who waits for them runs tasks itself: of one by one there
 * is nothing to measure. */
#include "submit_jobs.h"

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

tbb::task_arena arena(SUBMIT_WORKERS);

void begin_or_end()
{
}

void many(size_t n)
{
    arena.execute([n] {
        tbb::task_group group;
        for (size_t i = 0; i < n; i++)
            group.run(submit_count);
        group.wait();
    });
}

} // namespace

const submit_system submit_tbb = { "tbb(helps)", begin_or_end, begin_or_end, many, nullptr };
