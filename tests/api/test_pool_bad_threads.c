/* SPDX-License-Identifier: MIT */
/* Bad days of pools: the system gives no thread, not the first one or no more. A filter on the system
 * call binds one thread, which hands in jobs; what others do is as always. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pools.h"

/* From now on the calling thread can start no other. False where the system has no such filters. */
static bool refuse_clones(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof filter / sizeof *filter, .filter = filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A call by a thread that can start no other. */
struct attempt {
    int (*call)(hkt_executor *pool);
    hkt_executor *pool;
    bool possible;
};

static void *try_it(void *arg)
{
    struct attempt *attempt = arg;
    attempt->possible = refuse_clones();
    if (attempt->possible)
        CHECK_EQ(attempt->call(attempt->pool), 0);
    return NULL;
}

static void without_threads(hkt_executor *pool, int (*call)(hkt_executor *pool))
{
    struct attempt attempt = { call, pool, false };
    pthread_t pthread;
    CHECK_EQ(pthread_create(&pthread, NULL, try_it, &attempt), 0);
    pthread_join(pthread, NULL);
    if (!attempt.possible)
        TEST_SKIP("the system has no seccomp filters");
}

static atomic_int ran;

static int count_range(void *context, size_t begin, size_t end)
{
    (void)context;
    ran += (int)(end - begin);
    return 0;
}

static int fork_some(void *arg)
{
    for (int i = 0; i < 10; i++)
        hkt_fork(count_up, arg);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_join(), 0);
    return 0;
}

static int produce(void *context, void *item)
{
    (void)item;
    return ++*(int *)context <= 100;
}

static int count_item(void *item)
{
    (void)item;
    ran++;
    return 0;
}

/* Not even one: jobs cannot be handed in; what the caller can do alone is done. */
static int use_without_any(hkt_executor *pool)
{
    hkt_future *future = NULL;
    char items[10];
    int produced = 0, codes[10];
    hkt_imap_options stream = { .produce = produce, .context = &produced };
    hkt_map_options map = { .codes = codes };
    CHECK_EQ(hkt_submit(pool, &future, count_up, &ran), -EAGAIN);
    CHECK(future == NULL);
    CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), -EAGAIN);
    CHECK_EQ(hkt_map_with(pool, count_item, HKT_ARRAY(items), &map), -EAGAIN);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(codes[i], -ECANCELED);
    CHECK_EQ(hkt_imap(pool, count_item, 1, &stream), -EAGAIN);
    CHECK_EQ(produced, 1);
    CHECK_EQ(ran, 0);
    CHECK_EQ(hkt_parallel_for(pool, 0, 1000, count_range, NULL), 0);
    CHECK_EQ(ran, 1000);
    CHECK_EQ(hkt_fork_run(pool, fork_some, &ran), 0);
    CHECK_EQ(ran, 1010);
    return 0;
}

TEST(not_even_one_worker)
{
    hkt_executor *pool = must_pool(3);
    without_threads(pool, use_without_any);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, count_up, &ran)), 0); /* others are not troubled */
    end_pool(pool);
}

TEST(a_pool_that_never_had_a_worker_ends)
{
    hkt_executor *pool = must_pool(3);
    without_threads(pool, use_without_any);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    end_pool(pool);
}

static int use_default_without_any(hkt_executor *pool)
{
    (void)pool;
    CHECK_EQ(hkt_submit(NULL, NULL, count_up, &ran), -EAGAIN);
    CHECK_EQ(hkt_submit(NULL, NULL, count_up, &ran), -EAGAIN);
    return 0;
}

TEST(the_default_executor_without_a_worker)
{
    without_threads(NULL, use_default_without_any);
    CHECK_EQ(ran, 0);
    CHECK_EQ(hkt_future_finish(must_submit(NULL, count_up, &ran)), 0);
    check_finalized();
}

/* One, and no more: it runs all jobs. */
static int hand_in_many(hkt_executor *pool)
{
    static char items[100];
    hkt_future *futures[100];
    for (int i = 0; i < 100; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    CHECK_EQ(ran, 100);
    CHECK_EQ(hkt_map(pool, count_item, HKT_ARRAY(items)), 0);
    CHECK_EQ(ran, 200);
    return 0;
}

TEST(no_second_worker)
{
    hkt_executor *pool = must_pool(4);
    CHECK_EQ(hkt_future_finish(must_submit(pool, do_nothing, NULL)), 0);
    without_threads(pool, hand_in_many);
    end_pool(pool);
}

/* The only worker is busy: the jobs wait for it. */
static struct gate gate;
static hkt_future *held, *waiting[100];

static int hand_in_behind_it(hkt_executor *pool)
{
    for (int i = 0; i < 100; i++)
        waiting[i] = must_submit(pool, count_up, &ran);
    CHECK_EQ(ran, 0);
    let_through(&gate, held);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hkt_future_finish(waiting[i]), 0);
    CHECK_EQ(ran, 100);
    return 0;
}

TEST(no_second_worker_while_the_first_is_busy)
{
    hkt_executor *pool = must_pool(4);
    held = hold_worker(pool, &gate);
    without_threads(pool, hand_in_behind_it);
    end_pool(pool);
}

/* The first worker, which can start no thread either, for it was started by who cannot. */
static int refuse_from_here(void *pool)
{
    hkt_future *futures[20];
    if (!refuse_clones())
        return 0;
    for (int i = 0; i < 20; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    hkt_fork(fork_some, &ran);
    CHECK_EQ(fork_some(&ran), 0);
    CHECK_EQ(hkt_join(), 0);
    CHECK_EQ(ran, 40);
    return 1;
}

TEST(a_worker_that_can_start_no_other)
{
    hkt_executor *pool = must_pool(4);
    int possible = hkt_future_finish(must_submit(pool, refuse_from_here, pool));
    end_pool(pool);
    if (!possible)
        TEST_SKIP("the system has no seccomp filters");
}

/* Who can and who cannot start threads, at once: each job that was taken ends, and has run if there
 * was ever a thread; nothing hangs. */
struct race {
    hkt_executor *pool;
    hkt_barrier *barrier;
    bool possible;
    int refused, failed, done;
};

static int hand_in_some(struct race *race)
{
    for (int i = 0; i < 3; i++) {
        hkt_future *future = NULL;
        int err = hkt_submit(race->pool, &future, count_up, &ran);
        CHECK(err == 0 || err == -EAGAIN);
        race->refused += err < 0;
        if (err == 0) {
            err = hkt_future_finish(future);
            CHECK(err == 0 || err == -EAGAIN);
            race->failed += err < 0;
            race->done += err == 0;
        }
    }
    return 0;
}

static void *race_without(void *arg)
{
    struct race *race = arg;
    race->possible = refuse_clones();
    CHECK(hkt_barrier_wait(race->barrier) >= 0);
    if (race->possible)
        hand_in_some(race);
    return NULL;
}

TEST_TIMEOUT(refusals_beside_others, 60)
{
    for (long i = 0; i < test_scaled(200); i++) {
        hkt_barrier barrier;
        hkt_executor *pool = must_pool(2);
        struct race without = { .pool = pool, .barrier = &barrier }, with = without;
        pthread_t pthread;
        ran = 0;
        CHECK_EQ(hkt_barrier_init(&barrier, 2, NULL), 0);
        CHECK_EQ(pthread_create(&pthread, NULL, race_without, &without), 0);
        CHECK(hkt_barrier_wait(&barrier) >= 0);
        hand_in_some(&with);
        pthread_join(pthread, NULL);
        CHECK_EQ(with.done + without.done, ran);
        CHECK_EQ(with.refused, 0);
        hkt_executor_destroy(pool);
    }
    check_finalized();
}
