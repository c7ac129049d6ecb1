/* SPDX-License-Identifier: MIT */
/* Linked into the programs whose tests also run in a loop: --in-loop.
 *
 * What tests say at their end, that nothing of hocket's is left, cannot be so while their own task is
 * there. So in this mode hkt_finalize and hkt_allocation_count, which the linker leads here, leave the
 * loop out; and what was claimed is checked when the loop has ended. A test's own allocator is set
 * beside that of the loop: each gets back what it gave. */
#include <errno.h>
#include <hocket/memory.h>
#include <hocket/run.h>
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"

/* Bodies were written for a thread's stack. */
#define STACK ((size_t)4 << 20)

int __real_hkt_finalize(void);
int __wrap_hkt_finalize(void);
size_t __real_hkt_allocation_count(void);
size_t __wrap_hkt_allocation_count(void);

int __real_hkt_set_allocator(const hkt_allocator *allocator);
int __wrap_hkt_set_allocator(const hkt_allocator *allocator);

/* What is about the thread itself, or must not have a loop beside it. */
static const char *const not_in_loop[] = {
    /* that hkt_finalize says -EBUSY, which it always does here */
    "to_destroy_awaits_the_jobs_even_in_an_ended_scope",
    /* counts the eventfds of threads; a loop has one more, and its poller */
    "a_hundred_waits_use_one_fd",
    /* what is left lies on a stack that the leak checker does not look at */
    "an_engine_that_does_not_end_is_left_to_itself",
    /* counts what is alive after hkt_finalize has left something */
    "a_destructor_at_the_end_of_the_thread_may_set",
    /* changes how many processors there are before hocket reads it, which the loop has done */
    "a_pool_has_as_many_workers_as_processors_that_it_may_use",
    NULL,
};

static bool inside, nothing_left;
static size_t of_loop;

int __wrap_hkt_finalize(void)
{
    int err = __real_hkt_finalize();
    if (!inside)
        return err;
    nothing_left = true;
    return err == -EBUSY ? 0 : err;
}

size_t __wrap_hkt_allocation_count(void)
{
    size_t count = __real_hkt_allocation_count();
    if (!inside)
        return count;
    return nothing_left || count < of_loop ? 0 : count - of_loop;
}

/* The test's allocator, and what it has given. */
static hkt_allocator of_test;
static void *given[1 << 16];
static size_t given_count;
static pthread_mutex_t given_lock = PTHREAD_MUTEX_INITIALIZER;

static void *allocate(void *context, size_t size)
{
    (void)context;
    if (of_test.allocate == NULL)
        return malloc(size);
    void *memory = of_test.allocate(of_test.context, size);
    pthread_mutex_lock(&given_lock);
    if (memory && given_count == sizeof given / sizeof *given)
        test_fail(__FILE__, __LINE__, "too many allocations");
    if (memory)
        given[given_count++] = memory;
    pthread_mutex_unlock(&given_lock);
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    size_t place = 0;
    pthread_mutex_lock(&given_lock);
    while (place < given_count && given[place] != memory)
        place++;
    bool found = place < given_count;
    if (found)
        given[place] = given[--given_count];
    pthread_mutex_unlock(&given_lock);
    if (found)
        of_test.release(of_test.context, memory, size);
    else
        free(memory);
}

/* As the real one, it refuses while memory of the one before is in use. */
int __wrap_hkt_set_allocator(const hkt_allocator *allocator)
{
    if (!inside)
        return __real_hkt_set_allocator(allocator);
    if (given_count > 0)
        return -EBUSY;
    of_test = allocator ? *allocator : (hkt_allocator){ 0 };
    return 0;
}

struct call {
    void (*body)(void);
};

static int run(void *arg)
{
    of_loop = __real_hkt_allocation_count();
    inside = true;
    ((struct call *)arg)->body();
    inside = false;
    return 0;
}

static void call_in_loop(void (*body)(void))
{
    struct call call = { body };
    const hkt_allocator both = { .allocate = allocate, .release = release };
    CHECK_EQ(__real_hkt_set_allocator(&both), 0);
    const hkt_loop_options options = { .name = "test", .stack_size = STACK };
    CHECK_EQ(hkt_run_with(run, &call, &options), 0);
    int err = __real_hkt_finalize(); /* a test may leave daemons, unless it said that it does not */
    if (nothing_left) {
        CHECK_EQ(err, 0);
        CHECK_EQ(__real_hkt_allocation_count(), 0);
    }
}

__attribute__((constructor)) static void announce(void)
{
    test_call_in_loop = call_in_loop;
    test_not_in_loop = not_in_loop;
}
