/* SPDX-License-Identifier: MIT */
/* The bell: no ring is lost, in threads and in tasks, with cancels in between. */
#include <hocket.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seconds.h"
#include "heaps.h"
#include "os/os.h"
#include "proc/bell.h"
#include "random.h"

#define WAITERS 6

/* A semaphore, as simple as can be. */
struct semaphore {
    struct hkti_bell bell;
    uint32_t permits;
    uint32_t taken;
    uint32_t waiting;
};

static struct semaphore *semaphore;

static bool try(void)
{
    for (;;) {
        uint32_t permits = hkti_load_seq_cst(&semaphore->permits); /* pairs: bell */
        if (permits == 0)
            return false;
        if (hkti_cas_seq_cst(&semaphore->permits, permits, permits - 1)) { /* pairs: bell */
            hkti_fetch_add_relaxed(&semaphore->taken, 1);
            return true;
        }
    }
}

static int acquire(hkt_deadline deadline)
{
    struct hkti_listener listener;
    int err = 0;
    bool done;
    hkti_bell_listen(&semaphore->bell, HKTI_STAKE_WAIT, &listener);
    hkti_fetch_add_seq_cst(&semaphore->waiting, 1); /* pairs: count */
    while (!(done = try()) && err == 0)
        err = hkti_bell_wait(&listener, "semaphore", semaphore, deadline.ns, true);
    hkti_bell_leave(&listener, done);
    return done ? 0 : err;
}

static void release(void)
{
    hkti_fetch_add_seq_cst(&semaphore->permits, 1); /* pairs: bell */
    hkti_bell_ring(&semaphore->bell, 1);
}

static void begin(void)
{
    semaphore = hkt_shared_alloc(sizeof *semaphore);
    CHECK(semaphore);
}

static void end(void)
{
    CHECK_EQ(semaphore->bell.sleepers, 0);
    hkt_shared_free(semaphore);
    CHECK_EQ(hkt_finalize(), 0);
}

/* Each takes so many, some of them by scopes that end meanwhile. */
static int take_many(void *arg)
{
    struct test_random random = random_of((uintptr_t)arg + 1);
    for (long left = test_scaled(3000); left > 0;) {
        hkt_scope scope;
        bool hurried = random_below(&random, 4) == 0;
        double seconds = hurried ? (double)random_below(&random, 100) / 1e6 : 1e6;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(seconds) });
        int err = acquire(random_below(&random, 4) ? (hkt_deadline){ 0 } : hkt_after(seconds));
        (void)hkt_scope_leave(&scope);
        if (err == 0)
            left--;
        else
            CHECK(err == -ETIMEDOUT || err == -ECANCELED);
    }
    return 0;
}

static int give_many(void *arg)
{
    struct test_random random = random_of(100);
    (void)arg;
    for (long left = test_scaled(3000) * WAITERS; left > 0; left--) {
        uint64_t most = random_below(&random, 4);
        while (hkti_load_relaxed(&semaphore->permits) > most)
            hkti_os_yield(0);
        if (random_below(&random, 500) == 0)
            hkt_sleep(1e-5);
        release();
    }
    return 0;
}

static void join(hkt_thread *thread)
{
    int result;
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    CHECK_EQ(result, 0);
    hkt_thread_destroy(thread);
}

static int take_in_tasks(void *arg)
{
    hkt_future *tasks[WAITERS];
    int half = WAITERS / 2;
    (void)arg;
    for (int i = 0; i < half; i++)
        CHECK_EQ(hkt_task_spawn(&tasks[i], take_many, (void *)(intptr_t)i), 0);
    for (int i = 0; i < half; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST_TIMEOUT(no_ring_is_lost_among_threads, 60)
{
    hkt_thread *threads[WAITERS + 1];
    begin();
    for (intptr_t i = 0; i < WAITERS; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], take_many, (void *)i, NULL), 0);
    CHECK_EQ(hkt_thread_spawn(&threads[WAITERS], give_many, NULL, NULL), 0);
    for (int i = 0; i <= WAITERS; i++)
        join(threads[i]);
    end();
}

TEST_TIMEOUT(no_ring_is_lost_among_tasks_and_threads, 60)
{
    hkt_thread *threads[WAITERS + 1];
    begin();
    for (intptr_t i = WAITERS / 2; i < WAITERS; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], take_many, (void *)i, NULL), 0);
    CHECK_EQ(hkt_thread_spawn(&threads[WAITERS], give_many, NULL, NULL), 0);
    CHECK_EQ(hkt_run(take_in_tasks, NULL), 0);
    for (int i = WAITERS / 2; i <= WAITERS; i++)
        join(threads[i]);
    end();
}

static int take_in_jobs(void *arg)
{
    return take_many(arg);
}

TEST_TIMEOUT(no_ring_is_lost_among_jobs_of_a_pool_and_another_process, 60)
{
    begin();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(give_many(NULL));
    hkt_executor *pool;
    hkt_future *jobs[WAITERS];
    CHECK_EQ(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = WAITERS }),
             0);
    for (intptr_t i = 0; i < WAITERS; i++)
        CHECK_EQ(hkt_submit(pool, &jobs[i], take_in_jobs, (void *)i), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(hkt_future_finish(jobs[i]), 0);
    hkt_executor_destroy(pool);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    end();
}

/* More bells than one system call can wait for. */
#define MANY 300
static struct semaphore *many;

static int take_one_of_many(void *arg)
{
    struct semaphore *one = arg;
    struct hkti_listener listener;
    int err = 0;
    hkti_bell_listen(&one->bell, HKTI_STAKE_WAIT, &listener);
    while (hkti_load_seq_cst(&one->permits) == 0 && err == 0) /* pairs: bell */
        err = hkti_bell_wait(&listener, "one of many", one, 0, true);
    hkti_bell_leave(&listener, err == 0);
    return err;
}

static int give_to_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        struct semaphore *one = &many[i * 7 % MANY];
        while (hkti_load_seq_cst(&one->bell.sleepers) == 0) /* pairs: bell */
            hkti_os_yield(100);
        hkti_store_seq_cst(&one->permits, 1); /* pairs: bell */
        hkti_bell_ring(&one->bell, 1);
    }
    return 0;
}

static int take_from_many(void *arg)
{
    static hkt_future *tasks[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(hkt_task_spawn(&tasks[i], take_one_of_many, &many[i]), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST_TIMEOUT(tasks_wait_at_more_bells_than_the_system_takes_at_once, 60)
{
    hkt_thread *thread;
    many = hkt_shared_alloc(MANY * sizeof *many);
    CHECK_EQ(hkt_thread_spawn(&thread, give_to_many, NULL, NULL), 0);
    CHECK_EQ(hkt_run(take_from_many, NULL), 0);
    join(thread);
    hkt_shared_free(many);
    CHECK_EQ(hkt_finalize(), 0);
}

/* More who wait than have a stake. */
static int take_once(void *arg)
{
    (void)arg;
    return acquire((hkt_deadline){ 0 });
}

static int take_by_thousand(void *arg)
{
    enum { N = 1000 };
    static hkt_future *tasks[N];
    (void)arg;
    for (int i = 0; i < N; i++)
        CHECK_EQ(hkt_task_spawn(&tasks[i], take_once, NULL), 0);
    while (hkti_load_seq_cst(&semaphore->waiting) < N) /* pairs: count */
        hkt_sleep(0.001);
    for (int i = 0; i < N; i++)
        release();
    for (int i = 0; i < N; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST_TIMEOUT(a_thousand_tasks_wait_at_one_bell, 60)
{
    begin();
    CHECK_EQ(hkt_run(take_by_thousand, NULL), 0);
    end();
}

/* Times. */
static int wait_a_while(void *arg)
{
    (void)arg;
    hkt_deadline deadline = hkt_after(0.05);
    CHECK_EQ(acquire(deadline), -ETIMEDOUT);
    CHECK(hkti_os_now() >= deadline.ns);
    CHECK_EQ(acquire((hkt_deadline){ 1 }), -ETIMEDOUT);
    hkt_scope scope;
    deadline = hkt_after(0.05);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = deadline });
    CHECK_EQ(acquire((hkt_deadline){ 0 }), -ECANCELED);
    CHECK(hkti_os_now() >= deadline.ns);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    return 0;
}

TEST(deadlines_and_scopes_end_the_wait_at_a_bell)
{
    begin();
    CHECK_EQ(wait_a_while(NULL), 0);
    CHECK_EQ(hkt_run(wait_a_while, NULL), 0);
    end();
}

/* The caller wants to look by itself, which is no deadline. */
static int look_again(void *arg)
{
    struct hkti_listener listener;
    (void)arg;
    hkti_bell_listen(&semaphore->bell, HKTI_STAKE_WAIT, &listener);
    listener.look = hkti_os_now() + HKTI_MILLISECOND;
    CHECK_EQ(hkti_bell_wait(&listener, "look", semaphore, 0, true), 0);
    CHECK(hkti_os_now() >= listener.look);
    listener.look = hkti_os_now() + HKTI_SECOND;
    CHECK_EQ(hkti_bell_wait(&listener, "look", semaphore, hkt_after(0.001).ns, true), -ETIMEDOUT);
    hkti_bell_leave(&listener, false);
    return 0;
}

TEST(who_listens_can_look_now_and_then)
{
    begin();
    CHECK_EQ(look_again(NULL), 0);
    CHECK_EQ(hkt_run(look_again, NULL), 0);
    end();
}
