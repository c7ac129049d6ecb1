/* SPDX-License-Identifier: MIT */
/* A job's argument that has pointers no other process has: the checked build says which word. */
#include <hocket.h>
#include <stdlib.h>

#include "test.h"

struct job {
    long number;
    const void *pointer;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void check_refused(hkt_executor *pool, const void *pointer)
{
    struct job job = { 7, pointer };
    CHECK_EQ(hkt_apply(pool, nothing, HKT_ITEM(job)), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "the argument's word at offset 8 points to") != NULL);
    CHECK(strstr(hkt_sentence(-EINVAL), "hkt_shared_alloc") != NULL);
}

TEST(pointers_to_stack_heap_and_literals_are_refused_and_those_to_shared_memory_are_not)
{
    static int data;
    hkt_executor *pool;
    int local = 0;
    void *heap = malloc(100), *shared = hkt_shared_alloc(100);
    CHECK(heap != NULL && shared != NULL);
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 1 }), 0);
    check_refused(pool, &local);
    check_refused(pool, heap);
    check_refused(pool, &data);
    check_refused(pool, "a literal");
    struct job good = { 7, shared }, null = { 1L << 40, NULL };
    CHECK_EQ(hkt_apply(pool, nothing, HKT_ITEM(good)), 0);
    CHECK_EQ(hkt_apply(pool, nothing, HKT_ITEM(null)), 0);
    hkt_executor_destroy(pool);
    hkt_shared_free(shared);
    free(heap);
    CHECK_EQ(hkt_finalize(), 0);
}
