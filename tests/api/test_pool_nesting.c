/* SPDX-License-Identifier: MIT */
/* Jobs that wait for jobs of their own pool, to any depth, with few workers: by each way to wait; and
 * what else they may hold and wait for meanwhile. Races are in test_pool_stress.c. */
#include "pools.h"

enum way { FINISH, WAIT, MAP, COMPLETED, IMAP, IMAP_UNORDERED, INVOKE, MIXED, WAYS };

/* A tree of jobs: each node waits for its children. */
struct node {
    hkt_executor *pool;
    enum way way;
    int depth, width;
    atomic_int *leaves;
    int produced;
};

static int descend(void *arg);

static int produce_child(void *context, void *item)
{
    struct node *node = context, *child = item;
    *child = *node;
    child->depth--;
    child->produced = 0;
    return node->produced++ < node->width;
}

static int wait_for_children(struct node *node, struct node *children)
{
    hkt_future *futures[8], *next;
    hkt_as_completed *ended = NULL;
    for (int i = 0; i < node->width; i++)
        futures[i] = must_submit(node->pool, descend, &children[i]);
    size_t width = (size_t)node->width;
    if (node->way == WAIT)
        CHECK_EQ(hkt_wait(futures, width, HKT_ALL_COMPLETED), node->width);
    if (node->way == COMPLETED)
        CHECK_EQ(hkt_as_completed_create(&ended, futures, width), 0);
    for (int i = 0; i < node->width && ended; i++)
        CHECK_EQ(hkt_as_completed_next(ended, &next), 1);
    hkt_as_completed_destroy(ended);
    for (int i = 0; i < node->width; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    return 0;
}

static int descend(void *arg)
{
    struct node *node = arg;
    struct node children[8];
    hkt_invocation invocations[8];
    hkt_imap_options stream = { .produce = produce_child, .context = node };
    enum way way = node->way == MIXED ? (enum way)(node->depth % INVOKE) : node->way;
    if (node->depth == 0)
        return count_up(node->leaves);
    for (int i = 0; i < node->width; i++) {
        children[i] = *node;
        children[i].depth--;
        invocations[i] = (hkt_invocation){ descend, &children[i] };
    }
    if (way == MAP)
        return hkt_map(node->pool, descend, children, (size_t)node->width, sizeof *children);
    if (way == IMAP)
        return hkt_imap(node->pool, descend, sizeof *node, &stream);
    if (way == IMAP_UNORDERED)
        return hkt_imap_unordered(node->pool, descend, sizeof *node, &stream);
    if (way == INVOKE)
        return hkt_parallel_invoke(node->pool, invocations, (size_t)node->width);
    return wait_for_children(node, children);
}

static void check_tree(enum way way, unsigned workers, int depth, int width, int leaves)
{
    atomic_int counted = 0;
    struct node root = { must_pool(workers), way, depth, width, &counted, 0 };
    CHECK_EQ(hkt_future_finish(must_submit(root.pool, descend, &root)), 0);
    root.produced = 0;
    CHECK_EQ(descend(&root), 0); /* from outside too */
    CHECK_EQ(counted, 2 * leaves);
    end_pool(root.pool);
}

TEST(jobs_wait_for_jobs_in_each_way)
{
    for (int way = 0; way < WAYS; way++)
        for (unsigned workers = 1; workers <= 3; workers++)
            check_tree((enum way)way, workers, SANITIZED ? 4 : 5, 3, SANITIZED ? 81 : 243);
}

TEST(jobs_wait_for_jobs_to_great_depth)
{
    for (int way = 0; way < WAYS; way++)
        for (unsigned workers = 1; workers <= 3; workers++)
            check_tree((enum way)way, workers, SANITIZED ? 60 : 300, 1, 1);
}

TEST(jobs_wait_for_many_jobs)
{
    for (int way = 0; way < WAYS; way++)
        check_tree((enum way)way, 2, SANITIZED ? 3 : 4, 8, SANITIZED ? 512 : 4096);
}

/* The first waits for a job that stands on the other worker; the third one, on its own worker, waits
 * in a queue for what the first will put. */
struct trio {
    hkt_executor *pool;
    hkt_queue *queue;
    struct gate gate;
    hkt_future *standing;
    int native[2];
    int got;
};

static int wait_then_put(void *arg)
{
    struct trio *trio = arg;
    trio->native[0] = hkt_native_id();
    CHECK_EQ(hkt_future_wait(trio->standing), 0);
    return hkt_queue_put(trio->queue, &(int){ 17 });
}

static int get(void *arg)
{
    struct trio *trio = arg;
    trio->native[1] = hkt_native_id();
    return hkt_queue_get(trio->queue, &trio->got);
}

TEST(who_waits_in_a_queue_does_not_hold_up_who_waited_for_a_job)
{
    struct trio trio = { .pool = must_pool(2) };
    CHECK_EQ(hkt_queue_create(&trio.queue, sizeof(int), NULL), 0);
    trio.standing = hold_worker(trio.pool, &trio.gate);
    hkt_future *putter = must_submit(trio.pool, wait_then_put, &trio);
    hkt_future *getter = must_submit(trio.pool, get, &trio);
    AWAIT(hkt_future_running(getter));
    CHECK(hkt_future_running(putter) && !hkt_future_done(putter));
    let_through(&trio.gate, trio.standing);
    CHECK_EQ(hkt_future_finish(putter), 0);
    CHECK_EQ(hkt_future_finish(getter), 0);
    CHECK_EQ(trio.got, 17);
    CHECK_EQ(trio.native[0], trio.native[1]); /* it was so */
    hkt_queue_destroy(trio.queue);
    end_pool(trio.pool);
}

/* A lock held over a wait for jobs, while others of the pool want it. */
struct holder {
    hkt_executor *pool;
    enum way way;
    hkt_lock lock;
    struct gate gate;
    atomic_int inside, leaves;
};

static int take_and_release(void *arg)
{
    struct holder *holder = arg;
    hkt_lock_acquire(&holder->lock);
    CHECK_EQ(atomic_fetch_add(&holder->inside, 1), 0);
    atomic_fetch_sub(&holder->inside, 1);
    hkt_lock_release(&holder->lock);
    return 0;
}

static int hold_over_a_wait(void *arg)
{
    struct holder *holder = arg;
    struct node root = { holder->pool, holder->way, 3, 5, &holder->leaves, 0 };
    hkt_lock_acquire(&holder->lock);
    CHECK_EQ(atomic_fetch_add(&holder->inside, 1), 0);
    CHECK_EQ(stand_at(&holder->gate), 0); /* the others are handed in meanwhile */
    int err = descend(&root);
    atomic_fetch_sub(&holder->inside, 1);
    hkt_lock_release(&holder->lock);
    return err;
}

static void check_lock_over_a_wait(enum way way, unsigned workers)
{
    struct holder holder = { .pool = must_pool(workers), .way = way };
    hkt_future *takers[100];
    hkt_future *future = must_submit(holder.pool, hold_over_a_wait, &holder);
    CHECK_EQ(hkt_event_wait(&holder.gate.entered), 0);
    for (int i = 0; i < 100; i++)
        takers[i] = must_submit(holder.pool, take_and_release, &holder);
    hkt_event_set(&holder.gate.open);
    CHECK_EQ(hkt_future_finish(future), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hkt_future_finish(takers[i]), 0);
    CHECK_EQ(holder.leaves, 125);
    end_pool(holder.pool);
}

TEST(a_lock_is_held_over_a_wait_for_a_future)
{
    check_lock_over_a_wait(FINISH, 1);
    check_lock_over_a_wait(FINISH, 2);
}

TEST(a_lock_is_held_over_a_map)
{
    check_lock_over_a_wait(MAP, 1);
    check_lock_over_a_wait(MAP, 2);
}

TEST(a_lock_is_held_over_a_wait_for_several)
{
    check_lock_over_a_wait(WAIT, 1);
    check_lock_over_a_wait(WAIT, 2);
}

TEST(a_lock_is_held_over_as_completed)
{
    check_lock_over_a_wait(COMPLETED, 1);
    check_lock_over_a_wait(COMPLETED, 2);
}

TEST(a_lock_is_held_over_a_stream)
{
    check_lock_over_a_wait(IMAP, 1);
    check_lock_over_a_wait(IMAP, 2);
}

TEST(a_lock_is_held_over_an_unordered_stream)
{
    check_lock_over_a_wait(IMAP_UNORDERED, 1);
    check_lock_over_a_wait(IMAP_UNORDERED, 2);
}

/* Scopes: each job has its own, also while others run on its thread. */
struct scoped {
    hkt_executor *pool;
    int before, child, after, left;
    double took;
};

static int look_at_scope(void *arg)
{
    (void)arg;
    return hkt_checkpoint();
}

static int wait_in_an_ended_scope(void *arg)
{
    struct scoped *scoped = arg;
    hkt_scope scope;
    hkt_future *future = must_submit(scoped->pool, look_at_scope, NULL);
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    scoped->before = hkt_future_wait(future);
    scoped->left = hkt_scope_leave(&scope);
    scoped->child = hkt_future_finish(future); /* untouched by it */
    scoped->after = hkt_checkpoint();
    return 0;
}

TEST(the_scope_of_a_job_is_not_that_of_who_runs_beside_it)
{
    struct scoped scoped = { .pool = must_pool(1) };
    CHECK_EQ(hkt_future_finish(must_submit(scoped.pool, wait_in_an_ended_scope, &scoped)), 0);
    CHECK_EQ(scoped.before, -ECANCELED);
    CHECK_EQ(scoped.left, -ECANCELED);
    CHECK_EQ(scoped.child, 0);
    CHECK_EQ(scoped.after, 0);
    end_pool(scoped.pool);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return hkt_sleep_until((hkt_deadline){ 0 });
}

/* A job that keeps the one worker, until the deadline around who waits for it ends it. */
static int finish_until_a_deadline(void *arg)
{
    struct scoped *scoped = arg;
    hkt_scope scope;
    double began = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    scoped->child = hkt_future_finish(must_submit(scoped->pool, sleep_for_ever, NULL));
    scoped->left = hkt_scope_leave(&scope);
    scoped->took = hkt_monotonic() - began;
    scoped->after = hkt_checkpoint();
    return 0;
}

TEST(a_deadline_around_a_wait_cancels_the_job_that_runs_beside)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct scoped scoped = { .pool = must_pool(workers) };
        CHECK_EQ(hkt_future_finish(must_submit(scoped.pool, finish_until_a_deadline, &scoped)), 0);
        CHECK_EQ(scoped.child, -ECANCELED);
        CHECK_EQ(scoped.left, -ETIMEDOUT);
        CHECK_EQ(scoped.after, 0);
        CHECK(scoped.took >= 0.01 && scoped.took < SOON);
        end_pool(scoped.pool);
    }
}

static int wait_with_a_deadline(void *arg)
{
    struct scoped *scoped = arg;
    hkt_future *future = must_submit(scoped->pool, sleep_for_ever, NULL);
    double began = hkt_monotonic();
    scoped->before = hkt_future_wait_until(future, hkt_after(0.01));
    scoped->took = hkt_monotonic() - began;
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    scoped->child = hkt_future_finish(future);
    return 0;
}

TEST(a_wait_of_a_job_has_its_deadline_while_others_run_beside)
{
    struct scoped scoped = { .pool = must_pool(1) };
    CHECK_EQ(hkt_future_finish(must_submit(scoped.pool, wait_with_a_deadline, &scoped)), 0);
    CHECK_EQ(scoped.before, -ETIMEDOUT);
    CHECK_EQ(scoped.child, -ECANCELED);
    CHECK(scoped.took >= 0.01 && scoped.took < SOON);
    end_pool(scoped.pool);
}

/* Each waits for the next in a chain, which ends at a sleep: a cancel goes all the way down. */
struct link {
    hkt_executor *pool;
    int left;
    hkt_event *asleep;
    int result;
};

static int finish_the_next(void *arg)
{
    struct link *link = arg;
    struct link next = { link->pool, link->left - 1, link->asleep, 0 };
    if (link->left > 0)
        return link->result = hkt_future_finish(must_submit(link->pool, finish_the_next, &next));
    hkt_event_set(link->asleep);
    return link->result = hkt_sleep_until((hkt_deadline){ 0 });
}

TEST(a_cancel_goes_down_a_chain_of_jobs)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        hkt_event asleep = { { 0 } };
        struct link link = { must_pool(workers), 20, &asleep, 0 };
        hkt_future *future = must_submit(link.pool, finish_the_next, &link);
        CHECK_EQ(hkt_event_wait(&asleep), 0);
        CHECK_EQ(hkt_future_request_cancel(future), 0);
        CHECK_EQ(hkt_future_finish(future), -ECANCELED);
        CHECK_EQ(link.result, -ECANCELED);
        end_pool(link.pool);
    }
}

/* Two pools whose jobs wait for each other's. */
struct pair {
    hkt_executor *pools[2];
    int left;
};

static int alternate(void *arg)
{
    struct pair *pair = arg;
    struct pair next = { { pair->pools[0], pair->pools[1] }, pair->left - 1 };
    if (pair->left == 0)
        return 0;
    return 1 + hkt_future_finish(must_submit(pair->pools[pair->left % 2], alternate, &next));
}

TEST(jobs_of_two_pools_wait_for_each_other)
{
    struct pair pair = { { must_pool(1), must_pool(1) }, 100 };
    CHECK_EQ(hkt_future_finish(must_submit(pair.pools[0], alternate, &pair)), 100);
    hkt_executor_destroy(pair.pools[0]);
    end_pool(pair.pools[1]);
}

/* A job stays on its thread, and keeps its sentence, over its waits. */
static int stay(void *arg)
{
    hkt_executor *pool = arg;
    int native = hkt_native_id();
    hkt_thread *thread = hkt_thread_current();
    (void)hkt_fail(-ENOENT, "mine");
    for (int i = 0; i < 50; i++) {
        hkt_future *future = must_submit(pool, look_at_scope, NULL);
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK_EQ(hkt_native_id(), native);
        CHECK(hkt_thread_current() == thread);
        CHECK_STR(hkt_sentence(-ENOENT), "mine");
    }
    return 0;
}

TEST(a_job_stays_on_the_thread_that_began_it)
{
    hkt_executor *pool = must_pool(3);
    hkt_future *futures[6];
    for (int i = 0; i < 6; i++)
        futures[i] = must_submit(pool, stay, pool);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    end_pool(pool);
}
