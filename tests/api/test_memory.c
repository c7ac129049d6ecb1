/* SPDX-License-Identifier: MIT */
/* hocket/memory.h: the allocator, the count of what is alive, the end. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "waits.h"

/* An allocator that notes its sizes and checks what comes back. */
struct ledger {
    atomic_long allocations, releases;
};

struct header {
    size_t size;
    uint64_t magic;
};

#define MAGIC UINT64_C(0x686f636b65742121)

static void *note_allocate(void *context, size_t size)
{
    struct ledger *ledger = context;
    struct header *header = malloc(sizeof *header + size);
    if (!header)
        return NULL;
    *header = (struct header){ .size = size, .magic = MAGIC };
    memset(header + 1, 0xa5, size); /* hocket must not trust it to be zero */
    ledger->allocations++;
    return header + 1;
}

static void note_release(void *context, void *memory, size_t size)
{
    struct ledger *ledger = context;
    CHECK(memory != NULL);
    struct header *header = (struct header *)memory - 1;
    CHECK(header->magic == MAGIC);
    CHECK_EQ(size, header->size);
    header->magic = 0;
    ledger->releases++;
    free(header);
}

static struct ledger ledger;
static const hkt_allocator noting = { note_allocate, note_release, &ledger, { 0 } };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int set_local(void *local)
{
    return hkt_local_set(local, local);
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Makes one of everything that a create makes, fills it, and gives it back. */
static void use_everything(void)
{
    hkt_queue *queues[4];
    hkt_queue_options unbounded = { .maxsize = HKT_UNBOUNDED };
    hkt_local *local;
    hkt_timer *timer;
    CHECK_EQ(hkt_queue_create(&queues[0], sizeof(int), NULL), 0);
    CHECK_EQ(hkt_lifo_queue_create(&queues[1], sizeof(int), &unbounded), 0);
    CHECK_EQ(hkt_priority_queue_create(&queues[2], sizeof(int), compare_ints, &unbounded), 0);
    CHECK_EQ(hkt_simple_queue_create(&queues[3], sizeof(int)), 0);
    for (int i = 0; i < 4; i++) {
        for (int item = 0; item < 100; item++)
            CHECK_EQ(hkt_queue_put(queues[i], &item), 0);
        hkt_queue_destroy(queues[i]);
    }
    CHECK_EQ(hkt_local_create(&local, NULL), 0);
    must_join(must_spawn(set_local, local, NULL));
    hkt_local_destroy(local);
    CHECK_EQ(hkt_timer_start(&timer, 0, nothing, NULL), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
    hkt_thread_report_all();
}

static void say_nothing(void *context, const char *line)
{
    (void)context;
    CHECK(line[0] != '\0');
}

TEST(all_memory_comes_from_the_allocator)
{
    hkt_set_report_sink(say_nothing, NULL);
    CHECK_EQ(hkt_set_allocator(&noting), 0);
    use_everything();
    AWAIT(hkt_allocation_count() == 0);
    CHECK(ledger.allocations > 10);
    CHECK_EQ(ledger.releases, ledger.allocations);
}

TEST(malloc_is_brought_back)
{
    hkt_set_report_sink(say_nothing, NULL);
    CHECK_EQ(hkt_set_allocator(&noting), 0);
    CHECK_EQ(hkt_set_allocator(NULL), 0);
    use_everything();
    CHECK_EQ(ledger.allocations, 0);
}

TEST(the_allocator_is_copied)
{
    hkt_queue *queue;
    hkt_allocator mine = noting;
    CHECK_EQ(hkt_set_allocator(&mine), 0);
    memset(&mine, 0, sizeof mine);
    CHECK_EQ(hkt_queue_create(&queue, 8, NULL), 0);
    hkt_queue_destroy(queue);
    CHECK(ledger.allocations > 0);
}

TEST(the_allocator_stays_while_its_memory_is_in_use)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_queue_create(&queue, 8, NULL), 0);
    CHECK_EQ(hkt_set_allocator(&noting), -EBUSY);
    CHECK_EQ(hkt_set_allocator(NULL), -EBUSY);
    hkt_queue_destroy(queue);
    CHECK_EQ(hkt_set_allocator(&noting), 0);
    CHECK_EQ(ledger.allocations, 0);
}

TEST(what_is_alive_is_counted)
{
    hkt_queue *queue;
    hkt_thread *thread;
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(hkt_queue_create(&queue, 8, NULL), 0);
    size_t with_queue = hkt_allocation_count();
    CHECK(with_queue > 0);
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, NULL), 0);
    CHECK(hkt_allocation_count() > with_queue);
    hkt_thread_destroy(thread); /* never started */
    CHECK_EQ(hkt_allocation_count(), with_queue);
    hkt_queue_destroy(queue);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(small_things_need_no_memory)
{
    struct place place = { 0 };
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_lock_acquire(&place.lock);
    hkt_rlock_acquire(&place.rlock);
    CHECK_EQ(hkt_event_wait_until(&place.event, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_semaphore_init(&place.semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_acquire(&place.semaphore), 0);
    CHECK_EQ(hkt_barrier_init(&place.barrier, 1, NULL), 0);
    CHECK_EQ(hkt_barrier_wait(&place.barrier), 0);
    CHECK_EQ(hkt_once_call(&place.once, nothing, NULL), 0);
    hkt_fail(-EIO, "a sentence");
    CHECK_EQ(hkt_allocation_count(), 0);
    hkt_rlock_release(&place.rlock);
    hkt_lock_release(&place.lock);
    CHECK_EQ(hkt_scope_leave(&scope), 0);
}

TEST(destroying_nothing_is_fine)
{
    hkt_queue_destroy(NULL);
    hkt_thread_destroy(NULL);
    hkt_local_destroy(NULL);
    hkt_timer_destroy(NULL);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

TEST(the_end_is_refused_while_threads_run)
{
    hkt_event event = { 0 };
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    CHECK_EQ(hkt_finalize(), -EBUSY);
    CHECK_EQ(hkt_finalize(), -EBUSY);
    hkt_event_set(&event);
    must_join(thread);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_end_is_refused_while_daemons_run)
{
    hkt_event event = { 0 };
    hkt_thread_options options = { .daemon = HKT_DAEMON_YES };
    hkt_thread *thread = must_spawn(wait_for_event, &event, &options);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_finalize(), -EBUSY);
    hkt_event_set(&event);
    must_join(thread);
    CHECK_EQ(hkt_finalize(), 0);
}

static atomic_int dropped;

static void drop(void *value)
{
    CHECK(value != NULL);
    dropped++;
}

TEST(the_end_gives_back_what_main_had)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, drop), 0);
    CHECK_EQ(hkt_local_set(local, &dropped), 0);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(dropped, 1);
    CHECK(hkt_local_get(local) == NULL);
    hkt_local_destroy(local);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(after_the_end_hocket_is_used_afresh)
{
    hkt_set_report_sink(say_nothing, NULL);
    for (int i = 0; i < 3; i++) {
        struct place place;
        place_open(&place);
        CHECK_EQ(hkt_fd_wait_until(place.pipe[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
        place_close(&place);
        use_everything();
        CHECK(hkt_thread_current() == hkt_thread_main());
        CHECK_EQ(hkt_thread_active_count(), 1);
        CHECK_EQ(hkt_finalize(), 0);
        CHECK_EQ(hkt_allocation_count(), 0);
        CHECK_EQ(hkt_set_allocator(i % 2 ? NULL : &noting), 0);
    }
}

TEST(the_end_in_an_ended_scope)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_thread_report_on_signal(30), 0);
    CHECK_EQ(hkt_finalize(), 0); /* it has no -ECANCELED */
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}
