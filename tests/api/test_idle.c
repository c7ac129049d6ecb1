/* SPDX-License-Identifier: MIT */
/* An idle program does nothing: threads in every kind of wait, with and without a deadline, use no
 * processor time and are not woken even once in a second. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "waits.h"

/* Context switches of a thread so far, as the kernel counts them: 0 if it is gone. */
static long switches_of(int tid)
{
    char path[64], line[256];
    long sum = 0, count;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    FILE *status = fopen(path, "re");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %ld", &count) == 1)
            sum += count;
    fclose(status);
    return sum;
}

static double processor_time(void)
{
    struct timespec used;
    CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void pass_a_second(void)
{
    struct timespec left = { .tv_sec = 1 };
    while (nanosleep(&left, &left) < 0)
        ;
}

/* All of them sleep now; a second later they have done nothing since. */
static void must_stay_idle(hkt_thread *const *threads, size_t count)
{
    long *switches = calloc(count, sizeof *switches);
    CHECK(switches != NULL);
    for (size_t i = 0; i < count; i++)
        await_asleep(threads[i]);
    for (size_t i = 0; i < count; i++)
        switches[i] = switches_of(hkt_thread_native_id(threads[i]));
    double before = processor_time();
    pass_a_second();
    double used = processor_time() - before;
    for (size_t i = 0; i < count; i++) {
        hkt_thread_info info;
        hkt_thread_get_info(threads[i], &info);
        if (switches_of(info.native_id) != switches[i])
            test_fail(__FILE__, __LINE__, "thread %s was switched %ld times in %s", info.name,
                      switches_of(info.native_id) - switches[i], info.waits_for);
    }
    free(switches);
    if (!SANITIZED) /* sanitizers have a thread of their own */
        CHECK(used < 0.02);
}

static void wait_idly(bool timed)
{
    enum { MOST = 50 * 32 };
    static struct place place;
    static struct waiter waiters[MOST];
    static hkt_thread *threads[MOST];
    size_t each = (size_t)test_scaled(50), count = 0;
    if (each > 50)
        each = 50;
    place_open(&place);
    for (size_t i = 0; i < wait_kind_count; i++) {
        for (size_t k = 0; k < each; k++) {
            struct waiter *waiter = &waiters[count];
            waiter->place = &place;
            waiter->kind = &wait_kinds[i];
            if (timed && wait_kinds[i].wait_until)
                waiter->deadline = hkt_after(10000);
            else if (timed)
                waiter->options.deadline = hkt_after(10000);
            waiter_start(waiter);
            threads[count++] = waiter->thread;
        }
    }
    must_stay_idle(threads, count);
    for (size_t i = 0; i < count; i++)
        hkt_scope_cancel(&waiters[i].scope);
    for (size_t i = 0; i < count; i++) {
        waiter_join(&waiters[i]);
        CHECK(waiters[i].result == -ECANCELED || waiters[i].result == -EPIPE);
    }
    place_close(&place);
}

TEST_TIMEOUT(threads_that_wait_do_nothing, 60)
{
    wait_idly(false);
}

TEST_TIMEOUT(threads_that_wait_for_a_far_deadline_do_nothing, 60)
{
    wait_idly(true);
}

static int acquire_lock(void *arg)
{
    struct place *place = arg;
    hkt_lock_acquire(&place->lock);
    hkt_lock_release(&place->lock);
    return 0;
}

static int acquire_rlock(void *arg)
{
    struct place *place = arg;
    hkt_rlock_acquire(&place->rlock);
    hkt_rlock_release(&place->rlock);
    return 0;
}

static int acquire_read(void *arg)
{
    struct place *place = arg;
    hkt_rwlock_acquire_read(&place->rwlock);
    hkt_rwlock_release_read(&place->rwlock);
    return 0;
}

static int acquire_write(void *arg)
{
    struct place *place = arg;
    hkt_rwlock_acquire_write(&place->rwlock);
    hkt_rwlock_release_write(&place->rwlock);
    return 0;
}

TEST_TIMEOUT(threads_that_wait_plainly_do_nothing, 60)
{
    enum { EACH = 5 };
    int (*const plain[])(void *) = { acquire_lock, acquire_rlock, acquire_read, acquire_write };
    struct place place;
    hkt_thread *threads[4 * EACH];
    place_open(&place);
    for (int i = 0; i < 4 * EACH; i++)
        threads[i] = must_spawn(plain[i / EACH], &place, NULL);
    must_stay_idle(threads, 4 * EACH);
    hkt_lock_release(&place.lock);
    hkt_event_set(&place.open);
    for (int i = 0; i < 4 * EACH; i++)
        must_join(threads[i]);
    hkt_lock_acquire(&place.lock);
    place_close(&place);
}

static int wait_under_giant_lock(void *arg)
{
    hkt_giant_lock *giant = arg;
    hkt_giant_lock_acquire(giant);
    hkt_giant_lock_release(giant);
    return 0;
}

/* Who waits for the giant lock looks up only when its patience ends: here, after hours. */
TEST(threads_that_wait_for_the_giant_lock_do_nothing)
{
    hkt_giant_lock giant = { 0 };
    hkt_thread *threads[5];
    CHECK_EQ(hkt_giant_lock_set_interval(&giant, 100), 0);
    hkt_giant_lock_acquire(&giant);
    for (int i = 0; i < 5; i++)
        threads[i] = must_spawn(wait_under_giant_lock, &giant, NULL);
    for (int i = 0; i < 5; i++)
        await_asleep(threads[i]);
    must_stay_idle(threads, 5);
    hkt_giant_lock_release(&giant);
    for (int i = 0; i < 5; i++)
        must_join(threads[i]);
}

TEST(a_program_with_a_report_on_a_signal_does_nothing)
{
    hkt_thread_info infos[4];
    CHECK_EQ(hkt_thread_report_on_signal(30), 0);
    AWAIT(hkt_thread_enumerate(infos, 4) == 2 && infos[1].waits_for != NULL);
    double before = processor_time();
    long switches = switches_of(infos[1].native_id);
    pass_a_second();
    CHECK(switches_of(infos[1].native_id) - switches <=
          1); /* it may still have been falling asleep */
    if (!SANITIZED)
        CHECK(processor_time() - before < 0.02);
    CHECK_EQ(hkt_finalize(), 0);
}
