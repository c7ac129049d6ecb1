/* SPDX-License-Identifier: MIT */
/* What is known of processes that were killed must not be found in memory that is another's by then. */
#include <hocket.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../api/processes.h"
#include "proc/arena.h"
#include "proc/identity.h"
#include "proc/stake.h"
#include "proc/start.h"

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *start_one(void *arg)
{
    hkt_process **process = arg;
    CHECK_EQ(hkt_process_spawn(process, do_nothing, NULL, 0, NULL), 0);
    return NULL;
}

/* How many processes the family has a record of. */
static size_t records(void)
{
    size_t count = 0;
    for (int i = 0; i < HKTI_FAMILY_MAX; i++)
        count += __atomic_load_n(&hkti_arena_modules()->records[i], __ATOMIC_SEQ_CST) != NULL;
    return count;
}

TEST(a_start_that_is_tried_again_leaves_no_record_behind)
{
    for (int i = 0; i < 5; i++) {
        hkt_process *process;
        pthread_t starter;
        start_one(&process);
        CHECK_EQ(end_of(process), 0);
        int server = server_pid();
        CHECK_EQ(kill(server, SIGSTOP), 0);
        CHECK_EQ(pthread_create(&starter, NULL, start_one, &process), 0);
        while (records() == 0)
            usleep(100);
        CHECK_EQ(kill(server, SIGKILL), 0);
        CHECK_EQ(pthread_join(starter, NULL), 0);
        CHECK_EQ(end_of(process), 0);
        CHECK_EQ(records(), 0);
    }
    finalize_alone();
}

struct scene {
    hkt_shared_queue *queue;
    int middle, server, getter, token;
};

static int get_one(void *arg)
{
    struct scene *scene = arg;
    long message;
    scene->token = (int)hkti_family_token();
    scene->server = getppid();
    put(&scene->getter, getpid());
    return hkt_shared_queue_get(scene->queue, &message, sizeof message);
}

static int start_getter(void *arg)
{
    struct scene *scene = arg;
    hkt_process *getter;
    int err = hkt_process_spawn(&getter, get_one, scene, 0, NULL);
    put(&scene->middle, getpid());
    return err < 0 ? err : hkt_process_finish(getter);
}

/* Has it written down where it waits? */
static bool waits(uint32_t token)
{
    return hkti_load_seq_cst(&hkti_stakes_of(token)[0]) != 0; /* pairs: bury */
}

TEST(who_was_killed_unseen_in_a_queue_leaves_its_memory_to_the_next)
{
    struct scene *scene = hkt_shared_alloc(sizeof *scene);
    CHECK_EQ(hkt_shared_queue_create(&scene->queue, NULL), 0);
    size_t size = hkti_shared_size(scene->queue);
    hkt_process *middle = start_by(HKT_START_FORKSERVER, start_getter, scene, 0);
    await_word(&scene->middle);
    await_word(&scene->getter);
    while (!waits((uint32_t)scene->token))
        usleep(1000);
    CHECK_EQ(kill(scene->server, SIGSTOP), 0); /* so nobody sees the getter's end */
    CHECK_EQ(kill(scene->middle, SIGSTOP), 0);
    CHECK_EQ(kill(scene->getter, SIGKILL), 0);
    CHECK_EQ(kill(scene->server, SIGKILL), 0);
    CHECK_EQ(kill(scene->middle, SIGKILL), 0);
    CHECK_EQ(end_of(middle), -SIGKILL);
    CHECK(is_gone_within(scene->getter, 10));
    hkt_shared_queue_destroy(scene->queue);
    unsigned char *next = hkt_shared_alloc(size);
    memset(next, 0x55, size);
    CHECK(hkti_family_look((uint32_t)scene->token));
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(next[i], 0x55);
    hkt_shared_free(next);
    hkt_shared_free(scene);
    finalize_alone();
}
