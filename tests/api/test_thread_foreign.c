/* SPDX-License-Identifier: MIT */
/* Threads that hocket did not make: they may call everything, and are seen. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "waits.h"

struct foreign {
    pthread_t pthread;
    struct place *place;
    hkt_event known, leave;
    hkt_thread *current;
    uint64_t ident;
    int native_id;
    hkt_scope scope;
    int result;
};

static void *be_known(void *arg)
{
    struct foreign *foreign = arg;
    foreign->current = hkt_thread_current();
    foreign->ident = hkt_ident();
    foreign->native_id = hkt_native_id();
    CHECK_EQ(foreign->native_id, syscall(SYS_gettid));
    hkt_event_set(&foreign->known);
    CHECK_EQ(hkt_event_wait(&foreign->leave), 0);
    return NULL;
}

static void start_foreign(struct foreign *foreign, void *(*function)(void *))
{
    CHECK_EQ(pthread_create(&foreign->pthread, NULL, function, foreign), 0);
}

/* The line of a thread among all, or NULL. */
static const hkt_thread_info *find(uint64_t ident)
{
    static hkt_thread_info infos[64];
    size_t count = hkt_thread_enumerate(infos, 64);
    CHECK(count <= 64);
    for (size_t i = 0; i < count; i++)
        if (infos[i].ident == ident)
            return &infos[i];
    return NULL;
}

TEST(a_foreign_thread_is_known_from_its_first_call_on)
{
    struct foreign foreign = { 0 };
    CHECK_EQ(hkt_thread_active_count(), 1);
    start_foreign(&foreign, be_known);
    CHECK_EQ(hkt_event_wait(&foreign.known), 0);
    CHECK_EQ(hkt_thread_active_count(), 2);
    const hkt_thread_info *info = find(foreign.ident);
    CHECK(info != NULL);
    CHECK(info->foreign);
    CHECK(info->ident != hkt_ident());
    CHECK_EQ(info->native_id, foreign.native_id);
    CHECK(strlen(info->name) > 0);
    CHECK(foreign.current != NULL && foreign.current != hkt_thread_main());
    hkt_event_set(&foreign.leave);
    pthread_join(foreign.pthread, NULL);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK(find(foreign.ident) == NULL);
}

TEST(a_foreign_thread_has_a_handle)
{
    struct foreign foreign = { 0 };
    start_foreign(&foreign, be_known);
    CHECK_EQ(hkt_event_wait(&foreign.known), 0);
    hkt_thread *thread = foreign.current;
    CHECK_EQ(hkt_thread_ident(thread), foreign.ident);
    CHECK_EQ(hkt_thread_native_id(thread), foreign.native_id);
    CHECK(hkt_thread_is_alive(thread));
    CHECK_EQ(hkt_thread_join(thread), -EINVAL);
    CHECK_EQ(hkt_thread_join_until(thread, hkt_after(0)), -EINVAL);
    CHECK_EQ(hkt_thread_start(thread), -EALREADY);
    CHECK_EQ(hkt_thread_set_daemon(thread, true), -EBUSY);
    await_waiting_for(thread, &foreign.leave);
    CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_BLOCKED);
    CHECK_EQ(hkt_thread_set_name(thread, "stranger"), 0);
    CHECK_STR(hkt_thread_name(thread), "stranger");
    CHECK_STR(find(foreign.ident)->name, "stranger");
    hkt_event_set(&foreign.leave);
    pthread_join(foreign.pthread, NULL);
}

static void *join_itself(void *arg)
{
    (void)arg;
    int err = hkt_thread_join(hkt_thread_current());
    CHECK(err == -EDEADLK || err == -EINVAL);
    return NULL;
}

TEST(a_foreign_thread_does_not_join_itself)
{
    struct foreign foreign = { 0 };
    start_foreign(&foreign, join_itself);
    pthread_join(foreign.pthread, NULL);
}

TEST(foreign_threads_do_not_hold_up_joining_all)
{
    struct foreign foreign = { 0 };
    start_foreign(&foreign, be_known);
    CHECK_EQ(hkt_event_wait(&foreign.known), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_finalize(), 0); /* nor the end */
    hkt_event_set(&foreign.leave);
    pthread_join(foreign.pthread, NULL);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int note_daemon(void *arg)
{
    *(bool *)arg = hkt_thread_daemon(hkt_thread_current());
    return 0;
}

static void *call_everything(void *arg)
{
    struct foreign *foreign = arg;
    hkt_queue *queue;
    hkt_timer *timer;
    hkt_local *local;
    int item = 7;
    bool daemon = true;
    must_join(must_spawn(note_daemon, &daemon, NULL));
    CHECK(!daemon);
    CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
    CHECK_EQ(hkt_timer_start(&timer, 0.001, nothing, NULL), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
    CHECK_EQ(hkt_queue_create(&queue, sizeof item, NULL), 0);
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    CHECK_EQ(hkt_queue_get(queue, &item), 0);
    hkt_queue_destroy(queue);
    CHECK_EQ(hkt_local_create(&local, NULL), 0);
    CHECK_EQ(hkt_local_set(local, &item), 0);
    CHECK(hkt_local_get(local) == &item);
    hkt_local_destroy(local);
    CHECK_EQ(hkt_fail(-EIO, "foreign"), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "foreign");
    for (size_t i = 0; i < wait_kind_count; i++) {
        const struct wait_kind *kind = &wait_kinds[i];
        if (kind->wait_until)
            CHECK_EQ(kind->wait_until(foreign->place, hkt_after(0.002)), kind->timed_out);
        hkt_barrier_reset(&foreign->place->barrier);
    }
    return NULL;
}

TEST(a_foreign_thread_may_call_everything)
{
    struct place place;
    struct foreign foreign = { .place = &place };
    place_open(&place);
    start_foreign(&foreign, call_everything);
    pthread_join(foreign.pthread, NULL);
    place_close(&place);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_allocation_count(), 0); /* and its eventfd is closed: the harness looks */
}

static void *wait_in_scope(void *arg)
{
    struct foreign *foreign = arg;
    foreign->current = hkt_thread_current();
    hkt_scope_enter(&foreign->scope, NULL);
    hkt_event_set(&foreign->known);
    foreign->result = hkt_sleep(1000);
    CHECK_EQ(hkt_scope_leave(&foreign->scope), -ECANCELED);
    return NULL;
}

TEST(a_foreign_thread_can_be_cancelled)
{
    struct foreign foreign = { 0 };
    start_foreign(&foreign, wait_in_scope);
    CHECK_EQ(hkt_event_wait(&foreign.known), 0);
    await_asleep(foreign.current);
    hkt_scope_cancel(&foreign.scope);
    pthread_join(foreign.pthread, NULL);
    CHECK_EQ(foreign.result, -ECANCELED);
}

static atomic_int dropped;

static void drop(void *value)
{
    CHECK(hkt_ident() == *(uint64_t *)value); /* in its own thread */
    dropped++;
}

static void *keep_local(void *arg)
{
    static _Thread_local uint64_t ident;
    ident = hkt_ident();
    CHECK_EQ(hkt_local_set(arg, &ident), 0);
    return NULL;
}

TEST(the_locals_of_a_foreign_thread_are_destroyed_at_its_end)
{
    hkt_local *local;
    pthread_t pthread;
    CHECK_EQ(hkt_local_create(&local, drop), 0);
    for (int i = 1; i <= 5; i++) {
        CHECK_EQ(pthread_create(&pthread, NULL, keep_local, local), 0);
        pthread_join(pthread, NULL);
        CHECK_EQ(dropped, i);
    }
    hkt_local_destroy(local);
    CHECK_EQ(hkt_allocation_count(), 0);
}

/* Destructors of pthread keys run when the thread is already on its way out, ours perhaps before.
 * */
static pthread_key_t key;
static atomic_int key_calls;

static void at_key(void *value)
{
    hkt_thread_info infos[8];
    CHECK(value == &key_calls);
    CHECK(hkt_ident() != 0);
    CHECK(hkt_thread_current() != NULL);
    CHECK_EQ(hkt_native_id(), syscall(SYS_gettid));
    CHECK(hkt_thread_enumerate(infos, 8) >= 2);
    CHECK_EQ(hkt_sleep(0.001), 0);
    must_join(must_spawn(nothing, NULL, NULL));
    CHECK_EQ(hkt_fail(-EIO, "late"), -EIO);
    key_calls++;
}

static int set_key(void *arg)
{
    CHECK_EQ(pthread_setspecific(key, &key_calls), 0);
    CHECK_EQ(hkt_sleep(0), 0);
    (void)arg;
    return 0;
}

static void *set_key_foreign(void *arg)
{
    set_key(arg);
    return NULL;
}

static void use_key(void)
{
    pthread_t pthread;
    must_join(must_spawn(set_key, NULL, NULL));
    CHECK_EQ(key_calls, 1);
    CHECK_EQ(pthread_create(&pthread, NULL, set_key_foreign, NULL), 0);
    pthread_join(pthread, NULL);
    CHECK_EQ(key_calls, 2);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
    pthread_key_delete(key);
}

TEST(destructors_of_older_keys_may_call_everything)
{
    CHECK_EQ(pthread_key_create(&key, at_key), 0); /* before hocket makes its own */
    use_key();
}

TEST(destructors_of_younger_keys_may_call_everything)
{
    CHECK_EQ(hkt_sleep(0), 0);
    must_join(must_spawn(nothing, NULL, NULL));
    CHECK_EQ(pthread_key_create(&key, at_key), 0);
    use_key();
}

static void *come_and_go(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_sleep(0), 0);
    CHECK(hkt_ident() != 0);
    return NULL;
}

TEST_TIMEOUT(foreign_threads_come_and_go_while_all_are_listed, 60)
{
    for (long i = 0; i < test_scaled(300); i++) {
        pthread_t pthreads[4];
        for (int k = 0; k < 4; k++)
            CHECK_EQ(pthread_create(&pthreads[k], NULL, come_and_go, NULL), 0);
        hkt_thread_info infos[8];
        size_t count = hkt_thread_enumerate(infos, 8);
        CHECK(count >= 1 && count <= 5);
        CHECK_EQ(infos[0].native_id, getpid());
        for (int k = 0; k < 4; k++)
            pthread_join(pthreads[k], NULL);
        CHECK_EQ(hkt_thread_active_count(), 1);
    }
}
