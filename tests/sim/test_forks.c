/* SPDX-License-Identifier: MIT */
/* Fork and join, under all schedules: each fork runs once, whoever takes it, and its join has its
 * result; who waits for a thief is woken; who is idle gets something in the end. */
#include <hocket/fork.h>

#include "crew.h"
#include "os/os.h"

static int ran;

struct fib {
    int n, result;
};

static int fib(void *arg)
{
    struct fib *f = arg;
    ran++;
    hkt_simulate_point();
    if (f->n < 2)
        return f->result = f->n, 0;
    struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
    hkt_fork(fib, &a);
    int err = fib(&b);
    int forked = hkt_join();
    f->result = a.result + b.result;
    return err < 0 ? err : forked;
}

static int inline_fib(hkt_forks forks, void *arg)
{
    struct fib *f = arg;
    ran++;
    hkt_simulate_point();
    if (f->n < 2)
        return f->result = f->n, 0;
    struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
    hkt_forks_fork(&forks, inline_fib, &a);
    int err = inline_fib(forks, &b);
    int forked = hkt_forks_join(&forks, inline_fib, &a);
    f->result = a.result + b.result;
    return err < 0 ? err : forked;
}

/* fib(5) is 5, by 15 calls. */
static int fib_in_a_job(unsigned workers)
{
    struct fib f = { .n = 5 };
    ran = 0;
    MUST(crew_begin(workers) == 0);
    int err = crew_run(fib, &f);
    MUST(err < 0 || (f.result == 5 && ran == 15));
    return crew_end(err);
}

static int on_two(void *arg)
{
    (void)arg;
    return fib_in_a_job(2);
}

static int on_three(void *arg)
{
    (void)arg;
    return fib_in_a_job(3);
}

TEST_TIMEOUT(each_fork_runs_once, 60)
{
    prove_for(3000, on_two);
    prove_for(2000, on_three);
}

/* Outsiders take part. */
static int forks_outside(void *arg)
{
    struct fib f = { .n = 4 };
    int err = arg ? hkt_forks_run(crew, inline_fib, &f) : hkt_fork_run(crew, fib, &f);
    MUST(err < 0 || f.result == 3);
    return err;
}

static int with_outsiders(void *arg)
{
    (void)arg;
    ran = 0;
    MUST(crew_begin(3) == 0);
    int err = TOGETHER(forks_outside, forks_outside);
    MUST(err < 0 || ran == 18);
    return crew_end(err);
}

TEST_TIMEOUT(outsiders_fork_on_the_pool, 60)
{
    prove_for(3000, with_outsiders);
}

/* Many forks at once, then their joins: what is shared is taken back bit by bit, while thieves take
 * from the other end. Each writes its number. */
#define MANY 7

static int done[MANY];

static int marks(void *arg)
{
    intptr_t i = (intptr_t)arg;
    crew_work((int)(i % 3) + 1);
    done[i]++;
    return (int)i;
}

static int forks_many(void *arg)
{
    (void)arg;
    for (intptr_t i = 0; i < MANY; i++)
        hkt_fork(marks, (void *)i);
    for (int i = MANY; --i >= 3;)
        MUST(hkt_join() == i);
    for (intptr_t i = 3; i < 5; i++)
        hkt_fork(marks, (void *)i);
    for (int i = 5; --i >= 0;)
        MUST(hkt_join() == i);
    return 0;
}

static int many_at_once(void *arg)
{
    (void)arg;
    memset(done, 0, sizeof done);
    MUST(crew_begin(3) == 0);
    int err = crew_run(forks_many, NULL);
    for (int i = 0; err == 0 && i < MANY; i++)
        MUST(done[i] == 1 + (i == 3 || i == 4));
    return crew_end(err);
}

TEST_TIMEOUT(what_nobody_took_is_taken_back, 60)
{
    prove_for(3000, many_at_once);
}

/* Thieves that take long: who joins parks, and is woken. */
static int sleeps(void *arg)
{
    (void)arg;
    ran++;
    return hkt_sleep(5e-6);
}

static int forks_sleepers(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        hkt_fork(sleeps, NULL);
    crew_work(20);
    for (int i = 0; i < 2; i++)
        MUST(hkt_join() == 0);
    return 0;
}

static int forks_forkers(void *arg)
{
    hkt_fork(forks_sleepers, NULL);
    int err = forks_sleepers(arg);
    int forked = hkt_join();
    return err < 0 ? err : forked;
}

static int parked(void *arg)
{
    (void)arg;
    ran = 0;
    MUST(crew_begin(2) == 0);
    int err = crew_run(forks_forkers, NULL);
    MUST(err < 0 || ran == 4);
    return crew_end(err);
}

TEST_TIMEOUT(who_waits_for_a_thief_is_woken, 60)
{
    prove_for(3000, parked);
}

/* A failure comes to who joins, with its words. */
static int fails(void *arg)
{
    (void)arg;
    crew_work(3);
    return hkt_fail(-EIO, "the second leaf");
}

static int forks_a_failure(void *arg)
{
    (void)arg;
    hkt_fork(fails, NULL);
    crew_work(40);
    int err = hkt_join();
    MUST(err == -EIO && strcmp(hkt_sentence(err), "the second leaf") == 0);
    return 0;
}

static int failing(void *arg)
{
    (void)arg;
    MUST(crew_begin(2) == 0);
    return crew_end(crew_run(forks_a_failure, NULL));
}

TEST_TIMEOUT(a_failure_comes_with_its_words, 60)
{
    prove_for(3000, failing);
}

/* An idle worker gets something in the end: what was not taken is forked again and again. */
static uint64_t owner;
static int taken; /* how many were run elsewhere */

static int looks_who_runs_it(void *arg)
{
    (void)arg;
    taken += hkt_ident() != owner;
    return 0;
}

static int forks_until_taken(void *arg)
{
    (void)arg;
    owner = hkt_ident();
    while (taken < 3) {
        hkt_fork(looks_who_runs_it, NULL);
        hkt_fork(looks_who_runs_it, NULL);
        for (int i = 0, before = taken; i < 100 && taken == before; i++)
            hkti_os_yield(0);
        MUST(hkt_join() == 0 && hkt_join() == 0);
    }
    return 0;
}

static int hungry(void *arg)
{
    (void)arg;
    taken = 0;
    MUST(crew_begin(2) == 0);
    return crew_end(crew_run(forks_until_taken, NULL));
}

TEST_TIMEOUT(who_is_idle_gets_something, 60)
{
    prove_for(3000, hungry);
}

/* More forks than there is room for: those run at once. */
#define TOO_MANY 9000

static int adds(hkt_forks forks, void *arg)
{
    (void)forks;
    ++*(int *)arg;
    return 0;
}

static int overflows(hkt_forks forks, void *arg)
{
    static int counts[TOO_MANY];
    (void)arg;
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < TOO_MANY; i++)
        hkt_forks_fork(&forks, adds, &counts[i]);
    crew_work(20);
    for (int i = TOO_MANY; --i >= 0;)
        MUST(hkt_forks_join(&forks, adds, &counts[i]) == 0);
    for (int i = 0; i < TOO_MANY; i++)
        MUST(counts[i] == 1);
    return 0;
}

static int overflowing(void *arg)
{
    (void)arg;
    MUST(crew_begin(3) == 0);
    int err = hkt_forks_run(crew, overflows, NULL);
    return crew_end(err);
}

static void prove_few(hkt_simulate_strategy strategy, int (*scenario)(void *))
{
    hkt_simulate_options options = {
        .strategy = strategy, .seed = test_seed() << 20, .schedules = 100, .max_steps = 2000000
    };
    CHECK_EQ(hkt_simulate_many(&options, scenario, NULL, NULL), 0);
}

TEST_TIMEOUT(forks_beyond_the_room_run_at_once, 60)
{
    prove_few(HKT_SIMULATE_RANDOM, overflowing);
    prove_few(HKT_SIMULATE_PCT, overflowing);
}

/* A cancel reaches what was stolen. */
static hkt_future *future;
static int cancelled;

static int sleeps_for_ever(void *arg)
{
    (void)arg;
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    cancelled += err == -ECANCELED;
    return 0;
}

static int forks_two_sleepers(void *arg)
{
    hkt_fork(sleeps_for_ever, NULL);
    crew_work(10);
    int err = sleeps_for_ever(arg);
    int forked = hkt_join();
    return err < 0 ? err : forked;
}

static int cancel_of_forks(void *arg)
{
    (void)arg;
    cancelled = 0;
    MUST(crew_begin(2) == 0);
    MUST(hkt_submit(crew, &future, forks_two_sleepers, NULL) == 0);
    hkt_sleep(3e-6);
    MUST(hkt_future_request_cancel(future) == 0);
    int err = hkt_future_finish(future);
    MUST((err == -ECANCELED && cancelled == 0) || (err == 0 && cancelled == 2));
    return crew_end(0);
}

TEST_TIMEOUT(a_cancel_reaches_what_was_stolen, 60)
{
    prove_for(4000, cancel_of_forks);
}

TEST_TIMEOUT(a_seed_is_the_same_run_each_time, 60)
{
    prove_replays(on_three);
    prove_replays(cancel_of_forks);
}
