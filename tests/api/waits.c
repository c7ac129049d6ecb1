/* SPDX-License-Identifier: MIT */
/* See waits.h. */
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define NEVER ((hkt_deadline){ 0 })

static int sleep_until(struct place *place, hkt_deadline deadline)
{
    (void)place;
    return hkt_sleep_until(deadline);
}

static int sleep_plain(struct place *place)
{
    (void)place;
    return hkt_sleep(INFINITY);
}

static int event_until(struct place *place, hkt_deadline deadline)
{
    return hkt_event_wait_until(&place->event, deadline);
}

static int event_plain(struct place *place)
{
    return hkt_event_wait(&place->event);
}

static int lock_until(struct place *place, hkt_deadline deadline)
{
    int err = hkt_lock_acquire_until(&place->lock, deadline);
    if (err == 0)
        hkt_lock_release(&place->lock);
    return err;
}

static int lock_plain(struct place *place)
{
    return lock_until(place, NEVER);
}

static int rlock_until(struct place *place, hkt_deadline deadline)
{
    int err = hkt_rlock_acquire_until(&place->rlock, deadline);
    if (err == 0)
        hkt_rlock_release(&place->rlock);
    else
        CHECK(!hkt_rlock_owned(&place->rlock));
    return err;
}

static int rlock_plain(struct place *place)
{
    return rlock_until(place, NEVER);
}

static int read_until(struct place *place, hkt_deadline deadline)
{
    int err = hkt_rwlock_acquire_read_until(&place->rwlock, deadline);
    if (err == 0)
        hkt_rwlock_release_read(&place->rwlock);
    return err;
}

static int read_plain(struct place *place)
{
    return read_until(place, NEVER);
}

static int write_until(struct place *place, hkt_deadline deadline)
{
    int err = hkt_rwlock_acquire_write_until(&place->rwlock, deadline);
    if (err == 0)
        hkt_rwlock_release_write(&place->rwlock);
    return err;
}

static int write_plain(struct place *place)
{
    return write_until(place, NEVER);
}

/* However the wait ends, the lock is held again: TSan would tell if two changed `inside`. */
static int condition_until(struct place *place, hkt_deadline deadline)
{
    hkt_lock_acquire(&place->condition_lock);
    int err = hkt_condition_wait_until(&place->condition, &place->condition_lock, deadline);
    CHECK(hkt_lock_locked(&place->condition_lock));
    place->inside++;
    hkt_lock_release(&place->condition_lock);
    return err;
}

static int condition_plain(struct place *place)
{
    hkt_lock_acquire(&place->condition_lock);
    int err = hkt_condition_wait(&place->condition, &place->condition_lock);
    CHECK(hkt_lock_locked(&place->condition_lock));
    place->inside++;
    hkt_lock_release(&place->condition_lock);
    return err;
}

static int semaphore_until(struct place *place, hkt_deadline deadline)
{
    return hkt_semaphore_acquire_until(&place->semaphore, deadline);
}

static int semaphore_plain(struct place *place)
{
    return hkt_semaphore_acquire(&place->semaphore);
}

static int barrier_until(struct place *place, hkt_deadline deadline)
{
    return hkt_barrier_wait_until(&place->barrier, deadline);
}

static int barrier_plain(struct place *place)
{
    return hkt_barrier_wait(&place->barrier);
}

static int put_until(struct place *place, hkt_deadline deadline)
{
    return hkt_queue_put_until(place->full, &(int){ 2 }, deadline);
}

static int put_plain(struct place *place)
{
    return hkt_queue_put(place->full, &(int){ 2 });
}

static int get_until(struct place *place, hkt_deadline deadline)
{
    int item = -7;
    int err = hkt_queue_get_until(place->empty, &item, deadline);
    CHECK(err == 0 || item == -7);
    return err;
}

static int get_plain(struct place *place)
{
    int item = -7;
    int err = hkt_queue_get(place->empty, &item);
    CHECK(err == 0 || item == -7);
    return err;
}

static int queue_join_until(struct place *place, hkt_deadline deadline)
{
    return hkt_queue_join_until(place->full, deadline);
}

static int queue_join_plain(struct place *place)
{
    return hkt_queue_join(place->full);
}

static int join_until(struct place *place, hkt_deadline deadline)
{
    return hkt_thread_join_until(place->keeper, deadline);
}

static int join_plain(struct place *place)
{
    return hkt_thread_join(place->keeper);
}

static int join_all_until(struct place *place, hkt_deadline deadline)
{
    (void)place;
    return hkt_join_all_until(deadline);
}

static int join_all_plain(struct place *place)
{
    (void)place;
    return hkt_join_all();
}

static int readable_until(struct place *place, hkt_deadline deadline)
{
    return hkt_fd_wait_until(place->pipe[0], HKT_READABLE, deadline);
}

static int readable_plain(struct place *place)
{
    return hkt_fd_wait(place->pipe[0], HKT_READABLE);
}

static int writable_until(struct place *place, hkt_deadline deadline)
{
    return hkt_fd_wait_until(place->full_pipe[1], HKT_WRITABLE, deadline);
}

static int writable_plain(struct place *place)
{
    return hkt_fd_wait(place->full_pipe[1], HKT_WRITABLE);
}

static int never_called(void *arg)
{
    (void)arg;
    return 0;
}

static int once_plain(struct place *place)
{
    return hkt_once_call(&place->once, never_called, NULL);
}

const struct wait_kind wait_kinds[] = {
    { "sleep", "sleep", sleep_plain, sleep_until, 0 },
    { "event", "event", event_plain, event_until, -ETIMEDOUT },
    { "lock", "lock", lock_plain, lock_until, -ETIMEDOUT },
    { "rlock", "lock", rlock_plain, rlock_until, -ETIMEDOUT },
    { "rwlock, reading", "rwlock: reading", read_plain, read_until, -ETIMEDOUT },
    { "rwlock, writing", "rwlock: writing", write_plain, write_until, -ETIMEDOUT },
    { "condition", "condition", condition_plain, condition_until, -ETIMEDOUT },
    { "semaphore", "semaphore", semaphore_plain, semaphore_until, -ETIMEDOUT },
    { "barrier", "barrier", barrier_plain, barrier_until, -ETIMEDOUT },
    { "queue put", "queue: room", put_plain, put_until, -ETIMEDOUT },
    { "queue get", "queue: item", get_plain, get_until, -ETIMEDOUT },
    { "queue join", "queue: all work done", queue_join_plain, queue_join_until, -ETIMEDOUT },
    { "join", "thread", join_plain, join_until, -ETIMEDOUT },
    { "join all", "thread", join_all_plain, join_all_until, -ETIMEDOUT },
    { "fd, reading", "fd", readable_plain, readable_until, -ETIMEDOUT },
    { "fd, writing", "fd", writable_plain, writable_until, -ETIMEDOUT },
    { "once", "once", once_plain, NULL, 0 },
};
const size_t wait_kind_count = sizeof wait_kinds / sizeof *wait_kinds;

static int hold_once(void *arg)
{
    struct place *place = arg;
    hkt_event_set(&place->kept);
    return hkt_event_wait(&place->open);
}

static int keep(void *arg)
{
    struct place *place = arg;
    hkt_rlock_acquire(&place->rlock);
    hkt_rwlock_acquire_write(&place->rwlock);
    int err = hkt_once_call(&place->once, hold_once, place);
    hkt_rwlock_release_write(&place->rwlock);
    hkt_rlock_release(&place->rlock);
    return err;
}

static void fill(int fd)
{
    static const char zeros[4096];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    CHECK_EQ(errno, EAGAIN);
}

void place_open(struct place *place)
{
    *place = (struct place){ 0 };
    hkt_lock_acquire(&place->lock);
    CHECK_EQ(hkt_semaphore_init(&place->semaphore, 0), 0);
    CHECK_EQ(hkt_barrier_init(&place->barrier, 1000, NULL), 0);
    CHECK_EQ(hkt_queue_create(&place->empty, sizeof(int), NULL), 0);
    hkt_queue_options one = { .maxsize = 1 };
    CHECK_EQ(hkt_queue_create(&place->full, sizeof(int), &one), 0);
    CHECK_EQ(hkt_queue_put(place->full, &(int){ 1 }), 0);
    CHECK_EQ(pipe2(place->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK_EQ(pipe2(place->full_pipe, O_CLOEXEC | O_NONBLOCK), 0);
    fill(place->full_pipe[1]);
    place->keeper = must_spawn(keep, place,
                               &(hkt_thread_options){ .name = "keeper", .daemon = HKT_DAEMON_NO });
    CHECK_EQ(hkt_event_wait(&place->kept), 0);
}

void place_close(struct place *place)
{
    hkt_event_set(&place->open);
    must_join(place->keeper);
    hkt_lock_release(&place->lock);
    hkt_queue_destroy(place->empty);
    hkt_queue_destroy(place->full);
    close(place->pipe[0]);
    close(place->pipe[1]);
    close(place->full_pipe[0]);
    close(place->full_pipe[1]);
}

static int be_waiter(void *arg)
{
    struct waiter *waiter = arg;
    hkt_scope_enter(&waiter->scope, &waiter->options);
    hkt_event_set(&waiter->entered);
    waiter->began = hkt_monotonic();
    if (waiter->deadline.ns)
        waiter->result = waiter->kind->wait_until(waiter->place, waiter->deadline);
    else
        waiter->result = waiter->kind->wait(waiter->place);
    waiter->took = hkt_monotonic() - waiter->began;
    waiter->again = waiter->result;
    if (waiter->result == -ECANCELED)
        waiter->again = waiter->kind->wait(waiter->place);
    waiter->left = hkt_scope_leave(&waiter->scope);
    return 0;
}

void waiter_start(struct waiter *waiter)
{
    hkt_thread_options options = { .name = waiter->kind->name, .daemon = HKT_DAEMON_YES };
    printf("%s\n", waiter->kind->name); /* shown when the test fails */
    waiter->thread = must_spawn(be_waiter, waiter, &options);
    CHECK_EQ(hkt_event_wait(&waiter->entered), 0);
}

void waiter_join(struct waiter *waiter)
{
    must_join(waiter->thread);
}

static bool kernel_sleeps(int tid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *stat = fopen(path, "re");
    if (!stat)
        return false;
    char *end = fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
    fclose(stat);
    return end && strncmp(end, ") S", 3) == 0;
}

static bool asleep(const hkt_thread *thread)
{
    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    return info.waits_for && kernel_sleeps(info.native_id);
}

void await_asleep(const hkt_thread *thread)
{
    AWAIT(asleep(thread));
}

hkt_thread *must_spawn(int (*function)(void *), void *arg, const hkt_thread_options *options)
{
    hkt_thread *thread = NULL;
    CHECK_EQ(hkt_thread_spawn(&thread, function, arg, options), 0);
    return thread;
}

int join_result(hkt_thread *thread)
{
    int result = -1;
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    hkt_thread_destroy(thread);
    return result;
}

void must_join(hkt_thread *thread)
{
    CHECK_EQ(join_result(thread), 0);
}
