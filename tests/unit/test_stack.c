/* SPDX-License-Identifier: MIT */
/* strand/stack.h: pools of guarded stacks. */
#include "strand/stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "random.h"
#include "test.h"

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)

static size_t usable(size_t slot)
{
    return slot - hkti_os_page_size();
}

TEST(the_last_stack_given_back_is_the_next_one_taken)
{
    struct hkti_stack a, b, again;
    CHECK_EQ(hkti_stack_take(&a, 64 * KIB), 0);
    CHECK_EQ(hkti_stack_take(&b, 64 * KIB), 0);
    CHECK(a.low != b.low);
    char *first = a.low, *second = b.low;
    second[b.size - 1] = 'x';
    hkti_stack_give(&a);
    hkti_stack_give(&b);
    CHECK_EQ(hkti_stack_take(&again, 64 * KIB), 0);
    CHECK(again.low == second);
    CHECK_EQ(again.low[again.size - 1], 'x');
    CHECK_EQ(hkti_stack_take(&b, 64 * KIB), 0);
    CHECK(b.low == first);
    hkti_stack_give(&again);
    hkti_stack_give(&b);
    hkti_stacks_trim();
}

TEST(sizes_are_rounded_up_to_powers_of_two)
{
    static const struct {
        size_t wanted, slot;
    } sizes[] = {
        { 1, 16 * KIB },          { 16 * KIB, 16 * KIB }, { 16 * KIB + 1, 32 * KIB },
        { 100 * KIB, 128 * KIB }, { MIB, MIB },           { 33 * MIB, 64 * MIB },
        { 64 * MIB, 64 * MIB },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct hkti_stack stack;
        CHECK_EQ(hkti_stack_take(&stack, sizes[i].wanted), 0);
        if (sizes[i].slot >= 4 * hkti_os_page_size())
            CHECK_EQ(stack.size, usable(sizes[i].slot));
        CHECK_EQ((uintptr_t)stack.low % hkti_os_page_size(), 0);
        memset(stack.low, 1, stack.size);
        hkti_stack_give(&stack);
    }
    struct hkti_stack stack;
    CHECK_EQ(hkti_stack_take(&stack, 64 * MIB + 1), -ENOMEM);
    CHECK_EQ(hkti_stack_take(&stack, SIZE_MAX), -ENOMEM);
    hkti_stacks_trim();
}

TEST(new_stacks_are_zero_and_errno_stays)
{
    enum { COUNT = 40 };
    struct hkti_stack stacks[COUNT];
    errno = 77;
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(hkti_stack_take(&stacks[i], 16 * KIB), 0);
        for (size_t at = 0; at < stacks[i].size; at++)
            CHECK_EQ(stacks[i].low[at], 0);
    }
    for (int i = 0; i < COUNT; i++)
        hkti_stack_give(&stacks[i]);
    hkti_stacks_trim();
    CHECK_EQ(errno, 77);
}

/* The signal that ends a child which touches this byte; 0 if it lives. */
static int signal_at(volatile char *byte)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        *byte = 1;
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* The tenth, too: it is made together with others. */
TEST(below_a_stack_is_a_guard)
{
    enum { COUNT = 10 };
    struct hkti_stack stacks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(hkti_stack_take(&stacks[i], 32 * KIB), 0);
        CHECK_EQ(signal_at(stacks[i].low), 0);
        CHECK_EQ(signal_at(stacks[i].low - 1), SIGSEGV);
        CHECK_EQ(signal_at(stacks[i].low - hkti_os_page_size()), SIGSEGV);
    }
    for (int i = 0; i < COUNT; i++)
        hkti_stack_give(&stacks[i]);
    CHECK_EQ(hkti_stack_take(&stacks[0], 32 * KIB), 0);
    CHECK_EQ(signal_at(stacks[0].low - 1), SIGSEGV);
    hkti_stack_give(&stacks[0]);
    hkti_stacks_trim();
}

TEST(guards_that_split_mappings_guard_too)
{
    size_t page = hkti_os_page_size();
    char *pages = hkti_os_pages_map(3 * page, page);
    CHECK(pages != NULL);
    CHECK(hkti_os_stack_protect(pages + page));
    CHECK_EQ(signal_at(pages), 0);
    CHECK_EQ(signal_at(pages + page), SIGSEGV);
    CHECK_EQ(signal_at(pages + 2 * page), 0);
    hkti_os_pages_unmap(pages, 3 * page);
}

TEST(a_guard_is_found_while_its_stack_is_in_use)
{
    struct hkti_stack stack, found;
    CHECK_EQ(hkti_stack_take(&stack, 64 * KIB), 0);
    CHECK(hkti_stack_find(stack.low - 1, &found));
    CHECK_EQ(found.size, stack.size);
    CHECK(found.low == stack.low);
    CHECK(hkti_stack_find(stack.low - hkti_os_page_size(), &found));
    CHECK(!hkti_stack_find(stack.low - hkti_os_page_size() - 1, &found));
    CHECK(!hkti_stack_find(stack.low, &found));
    CHECK(!hkti_stack_find(stack.low + stack.size - 1, &found));
    CHECK(!hkti_stack_find(&stack, &found));
    CHECK(!hkti_stack_find(NULL, &found));
    hkti_stack_give(&stack);
    CHECK(!hkti_stack_find(stack.low - 1, &found));
    hkti_stacks_trim();
}

TEST(a_stack_in_use_outlives_a_trim)
{
    enum { COUNT = 3000 };
    static struct hkti_stack stacks[COUNT];
    struct hkti_stack found;
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(hkti_stack_take(&stacks[i], 16 * KIB), 0);
    for (int i = 0; i < COUNT; i++)
        if (i != COUNT / 2)
            hkti_stack_give(&stacks[i]);
    hkti_stacks_trim();
    memset(stacks[COUNT / 2].low, 7, stacks[COUNT / 2].size);
    CHECK(hkti_stack_find(stacks[COUNT / 2].low - 1, &found));
    for (int i = 0; i < COUNT; i++)
        if (i != COUNT / 2)
            CHECK_EQ(hkti_stack_take(&stacks[i], 16 * KIB), 0);
    for (int i = 0; i < COUNT; i++)
        hkti_stack_give(&stacks[i]);
    hkti_stacks_trim();
    CHECK(!hkti_stack_find(stacks[COUNT / 2].low - 1, &found));
}

static int compare_lows(const void *a, const void *b)
{
    const char *x = ((const struct hkti_stack *)a)->low, *y = ((const struct hkti_stack *)b)->low;
    return (x > y) - (x < y);
}

TEST_TIMEOUT(a_hundred_thousand_stacks_have_a_place_of_their_own, 60)
{
    struct rlimit limit;
    long count = test_scaled(100000);
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && (rlim_t)count * 20 * KIB > limit.rlim_cur)
        count = (long)(limit.rlim_cur / (40 * KIB));
    struct hkti_stack *stacks = calloc((size_t)count, sizeof *stacks);
    CHECK(stacks != NULL);
    for (int round = 0; round < 2; round++) {
        for (long i = 0; i < count; i++) {
            CHECK_EQ(hkti_stack_take(&stacks[i], 16 * KIB), 0);
            stacks[i].low[stacks[i].size - 1] = 1;
        }
        qsort(stacks, (size_t)count, sizeof *stacks, compare_lows);
        for (long i = 1; i < count; i++)
            CHECK(stacks[i].low - stacks[i - 1].low >= (long)(16 * KIB));
        for (long i = 0; i < count; i++)
            hkti_stack_give(&stacks[i]);
    }
    hkti_stacks_trim();
    free(stacks);
}

/* In a child, for the limit stays. Address sanitizers have terabytes of addresses. */
static void short_of_memory(void)
{
    enum { MOST = 1000 };
    static struct hkti_stack stacks[MOST];
    struct rlimit limit = { 128 * MIB, 128 * MIB };
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    int count = 0, err;
    while ((err = hkti_stack_take(&stacks[count], MIB)) == 0)
        CHECK(++count < MOST);
    CHECK_EQ(err, -ENOMEM);
    CHECK(count > 50);
    CHECK_EQ(hkti_stack_take(&stacks[count], 64 * MIB), -ENOMEM);
    for (int i = 0; i < count; i++)
        hkti_stack_give(&stacks[i]);
    /* There is room only where the small ones were. */
    CHECK_EQ(hkti_stack_take(&stacks[0], 64 * MIB), 0);
    stacks[0].low[stacks[0].size - 1] = 1;
    hkti_stack_give(&stacks[0]);
    CHECK_EQ(hkti_stack_take(&stacks[0], MIB), 0);
    hkti_stack_give(&stacks[0]);
    hkti_stacks_trim();
}

TEST(without_memory_the_answer_is_enomem_and_all_goes_on)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    TEST_SKIP("a sanitizer needs more addresses than the limit allows");
#endif
    if (getenv("HOCKET_TEST_EMULATOR"))
        TEST_SKIP("an emulator does not hold the limit");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        short_of_memory();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define HELD 40

static uint64_t *mark_of(const struct hkti_stack *stack)
{
    return (uint64_t *)(void *)(stack->low + stack->size) - 1;
}

/* Takes, marks, and gives back, at random: a stack that another thread has, too, loses its mark. */
static void *take_and_give(void *arg)
{
    static const size_t sizes[] = { 16 * KIB, 16 * KIB, 64 * KIB, MIB };
    struct test_random random = random_of((uint64_t)(uintptr_t)arg);
    struct hkti_stack held[HELD] = { 0 };
    uint64_t marks[HELD];
    for (long turn = test_scaled(20000); turn > 0; turn--) {
        uint64_t at = random_below(&random, HELD);
        if (held[at].low) {
            CHECK_EQ(*mark_of(&held[at]), marks[at]);
            hkti_stack_give(&held[at]);
            held[at].low = NULL;
        } else {
            CHECK_EQ(hkti_stack_take(&held[at], sizes[random_below(&random, 4)]), 0);
            *mark_of(&held[at]) = marks[at] = random_next(&random);
        }
        if (random_below(&random, 2000) == 0)
            hkti_stacks_trim();
    }
    for (int at = 0; at < HELD; at++)
        if (held[at].low)
            hkti_stack_give(&held[at]);
    return NULL;
}

TEST(four_threads_take_and_give)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    hkti_stacks_trim();
}
