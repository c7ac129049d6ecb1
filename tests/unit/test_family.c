/* SPDX-License-Identifier: MIT */
/* The family's table, with processes that are killed, and what they leave at bells. */
#include <hocket.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seconds.h"
#include "heaps.h"
#include "os/os.h"
#include "proc/bell.h"
#include "random.h"

struct scene {
    struct hkti_bell bell;
    uint32_t value;
    uint32_t tokens[8];
    uint32_t count;
};

static struct scene *scene;

static void begin(void)
{
    scene = hkt_shared_alloc(sizeof *scene);
    CHECK(scene);
}

static void end(void)
{
    hkt_shared_free(scene);
    CHECK_EQ(hkt_finalize(), 0);
}

/* Waits until the value is not 0: 0, or the error. */
static int await_value(hkt_deadline deadline)
{
    struct hkti_listener listener;
    int err = 0;
    hkti_bell_listen(&scene->bell, HKTI_STAKE_WAIT, &listener);
    hkti_fetch_add_seq_cst(&scene->count, 1);                 /* pairs: count */
    while (hkti_load_seq_cst(&scene->value) == 0 && err == 0) /* pairs: bell */
        err = hkti_bell_wait(&listener, "value", scene, deadline.ns, true);
    hkti_bell_leave(&listener, err == 0);
    return err;
}

static pid_t start(void (*body)(uintptr_t), uintptr_t arg)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        scene->tokens[arg] = hkti_family_token();
        body(arg);
        _exit(0);
    }
    return child;
}

static void wait_for_ever(uintptr_t arg)
{
    (void)arg;
    _exit(await_value((hkt_deadline){ 0 }) == 0 ? 0 : 1);
}

static void await_count(uint32_t n)
{
    while (hkti_load_seq_cst(&scene->count) < n) /* pairs: count */
        hkti_os_yield(100);
}

static void end_child(pid_t child, bool killed)
{
    int status;
    if (killed)
        kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(killed ? WTERMSIG(status) == SIGKILL : status == 0, true);
}

TEST(a_process_has_one_token_and_its_copy_another)
{
    begin();
    uint32_t token = hkti_family_token();
    CHECK(token != 0 && token <= HKTI_TOKEN_MASK);
    CHECK_EQ(hkti_family_token(), token);
    CHECK_EQ(hkti_family_pid(token), getpid());
    CHECK(!hkti_family_is_dead(token));
    CHECK(!hkti_family_look(token));
    pid_t child = start(wait_for_ever, 0);
    await_count(1);
    CHECK(scene->tokens[0] != 0 && scene->tokens[0] != token);
    CHECK_EQ(hkti_family_pid(scene->tokens[0]), child);
    CHECK(!hkti_family_look(scene->tokens[0]));
    hkti_store_seq_cst(&scene->value, 1); /* pairs: bell */
    hkti_bell_ring(&scene->bell, INT32_MAX);
    end_child(child, false);
    CHECK(hkti_family_look(scene->tokens[0]));
    CHECK(hkti_family_is_dead(scene->tokens[0]));
    CHECK_EQ(hkti_family_pid(scene->tokens[0]), 0);
    end();
}

/* Whose locks would be broken otherwise. */
TEST(who_has_no_fds_to_look_with_takes_nobody_for_dead)
{
    begin();
    pid_t child = start(wait_for_ever, 0);
    await_count(1);
    struct rlimit before, none;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(!hkti_family_look(scene->tokens[0]));
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(!hkti_family_is_dead(scene->tokens[0]));
    end_child(child, true);
    CHECK(hkti_family_look(scene->tokens[0]));
    end();
}

TEST(who_dies_at_a_bell_is_uncounted)
{
    begin();
    pid_t child = start(wait_for_ever, 0);
    await_count(1);
    CHECK_EQ(scene->bell.sleepers, 1);
    kill(child, SIGKILL);
    while (!hkti_family_look(scene->tokens[0])) /* a zombie counts as dead */
        hkti_os_yield(100);
    CHECK_EQ(scene->bell.sleepers, 0);
    hkti_family_bury(scene->tokens[0]);
    CHECK_EQ(scene->bell.sleepers, 0);
    end_child(child, true);
    end();
}

static int await_in_thread(void *arg)
{
    (void)arg;
    struct hkti_listener listener;
    int err = 0;
    hkti_bell_listen(&scene->bell, HKTI_STAKE_WAIT, &listener);
    hkti_fetch_add_seq_cst(&scene->count, 1); /* pairs: count */
    while (!hkti_family_is_dead(scene->tokens[0]) && err == 0)
        err = hkti_bell_wait(&listener, "death", scene, 0, true);
    hkti_bell_leave(&listener, err == 0);
    return err;
}

TEST(a_death_rings_where_anybody_waits)
{
    hkt_thread *thread;
    begin();
    pid_t child = start(wait_for_ever, 0);
    await_count(1);
    CHECK_EQ(hkt_thread_spawn(&thread, await_in_thread, NULL, NULL), 0);
    await_count(2);
    end_child(child, true);
    hkti_family_bury(scene->tokens[0]);
    int result;
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(scene->bell.sleepers, 0);
    hkt_thread_destroy(thread);
    end();
}

/* The bell is rung for one, who is killed: the other one gets it when the dead one is buried. */
TEST(a_ring_of_the_dead_is_passed_on)
{
    for (long round = test_scaled(20); round > 0; round--) {
        begin();
        pid_t children[2];
        for (uintptr_t i = 0; i < 2; i++)
            children[i] = start(wait_for_ever, i);
        await_count(2);
        kill(children[0], SIGSTOP);
        hkti_store_seq_cst(&scene->value, 1); /* pairs: bell */
        hkti_bell_ring(&scene->bell, 1);
        end_child(children[0], true);
        hkti_family_bury(scene->tokens[0]);
        end_child(children[1], false);
        CHECK_EQ(scene->bell.sleepers, 0);
        CHECK(hkti_family_look(scene->tokens[1]));
        end();
    }
}

static void bury_others(uintptr_t arg)
{
    hkti_fetch_add_seq_cst(&scene->count, 1);     /* pairs: count */
    while (hkti_load_seq_cst(&scene->value) == 0) /* pairs: bell */
        hkti_os_pause();
    for (uintptr_t i = 0; i < arg; i++)
        hkti_family_bury(scene->tokens[i]);
    if (arg == 3)
        for (;;) /* killed while it buries, or after */
            hkti_os_yield(100);
}

/* Several bury at once, one of them is killed meanwhile: each stake is undone once. */
TEST_TIMEOUT(who_buries_may_be_killed_too, 60)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(60); round > 0; round--) {
        begin();
        pid_t children[5];
        for (uintptr_t i = 0; i < 5; i++)
            children[i] = start(i < 3 ? wait_for_ever : bury_others, i);
        await_count(5);
        for (int i = 0; i < 3; i++)
            end_child(children[i], true);
        hkti_store_seq_cst(&scene->value, 1); /* pairs: bell */
        for (uint64_t spins = random_below(&random, 2000); spins > 0; spins--)
            hkti_os_pause();
        end_child(children[3], true);
        for (int i = 0; i < 4; i++)
            CHECK(hkti_family_look(scene->tokens[i]));
        end_child(children[4], false);
        CHECK(hkti_family_look(scene->tokens[4]));
        /* One too many is what a death within two instructions may leave. */
        CHECK(scene->bell.sleepers <= 1);
        end();
    }
}

TEST(memory_that_is_freed_has_no_stakes_of_the_dead)
{
    begin();
    pid_t child = start(wait_for_ever, 0);
    await_count(1);
    end_child(child, true);
    uint32_t token = scene->tokens[0];
    hkt_shared_free(scene);
    begin();
    scene->bell.sleepers = 7;
    CHECK(hkti_family_look(token));
    CHECK_EQ(scene->bell.sleepers, 7);
    CHECK_EQ(scene->bell.rings, 0);
    end();
}

static void do_nothing(uintptr_t arg)
{
    (void)arg;
}

/* More than the table has places, and nobody buries them. */
TEST_TIMEOUT(processes_that_nobody_buries_do_not_fill_the_table, 60)
{
    begin();
    for (long i = test_scaled(HKTI_FAMILY_MAX + 500); i > 0; i--) {
        end_child(start(do_nothing, 0), false);
        CHECK(scene->tokens[0] != 0);
    }
    end();
}

TEST(a_token_that_was_reserved_becomes_a_process)
{
    begin();
    uint32_t token = hkti_family_reserve(hkti_family_token());
    CHECK(token != 0);
    CHECK(!hkti_family_is_dead(token));
    CHECK(!hkti_family_look(token));
    CHECK_EQ(hkti_family_pid(token), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        hkti_family_become(token);
        CHECK_EQ(hkti_family_token(), token);
        CHECK_EQ(await_value((hkt_deadline){ 0 }), 0);
        _exit(0);
    }
    hkti_family_born(token, child);
    await_count(1);
    CHECK_EQ(hkti_family_pid(token), child);
    CHECK(!hkti_family_look(token));
    hkti_store_seq_cst(&scene->value, 1); /* pairs: bell */
    hkti_bell_ring(&scene->bell, 1);
    end_child(child, false);
    hkti_family_bury(token);
    hkti_family_bury(token);
    CHECK(hkti_family_is_dead(token));
    uint32_t unused = hkti_family_reserve(hkti_family_token());
    CHECK(unused != 0 && unused != token);
    hkti_family_bury(unused);
    CHECK(hkti_family_is_dead(unused));
    end();
}

static void reserve_and_wait(uintptr_t arg)
{
    scene->tokens[arg] = hkti_family_reserve(hkti_family_token());
    wait_for_ever(arg);
}

TEST(a_start_whose_starter_was_killed_is_undone)
{
    begin();
    pid_t child = start(reserve_and_wait, 0);
    await_count(1);
    uint32_t token = scene->tokens[0];
    CHECK(token != 0);
    CHECK(!hkti_family_look(token));
    CHECK(!hkti_family_is_dead(token));
    end_child(child, true);
    CHECK(!hkti_family_others());
    CHECK(hkti_family_is_dead(token));
    end();
}
