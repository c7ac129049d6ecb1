/* SPDX-License-Identifier: MIT */
/* A thread of its own draws the line ten times a second, so that those who work do nothing more
 * than add to a number, and so that a clock ticks even while one big file is read.
 *
 * `lock` guards the phase and the writing to the terminal; `done` is added to by everybody and
 * read by the drawing thread alone, so it needs no order. */
#include "progress.h"

#include "terminal.h"
#include "text.h"

#include <hocket/event.h>
#include <hocket/lock.h>
#include <hocket/thread.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PERIOD 0.1

static struct {
    hkt_thread *thread; /* NULL: nothing is shown */
    hkt_event stop;
    hkt_lock lock;
    char label[TEXT_MAX]; /* empty: between phases */
    uint64_t total;
    double began;
    bool drawn;
    atomic_uint_fast64_t done;
} line;

/* With the lock. */
static void erase(void)
{
    if (line.drawn)
        fputs("\r\033[K", stderr);
    line.drawn = false;
    fflush(stderr);
}

/* With the lock. Cut to the terminal's width: a line that wraps cannot be rewritten. */
static void draw(void)
{
    char text[2 * TEXT_MAX], count[TEXT_MAX];
    uint64_t done = atomic_load_explicit(&line.done, memory_order_relaxed);
    double seconds = hkt_monotonic() - line.began;
    int width = terminal_width(STDERR_FILENO) - 1;
    int n;

    if (seconds < PERIOD)
        return;
    if (line.total > 0) {
        double part = done < line.total ? (double)done / (double)line.total : 1.0;

        n = snprintf(text, sizeof text, "%3.0f %%  %4.1f s  %s", 100 * part, seconds, line.label);
    } else {
        n = snprintf(text, sizeof text, "%s  %4.1f s  %s", text_count(count, done), seconds,
                     line.label);
    }
    if (n > width) {
        for (n = width; (text[n] & 0xC0) == 0x80; n--)
            ; /* not within a letter of UTF-8 */
        text[n] = 0;
    }
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    line.drawn = true;
}

static int keep_drawing(void *arg)
{
    (void)arg;
    while (hkt_event_wait_until(&line.stop, hkt_after(PERIOD)) == -ETIMEDOUT) {
        hkt_lock_acquire(&line.lock);
        if (line.label[0])
            draw();
        hkt_lock_release(&line.lock);
    }
    return 0;
}

void progress_open(void)
{
    hkt_thread_options options = { .name = "progress" };

    hkt_event_clear(&line.stop);
    if (!terminal_can_rewrite(STDERR_FILENO))
        return;
    if (hkt_thread_spawn(&line.thread, keep_drawing, NULL, &options) < 0)
        line.thread = NULL; /* then without */
}

void progress_close(void)
{
    progress_clear();
    if (!line.thread)
        return;
    hkt_event_set(&line.stop);
    hkt_thread_join(line.thread);
    hkt_thread_destroy(line.thread);
    line.thread = NULL;
}

void progress_phase(uint64_t total, const char *format, ...)
{
    va_list args;

    if (!line.thread)
        return;
    hkt_lock_acquire(&line.lock);
    va_start(args, format);
    vsnprintf(line.label, sizeof line.label, format, args);
    va_end(args);
    line.total = total;
    line.began = hkt_monotonic();
    atomic_store_explicit(&line.done, 0, memory_order_relaxed);
    hkt_lock_release(&line.lock);
}

void progress_clear(void)
{
    if (!line.thread)
        return;
    hkt_lock_acquire(&line.lock);
    line.label[0] = 0;
    erase();
    hkt_lock_release(&line.lock);
}

void progress_add(uint64_t n)
{
    if (line.thread)
        atomic_fetch_add_explicit(&line.done, n, memory_order_relaxed);
}

void progress_say(const char *format, ...)
{
    va_list args;

    hkt_lock_acquire(&line.lock);
    erase();
    fputs("hocket: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    hkt_lock_release(&line.lock);
}
