/* SPDX-License-Identifier: MIT */
/* Fds in a loop, under all schedules: tasks wait for pipes while others write, cancel, and deadlines pass;
 * and a loop that a thread drives by the loop's own fd sleeps through nothing. */
#include <sys/socket.h>
#include <unistd.h>

#include "loops.h"

static int pipes[2][2];
static hkt_future *waiter;
static hkt_event entered;
static int ran, got;

static int begin(void)
{
    ran = got = 0;
    entered = (hkt_event){ { 0 } };
    MUST(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
    return loop_begin();
}

static int end(int err)
{
    err = loop_end(err);
    for (int i = 0; i < 4; i++)
        close(pipes[i / 2][i % 2]);
    return err;
}

static int write_to(int number)
{
    return write(pipes[number][1], "x", 1) == 1 ? 0 : -EIO;
}

static int read_from(int number)
{
    char byte;
    int err = hkt_fd_wait(pipes[number][0], HKT_READABLE);
    if (err < 0)
        return err;
    MUST(err == HKT_READABLE || err == 0);
    MUST(read(pipes[number][0], &byte, 1) == 1);
    got++;
    return 0;
}

/* There and back: a task waits for the thread's byte, and the thread for the task's. */
static int echoes(void *arg)
{
    (void)arg;
    int err = read_from(0);
    return err < 0 ? err : write_to(1);
}

static int asks_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        MUST(write_to(0) == 0 && read_from(1) == 0);
    return 0;
}

static int echoes_twice(void *arg)
{
    int err = echoes(arg);
    return err < 0 ? err : echoes(arg);
}

static int there_and_back(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(asks_twice);
    int err = hkt_loop_run(loop, echoes_twice, NULL);
    MUST(join_others() == 0);
    MUST(err < 0 || got == 4);
    return end(err);
}

TEST_TIMEOUT(tasks_wait_for_pipes, 60)
{
    bury();
    prove_for(2500, there_and_back);
}

/* What is handed in meanwhile, and other wake-ups, come through while the loop sleeps for an fd. */
static int counts(void *arg)
{
    (void)arg;
    ran++;
    return 0;
}

static int hands_in_and_writes(void *arg)
{
    (void)arg;
    hkt_event_set(&entered);
    int err = hkt_loop_call_soon(loop, NULL, counts, NULL);
    hkt_future *future;
    MUST(err == 0 && hkt_submit(hkt_loop_executor(loop), &future, counts, NULL) == 0);
    MUST(hkt_future_finish(future) == 0 && ran == 2);
    return write_to(0);
}

static int waits_for_event(void *arg)
{
    (void)arg;
    int err = hkt_event_wait(&entered);
    got++;
    return err;
}

static int reads_beside(void *arg)
{
    hkt_task *other;
    (void)arg;
    MUST(hkt_task_spawn(&other, waits_for_event, NULL) == 0);
    int err = read_from(0);
    MUST(hkt_future_finish(other) == 0 && got == 2);
    return err;
}

static int handed_in_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(hands_in_and_writes);
    return end(hkt_loop_run(loop, reads_beside, NULL));
}

TEST_TIMEOUT(a_loop_that_sleeps_for_fds_hears_the_doorbell, 60)
{
    bury();
    prove_for(2500, handed_in_meanwhile);
}

/* A cancel and a deadline race with the byte. */
static int waits_in_vain_perhaps(void *arg)
{
    (void)arg;
    hkt_event_set(&entered);
    return read_from(0);
}

static int cancels(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    (void)hkt_future_request_cancel(waiter);
    return 0;
}

static int writes(void *arg)
{
    (void)arg;
    return write_to(0);
}

static int is_cancelled(void *arg)
{
    (void)arg;
    MUST(hkt_task_spawn(&waiter, waits_in_vain_perhaps, NULL) == 0);
    beside(cancels);
    int err = hkt_future_wait(waiter), result;
    MUST(err == 0 && hkt_future_result(waiter, &result) == 0);
    MUST(result == (got ? 0 : -ECANCELED));
    return got ? 0 : read_from(0);
}

static int cancelled_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(writes);
    int err = hkt_loop_run(loop, is_cancelled, NULL);
    MUST(join_others() == 0);
    hkt_future_destroy(waiter);
    return end(err);
}

static int waits_shortly(void *arg)
{
    (void)arg;
    int err;
    do
        err = hkt_fd_wait_until(pipes[0][0], HKT_READABLE, hkt_after(1e-6));
    while (err == -ETIMEDOUT);
    return err < 0 ? err : read_from(0);
}

static int short_waits(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(writes);
    int err = hkt_loop_run(loop, waits_shortly, NULL);
    MUST(err < 0 || got == 1);
    return end(err);
}

TEST_TIMEOUT(cancels_and_deadlines_race_with_fds, 60)
{
    bury();
    prove_for(2500, cancelled_meanwhile);
    prove_for(2500, short_waits);
}

/* Two tasks want different things of one fd, of which one comes first. */
static int pair[2];

static int writes_to_pair(void *arg)
{
    (void)arg;
    MUST(hkt_fd_wait(pair[0], HKT_WRITABLE) == HKT_WRITABLE);
    got++;
    return 0;
}

static int reads_from_pair(void *arg)
{
    (void)arg;
    MUST(hkt_fd_wait(pair[0], HKT_READABLE) == HKT_READABLE);
    got++;
    return 0;
}

static int writes_to_other_end(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    return write(pair[1], "x", 1) == 1 ? 0 : -EIO;
}

static int two_of_one_fd(void *arg)
{
    hkt_task *reader, *writer;
    (void)arg;
    MUST(hkt_task_spawn(&reader, reads_from_pair, NULL) == 0);
    MUST(hkt_task_spawn(&writer, writes_to_pair, NULL) == 0);
    MUST(hkt_future_finish(writer) == 0);
    hkt_event_set(&entered);
    return hkt_future_finish(reader);
}

static int shared_fd(void *arg)
{
    (void)arg;
    MUST(begin() == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    beside(writes_to_other_end);
    int err = end(hkt_loop_run(loop, two_of_one_fd, NULL));
    close(pair[0]);
    close(pair[1]);
    MUST(err < 0 || got == 2);
    return err;
}

TEST_TIMEOUT(two_tasks_wait_for_one_fd, 60)
{
    bury();
    prove_for(2000, shared_fd);
}

/* A watcher is called for what is there, until it is taken back. */
static int reads_one(void *arg)
{
    char byte;
    (void)arg;
    MUST(read(pipes[0][0], &byte, 1) == 1);
    if (++got == 2)
        hkt_event_set(&entered);
    return 0;
}

static int writes_two(void *arg)
{
    (void)arg;
    return write_to(0) < 0 ? -EIO : write_to(0);
}

static int watches(void *arg)
{
    (void)arg;
    MUST(hkt_loop_add_watcher(loop, pipes[0][0], HKT_READABLE, reads_one, NULL) == 0);
    int err = hkt_event_wait(&entered);
    MUST(hkt_loop_remove_watcher(loop, pipes[0][0], HKT_READABLE));
    return err;
}

static int watched(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(writes_two);
    return end(hkt_loop_run(loop, watches, NULL));
}

TEST_TIMEOUT(a_watcher_sees_each_byte, 60)
{
    bury();
    prove_for(2500, watched);
}

/* Driven by a thread that waits for the loop's fd. */
static int reads_here(void *arg)
{
    (void)arg;
    int err = read_from(0);
    ran++;
    return err;
}

static int sleeps_shortly(void *arg)
{
    (void)arg;
    int err = hkt_sleep(2e-6);
    ran++;
    return err;
}

static int hands_in_all(void *arg)
{
    (void)arg;
    MUST(submit(reads_here) == 0);
    MUST(hkt_loop_call_soon(loop, NULL, counts, NULL) == 0);
    return write_to(0);
}

static int hands_in_counts(void *arg)
{
    (void)arg;
    return submit(counts);
}

static int drive(int until)
{
    int fd = hkt_loop_fd(loop);
    MUST(fd >= 0);
    while (ran < until) {
        MUST(hkt_fd_wait(fd, HKT_READABLE) >= 0);
        MUST(hkt_loop_step(loop) >= 0);
    }
    return 0;
}

static int driven(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(hands_in_all);
    beside(hands_in_counts);
    return end(drive(3));
}

static int driven_and_run(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    MUST(submit(sleeps_shortly) == 0);
    beside(hands_in_counts);
    MUST(drive(1) == 0);
    MUST(hkt_loop_run(loop, counts, NULL) == 0);
    beside(hands_in_counts);
    return end(drive(4));
}

TEST_TIMEOUT(a_loop_that_is_driven_hears_all, 60)
{
    bury();
    prove_for(2500, driven);
    /* Its timer is real, and rings at once in a time that is not: so each schedule is long. */
    prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(2000), driven_and_run);
    prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(2000), driven_and_run);
    prove_by(HKT_SIMULATE_EXHAUSTIVE, (uint64_t)test_scaled(200), driven_and_run);
}
