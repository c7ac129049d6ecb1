/* SPDX-License-Identifier: MIT */
/* Processes that allocate from one arena, and are killed at any instruction: nothing is torn. */
#include <hocket.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "heaps.h"
#include "os/os.h"
#include "random.h"

#define SLOTS 200
#define CHILDREN 3

/* What all share: objects that lie there for anybody to take and free. */
struct table {
    uint64_t *objects[SLOTS];
    uint32_t tokens[CHILDREN];
    uint32_t turns;
};

static struct table *table;

/* Its size, and its address: so it is seen whether it is whole. */
static uint64_t *make_object(struct test_random *random)
{
    static const size_t up_to[] = { 64, 64, 1000, 5000, 70000, 150000 };
    size_t size = 16 + random_below(random, up_to[random_below(random, 6)]) / 8 * 8;
    uint64_t *object = hkt_shared_alloc(size);
    CHECK(object);
    object[0] = size;
    object[size / 8 - 1] = size == 16 ? (uintptr_t)object : ~(uintptr_t)object;
    return object;
}

static void free_object(uint64_t *object)
{
    if (object == NULL)
        return;
    size_t size = object[0];
    CHECK(hkti_shared_size(object) >= size);
    CHECK(object[size / 8 - 1] == (size == 16 ? (uintptr_t)object : ~(uintptr_t)object));
    object[0] = 0;
    hkt_shared_free(object);
}

static void turn(struct test_random *random)
{
    uint64_t *mine = random_below(random, 3) ? make_object(random) : NULL;
    /* pairs: objects */
    free_object(hkti_exchange_acq_rel(&table->objects[random_below(random, SLOTS)], mine));
    hkti_fetch_add_relaxed(&table->turns, 1);
}

static pid_t start(int which, uint64_t stream)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0)
        return child;
    struct test_random random = random_of(stream);
    hkti_store_seq_cst(&table->tokens[which], hkti_family_token()); /* pairs: tokens */
    for (;;)
        turn(&random);
}

static void empty_table(void)
{
    for (int i = 0; i < SLOTS; i++) {
        free_object(table->objects[i]);
        table->objects[i] = NULL;
    }
}

/* Until the others have made that many turns more. */
static void await_turns(uint32_t n)
{
    uint32_t begin = hkti_load_relaxed(&table->turns);
    while (hkti_load_relaxed(&table->turns) - begin < n)
        hkti_os_yield(0);
}

static void end(int which, pid_t child)
{
    int status;
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    uint32_t token = hkti_load_seq_cst(&table->tokens[which]); /* pairs: tokens */
    if (token == 0)
        return;
    hkti_family_bury(token);
    CHECK(hkti_family_is_dead(token));
    hkti_store_seq_cst(&table->tokens[which], 0);
}

/* Those who were killed before they could tell their tokens. */
static void look_for_others(void)
{
    CHECK(!hkti_family_others());
}

/* What the killed had in their hands stays allocated: so all this is a process of its own. */
static void kill_often(void)
{
    struct test_random random = random_of(0);
    pid_t children[CHILDREN];
    long kills = test_scaled(60);
    table = hkt_shared_alloc(sizeof *table);
    size_t before = hkt_shared_used();
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start(i, (uint64_t)i + 1);
    for (long i = 0; i < kills; i++) {
        int which = (int)random_below(&random, CHILDREN);
        await_turns((uint32_t)random_below(&random, 200));
        for (uint64_t spins = random_below(&random, 300); spins > 0; spins--)
            turn(&random);
        end(which, children[which]);
        children[which] = start(which, (uint64_t)i + CHILDREN + 1);
    }
    for (int i = 0; i < CHILDREN; i++)
        end(i, children[i]);
    look_for_others();
    check_heap();
    empty_table();
    /* What the dead ones had in their hands is what is left: two objects each, at the most. */
    size_t lost = hkt_shared_used() - before;
    CHECK(lost <= ((size_t)kills + CHILDREN) * 2 * (size_t)200000);
    for (long i = 0; i < test_scaled(4000); i++)
        turn(&random);
    empty_table();
    CHECK_EQ(hkt_shared_used() - before, lost);
    check_heap();
}

TEST_TIMEOUT(who_is_killed_leaves_nothing_torn, 60)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kill_often();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* As users would do it: no thread, a copy of the program by fork. */
TEST_TIMEOUT(copies_of_a_process_free_what_the_other_allocated, 30)
{
    pid_t children[CHILDREN];
    table = hkt_shared_alloc(sizeof *table);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] > 0)
            continue;
        struct test_random random = random_of((uint64_t)i + 1);
        for (long n = test_scaled(4000); n > 0; n--)
            turn(&random);
        _exit(0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
        CHECK_EQ(status, 0);
    }
    empty_table();
    check_heap();
    hkt_shared_free(table);
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_finalize(), 0);
}
