/* SPDX-License-Identifier: MIT */
/* Shared values and arrays: what they hold, their locks, and what is none. */
#include <hocket/error.h>
#include <hocket/shared_value.h>

#include "caller.h"
#include "shared_tests.h"

TEST(a_value_begins_as_zero_or_as_told)
{
    long initial = 42;
    long *zero = hkt_shared_value_create(sizeof *zero, NULL);
    long *told = hkt_shared_value_create(sizeof *told, &initial);
    CHECK(zero && told);
    CHECK_EQ(*zero, 0);
    CHECK_EQ(*told, 42);
    CHECK(hkt_shared_contains(zero) && hkt_shared_contains(told));
    CHECK_EQ((uintptr_t)zero % 64, 0);
    CHECK_EQ(hkt_shared_size_of(told), sizeof *told);
    CHECK_EQ(hkt_shared_count_of(told), 1);
    CHECK(hkt_shared_lock_of(zero) != hkt_shared_lock_of(told));
    hkt_shared_value_destroy(zero);
    hkt_shared_value_destroy(told);
    hkt_shared_value_destroy(NULL);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(an_array_knows_its_items)
{
    int initial[] = { 1, 2, 3, 4, 5 };
    int *array = hkt_shared_array_create(5, sizeof *array, initial);
    CHECK(array);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(array[i], i + 1);
    CHECK_EQ(hkt_shared_count_of(array), 5);
    CHECK_EQ(hkt_shared_size_of(array), sizeof initial);
    char *empty = hkt_shared_array_create(0, 8, NULL);
    CHECK(empty);
    CHECK_EQ(hkt_shared_count_of(empty), 0);
    CHECK_EQ(hkt_shared_size_of(empty), 0);
    hkt_shared_value_destroy(empty);
    hkt_shared_value_destroy(array);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(more_than_there_can_be_is_told)
{
    CHECK(hkt_shared_array_create(SIZE_MAX / 4, 8, NULL) == NULL);
    CHECK(strstr(hkt_sentence(-ENOMEM), "shared array"));
    CHECK(hkt_shared_value_create(SIZE_MAX - 8, NULL) == NULL);
    CHECK(hkt_shared_value_create(SIZE_MAX / 2, NULL) == NULL);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_copy_has_a_lock_of_its_own)
{
    int initial[] = { 7, 8 };
    int *array = hkt_shared_array_create(2, sizeof *array, initial);
    CHECK(array);
    int *copy = hkt_shared_copy(array);
    CHECK(copy);
    CHECK(copy[0] == 7 && copy[1] == 8);
    CHECK_EQ(hkt_shared_count_of(copy), 2);
    copy[0] = 9;
    CHECK_EQ(array[0], 7);
    CHECK(hkt_shared_lock_of(copy) != hkt_shared_lock_of(array));
    CHECK_EQ(hkt_shared_rlock_acquire(hkt_shared_lock_of(array)), 0);
    CHECK(!hkt_shared_rlock_locked(hkt_shared_lock_of(copy)));
    hkt_shared_rlock_release(hkt_shared_lock_of(array));
    hkt_shared_value_destroy(array);
    hkt_shared_value_destroy(copy);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(several_may_have_one_lock)
{
    hkt_shared_rlock *lock = shared_new(sizeof *lock);
    long initial = 3;
    long *one = hkt_shared_value_wrap(sizeof *one, &initial, lock);
    long *other = hkt_shared_value_wrap(sizeof *other, NULL, hkt_shared_lock_of(one));
    CHECK(one && other);
    CHECK_EQ(*one, 3);
    CHECK(hkt_shared_lock_of(one) == lock && hkt_shared_lock_of(other) == lock);
    long *copy = hkt_shared_copy(one);
    CHECK(copy && hkt_shared_lock_of(copy) != lock);
    hkt_shared_value_destroy(one);
    hkt_shared_value_destroy(other);
    hkt_shared_value_destroy(copy);
    shared_end(lock);
}

struct sum {
    long *value;
    long turns;
};

static int add(void *arg)
{
    struct sum *sum = ((struct member *)arg)->shared;
    for (long turn = 0; turn < sum->turns; turn++) {
        if (hkt_shared_rlock_acquire(hkt_shared_lock_of(sum->value)) < 0)
            return 1;
        ++*sum->value;
        hkt_shared_rlock_release(hkt_shared_lock_of(sum->value));
    }
    return 0;
}

TEST(processes_add_to_one_value)
{
    struct sum *sum = shared_new(sizeof *sum);
    hkt_process *members[4];
    sum->value = hkt_shared_value_create(sizeof *sum->value, NULL);
    CHECK(sum->value);
    sum->turns = test_scaled(5000);
    for (int i = 0; i < 4; i++)
        members[i] = member_start(add, sum, i);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(member_end(members[i]), 0);
    CHECK_EQ(*sum->value, 4 * sum->turns);
    hkt_shared_value_destroy(sum->value);
    shared_end(sum);
}

TEST_ABORTS(what_is_no_value_has_no_lock, "hkt_shared_lock_of")
{
    char *memory = shared_new(1024);
    (void)hkt_shared_lock_of(memory + 512);
}

TEST_ABORTS(private_memory_is_no_value, "is no shared value or array")
{
    char memory[512] = { 0 };
    (void)hkt_shared_size_of(memory + 256);
}
