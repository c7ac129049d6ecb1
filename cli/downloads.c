/* SPDX-License-Identifier: MIT */
/* One job fetches one page, by plain blocking calls. Nothing here knows of threads, of coroutines or
 * of the giant lock: each wait lets others run, whatever they run on. */
#include "downloads.h"

#include "http_answer.h"
#include "progress.h"

#include <hocket/error.h>
#include <hocket/stream.h>

#include <errno.h>
#include <string.h>

enum { HEAD = 1024, PART = 16 * 1024 };

/* The body, up to its end: bytes and sum of what came go into the outcome. */
static int read_body(struct download *download, hkt_stream *stream, uint64_t size)
{
    struct outcome *outcome = &download->job.outcome;
    uint64_t sum = PAGE_SUM_OF_NONE;
    unsigned char bytes[PART];
    int n;

    while ((n = hkt_stream_read(stream, bytes, sizeof bytes)) > 0) {
        sum = page_sum(sum, bytes, (size_t)n);
        outcome->bytes += (uint64_t)n;
    }
    memcpy(outcome->sum, &sum, sizeof sum);
    if (n < 0)
        return n;
    if (outcome->bytes != size || sum != download->sum)
        return hkt_fail(-EBADMSG, "page %d came with other bytes than it has", download->id);
    return 0;
}

static int fetch(struct download *download, hkt_stream *stream)
{
    char head[HEAD];
    int status;
    uint64_t size;
    int n = hkt_stream_printf(stream, "GET /%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", download->id);

    if (n == 0)
        n = hkt_stream_read_until(stream, head, sizeof head, "\r\n\r\n", 4);
    if (n < 0)
        return n;
    if (!http_answer_parse(head, (size_t)n, &status, &size) || status != 200)
        return hkt_fail(-EBADMSG, "page %d was not answered as HTTP says", download->id);
    return read_body(download, stream, size);
}

static uint64_t one(const struct job *job)
{
    (void)job;
    return 1;
}

static int download(void *arg)
{
    struct download *download = arg;
    hkt_stream *stream;
    int err = hkt_stream_connect(&stream, "127.0.0.1", download->port, NULL);

    if (err < 0)
        return err;
    err = fetch(download, stream);
    hkt_stream_destroy(stream);
    progress_add(1);
    return err;
}

int downloads_begin(struct downloads *downloads, struct work *work, double latency, bool apart)
{
    int err = pages_serve(&downloads->pages, latency, apart);

    if (err < 0)
        return err;
    for (int i = 0; i < DOWNLOADS; i++)
        downloads->each[i] = (struct download){
            .id = i + 1,
            .port = downloads->pages.port,
            .sum = page_sum_of(i + 1),
        };
    *work = (struct work){
        .label = "downloading",
        .run = download,
        .jobs = downloads->each,
        .count = DOWNLOADS,
        .job_size = sizeof downloads->each[0],
        .progress = DOWNLOADS,
        .amount = DOWNLOADS,
        .progress_of = one,
    };
    return 0;
}

void downloads_end(struct downloads *downloads)
{
    pages_close(&downloads->pages);
}
