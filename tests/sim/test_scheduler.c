/* SPDX-License-Identifier: MIT */
/* The scheduler: replay, threads, time, fds, spinning. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "os/sim/sim.h"

#define SECOND INT64_C(1000000000)

static uint32_t word, other_word;
static int count;

static void add_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        hkti_fetch_add_relaxed(&word, 1);
}

static int three_adders(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    LAB_RUN(add_some, add_some, add_some);
    return hkti_load_relaxed(&word) == 15 ? 0 : -EIO;
}

TEST(the_same_seed_makes_the_same_choices)
{
    static uint64_t hashes[200];
    int different = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        CHECK_EQ(hkt_simulate(seed, three_adders, NULL), 0);
        hashes[seed] = hkti_sim.hash;
    }
    for (uint64_t seed = 0; seed < 200; seed++) {
        CHECK_EQ(hkt_simulate(seed, three_adders, NULL), 0);
        CHECK(hkti_sim.hash == hashes[seed]);
        different += seed && hashes[seed] != hashes[seed - 1];
    }
    CHECK(different > 150);
}

/* Outside, within, and from within. */

static int look_around(void *arg)
{
    int *counter = arg;
    CHECK(hkt_simulating());
    CHECK_EQ(hkt_simulate_seed(), 77);
    CHECK_EQ(hkt_simulate(1, look_around, arg), -EBUSY);
    CHECK_EQ(hkti_os_native_id(), 1);
    hkt_simulate_point();
    ++*counter;
    return 7;
}

TEST(a_simulation_knows_itself_and_returns_the_functions_result)
{
    int counter = 0;
    CHECK(!hkt_simulating());
    hkt_simulate_point();
    CHECK_EQ(hkt_simulate(77, look_around, &counter), 7);
    CHECK_EQ(counter, 1);
    CHECK(!hkt_simulating());
    CHECK_EQ(hkt_simulate_seed(), 0);
    hkt_simulate_options wrong = { .strategy = (hkt_simulate_strategy)9 };
    CHECK_EQ(hkt_simulate_many(&wrong, look_around, NULL, NULL), -EINVAL);
}

/* Threads. */

static void at_end(void *local)
{
    CHECK_EQ(((char *)local)[0], 1);
    count++;
}

static void use_local(void *arg)
{
    (void)arg;
    char *local = hkti_os_local();
    for (int i = 0; i < HKTI_OS_LOCAL_SIZE; i++)
        CHECK_EQ(local[i], 0);
    memset(local, 1, HKTI_OS_LOCAL_SIZE);
    CHECK_EQ((uintptr_t)local % 64, 0);
    CHECK_EQ(hkti_os_at_thread_exit(at_end), 0);
    hkt_simulate_point();
    CHECK(local == hkti_os_local());
}

static int locals(void *arg)
{
    count = 0;
    use_local(arg);
    LAB_RUN(use_local, use_local);
    CHECK_EQ(count, 2);
    return 0;
}

TEST(each_thread_has_local_memory_and_an_exit_function)
{
    CHECK_EQ(lab_simulate(HKT_SIMULATE_MIXED, 200, locals, NULL), 0);
    CHECK_EQ(count, 3);
}

static void set_errno(void *arg)
{
    (void)arg;
    errno = hkti_os_native_id();
    for (int i = 0; i < 3; i++) {
        hkt_simulate_point();
        CHECK_EQ(errno, hkti_os_native_id());
    }
}

static int errnos(void *arg)
{
    (void)arg;
    LAB_RUN(set_errno, set_errno, set_errno);
    return 0;
}

TEST(each_thread_has_its_errno)
{
    CHECK_EQ(lab_simulate(HKT_SIMULATE_RANDOM, 200, errnos, NULL), 0);
}

static void add_one(void *arg)
{
    (void)arg;
    hkti_fetch_add_relaxed(&word, 1);
}

static int in_turn(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    for (int i = 0; i < 10000; i++)
        LAB_RUN(add_one);
    return hkti_load_relaxed(&word) == 10000 ? 0 : -EIO;
}

static int at_once(void *arg)
{
    static struct hkti_os_thread threads[10000];
    (void)arg;
    hkti_init(&word, 0);
    for (int i = 0; i < 10000; i++)
        CHECK_EQ(hkti_os_thread_start(&threads[i], add_one, NULL), 0);
    for (int i = 0; i < 10000; i++)
        hkti_os_thread_join(&threads[i]);
    return hkti_load_relaxed(&word) == 10000 ? 0 : -EIO;
}

TEST(ten_thousand_threads_can_be_started)
{
    hkt_simulate_options options = { .schedules = 4, .max_steps = 10000000 };
    CHECK_EQ(hkt_simulate_many(&options, in_turn, NULL, NULL), 0);
    CHECK_EQ(hkt_simulate_many(&options, at_once, NULL, NULL), 0);
}

static void deep(void *arg)
{
    volatile char large[1 << 20];
    (void)arg;
    large[0] = 1;
    hkt_simulate_point();
    count += large[0];
}

static int large_stack(void *arg)
{
    (void)arg;
    struct hkti_os_thread thread = { .stack_size = 2 << 20 };
    CHECK_EQ(hkti_os_thread_start(&thread, deep, NULL), 0);
    hkti_os_thread_join(&thread);
    return 0;
}

TEST(a_thread_gets_the_stack_it_asks_for)
{
    count = 0;
    CHECK_EQ(lab_simulate(HKT_SIMULATE_MIXED, 10, large_stack, NULL), 0);
    CHECK_EQ(count, 10);
}

/* Time. */

static int sleep_an_hour(void *arg)
{
    (void)arg;
    int64_t begin = hkti_os_now();
    int64_t deadline = begin + 3600 * SECOND;
    hkti_init(&word, 0);
    while (hkti_os_futex_wait(&word, 0, deadline) == 0)
        ;
    CHECK(hkti_os_now() >= deadline);
    count += hkti_os_now() == deadline;
    CHECK_EQ(hkti_os_futex_wait(&word, 0, deadline), -ETIMEDOUT);
    CHECK_EQ(hkti_os_futex_wait(&word, 1, deadline), 0);
    return 0;
}

TEST(time_is_virtual_and_in_calm_runs_exact)
{
    hkt_simulate_options options = { .schedules = 100, .calm = true };
    count = 0;
    CHECK_EQ(hkt_simulate_many(&options, sleep_an_hour, NULL, NULL), 0);
    CHECK_EQ(count, 100);
    options.calm = false;
    CHECK_EQ(hkt_simulate_many(&options, sleep_an_hour, NULL, NULL), 0);
}

static int spin_for_a_minute(void *arg)
{
    (void)arg;
    int64_t end = hkti_os_now() + 60 * SECOND;
    while (hkti_os_now() < end)
        hkti_os_pause();
    return 0;
}

TEST(who_spins_until_some_time_gets_there)
{
    CHECK_EQ(lab_simulate(HKT_SIMULATE_MIXED, 100, spin_for_a_minute, NULL), 0);
    CHECK_EQ(lab_simulate(HKT_SIMULATE_EXHAUSTIVE, 1, spin_for_a_minute, NULL), 0);
}

static int outcome;

static void wait_a_second(void *arg)
{
    (void)arg;
    outcome = hkti_os_futex_wait(&word, 0, hkti_os_now() + SECOND);
}

static void wake_at_once(void *arg)
{
    (void)arg;
    hkti_store_seq_cst(&word, 1);
    hkti_os_futex_wake(&word, 1);
}

static int race_deadline(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    LAB_RUN(wait_a_second, wake_at_once);
    count |= outcome == 0 ? 1 : 2;
    return 0;
}

TEST(deadlines_race_with_wakers)
{
    for (int strategy = HKT_SIMULATE_RANDOM; strategy <= HKT_SIMULATE_EXHAUSTIVE; strategy++) {
        count = 0;
        CHECK_EQ(lab_simulate((hkt_simulate_strategy)strategy, 2000, race_deadline, NULL), 0);
        CHECK_EQ(count, 3);
    }
    hkt_simulate_options calm = { .calm = true };
    count = 0;
    CHECK_EQ(hkt_simulate_many(&calm, race_deadline, NULL, NULL), 0);
    CHECK_EQ(count, 1);
}

static int sleep_once(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    count += hkti_os_futex_wait(&word, 0, hkti_os_now() + SECOND) == 0;
    return 0;
}

TEST(a_sleeper_may_wake_for_no_reason)
{
    hkt_simulate_options options = { .schedules = 1000 };
    count = 0;
    CHECK_EQ(hkt_simulate_many(&options, sleep_once, NULL, NULL), 0);
    CHECK(count > 10 && count < 500);
    options.calm = true;
    count = 0;
    CHECK_EQ(hkt_simulate_many(&options, sleep_once, NULL, NULL), 0);
    CHECK_EQ(count, 0);
}

/* Fds. */

static int fds[2], wake_fd;

static void write_byte(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    CHECK_EQ(write(fds[1], "x", 1), 1);
}

static void set_wake_fd(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    hkti_os_wake_fd_set(wake_fd);
}

static int poll_fds(void *arg)
{
    (void)arg;
    short revents = 9;
    char byte;
    struct hkti_os_thread writer = { 0 }, waker = { 0 };
    int64_t deadline = hkti_os_now() + SECOND;
    CHECK_EQ(hkti_os_poll(fds[0], 1, &revents, wake_fd, deadline), -ETIMEDOUT);
    CHECK(hkti_os_now() >= deadline);
    CHECK_EQ(hkti_os_thread_start(&writer, write_byte, NULL), 0);
    CHECK_EQ(hkti_os_poll(fds[0], 1, &revents, -1, 0), 0);
    CHECK_EQ(revents, 1);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(hkti_os_thread_start(&waker, set_wake_fd, NULL), 0);
    CHECK_EQ(hkti_os_poll(fds[0], 1, &revents, wake_fd, 0), 0);
    CHECK_EQ(revents, 0);
    hkti_os_wake_fd_clear(wake_fd);
    hkti_os_thread_join(&writer);
    hkti_os_thread_join(&waker);
    return 0;
}

TEST(poll_waits_for_real_fds_in_virtual_time)
{
    CHECK_EQ(pipe(fds), 0);
    wake_fd = hkti_os_wake_fd_open();
    CHECK_EQ(lab_simulate(HKT_SIMULATE_MIXED, 500, poll_fds, NULL), 0);
    hkti_os_close(wake_fd);
    close(fds[0]);
    close(fds[1]);
}

/* Spinning. */

static void spin_barely(void *arg)
{
    (void)arg;
    while (hkti_load_relaxed(&word) == 0)
        ; /* not even a pause */
}

static void let_go(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&word, 1);
    while (hkti_load_relaxed(&other_word) == 0)
        hkti_os_pause();
}

static void let_both_go(void *arg)
{
    spin_barely(arg);
    hkti_store_relaxed(&other_word, 1);
}

static int spinners(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    hkti_init(&other_word, 0);
    LAB_RUN(spin_barely, let_both_go, let_go);
    return 0;
}

TEST(spinners_give_way)
{
    CHECK_EQ(lab_simulate(HKT_SIMULATE_RANDOM, 300, spinners, NULL), 0);
    CHECK_EQ(lab_simulate(HKT_SIMULATE_PCT, 300, spinners, NULL), 0);
    CHECK_EQ(lab_simulate(HKT_SIMULATE_EXHAUSTIVE, 300, spinners, NULL), 0);
}
