/* SPDX-License-Identifier: MIT */
/* base/timers.h: timers in exact order, beside a model that looks at all of them. */
#include "base/timers.h"

#include <stdlib.h>

#include "random.h"
#include "test.h"

#define SLOT (INT64_C(1) << HKTI_TIMERS_SHIFT)
#define SECOND INT64_C(1000000000)
#define YEAR (365 * 24 * 3600 * SECOND)
#define NOW (1000000 * SECOND) /* what a clock may say */

static uint64_t slot_of(int64_t deadline)
{
    return (uint64_t)(deadline / SLOT);
}

/* The heap: nothing before its parent, and links that agree. It may be deep, and wide. */
static size_t check_heap(const struct hkti_timers *timers)
{
    size_t count = 0, room = 64, left = 0;
    const struct hkti_timer **stack = malloc(room * sizeof *stack);

    CHECK(stack != NULL);
    if (timers->heap) {
        CHECK(timers->heap->before == NULL && timers->heap->next == NULL);
        stack[left++] = timers->heap;
    }
    while (left > 0) {
        const struct hkti_timer *timer = stack[--left], *before = timer;
        count++;
        CHECK(timer->order != 0);
        CHECK(slot_of(timer->deadline) <= timers->reached);
        for (const struct hkti_timer *child = timer->child; child; child = child->next) {
            CHECK(child->before == before);
            CHECK(child->deadline > timer->deadline ||
                  (child->deadline == timer->deadline && child->order > timer->order));
            before = child;
            if (left == room) {
                room *= 2;
                stack = realloc(stack, room * sizeof *stack);
                CHECK(stack != NULL);
            }
            stack[left++] = child;
        }
    }
    free(stack);
    return count;
}

static size_t check_list(const struct hkti_timers *timers, unsigned level, unsigned digit)
{
    const struct hkti_timer *before = NULL;
    size_t count = 0;

    for (const struct hkti_timer *timer = timers->lists[level * 64 + digit]; timer;
         before = timer, timer = timer->child, count++) {
        uint64_t slot = slot_of(timer->deadline);
        CHECK(timer->before == before);
        CHECK(timer->order != 0);
        CHECK(slot > timers->reached);
        CHECK_EQ(slot >> (level * 6) & 63, digit);
        CHECK_EQ(slot >> (level * 6) >> 6, timers->reached >> (level * 6) >> 6);
        CHECK(timers->reached >> (level * 6) != slot >> (level * 6));
    }
    return count;
}

/* How many there are: each in its place, and no bit wrong. */
static size_t check_all(const struct hkti_timers *timers)
{
    size_t count = check_heap(timers);
    bool any = count != 0;

    for (unsigned level = 0; level < HKTI_TIMERS_LEVELS; level++) {
        for (unsigned digit = 0; digit < 64 && level * 64 + digit < HKTI_TIMERS_LISTS; digit++) {
            count += check_list(timers, level, digit);
            CHECK_EQ(timers->digits[level] >> digit & 1, timers->lists[level * 64 + digit] != NULL);
        }
        CHECK_EQ(timers->levels >> level & 1, timers->digits[level] != 0);
        any = any || timers->digits[level];
    }
    CHECK_EQ(hkti_timers_empty(timers), !any);
    return count;
}

TEST(all_zero_is_empty)
{
    struct hkti_timers timers = { 0 };
    struct hkti_timer timer = { 0 };
    CHECK(hkti_timers_empty(&timers));
    CHECK(!hkti_timer_is_set(&timer));
    CHECK_EQ(hkti_timers_first(&timers), 0);
    CHECK(hkti_timers_pop(&timers, 0) == NULL);
    CHECK(hkti_timers_pop(&timers, -1) == NULL);
    CHECK(hkti_timers_pop(&timers, NOW) == NULL);
    CHECK(hkti_timers_pop(&timers, INT64_MAX) == NULL);
    CHECK_EQ(check_all(&timers), 0);
    CHECK(sizeof timer <= 40);
    CHECK(sizeof timers <= 4096);
}

TEST(a_timer_is_set_until_it_is_taken_out)
{
    static const int64_t deadlines[] = { 1, SLOT - 1, SLOT, NOW, 100 * YEAR, INT64_MAX };
    struct hkti_timers timers = { 0 };
    struct hkti_timer timer = { 0 };
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        hkti_timers_add(&timers, &timer, deadlines[i]);
        CHECK(hkti_timer_is_set(&timer));
        CHECK(!hkti_timers_empty(&timers));
        CHECK_EQ(hkti_timers_first(&timers), deadlines[i]);
        hkti_timers_remove(&timers, &timer);
        CHECK(!hkti_timer_is_set(&timer));
        CHECK_EQ(hkti_timers_first(&timers), 0);
        CHECK_EQ(check_all(&timers), 0);

        hkti_timers_add(&timers, &timer, deadlines[i]);
        uint64_t reached = timers.reached;
        CHECK(hkti_timers_pop(&timers, -1) == NULL);
        CHECK(hkti_timers_pop(&timers, INT64_MIN) == NULL);
        CHECK_EQ(timers.reached, reached);
        CHECK(hkti_timers_pop(&timers, deadlines[i] - 1) == NULL);
        CHECK(hkti_timers_pop(&timers, deadlines[i]) == &timer);
        CHECK(!hkti_timer_is_set(&timer));
        CHECK_EQ(timer.deadline, deadlines[i]);
        CHECK_EQ(check_all(&timers), 0);
    }
}

TEST(each_bit_of_a_deadline_counts)
{
    enum { BITS = 63 };
    struct hkti_timers timers = { 0 };
    struct hkti_timer set[3 * BITS] = { 0 };
    for (int round = 0; round < 2; round++) {
        for (int bit = BITS - 1; bit >= 2; bit--)
            for (int i = 2; i >= 0; i--)
                hkti_timers_add(&timers, &set[3 * bit + i], (INT64_C(1) << bit) - 1 + i);
        CHECK_EQ(check_all(&timers), 3 * (BITS - 2));
        for (int bit = 2; bit < BITS; bit++) {
            for (int i = 0; i < 3; i++) {
                int64_t deadline = (INT64_C(1) << bit) - 1 + i;
                if (round == 0)
                    CHECK_EQ(hkti_timers_first(&timers), deadline);
                CHECK(hkti_timers_pop(&timers, deadline - 1) == NULL);
                CHECK(hkti_timers_pop(&timers, deadline) == &set[3 * bit + i]);
            }
            check_all(&timers);
        }
        CHECK(hkti_timers_empty(&timers));
    }
}

TEST(equal_deadlines_come_as_they_were_set)
{
    enum { COUNT = 1000 };
    static struct hkti_timer set[COUNT];
    struct hkti_timers timers = { 0 };
    for (int i = 0; i < COUNT; i++) {
        hkti_timers_add(&timers, &set[i], NOW);
        if (i % 300 == 0) /* later ones come to the heap, earlier ones have gone down the wheel */
            CHECK(hkti_timers_pop(&timers, NOW - SLOT + i) == NULL);
        if (i == 700)
            CHECK_EQ(hkti_timers_first(&timers), NOW);
    }
    CHECK_EQ(check_all(&timers), COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK(hkti_timers_pop(&timers, NOW) == &set[i]);
    CHECK(hkti_timers_pop(&timers, NOW) == NULL);
}

/* Many timers far ahead: the first of them can be told only by going there. */
TEST(what_is_set_below_what_was_reached_comes_first)
{
    enum { FAR = 100, NEAR = 50 };
    static struct hkti_timer far[FAR], near[NEAR];
    struct hkti_timers timers = { 0 };
    for (int i = 0; i < FAR; i++)
        hkti_timers_add(&timers, &far[i], NOW + YEAR + i);
    CHECK_EQ(hkti_timers_first(&timers), NOW + YEAR);
    CHECK_EQ(timers.reached, slot_of(NOW + YEAR));
    for (int i = 0; i < NEAR; i++) {
        hkti_timers_add(&timers, &near[i], NOW + (NEAR - i) * SECOND);
        CHECK_EQ(hkti_timers_first(&timers), NOW + (NEAR - i) * SECOND);
    }
    CHECK_EQ(check_all(&timers), FAR + NEAR);
    for (int i = NEAR - 1; i >= 0; i--) {
        CHECK(hkti_timers_pop(&timers, NOW + (NEAR - i) * SECOND - 1) == NULL);
        CHECK(hkti_timers_pop(&timers, NOW + (NEAR - i) * SECOND) == &near[i]);
    }
    CHECK(hkti_timers_pop(&timers, NOW + YEAR - 1) == NULL);
    for (int i = 0; i < FAR; i++)
        hkti_timers_remove(&timers, &far[i]);
    CHECK_EQ(check_all(&timers), 0);
    /* Empty, it is as near to the clock as it can know. */
    hkti_timers_add(&timers, &near[0], NOW + SECOND);
    CHECK_EQ(timers.reached, slot_of(NOW + SECOND));
    hkti_timers_remove(&timers, &near[0]);
    CHECK(hkti_timers_pop(&timers, NOW) == NULL);
    CHECK_EQ(timers.reached, slot_of(NOW));
}

TEST(nothing_is_reached_before_its_time)
{
    enum { COUNT = 1000 };
    static struct hkti_timer set[COUNT];
    struct hkti_timers timers = { 0 };
    struct test_random random = random_of(1);
    for (int i = 0; i < COUNT; i++)
        hkti_timers_add(&timers, &set[i], NOW + 1 + (int64_t)random_below(&random, 400 * SECOND));
    for (int64_t now = NOW, step = SECOND / 7; !hkti_timers_empty(&timers); now += step) {
        struct hkti_timer *timer;
        while ((timer = hkti_timers_pop(&timers, now)) != NULL)
            CHECK(timer->deadline <= now && timer->deadline > now - step);
        CHECK_EQ(timers.reached, slot_of(now)); /* it keeps up, however */
        check_all(&timers);
    }
    /* A few far away can be looked at from here. */
    for (int i = 0; i < 5; i++)
        hkti_timers_add(&timers, &set[i], NOW + YEAR - i);
    CHECK_EQ(hkti_timers_first(&timers), NOW + YEAR - 4);
    CHECK(timers.reached < slot_of(NOW + 500 * SECOND));
}

TEST(years_may_pass)
{
    enum { COUNT = 200 };
    static struct hkti_timer set[COUNT];
    struct hkti_timers timers = { 0 };
    struct test_random random = random_of(2);
    for (int i = 0; i < COUNT; i++)
        hkti_timers_add(&timers, &set[i], 1 + (int64_t)random_below(&random, 200 * YEAR));
    int64_t last = 0;
    int count = 0;
    for (int64_t now = 0; now < 210 * YEAR; now += 7 * YEAR) {
        for (struct hkti_timer *timer; (timer = hkti_timers_pop(&timers, now)) != NULL; count++) {
            CHECK(timer->deadline >= last && timer->deadline <= now);
            CHECK(timer->deadline > now - 7 * YEAR);
            last = timer->deadline;
        }
        check_all(&timers);
    }
    CHECK_EQ(count, COUNT);
}

/* Against the model. */

enum { MOST = 600 };

struct world {
    struct hkti_timers timers;
    struct hkti_timer set[MOST];
    struct test_random random;
    int64_t now;
    size_t count;
    int used; /* of `set` */
};

static struct hkti_timer *model_first(struct world *world)
{
    struct hkti_timer *first = NULL;

    for (int i = 0; i < world->used; i++) {
        struct hkti_timer *timer = &world->set[i];
        if (hkti_timer_is_set(timer) &&
            (!first || timer->deadline < first->deadline ||
             (timer->deadline == first->deadline && timer->order < first->order)))
            first = timer;
    }
    return first;
}

static int64_t any_deadline(struct world *world)
{
    struct test_random *random = &world->random;
    int64_t room = INT64_MAX - world->now, after = 0;

    switch (random_below(random, 10)) {
    case 0: /* long ago, or long since */
        return 1 + (int64_t)(random_next(random) >> (1 + random_below(random, 63))) / 2;
    case 1:
        return INT64_MAX - (int64_t)random_below(random, 3);
    case 2:
        after = (int64_t)(random_next(random) >> (1 + random_below(random, 62)));
        break;
    case 3: /* equal ones */
        return (world->now / SLOT + 1) * SLOT;
    case 4:
        after = (int64_t)random_below(random, 4) * SECOND;
        break;
    case 5:
        after = (int64_t)random_below(random, (uint64_t)SLOT);
        break;
    default:
        after = (int64_t)random_below(random, 64 * (uint64_t)SLOT);
    }
    return world->now + (after < room ? after : room) + (world->now == 0);
}

static void pop_due(struct world *world, uint64_t most)
{
    while (most-- > 0) {
        struct hkti_timer *expected = model_first(world);
        if (expected && expected->deadline > world->now)
            expected = NULL;
        CHECK(hkti_timers_pop(&world->timers, world->now) == expected);
        if (!expected)
            return;
        CHECK(!hkti_timer_is_set(expected));
        world->count--;
    }
}

static void any_step(struct world *world)
{
    struct test_random *random = &world->random;
    struct hkti_timer *timer = &world->set[random_below(random, (uint64_t)world->used)];
    uint64_t what = random_below(random, 20);

    if (what < 14) {
        if (hkti_timer_is_set(timer)) {
            hkti_timers_remove(&world->timers, timer);
            world->count--;
        } else {
            memset(timer, what % 2 ? 0x5a : 0, sizeof *timer); /* what was in it does not matter */
            hkti_timers_add(&world->timers, timer, any_deadline(world));
            world->count++;
        }
        CHECK(hkti_timer_is_set(timer) == (timer->order != 0));
    } else if (what < 16) {
        struct hkti_timer *first = model_first(world);
        CHECK_EQ(hkti_timers_first(&world->timers), first ? first->deadline : 0);
    } else if (what < 18) {
        pop_due(world, random_below(random, 20));
    } else {
        unsigned shift = random_below(random, 50) == 0 ? 8 : 34 + (unsigned)what % 2 * 15;
        int64_t step = (int64_t)(random_next(random) >> (shift + random_below(random, 10)));
        if (step < INT64_MAX - world->now)
            world->now += step;
        pop_due(world, UINT64_MAX);
    }
}

TEST_TIMEOUT(any_order_of_calls_is_as_the_model_says, 60)
{
    static const int sizes[] = { 3, 12, 60, MOST };
    static struct world world;
    for (int round = 0; round < 40; round++) {
        memset(&world, 0, sizeof world);
        world.random = random_of((uint64_t)round);
        world.used = sizes[round % 4];
        world.now = round % 3 ? NOW : 0;
        for (long step = 0; step < test_scaled(5000); step++) {
            any_step(&world);
            if (step % 16 == 0)
                CHECK_EQ(check_all(&world.timers), world.count);
        }
        world.now = INT64_MAX;
        pop_due(&world, UINT64_MAX);
        CHECK_EQ(check_all(&world.timers), 0);
    }
}

/* Many in one slot. */

/* `range` is that of their deadlines, at random; 0: each is before, or with, the one set earlier. */
static struct hkti_timer *many_in_one_slot(struct hkti_timers *timers, long count, int64_t range)
{
    struct hkti_timer *set = calloc((size_t)count, sizeof *set);
    struct test_random random = random_of(3);

    CHECK(set != NULL);
    for (long i = 0; i < count; i++) {
        int64_t after = range ? (int64_t)random_below(&random, (uint64_t)range)
                              : (count - 1 - i) * SLOT / count;
        hkti_timers_add(timers, &set[i], NOW / SLOT * SLOT + after);
    }
    return set;
}

/* In an array, they stand as they were set. */
static void pop_many(struct hkti_timers *timers, long count)
{
    struct hkti_timer *last = NULL;

    for (long i = 0; i < count; i++) {
        struct hkti_timer *timer = hkti_timers_pop(timers, NOW + SLOT);
        CHECK(timer != NULL);
        if (last)
            CHECK(timer->deadline > last->deadline ||
                  (timer->deadline == last->deadline && timer > last));
        last = timer;
    }
    CHECK(hkti_timers_empty(timers));
}

TEST_TIMEOUT(a_million_in_one_slot_come_in_order, 60)
{
    static const int64_t ranges[] = { SLOT, 1, 1000, 0 };
    long count = test_scaled(1000000);
    for (int i = 0; i < 4; i++) {
        struct hkti_timers timers = { 0 };
        struct hkti_timer *set = many_in_one_slot(&timers, count, ranges[i]);
        pop_many(&timers, count);
        free(set);
    }
}

/* The same, but all is in the heap, unsorted, from the start. */
TEST_TIMEOUT(a_million_in_the_heap_come_in_order, 60)
{
    static const int64_t ranges[] = { SLOT, 1, 1000, 0 };
    long count = test_scaled(1000000);
    for (int i = 0; i < 4; i++) {
        struct hkti_timers timers = { 0 };
        struct hkti_timer late = { 0 };
        CHECK(hkti_timers_pop(&timers, NOW + SLOT) == NULL);
        hkti_timers_add(&timers, &late, NOW + SLOT);
        struct hkti_timer *set = many_in_one_slot(&timers, count, ranges[i]);
        pop_many(&timers, count + 1);
        free(set);
    }
}

/* From a list; from a heap that is sorted; from one that is not; and from one whose first is taken
 * out now and then. */
TEST_TIMEOUT(a_million_in_one_slot_are_removed_in_any_order, 60)
{
    long count = test_scaled(1000000);
    long *order = calloc((size_t)count, sizeof *order);
    struct test_random random = random_of(4);
    CHECK(order != NULL);
    for (long i = 0; i < count; i++) {
        long other = (long)random_below(&random, (uint64_t)i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (int how = 0; how < 4; how++) {
        struct hkti_timers timers = { 0 };
        if (how >= 2)
            CHECK(hkti_timers_pop(&timers, NOW) == NULL);
        struct hkti_timer *set = many_in_one_slot(&timers, count, SLOT);
        CHECK_EQ(timers.heap != NULL, how >= 2);
        if (how == 1)
            CHECK(hkti_timers_first(&timers) != 0);
        for (long i = 0; i < count; i++) {
            if (hkti_timer_is_set(&set[order[i]]))
                hkti_timers_remove(&timers, &set[order[i]]);
            if (how == 3 && i % 1000 == 0)
                hkti_timers_pop(&timers, NOW + SLOT);
            if (i == count / 2)
                check_all(&timers);
        }
        CHECK_EQ(check_all(&timers), 0);
        free(set);
    }
    free(order);
}
