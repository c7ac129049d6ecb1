/* SPDX-License-Identifier: MIT */
/* The thread pool's limits: max_pending, stacks, daemons, threads that the system does not give, and
 * jobs that let no others run on their thread. */
#include "pools.h"

static hkt_executor *must_make(const hkt_thread_pool_options *options)
{
    hkt_executor *pool = NULL;
    CHECK_EQ(hkt_thread_pool_create(&pool, options), 0);
    return pool;
}

struct attempt {
    hkt_executor *pool;
    hkt_job *job;
    void *arg;
};

static int submit(void *arg)
{
    struct attempt *attempt = arg;
    return hkt_submit(attempt->pool, NULL, attempt->job, attempt->arg);
}

TEST(outsiders_wait_while_max_pending_jobs_have_not_begun)
{
    hkt_executor *pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .max_pending = 3 });
    struct gate gate = { 0 };
    atomic_int ran = 0;
    struct attempt attempt = { pool, count_up, &ran };
    struct caller waiting, cancelled;
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(submit(&attempt), 0);
    caller_start_waiting(&waiting, submit, &attempt, pool);
    caller_start_waiting(&cancelled, submit, &attempt, pool);
    caller_cancel(&cancelled);
    CHECK_EQ(caller_end(&cancelled), -ECANCELED);
    CHECK(hkt_thread_is_alive(waiting.thread));
    let_through(&gate, running);
    CHECK_EQ(caller_end(&waiting), 0);
    end_pool(pool);
    CHECK_EQ(ran, 4);
}

TEST(who_waits_for_room_learns_of_the_end)
{
    hkt_executor *pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .max_pending = 1 });
    struct gate gate = { 0 };
    atomic_int ran = 0;
    struct attempt attempt = { pool, count_up, &ran };
    struct caller callers[3];
    hkt_future *running = hold_worker(pool, &gate);
    CHECK_EQ(submit(&attempt), 0);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&callers[i], submit, &attempt, pool);
    hkt_executor_close(pool, false);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), -ESHUTDOWN);
    let_through(&gate, running);
    end_pool(pool);
    CHECK_EQ(ran, 1);
}

struct many {
    hkt_executor *pool;
    atomic_int ran;
};

static int submit_many(void *arg)
{
    struct many *many = arg;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(hkt_submit(many->pool, NULL, count_up, &many->ran), 0);
    return 0;
}

TEST(jobs_of_the_pool_do_not_wait_for_room)
{
    hkt_executor *pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .max_pending = 2 });
    struct many many = { .pool = pool };
    CHECK_EQ(hkt_future_finish(must_submit(pool, submit_many, &many)), 0);
    end_pool(pool);
    CHECK_EQ(many.ran, 1000);
}

/* Short jobs, which a worker may take several of at a time. */
TEST(no_more_than_max_pending_jobs_have_not_begun)
{
    enum { PENDING = 64 };
    hkt_executor *pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .max_pending = PENDING });
    atomic_int begun = 0;
    int most = 0;
    for (int submitted = 1; submitted <= 20000; submitted++) {
        CHECK_EQ(hkt_submit(pool, NULL, count_up, &begun), 0);
        int waiting = submitted - atomic_load(&begun);
        most = waiting > most ? waiting : most;
    }
    end_pool(pool);
    CHECK(most <= PENDING + 1); /* and the one that is just being begun */
}

static int use_stack(void *arg)
{
    size_t size = *(size_t *)arg;
    volatile char *memory = __builtin_alloca(size);
    for (size_t i = 0; i < size; i += 512)
        memory[i] = (char)i;
    return memory[512] == 0;
}

TEST(each_job_has_a_stack_of_the_size_that_was_asked_for)
{
    size_t most = (size_t)7 << 20, plain = (size_t)900 << 10;
    hkt_executor *pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .stack_size = (size_t)8 << 20 });
    CHECK_EQ(hkt_future_finish(must_submit(pool, use_stack, &most)), 1);
    hkt_executor_destroy(pool);
    pool = must_pool(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, use_stack, &plain)), 1);
    end_pool(pool);
}

TEST(a_daemon_pool_does_not_hold_up_the_end)
{
    hkt_executor *pool = must_make(&(hkt_thread_pool_options){ .max_workers = 1, .daemon = true });
    struct gate gate = { 0 };
    hkt_future *running = hold_worker(pool, &gate);
    CHECK_EQ(hkt_join_all(), 0);
    let_through(&gate, running);
    end_pool(pool);
}

TEST(a_pool_gets_not_even_one_thread)
{
    hkt_executor *pool = NULL;
    atomic_int ran = 0;
    CHECK_EQ(hkt_thread_set_stack_size((size_t)1 << 52), 0);
    CHECK_EQ(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 2 }), 0);
    int err = hkt_submit(pool, NULL, count_up, &ran);
    CHECK(err == -EAGAIN || err == -ENOMEM);
    CHECK_EQ(hkt_thread_set_stack_size(0), 0);
    end_pool(pool);
    CHECK_EQ(ran, 0);
}

/* no_foreign_work: an exclusive job on a pool with one worker, and what others did meanwhile. */
struct exclusive {
    hkt_executor *pool;
    hkt_future *first, *second; /* set by the test */
    hkt_event entered, again;
    atomic_int foreign, before, after;
};

static int wait_for_second(void *arg)
{
    struct exclusive *all = arg;
    hkt_event_set(&all->again);
    CHECK_EQ(hkt_future_wait(all->second), 0);
    all->before = all->foreign;
    return 0;
}

/* Is resumed, on the same worker, when `first` is set. */
static int wait_for_first(void *arg)
{
    struct exclusive *all = arg;
    hkt_event_set(&all->entered);
    CHECK_EQ(hkt_future_wait(all->first), 0);
    return count_up(&all->foreign);
}

static void begin_exclusive(struct exclusive *all, bool by_pool)
{
    *all = (struct exclusive){ 0 };
    all->pool = must_make(
        &(hkt_thread_pool_options){ .max_workers = 1, .no_foreign_work = by_pool });
    CHECK_EQ(hkt_future_create(&all->first), 0);
    CHECK_EQ(hkt_future_create(&all->second), 0);
}

static void end_exclusive(struct exclusive *all)
{
    (void)hkt_future_cancel(all->first);
    hkt_future_destroy(all->first);
    hkt_future_destroy(all->second);
    end_pool(all->pool);
}

static const hkt_submit_options alone = { .no_foreign_work = true };

TEST(a_job_without_foreign_work_starts_and_resumes_no_others)
{
    struct exclusive all;
    hkt_future *future = NULL;
    begin_exclusive(&all, false);
    CHECK_EQ(hkt_submit(all.pool, NULL, wait_for_first, &all), 0);
    CHECK_EQ(hkt_event_wait(&all.entered), 0);
    CHECK_EQ(hkt_submit_with(all.pool, &future, wait_for_second, &all, &alone), 0);
    CHECK_EQ(hkt_event_wait(&all.again), 0);
    CHECK_EQ(hkt_submit(all.pool, NULL, count_up, &all.foreign), 0);
    CHECK_EQ(hkt_future_set_result(all.first, 0), 0);
    CHECK_EQ(hkt_future_set_result(all.second, 0), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(hkt_executor_shutdown(all.pool), 0);
    CHECK_EQ(all.before, 0);
    CHECK_EQ(all.foreign, 2);
    end_exclusive(&all);
}

TEST(a_pool_without_foreign_work_does_so_for_each_job)
{
    struct exclusive all;
    begin_exclusive(&all, true);
    hkt_future *future = must_submit(all.pool, wait_for_second, &all);
    CHECK_EQ(hkt_event_wait(&all.again), 0);
    CHECK_EQ(hkt_submit(all.pool, NULL, count_up, &all.foreign), 0);
    CHECK_EQ(hkt_future_set_result(all.second, 0), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(all.before, 0);
    end_exclusive(&all);
}

/* Each way to wait for the jobs that one has handed in. */
enum way { FINISH, WAIT_ALL, COMPLETED, MAP, IMAP, IMAP_UNORDERED, WAYS };

struct waits {
    hkt_executor *pool;
    enum way way;
    atomic_int ran;
    int left;
};

static int produce_three(void *context, void *item)
{
    struct waits *waiter = context;
    *(struct waits **)item = waiter;
    return waiter->left-- > 0;
}

static int count_item(void *item)
{
    return count_up(&(*(struct waits **)item)->ran);
}

static int wait_for_three(void *arg)
{
    struct waits *waiter = arg;
    struct waits *items[3] = { waiter, waiter, waiter };
    hkt_imap_options stream = { .produce = produce_three, .context = waiter };
    hkt_future *futures[3], *next;
    hkt_as_completed *ended = NULL;
    waiter->left = 3;
    if (waiter->way == MAP)
        return hkt_map(waiter->pool, count_item, HKT_ARRAY(items));
    if (waiter->way == IMAP)
        return hkt_imap(waiter->pool, count_item, sizeof waiter, &stream);
    if (waiter->way == IMAP_UNORDERED)
        return hkt_imap_unordered(waiter->pool, count_item, sizeof waiter, &stream);
    for (int i = 0; i < 3; i++)
        futures[i] = must_submit(waiter->pool, count_up, &waiter->ran);
    if (waiter->way == WAIT_ALL)
        CHECK_EQ(hkt_wait(futures, 3, HKT_ALL_COMPLETED), 3);
    if (waiter->way == COMPLETED)
        CHECK_EQ(hkt_as_completed_create(&ended, futures, 3), 0);
    for (int i = 0; i < 3 && ended; i++)
        CHECK_EQ(hkt_as_completed_next(ended, &next), 1);
    hkt_as_completed_destroy(ended);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    return 0;
}

static void check_way(enum way way)
{
    hkt_executor *pool = must_pool(1);
    struct waits waiter = { .pool = pool, .way = way };
    hkt_future *future = NULL;
    CHECK_EQ(hkt_submit_with(pool, &future, wait_for_three, &waiter, &alone), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(waiter.ran, 3);
    end_pool(pool);
}

TEST(a_job_without_foreign_work_waits_for_its_own_jobs)
{
    check_way(FINISH);
    check_way(WAIT_ALL);
    check_way(MAP);
    check_way(IMAP);
}

TEST(a_job_without_foreign_work_gets_its_own_jobs_as_completed)
{
    check_way(COMPLETED);
}

TEST(a_job_without_foreign_work_streams_unordered)
{
    check_way(IMAP_UNORDERED);
}

static int wait_for_other(void *arg)
{
    struct exclusive *all = arg;
    hkt_event_set(&all->again);
    return hkt_future_wait(all->second);
}

TEST(what_a_job_without_foreign_work_waits_for_is_resumed)
{
    struct exclusive all;
    hkt_future *future = NULL;
    begin_exclusive(&all, false);
    CHECK_EQ(hkt_future_cancel(all.second), 0);
    hkt_future_destroy(all.second);
    all.second = must_submit(all.pool, wait_for_first, &all);
    CHECK_EQ(hkt_event_wait(&all.entered), 0);
    CHECK_EQ(hkt_submit_with(all.pool, &future, wait_for_other, &all, &alone), 0);
    CHECK_EQ(hkt_event_wait(&all.again), 0);
    CHECK_EQ(hkt_future_set_result(all.first, 0), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(all.foreign, 1);
    end_exclusive(&all);
}

/* Finishes a job that stands at a gate, on a stack that may be its own. */
struct standing {
    hkt_executor *pool;
    struct gate gate;
    int result;
};

static int finish_standing(void *arg)
{
    struct standing *standing = arg;
    standing->result = hkt_future_finish(must_submit(standing->pool, stand_at, &standing->gate));
    return 0;
}

TEST(a_cancel_of_a_job_without_foreign_work_reaches_what_it_finishes)
{
    hkt_executor *pool = must_pool(1);
    struct standing standing = { .pool = pool };
    hkt_future *future = NULL;
    CHECK_EQ(hkt_submit_with(pool, &future, finish_standing, &standing, &alone), 0);
    CHECK_EQ(hkt_event_wait(&standing.gate.entered), 0);
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(standing.result, -ECANCELED);
    end_pool(pool);
}
