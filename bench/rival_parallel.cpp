/* SPDX-License-Identifier: MIT */
/* oneTBB's loops, for bench_parallel. */
#include "parallel_loops.h"

#include <functional>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/task_arena.h>

namespace
{

using range = tbb::blocked_range<size_t>;

tbb::task_arena arena(2);

} // namespace

void parallel_tbb_begin(void)
{
}

double parallel_tbb_sum(const double *values, size_t count)
{
    return arena.execute([=] {
        return tbb::parallel_reduce(
            range(0, count, PARALLEL_BLOCK), 0.0,
            [=](const range &part, double sum) {
                return sum + parallel_sum(values, part.begin(), part.end());
            },
            std::plus<double>());
    });
}

void parallel_tbb_uneven(void)
{
    arena.execute([] {
        tbb::parallel_for(range(0, PARALLEL_UNEVEN), [](const range &part) {
            for (size_t i = part.begin(); i < part.end(); i++)
                parallel_item(i);
        });
    });
}

void parallel_tbb_region(void)
{
    arena.execute([] {
        tbb::parallel_for(range(0, PARALLEL_REGION), [](const range &part) {
            for (size_t i = part.begin(); i < part.end(); i++)
                parallel_tiny_item();
        });
    });
}

void parallel_tbb_end(void)
{
}
