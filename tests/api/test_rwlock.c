/* SPDX-License-Identifier: MIT */
/* hkt_rwlock: many readers or one writer, in the order of coming. Writing alone, deadlines and
 * cancel of the writers are in the contract of locks (tests/contract). */
#include <hocket/event.h>
#include <hocket/rwlock.h>
#include <sched.h>

#include "caller.h"
#include "random.h"
#include "test.h"

/* A lock, until when to try for it, and what holders wait for before they release. */
struct site {
    hkt_rwlock lock;
    hkt_deadline deadline;
    hkt_event go_on;
    atomic_int readers, most_readers;
    int order[8];
    atomic_int entered;
};

static int read_until(void *arg)
{
    struct site *site = arg;
    int err = hkt_rwlock_acquire_read_until(&site->lock, site->deadline);
    if (err == 0)
        hkt_rwlock_release_read(&site->lock);
    return err;
}

static int read_nowait(void *arg)
{
    struct site *site = arg;
    int err = hkt_rwlock_acquire_read_nowait(&site->lock);
    if (err == 0)
        hkt_rwlock_release_read(&site->lock);
    return err;
}

static int write_until(void *arg)
{
    struct site *site = arg;
    int err = hkt_rwlock_acquire_write_until(&site->lock, site->deadline);
    if (err == 0)
        hkt_rwlock_release_write(&site->lock);
    return err;
}

static int write_nowait(void *arg)
{
    struct site *site = arg;
    int err = hkt_rwlock_acquire_write_nowait(&site->lock);
    if (err == 0)
        hkt_rwlock_release_write(&site->lock);
    return err;
}

/* Reads until it is told to go on. */
static int stay_reading(void *arg)
{
    struct site *site = arg;
    hkt_rwlock_acquire_read(&site->lock);
    atomic_fetch_add(&site->readers, 1);
    CHECK_EQ(hkt_event_wait(&site->go_on), 0);
    atomic_fetch_sub(&site->readers, 1);
    hkt_rwlock_release_read(&site->lock);
    return 0;
}

TEST(all_zero_is_a_free_rwlock)
{
    static struct site site;
    CHECK_EQ(read_nowait(&site), 0);
    CHECK_EQ(write_nowait(&site), 0);
}

TEST(readers_read_at_the_same_time)
{
    struct site site = { 0 };
    struct caller readers[4];
    for (int i = 0; i < 4; i++)
        caller_start(&readers[i], stay_reading, &site);
    AWAIT(atomic_load(&site.readers) == 4);
    CHECK_EQ(read_nowait(&site), 0);
    CHECK_EQ(hkt_rwlock_acquire_read_until(&site.lock, hkt_after(0)), 0);
    hkt_rwlock_release_read(&site.lock);
    hkt_event_set(&site.go_on);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&readers[i]), 0);
}

TEST(a_writer_waits_for_the_last_reader)
{
    struct site site = { 0 };
    struct caller readers[2], writer;
    for (int i = 0; i < 2; i++)
        caller_start_waiting(&readers[i], stay_reading, &site, &site.go_on);
    CHECK_EQ(write_nowait(&site), -EAGAIN);
    site.deadline = hkt_after(0);
    CHECK_EQ(write_until(&site), -ETIMEDOUT);
    site.deadline = hkt_after(1000);
    caller_start_waiting(&writer, write_until, &site, &site.lock);
    hkt_event_set(&site.go_on);
    CHECK_EQ(caller_end(&writer), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&readers[i]), 0);
}

TEST(readers_wait_for_the_writer)
{
    struct site site = { 0 };
    struct caller reader;
    hkt_rwlock_acquire_write(&site.lock);
    CHECK_EQ(call_elsewhere(read_nowait, &site), -EAGAIN);
    site.deadline = hkt_after(0.01);
    CHECK_EQ(call_elsewhere(read_until, &site), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(site.deadline));
    site.deadline = (hkt_deadline){ 0 };
    caller_start(&reader, read_until, &site);
    await_state(reader.thread, HKT_THREAD_BLOCKED);
    hkt_rwlock_release_write(&site.lock);
    CHECK_EQ(caller_end(&reader), 0);
}

TEST(a_reader_that_comes_after_a_waiting_writer_waits_too)
{
    struct site site = { 0 };
    struct caller writer, reader;
    hkt_rwlock_acquire_read(&site.lock);
    caller_start_waiting(&writer, write_until, &site, &site.lock);
    CHECK_EQ(read_nowait(&site), -EAGAIN);
    caller_start_waiting(&reader, read_until, &site, &site.lock);
    hkt_rwlock_release_read(&site.lock);
    CHECK_EQ(caller_end(&writer), 0);
    CHECK_EQ(caller_end(&reader), 0);
}

struct comer {
    struct site *site;
    int number;
    bool writes;
};

static int enter_in_turn(void *arg)
{
    struct comer *comer = arg;
    struct site *site = comer->site;
    if (comer->writes)
        hkt_rwlock_acquire_write(&site->lock);
    else
        hkt_rwlock_acquire_read(&site->lock);
    site->order[atomic_fetch_add(&site->entered, 1)] = comer->number;
    if (comer->writes)
        hkt_rwlock_release_write(&site->lock);
    else
        hkt_rwlock_release_read(&site->lock);
    return 0;
}

/* Writer 0, readers 1 and 2, writer 3, reader 4, writer 5: only 1 and 2 may change places. */
TEST(who_comes_first_is_served_first)
{
    static const bool writes[6] = { true, false, false, true, false, true };
    struct site site = { 0 };
    struct caller callers[6];
    struct comer comers[6];
    hkt_rwlock_acquire_write(&site.lock);
    for (int i = 0; i < 6; i++) {
        comers[i] = (struct comer){ &site, i, writes[i] };
        caller_start_waiting(&callers[i], enter_in_turn, &comers[i], &site.lock);
    }
    hkt_rwlock_release_write(&site.lock);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(site.order[0], 0);
    CHECK_EQ(site.order[1] + site.order[2], 1 + 2);
    for (int i = 3; i < 6; i++)
        CHECK_EQ(site.order[i], i);
}

TEST(readers_that_waited_go_in_together)
{
    struct site site = { 0 };
    struct caller readers[3], writer;
    hkt_rwlock_acquire_write(&site.lock);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&readers[i], stay_reading, &site, &site.lock);
    caller_start_waiting(&writer, write_until, &site, &site.lock);
    hkt_rwlock_release_write(&site.lock);
    AWAIT(atomic_load(&site.readers) == 3);
    CHECK(waits_for(writer.thread, &site.lock));
    hkt_event_set(&site.go_on);
    CHECK_EQ(caller_end(&writer), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&readers[i]), 0);
}

/* The readers behind a writer that gives up can go on, although nobody releases anything. */
static void let_writer_give_up(double seconds)
{
    struct site site = { 0 };
    struct caller writer, readers[2];
    hkt_rwlock_acquire_read(&site.lock);
    site.deadline = seconds > 0 ? hkt_after(seconds) : (hkt_deadline){ 0 };
    caller_start(&writer, write_until, &site);
    AWAIT(waits_for(writer.thread, &site.lock) || hkt_deadline_passed(site.deadline));
    for (int i = 0; i < 2; i++)
        caller_start(&readers[i], stay_reading, &site);
    if (seconds == 0)
        caller_cancel(&writer);
    CHECK_EQ(caller_end(&writer), seconds > 0 ? -ETIMEDOUT : -ECANCELED);
    AWAIT(atomic_load(&site.readers) == 2);
    hkt_event_set(&site.go_on);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&readers[i]), 0);
    hkt_rwlock_release_read(&site.lock);
    CHECK_EQ(write_nowait(&site), 0);
}

TEST(a_writer_that_is_cancelled_lets_the_readers_behind_it_go)
{
    let_writer_give_up(0);
}

TEST(a_writer_whose_deadline_passes_lets_the_readers_behind_it_go)
{
    let_writer_give_up(0.05);
}

TEST(readers_are_cancelled_in_the_until_form_alone)
{
    struct site site = { 0 };
    struct caller reader, plain;
    hkt_rwlock_acquire_write(&site.lock);
    caller_start_waiting(&reader, read_until, &site, &site.lock);
    hkt_event_set(&site.go_on);
    caller_start_waiting(&plain, enter_in_turn, &(struct comer){ &site, 1, false }, &site.lock);
    caller_cancel(&reader);
    caller_cancel(&plain);
    CHECK_EQ(caller_end(&reader), -ECANCELED);
    CHECK_EQ(atomic_load(&site.entered), 0);
    hkt_rwlock_release_write(&site.lock);
    CHECK_EQ(caller_end(&plain), 0);
    CHECK_EQ(call_cancelled(read_until, &site), -ECANCELED);
    CHECK_EQ(call_cancelled(read_nowait, &site), 0);
    site.deadline = hkt_after(0);
    CHECK_EQ(call_cancelled(read_until, &site), 0);
    CHECK_EQ(write_nowait(&site), 0);
}

static int read_again_and_again(void *arg)
{
    struct comer *comer = arg;
    while (atomic_load(&comer->site->entered) == 0) {
        hkt_rwlock_acquire_read(&comer->site->lock);
        sched_yield();
        hkt_rwlock_release_read(&comer->site->lock);
    }
    return 0;
}

/* Readers who come again and again, so that there is always one. */
TEST(readers_do_not_starve_a_writer)
{
    struct site site = { 0 };
    struct comer writer = { &site, 1, true };
    struct caller readers[3];
    for (int i = 0; i < 3; i++)
        caller_start(&readers[i], read_again_and_again, &writer);
    CHECK_EQ(call_elsewhere(enter_in_turn, &writer), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&readers[i]), 0);
}

static int write_again_and_again(void *arg)
{
    struct comer *comer = arg;
    while (atomic_load(&comer->site->entered) == 0) {
        hkt_rwlock_acquire_write(&comer->site->lock);
        sched_yield();
        hkt_rwlock_release_write(&comer->site->lock);
    }
    return 0;
}

TEST(writers_do_not_starve_a_reader)
{
    struct site site = { 0 };
    struct comer reader = { &site, 1, false };
    struct caller writers[3];
    for (int i = 0; i < 3; i++)
        caller_start(&writers[i], write_again_and_again, &reader);
    CHECK_EQ(call_elsewhere(enter_in_turn, &reader), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&writers[i]), 0);
}

/* What writers write: two numbers that are always the same. */
struct pair {
    hkt_rwlock lock;
    long first, second;
    long turns;
};

struct pair_worker {
    struct pair *pair;
    struct test_random random;
    long written;
};

static void write_pair(struct pair_worker *worker)
{
    struct pair *pair = worker->pair;
    pair->first++;
    if (random_below(&worker->random, 16) == 0)
        sched_yield();
    pair->second++;
    worker->written++;
    hkt_rwlock_release_write(&pair->lock);
}

static void read_pair(struct pair_worker *worker)
{
    struct pair *pair = worker->pair;
    long first = pair->first;
    if (random_below(&worker->random, 16) == 0)
        sched_yield();
    CHECK_EQ(pair->second, first);
    hkt_rwlock_release_read(&pair->lock);
}

static int read_and_write_pairs(void *arg)
{
    struct pair_worker *worker = arg;
    hkt_rwlock *lock = &worker->pair->lock;
    for (long turn = 0; turn < worker->pair->turns; turn++) {
        hkt_deadline deadline = hkt_after(random_seconds(&worker->random, 0.0002));
        switch (random_below(&worker->random, 6)) {
        case 0:
            hkt_rwlock_acquire_write(lock);
            write_pair(worker);
            break;
        case 1:
            if (hkt_rwlock_acquire_write_until(lock, deadline) == 0)
                write_pair(worker);
            break;
        case 2:
            if (hkt_rwlock_acquire_write_nowait(lock) == 0)
                write_pair(worker);
            break;
        case 3:
            hkt_rwlock_acquire_read(lock);
            read_pair(worker);
            break;
        case 4:
            if (hkt_rwlock_acquire_read_until(lock, deadline) == 0)
                read_pair(worker);
            break;
        default:
            if (hkt_rwlock_acquire_read_nowait(lock) == 0)
                read_pair(worker);
        }
    }
    return 0;
}

TEST_TIMEOUT(readers_never_see_half_of_what_is_written, 60)
{
    struct pair pair = { .turns = test_scaled(10000) };
    struct pair_worker workers[4];
    long written = 0;
    for (unsigned i = 0; i < 4; i++)
        workers[i] = (struct pair_worker){ .pair = &pair, .random = random_of(i) };
    call_in_threads(4, read_and_write_pairs, workers, sizeof *workers);
    for (unsigned i = 0; i < 4; i++)
        written += workers[i].written;
    CHECK_EQ(pair.first, written);
    CHECK_EQ(pair.second, written);
    CHECK_EQ(hkt_rwlock_acquire_write_nowait(&pair.lock), 0);
}

TEST_ABORTS(releasing_a_free_rwlock_as_a_reader_is_misuse, "hkt_rwlock_release_read: nobody reads")
{
    static hkt_rwlock lock;
    hkt_rwlock_release_read(&lock);
}

TEST_ABORTS(releasing_a_free_rwlock_as_a_writer_is_misuse,
            "hkt_rwlock_release_write: nobody writes")
{
    static hkt_rwlock lock;
    hkt_rwlock_release_write(&lock);
}

TEST_ABORTS(a_writer_that_releases_as_a_reader_is_misuse, "hkt_rwlock_release_read: nobody reads")
{
    static hkt_rwlock lock;
    hkt_rwlock_acquire_write(&lock);
    hkt_rwlock_release_read(&lock);
}

TEST_ABORTS(a_reader_that_releases_as_a_writer_is_misuse, "hkt_rwlock_release_write: nobody writes")
{
    static hkt_rwlock lock;
    hkt_rwlock_acquire_read(&lock);
    hkt_rwlock_release_write(&lock);
}
