/* SPDX-License-Identifier: MIT */
/* One job waits as for a slow server, by a plain blocking call. Nothing here knows of threads or of
 * the giant lock: hkt_sleep lets others run, whatever they run on. */
#include "downloads.h"

#include "progress.h"

#include <hocket/time.h>

static int download(void *arg)
{
    struct download *download = arg;
    int err = hkt_sleep(download->latency);

    if (err < 0)
        return err;
    download->job.outcome.bytes = 1000 * (uint64_t)download->id;
    progress_add(1);
    return 0;
}

void downloads_make(struct work *work, struct download downloads[DOWNLOADS], double latency)
{
    for (int i = 0; i < DOWNLOADS; i++)
        downloads[i] = (struct download){ .id = i + 1, .latency = latency };
    *work = (struct work){
        .label = "downloading",
        .run = download,
        .jobs = downloads,
        .count = DOWNLOADS,
        .job_size = sizeof downloads[0],
        .progress = DOWNLOADS,
        .amount = DOWNLOADS,
    };
}
