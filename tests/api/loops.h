/* SPDX-License-Identifier: MIT */
/* What tests of loops use: loops that must be had, a log of what happened in which order, and the time
 * that the processor was used for. */
#ifndef HOCKET_TESTS_LOOPS_H
#define HOCKET_TESTS_LOOPS_H

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pools.h"

static inline hkt_loop *must_loop(void)
{
    hkt_loop *loop = NULL;
    CHECK_EQ(hkt_loop_create(&loop, NULL), 0);
    return loop;
}

static inline void end_loop(hkt_loop *loop)
{
    hkt_loop_destroy(loop);
    check_finalized();
}

/* Runs the job in a loop of its own; nothing is left afterwards. */
static inline void must_run(hkt_job *job, void *arg)
{
    CHECK_EQ(hkt_run(job, arg), 0);
    check_finalized();
}

static inline hkt_task *must_start(hkt_job *job, void *arg)
{
    hkt_task *task = NULL;
    CHECK_EQ(hkt_task_spawn(&task, job, arg), 0);
    CHECK(task != NULL);
    return task;
}

/* The others go on until the condition holds. */
#define YIELD_UNTIL(condition)                                                                     \
    do {                                                                                           \
        while (!(condition))                                                                       \
            CHECK_EQ(hkt_yield(), 0);                                                              \
    } while (0)

/* A job that does so until it is cancelled. */
static inline int yield_forever(void *arg)
{
    int err;
    (void)arg;
    while ((err = hkt_yield()) == 0)
        ;
    return err;
}

static inline int sleep_forever(void *arg)
{
    (void)arg;
    return hkt_sleep(INFINITY);
}

/* The same, in a thread that signals are to wake. TSan holds them back from one that sleeps in a system
 * call that it does not know; there it wakes up now and then, and makes a call that TSan knows. */
static inline int sleep_for_signals(void *arg)
{
    int err;
    (void)arg;
    while ((err = hkt_sleep(UNDER_TSAN ? 0.001 : INFINITY)) == 0)
        nanosleep(&(struct timespec){ 0 }, NULL);
    return err;
}

static inline int sleep_seconds(void *arg)
{
    return hkt_sleep(*(double *)arg);
}

/* Letters, in the order in which they came; of one loop's thread. */
struct log {
    char text[256];
    size_t length;
    hkt_deadline start; /* of the entries' times; {0}: when each is asked for */
};

static inline void log_add(struct log *log, char letter)
{
    CHECK(log->length + 1 < sizeof log->text);
    log->text[log->length++] = letter;
    log->text[log->length] = 0;
}

/* What is to be written into a log, and when. */
struct entry {
    struct log *log;
    char letter;
    double seconds;
};

/* From one start on, so that the order is certain however slowly they are begun. */
static inline hkt_deadline entry_time(const struct entry *entry)
{
    int64_t start = entry->log->start.ns;
    if (start == 0)
        return hkt_after(entry->seconds);
    return (hkt_deadline){ start + (int64_t)(entry->seconds * 1e9) };
}

static inline int write_entry(void *arg)
{
    struct entry *entry = arg;
    log_add(entry->log, entry->letter);
    return 0;
}

static inline int sleep_and_write_entry(void *arg)
{
    int err = hkt_sleep_until(entry_time(arg));
    return err < 0 ? err : write_entry(arg);
}

static inline double cpu_seconds(void)
{
    struct timespec used;
    CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Since `before`, hardly any. Sanitizers have a thread of their own, which is not counted. */
static inline void check_idle_since(double before)
{
    double used = cpu_seconds() - before;
    if (!SANITIZED && used >= 0.05)
        test_fail(__FILE__, __LINE__, "%.3f s of processor time while nothing was to do", used);
}

/* Does one of the lines have this text? */
static inline bool lines_have(struct lines *lines, const char *text)
{
    bool found = false;
    pthread_mutex_lock(&lines->mutex);
    for (int i = 0; i < lines->count; i++)
        found = found || strstr(lines->text[i], text) != NULL;
    pthread_mutex_unlock(&lines->mutex);
    return found;
}

#endif
