/* SPDX-License-Identifier: MIT */
/* A campaign, by seed: workers of a pool, the fork server, users of a queue and
 * holders of a lock are killed and stopped at random under load, as often as
 * `kills` says. Every job ends once; what is put is whole; one holds the lock;
 * nobody hangs; nothing is left. */
#include <dirent.h>
#include <hocket.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "random.h"
#include "test.h"

#define PATIENCE 60.0 /* seconds; who waits longer hangs */
#define HOLDERS 3
#define PRODUCERS 2
#define CONSUMERS 2
#define CREW (HOLDERS + PRODUCERS + CONSUMERS)
#define WINDOW 48 /* jobs at a time */
#define LONGEST 3000

/* What all processes share. */
struct stage {
    hkt_shared_lock lock;
    long first, second; /* equal, but where a holder died in between */
    hkt_shared_queue *queue;
    atomic_bool over;
    atomic_long turns, repairs, put, got;
};

struct role {
    struct stage *stage;
    uint64_t seed;
    uint32_t number; /* of all processes that ever were */
};

static void dawdle(struct test_random *random, double most)
{
    double end = hkt_monotonic() + random_seconds(random, most);
    while (hkt_monotonic() < end)
        ;
}

static int hold(void *arg)
{
    struct role *role = arg;
    struct stage *stage = role->stage;
    struct test_random random = { role->seed };
    while (!atomic_load(&stage->over)) {
        int err = hkt_shared_lock_acquire_until(&stage->lock, hkt_after(PATIENCE));
        if (err == -EOWNERDEAD) {
            stage->second = stage->first;
            atomic_fetch_add(&stage->repairs, 1);
            hkt_shared_lock_consistent(&stage->lock);
            err = 0;
        }
        CHECK_EQ(err, 0);
        CHECK_EQ(stage->first, stage->second);
        stage->first++;
        dawdle(&random, 2e-5);
        stage->second++;
        hkt_shared_lock_release(&stage->lock);
        atomic_fetch_add(&stage->turns, 1);
        dawdle(&random, 2e-5);
    }
    return 0;
}

struct message {
    uint32_t producer, sequence, size, sum;
    unsigned char bytes[LONGEST];
};

static uint32_t sum_of(const struct message *message)
{
    uint32_t sum = message->producer * 31 + message->sequence;
    for (uint32_t i = 0; i < message->size; i++)
        sum = sum * 33 + message->bytes[i];
    return sum;
}

static int produce(void *arg)
{
    static struct message message;
    struct role *role = arg;
    struct test_random random = { role->seed };
    for (uint32_t sequence = 1; !atomic_load(&role->stage->over); sequence++) {
        uint32_t size = (uint32_t)random_below(&random, sequence % 8 ? 100 : LONGEST);
        memset(message.bytes, (int)sequence, size);
        message.producer = role->number;
        message.sequence = sequence;
        message.size = size;
        message.sum = sum_of(&message);
        int err = hkt_shared_queue_put_until(role->stage->queue, &message,
                                             offsetof(struct message, bytes) + size,
                                             hkt_after(PATIENCE));
        if (err == -ESHUTDOWN)
            return 0;
        CHECK_EQ(err, 0);
        atomic_fetch_add(&role->stage->put, 1);
    }
    return 0;
}

static int consume(void *arg)
{
    static struct message message;
    static uint32_t last[4096]; /* of each producer, by number */
    struct role *role = arg;
    for (;;) {
        int n = hkt_shared_queue_get_until(role->stage->queue, &message, sizeof message,
                                           hkt_after(PATIENCE));
        if (n == -ESHUTDOWN)
            return 0;
        CHECK(n >= (int)offsetof(struct message, bytes));
        CHECK_EQ(n, offsetof(struct message, bytes) + message.size);
        CHECK_EQ(message.sum, sum_of(&message));
        CHECK(message.sequence > last[message.producer % 4096]);
        last[message.producer % 4096] = message.sequence;
        atomic_fetch_add(&role->stage->got, 1);
    }
}

/* The jobs. */
struct work {
    long in, out;
    double seconds;
    bool sleeps;
};

static int do_work(void *arg)
{
    struct work *work = arg;
    struct test_random random = { (uint64_t)work->in };
    if (work->sleeps) {
        int err = hkt_sleep(work->seconds);
        if (err < 0)
            return err;
    } else {
        dawdle(&random, work->seconds);
    }
    work->out = work->in * work->in;
    return work->in % 7 ? 0 : hkt_fail(-EIO, "job %ld fails", work->in);
}

struct campaign {
    struct test_random random;
    struct stage *stage;
    hkt_executor *pool;
    hkt_process *crew[CREW];
    uint32_t born;
    struct work work[WINDOW];
    hkt_future *futures[WINDOW];
    bool cancelled[WINDOW];
    long jobs, succeeded, failed, lost, cancels;
    long kills, stops, servers;
};

/* How a job may end. */
static void take_result(struct campaign *campaign, size_t i)
{
    int result;
    CHECK_EQ(hkt_future_wait_until(campaign->futures[i], hkt_after(PATIENCE)), 0);
    CHECK_EQ(hkt_future_result(campaign->futures[i], &result), 0);
    if (result == 0) {
        CHECK_EQ(campaign->work[i].out, campaign->work[i].in * campaign->work[i].in);
        campaign->succeeded++;
    } else if (result == -EIO) {
        char sentence[40];
        snprintf(sentence, sizeof sentence, "job %ld fails", campaign->work[i].in);
        CHECK_STR(hkt_sentence(-EIO), sentence);
        campaign->failed++;
    } else if (result == -EOWNERDEAD) {
        CHECK(strstr(hkt_sentence(-EOWNERDEAD), "signal") != NULL);
        campaign->lost++;
    } else {
        CHECK_EQ(result, -ECANCELED);
        CHECK(campaign->cancelled[i]);
        campaign->cancels++;
    }
    hkt_future_destroy(campaign->futures[i]);
    campaign->futures[i] = NULL;
}

static void hand_in(struct campaign *campaign, size_t i)
{
    struct test_random *random = &campaign->random;
    campaign->work[i] = (struct work){ .in = ++campaign->jobs,
                                       .seconds = random_seconds(random, 1e-3),
                                       .sleeps = random_below(random, 2) };
    campaign->cancelled[i] = false;
    CHECK_EQ(hkt_apply_async(campaign->pool, &campaign->futures[i], do_work,
                             HKT_ITEM(campaign->work[i])),
             0);
}

static void keep_busy(struct campaign *campaign)
{
    for (size_t i = 0; i < WINDOW; i++) {
        if (campaign->futures[i] && !hkt_future_done(campaign->futures[i])) {
            if (random_below(&campaign->random, 200) == 0) {
                campaign->cancelled[i] = true;
                (void)hkt_future_request_cancel(campaign->futures[i]);
            }
            continue;
        }
        if (campaign->futures[i])
            take_result(campaign, i);
        hand_in(campaign, i);
    }
}

static void start(struct campaign *campaign, int place)
{
    hkt_job *job = place < HOLDERS ? hold : place < HOLDERS + PRODUCERS ? produce : consume;
    struct role role = { campaign->stage, random_next(&campaign->random), ++campaign->born };
    int err;
    do /* the server may be killed in the middle of it: to be tried again */
        err = hkt_process_spawn(&campaign->crew[place], job, HKT_ITEM(role), NULL);
    while (err == -EAGAIN);
    if (err < 0)
        test_fail(__FILE__, __LINE__, "no process: %s", hkt_sentence(err));
}

/* The dead are replaced. Who ended by himself has failed a check. */
static void replace(struct campaign *campaign)
{
    for (int i = 0; i < CREW; i++) {
        int code;
        if (hkt_process_is_alive(campaign->crew[i]))
            continue;
        CHECK_EQ(hkt_process_join(campaign->crew[i]), 0);
        CHECK_EQ(hkt_process_exit_code(campaign->crew[i], &code), 0);
        CHECK_EQ(code, -SIGKILL);
        hkt_process_destroy(campaign->crew[i]);
        start(campaign, i);
    }
}

/* The fork server: a child of this process by that name; 0: there is none now.
 */
static int find_server(void)
{
    DIR *folder = opendir("/proc");
    int found = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(folder)) != NULL;) {
        char path[300], name[32] = "";
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
        if (file == NULL)
            continue;
        if (fscanf(file, "%*d (%31[^)]) %*c %d", name, &parent) == 2 && parent == getpid() &&
            strcmp(name, "hkt-forkserver") == 0)
            found = atoi(entry->d_name);
        fclose(file);
    }
    closedir(folder);
    return found;
}

static void stop_or_kill(struct campaign *campaign, int pid)
{
    if (random_below(&campaign->random, 3) == 0) {
        kill(pid, SIGSTOP);
        CHECK_EQ(hkt_sleep(random_seconds(&campaign->random, 3e-3)), 0);
        kill(pid, random_below(&campaign->random, 2) ? SIGCONT : SIGKILL);
        campaign->stops++;
    } else {
        kill(pid, SIGKILL);
    }
    campaign->kills++;
}

static void strike(struct campaign *campaign)
{
    uint64_t who = random_below(&campaign->random, 100);
    int pids[16], pid = 0;
    if (who < 2) {
        pid = find_server();
        campaign->servers += pid != 0;
    } else if (who < 50) {
        size_t n = hkt_process_pool_pids(campaign->pool, pids, 16);
        pid = n ? pids[random_below(&campaign->random, n)] : 0;
    } else {
        hkt_process *victim = campaign->crew[random_below(&campaign->random, CREW)];
        pid = hkt_process_is_alive(victim) ? hkt_process_pid(victim) : 0;
    }
    if (pid > 0)
        stop_or_kill(campaign, pid);
}

static void finish(struct campaign *campaign)
{
    struct stage *stage = campaign->stage;
    for (size_t i = 0; i < WINDOW; i++)
        if (campaign->futures[i])
            take_result(campaign, i);
    hkt_executor_destroy(campaign->pool);
    atomic_store(&stage->over, true);
    hkt_shared_queue_shutdown(stage->queue, false);
    for (int i = 0; i < CREW; i++) {
        int code;
        CHECK_EQ(hkt_process_join_until(campaign->crew[i], hkt_after(PATIENCE)), 0);
        CHECK_EQ(hkt_process_exit_code(campaign->crew[i], &code), 0);
        CHECK(code == 0 || code == -SIGKILL);
        hkt_process_destroy(campaign->crew[i]);
    }
    hkt_shared_queue_destroy(stage->queue);
}

TEST_TIMEOUT(whoever_is_killed_every_job_ends_and_nothing_is_lost_or_left, 240)
{
    static struct campaign campaign;
    long kills = test_scaled(120);
    campaign.random = (struct test_random){ test_seed() };
    campaign.stage = hkt_shared_alloc(sizeof *campaign.stage);
    CHECK(campaign.stage != NULL);
    /* Longer ones lie in memory of their own, which a producer may take with him. */
    hkt_shared_queue_options in_place = { .message_size = sizeof(struct message) };
    CHECK_EQ(hkt_shared_queue_create(&campaign.stage->queue, &in_place), 0);
    hkt_process_pool_options options = { .max_workers = 3, .grace = 1 };
    CHECK_EQ(hkt_process_pool_create(&campaign.pool, &options), 0);
    for (int i = 0; i < CREW; i++)
        start(&campaign, i);
    while (campaign.kills < kills) {
        keep_busy(&campaign);
        CHECK_EQ(hkt_sleep(random_seconds(&campaign.random, 4e-3)), 0);
        strike(&campaign);
        replace(&campaign);
    }
    finish(&campaign);
    CHECK_EQ(campaign.jobs,
             campaign.succeeded + campaign.failed + campaign.lost + campaign.cancels);
    if (hkt_shared_lock_acquire(&campaign.stage->lock) == 0)
        CHECK_EQ(campaign.stage->first, campaign.stage->second);
    hkt_shared_lock_release(&campaign.stage->lock);
    printf("seed %" PRIu64 ": %ld killed or stopped (%ld stopped, %ld times the "
           "fork server); of %ld "
           "jobs %ld succeeded, %ld failed, %ld were lost, %ld cancelled; %ld "
           "turns with the lock, "
           "%ld repairs; %ld messages put, %ld got\n",
           test_seed(), campaign.kills, campaign.stops, campaign.servers, campaign.jobs,
           campaign.succeeded, campaign.failed, campaign.lost, campaign.cancels,
           atomic_load(&campaign.stage->turns), atomic_load(&campaign.stage->repairs),
           atomic_load(&campaign.stage->put), atomic_load(&campaign.stage->got));
    hkt_shared_free(campaign.stage);
    CHECK_EQ(hkt_shared_used(), 0);
    CHECK_EQ(hkt_finalize(), 0);
}
