/* SPDX-License-Identifier: MIT */
/* Bad days: no memory. One of everything that has a create is made, used and given back, while the
 * n-th allocation fails, for every n: once, and from then on. Each time the error is clear, nothing
 * is leaked, nothing hangs, and what was there goes on working. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "waits.h"

static atomic_long calls, alive;
static long fail_from, fail_to; /* these calls fail, counted from 1 */

static void *allocate(void *context, size_t size)
{
    (void)context;
    long call = ++calls;
    void *memory = call >= fail_from && call <= fail_to ? NULL : malloc(size);
    if (memory)
        alive++;
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    alive--;
    free(memory);
}

static const hkt_allocator failing = { allocate, release, NULL, { 0 } };
static int report_failures; /* what the sink was told */

static void count_line(void *context, const char *line)
{
    (void)context;
    if (strstr(line, "no memory"))
        report_failures++;
}

static int compare_longs(const void *a, const void *b)
{
    const long *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

#define ITEMS 50

/* Fills a queue as far as it goes; all that went in comes out again, whatever failed. */
static int fill_and_empty(hkt_queue *queue)
{
    long count = 0, sum = 0, item;
    int err = 0;
    for (long i = 1; i <= ITEMS && err == 0; i++) {
        err = hkt_queue_put(queue, &i);
        if (err == 0) {
            count++;
            sum += i;
        }
    }
    CHECK_EQ(hkt_queue_qsize(queue), count);
    CHECK(err == 0 || err == -ENOMEM);
    for (; count > 0; count--) {
        CHECK_EQ(hkt_queue_get_nowait(queue, &item), 0);
        CHECK(item >= 1 && item <= ITEMS);
        sum -= item;
    }
    CHECK_EQ(sum, 0);
    CHECK_EQ(hkt_queue_get_nowait(queue, &item), -EAGAIN);
    hkt_queue_destroy(queue);
    return err;
}

static int use_queues(void)
{
    hkt_queue *queue = NULL;
    hkt_queue_options unbounded = { .maxsize = HKT_UNBOUNDED };
    int err = hkt_queue_create(&queue, sizeof(long), NULL);
    CHECK_EQ(err == 0, queue != NULL);
    if (err == 0)
        err = fill_and_empty(queue);
    if (err == 0 && (err = hkt_queue_create(&queue, sizeof(long), &unbounded)) == 0)
        err = fill_and_empty(queue);
    if (err == 0 && (err = hkt_lifo_queue_create(&queue, sizeof(long), &unbounded)) == 0)
        err = fill_and_empty(queue);
    if (err == 0 &&
        (err = hkt_priority_queue_create(&queue, sizeof(long), compare_longs, &unbounded)) == 0)
        err = fill_and_empty(queue);
    if (err == 0 && (err = hkt_simple_queue_create(&queue, sizeof(long))) == 0)
        err = fill_and_empty(queue);
    return err;
}

static atomic_int dropped;

static void drop(void *value)
{
    CHECK(value != NULL);
    dropped++;
}

static int set_local(void *local)
{
    int err = hkt_local_set(local, local);
    CHECK(hkt_local_get(local) == (err == 0 ? local : NULL));
    return err;
}

static void no_report(hkt_thread *thread, int err, const char *sentence)
{
    (void)thread;
    (void)sentence;
    CHECK_EQ(err, -ENOMEM);
}

static int use_locals(void)
{
    hkt_local *local = NULL;
    hkt_thread *thread = NULL;
    int err = hkt_local_create(&local, drop);
    if (err < 0)
        return err;
    int before = dropped;
    err = set_local(local); /* of main */
    if (err == 0)
        err = hkt_thread_spawn(&thread, set_local, local, NULL);
    if (err == 0) {
        err = join_result(thread);
        CHECK_EQ(dropped, before + (err == 0));
    }
    hkt_local_destroy(local);
    return err;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int use_threads(void)
{
    hkt_thread *thread = NULL;
    hkt_timer *timer = NULL;
    int err = hkt_thread_create(&thread, nothing, NULL, NULL);
    CHECK_EQ(err == 0, thread != NULL);
    if (err == 0) {
        err = hkt_thread_start(thread); /* needs no memory of ours */
        CHECK_EQ(err, 0);
        must_join(thread);
    }
    if (err == 0)
        err = hkt_thread_spawn(NULL, nothing, NULL, NULL);
    if (err == 0 && (err = hkt_timer_start(&timer, 0, nothing, NULL)) == 0) {
        CHECK_EQ(hkt_timer_join(timer), 0);
        hkt_timer_destroy(timer);
    }
    CHECK_EQ(hkt_join_all(), 0);
    return err;
}

static int use_reports(void)
{
    report_failures = 0;
    hkt_thread_report_all();
    if (report_failures > 0)
        return -ENOMEM;
    return hkt_thread_report_on_signal(SIGUSR1);
}

/* All of them, to the first error. */
static int use_everything(void)
{
    int err = use_queues();
    if (err == 0)
        err = use_locals();
    if (err == 0)
        err = use_threads();
    if (err == 0)
        err = use_reports();
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(alive, 0);
    return err;
}

static int use_with_failures(long from, long to)
{
    calls = 0;
    fail_from = from;
    fail_to = to;
    return use_everything();
}

static long allocations_needed(void)
{
    hkt_set_report_sink(count_line, NULL);
    hkt_thread_set_excepthook(no_report);
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(use_with_failures(0, 0), 0);
    CHECK(calls > 20);
    return calls;
}

TEST_TIMEOUT(any_one_allocation_may_fail, 60)
{
    long needed = allocations_needed();
    for (long n = 1; n <= needed; n++) {
        CHECK_EQ(use_with_failures(n, n), -ENOMEM);
        CHECK(calls >= n);
    }
    CHECK_EQ(use_with_failures(0, 0), 0); /* and all is well again */
    CHECK_EQ(calls, needed);
}

TEST_TIMEOUT(all_allocations_from_any_one_on_may_fail, 60)
{
    long needed = allocations_needed();
    for (long n = 1; n <= needed; n++)
        CHECK_EQ(use_with_failures(n, INT32_MAX), -ENOMEM);
    CHECK_EQ(use_with_failures(0, 0), 0);
}

/* With no memory at all, what needs none goes on: locks, events, sleeps, scopes, running threads.
 * */
TEST(without_memory_waits_go_on)
{
    struct place place;
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    place_open(&place);
    hkt_thread_options options = { .daemon = HKT_DAEMON_YES };
    struct waiter waiter = { .place = &place, .kind = &wait_kinds[14] };
    hkt_event event = { 0 };
    waiter_start(&waiter);
    calls = 0;
    fail_from = 1;
    fail_to = INT32_MAX;
    for (size_t i = 0; i < wait_kind_count; i++) {
        if (wait_kinds[i].wait_until)
            CHECK_EQ(wait_kinds[i].wait_until(&place, hkt_after(0.002)), wait_kinds[i].timed_out);
        hkt_barrier_reset(&place.barrier);
    }
    CHECK_EQ(calls, 0);
    hkt_thread *thread = NULL;
    CHECK_EQ(hkt_thread_spawn(&thread, nothing, NULL, &options), -ENOMEM);
    CHECK(thread == NULL);
    CHECK_EQ(hkt_event_wait_until(&event, hkt_after(0.001)), -ETIMEDOUT);
    hkt_scope_cancel(&waiter.scope);
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    place_close(&place);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(alive, 0);
}

static int put_many(void *queue)
{
    int err = 0;
    for (long i = 1; i <= 1000 && err == 0; i++)
        err = hkt_queue_put(queue, &i);
    return err;
}

/* An unbounded queue that cannot grow says so, keeps what it has, and takes more when there is
 * room. */
TEST(a_queue_that_cannot_grow_keeps_its_items)
{
    hkt_queue *queue;
    hkt_queue_options unbounded = { .maxsize = HKT_UNBOUNDED };
    long item;
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(hkt_queue_create(&queue, sizeof item, &unbounded), 0);
    fail_from = calls + 1;
    fail_to = INT32_MAX;
    CHECK_EQ(put_many(queue), -ENOMEM);
    size_t had = hkt_queue_qsize(queue);
    CHECK(had > 0);
    CHECK_EQ(put_many(queue), -ENOMEM);
    CHECK_EQ(hkt_queue_put_nowait(queue, &item), -ENOMEM);
    CHECK_EQ(hkt_queue_qsize(queue), had);
    CHECK_EQ(hkt_queue_get(queue, &item), 0);
    CHECK_EQ(item, 1);
    item = 4711;
    CHECK_EQ(hkt_queue_put(queue, &item), 0); /* room for one */
    CHECK_EQ(hkt_queue_put(queue, &item), -ENOMEM);
    fail_to = 0;
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    for (size_t i = 2; i <= had + 2; i++) {
        CHECK_EQ(hkt_queue_get(queue, &item), 0);
        CHECK_EQ(item, i <= had ? (long)i : 4711);
        CHECK_EQ(hkt_queue_task_done(queue), 0);
    }
    CHECK_EQ(hkt_queue_task_done(queue), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL); /* refused puts were not counted */
    CHECK_EQ(hkt_queue_join(queue), 0);
    hkt_queue_destroy(queue);
    CHECK_EQ(alive, 0);
}
