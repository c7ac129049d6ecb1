/* SPDX-License-Identifier: MIT */
/* A campaign against the workers of a process pool, by a seed: they are killed, stopped and continued
 * at any instruction while jobs come without end. Each job ends once: with its result, an error of its
 * own, cancelled, late, or lost with its worker. Nothing hangs, and nothing is left. */
#include "process_pools.h"
#include "random.h"

enum { WINDOW = 200 };

struct work {
    uint32_t kind, number;
    uint64_t result;
    unsigned char padding[600]; /* some of it is looked at: it does not fit into a block */
};

static int do_work(void *arg)
{
    struct work *work = arg;
    uint64_t sum = work->number;
    for (uint32_t i = 0; i < work->kind % 7 * 1000; i++)
        sum = sum * 6364136223846793005ULL + 1;
    work->result = (uint64_t)work->number * 3 + (sum & 0) + 1;
    if (work->kind % 11 == 5)
        return hkt_fail(-EDOM, "odd %u", work->number);
    if (work->kind % 13 == 6)
        return hkt_sleep(0.001);
    return (int)(work->number % 1000);
}

struct campaign {
    hkt_executor *pool;
    uint32_t over;
    int kills, stops;
};

/* The enemy. */
static int attack(void *arg)
{
    struct campaign *campaign = arg;
    struct test_random random = random_of(1);
    long kills = test_scaled(200);
    while (campaign->kills < kills) {
        int pids[16];
        usleep((unsigned)random_below(&random, 3000));
        size_t count = hkt_process_pool_pids(campaign->pool, pids, 16);
        if (count == 0)
            continue;
        int pid = pids[random_below(&random, count < 16 ? count : 16)];
        if (random_below(&random, 4) == 0) {
            kill(pid, SIGSTOP);
            usleep((unsigned)random_below(&random, 2000));
            campaign->stops++;
            if (random_below(&random, 2) == 0)
                kill(pid, SIGKILL);
            kill(pid, SIGCONT);
        } else {
            kill(pid, random_below(&random, 3) == 0 ? SIGTERM : SIGKILL);
            campaign->kills++;
        }
    }
    __atomic_store_n(&campaign->over, 1, __ATOMIC_SEQ_CST);
    return 0;
}

struct counts {
    long done, failed, cancelled, late, lost;
};

/* What became of one. */
static void settle(hkt_future *future, const struct work *work, struct counts *counts)
{
    int result = hkt_future_finish(future);
    if (result >= 0) {
        CHECK(result == 0 || result == (int)(work->number % 1000));
        CHECK(work->result == (uint64_t)work->number * 3 + 1);
        counts->done++;
    } else if (result == -EDOM) {
        CHECK_EQ(work->kind % 11, 5);
        CHECK(strncmp(hkt_sentence(-EDOM), "odd ", 4) == 0);
        counts->failed++;
    } else if (result == -ECANCELED) {
        counts->cancelled++;
    } else if (result == -ETIMEDOUT) {
        counts->late++;
    } else {
        CHECK_EQ(result, -EOWNERDEAD);
        CHECK(strstr(hkt_sentence(result), "lost") || strstr(hkt_sentence(result), "killed"));
        counts->lost++;
    }
}

static void submit_one(hkt_executor *pool, hkt_future **future, struct work *work, uint32_t number,
                       struct test_random *random)
{
    hkt_submit_options options = { .arg_size = random_below(random, 3) == 0 ? sizeof *work : 16,
                                   .priority = (hkt_priority)random_below(random, 3) };
    *work = (struct work){ .kind = (uint32_t)random_below(random, 1001), .number = number };
    if (random_below(random, 20) == 0)
        options.deadline = hkt_after((double)random_below(random, 3000) * 1e-6);
    CHECK_EQ(hkt_submit_with(pool, future, do_work, work, &options), 0);
    if (random_below(random, 20) == 0)
        hkt_future_request_cancel(*future);
    else if (random_below(random, 20) == 0)
        hkt_future_cancel(*future);
}

static void run_campaign(const hkt_process_pool_options *options)
{
    static struct work work[WINDOW];
    static hkt_future *futures[WINDOW];
    struct campaign campaign = { .pool = must_process_pool(options) };
    struct test_random random = random_of(0);
    struct counts counts = { 0, 0, 0, 0, 0 };
    uint32_t submitted = 0;
    hkt_thread *enemy;
    CHECK_EQ(hkt_thread_spawn(&enemy, attack, &campaign, NULL), 0);
    /* The enemy may be so quick that no worker lives to end a job: then one does so in peace. */
    while (!__atomic_load_n(&campaign.over, __ATOMIC_SEQ_CST) || counts.done == 0) {
        for (int i = 0; i < WINDOW; i++)
            submit_one(campaign.pool, &futures[i], &work[i], submitted++, &random);
        for (int i = 0; i < WINDOW; i++)
            settle(futures[i], &work[i], &counts);
    }
    CHECK_EQ(hkt_thread_join(enemy), 0);
    hkt_thread_destroy(enemy);
    CHECK_EQ(counts.done + counts.failed + counts.cancelled + counts.late + counts.lost, submitted);
    hkt_executor_destroy(campaign.pool);
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST_TIMEOUT(killed_workers_lose_their_jobs_and_nothing_else, 120)
{
    run_campaign(&(hkt_process_pool_options){ .max_workers = 3, .grace = 0.01 });
}

TEST_TIMEOUT(jobs_that_may_run_again_do_so_after_kills, 120)
{
    run_campaign(&(hkt_process_pool_options){ .max_workers = 2,
                                              .grace = 0.01,
                                              .on_lost_worker = HKT_LOST_RETRY,
                                              .max_tasks_per_child = 50,
                                              .idle_timeout = 0.001 });
}
