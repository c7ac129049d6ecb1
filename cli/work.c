/* SPDX-License-Identifier: MIT */
/* Outcomes: blanked before a run, kept after the first, compared after the others. By the main
 * thread, while no job runs. */
#include "work.h"

#include <stdlib.h>
#include <string.h>

void work_reset(struct work *work, hkt_giant_lock *giant)
{
    for (size_t i = 0; i < work->count; i++)
        *work_job(work, i) = (struct job){ .giant = giant };
}

struct outcome *work_keep(const struct work *work)
{
    struct outcome *kept = malloc((work->count + 1) * sizeof *kept);

    for (size_t i = 0; kept && i < work->count; i++)
        kept[i] = work_job(work, i)->outcome;
    return kept;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->bytes == b->bytes && a->err == b->err && memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

struct difference work_compare(const struct work *work, const struct outcome *kept)
{
    struct difference difference = { 0, 0 };

    for (size_t i = 0; i < work->count; i++) {
        const struct job *job = work_job(work, i);

        if (same(&job->outcome, &kept[i]))
            continue;
        if (work->changed && work->changed(job))
            difference.changed++;
        else
            difference.different++;
    }
    return difference;
}
