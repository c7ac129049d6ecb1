/* SPDX-License-Identifier: MIT */
/* Two buffers: one is filled, under the lock, while the thread writes the other. `filled` is set
 * from the first line in the one that is filled until the thread takes it; `urgent` when half of it
 * is used, or at the end; `room` whenever the thread has taken one. */
#include "access_log.h"

#include "cli.h"
#include "progress.h"

#include <hocket/event.h>
#include <hocket/lock.h>
#include <hocket/thread.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 256 * 1024, LINE = 4096 };

#define PERIOD 0.1 /* seconds for which lines are gathered */

struct access_log {
    hkt_thread *thread;
    hkt_lock lock;
    hkt_event filled, urgent, room;
    bool closing;
    bool broken; /* writing failed: nothing more is gathered */
    time_t second;
    char time[40]; /* of that second */
    size_t used;
    char *filling, *writing;
    char buffers[2][BUFFER];
};

/* Takes what has been gathered: how much. With *end: no more will come. */
static size_t take(struct access_log *log, bool *end)
{
    hkt_lock_acquire(&log->lock);
    char *taken = log->filling;
    size_t used = log->used;

    *end = log->closing;
    log->filling = log->writing;
    log->writing = taken;
    log->used = 0;
    hkt_event_clear(&log->urgent);
    if (!log->closing)
        hkt_event_clear(&log->filled);
    hkt_event_set(&log->room);
    hkt_lock_release(&log->lock);
    return used;
}

static int keep_writing(void *arg)
{
    struct access_log *log = arg;
    bool end = false;

    while (!end) {
        (void)hkt_event_wait(&log->filled);
        (void)hkt_event_wait_until(&log->urgent, hkt_after(PERIOD));
        size_t used = take(log, &end);

        if (used == 0 || log->broken)
            continue;
        fwrite(log->writing, 1, used, stdout);
        int err = cli_flush();

        if (err < 0) {
            progress_say("there is no access log from now on: %s", strerror(-err));
            hkt_lock_acquire(&log->lock);
            log->broken = true;
            hkt_lock_release(&log->lock);
        }
    }
    return 0;
}

int access_log_open(struct access_log **log)
{
    struct access_log *made = malloc(sizeof *made);
    hkt_thread_options options = { .name = "access log" };

    if (!made)
        return -ENOMEM;
    memset(made, 0, offsetof(struct access_log, buffers));
    made->filling = made->buffers[0];
    made->writing = made->buffers[1];
    int err = hkt_thread_spawn(&made->thread, keep_writing, made, &options);

    if (err < 0) {
        free(made);
        return err;
    }
    *log = made;
    return 0;
}

/* Quotes, backslashes and controls are written so that a line stays a line of its seven fields. */
static size_t escape(char *text, struct http_text line)
{
    size_t n = 0;

    for (size_t i = 0; i < line.length && n + 8 < LINE / 2; i++) {
        unsigned char c = (unsigned char)line.at[i];

        if (c < ' ' || c > 126) {
            n += (size_t)sprintf(text + n, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            text[n++] = '\\';
        text[n++] = (char)c;
    }
    text[n] = 0;
    return n;
}

/* With the lock. */
static void append(struct access_log *log, const char *peer, const char *line, int status,
                   uint64_t bytes)
{
    time_t now = time(NULL);
    struct tm parts;

    if (now != log->second && localtime_r(&now, &parts)) {
        strftime(log->time, sizeof log->time, "%d/%b/%Y:%H:%M:%S %z", &parts);
        log->second = now;
    }
    if (log->used == 0)
        hkt_event_set(&log->filled);
    int n = snprintf(log->filling + log->used, LINE, "%s - - [%s] \"%s\" %d %llu\n", peer,
                     log->time, line, status, (unsigned long long)bytes);

    log->used += (size_t)n;
    if (log->used > BUFFER / 2)
        hkt_event_set(&log->urgent);
}

void access_log_add(struct access_log *log, const char *peer, struct http_text line, int status,
                    uint64_t bytes)
{
    char text[LINE / 2];
    int err = 0;

    if (!log)
        return;
    if (escape(text, line) == 0)
        memcpy(text, "-", 2);
    hkt_lock_acquire(&log->lock);
    while (err == 0 && log->used + LINE > BUFFER && !log->broken) {
        hkt_event_clear(&log->room);
        hkt_lock_release(&log->lock);
        err = hkt_event_wait(&log->room);
        hkt_lock_acquire(&log->lock);
    }
    if (err == 0 && !log->broken)
        append(log, peer, text, status, bytes);
    hkt_lock_release(&log->lock);
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    hkt_lock_acquire(&log->lock);
    log->closing = true;
    hkt_event_set(&log->filled);
    hkt_event_set(&log->urgent);
    hkt_lock_release(&log->lock);
    hkt_thread_join(log->thread);
    hkt_thread_destroy(log->thread);
    free(log);
}
