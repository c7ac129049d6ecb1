/* SPDX-License-Identifier: MIT */
/* hocket/thread_state.h: what threads do, seen from outside. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "waits.h"

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

static atomic_bool go_on;

static int run_until_told(void *arg)
{
    (void)arg;
    while (!go_on)
        await_moment(); /* a foreign wait */
    return 0;
}

TEST(states_have_words)
{
    CHECK_STR(hkt_thread_state_name(HKT_THREAD_NEW), "new");
    CHECK_STR(hkt_thread_state_name(HKT_THREAD_RUNNABLE), "runnable");
    CHECK_STR(hkt_thread_state_name(HKT_THREAD_BLOCKED), "blocked");
    CHECK_STR(hkt_thread_state_name(HKT_THREAD_TIMED_WAITING), "timed waiting");
    CHECK_STR(hkt_thread_state_name(HKT_THREAD_TERMINATED), "terminated");
    CHECK(strlen(hkt_thread_state_name((hkt_thread_state)99)) > 0);
}

static int live(void *arg)
{
    hkt_event *events = arg;
    CHECK_EQ(hkt_event_wait(&events[0]), 0);
    CHECK_EQ(hkt_event_wait_until(&events[1], hkt_after(1000)), 0);
    while (!go_on)
        await_moment();
    return 0;
}

TEST(a_life_in_five_states)
{
    hkt_event events[2] = { 0 };
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, live, events, NULL), 0);
    CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_NEW);
    CHECK_EQ(hkt_thread_start(thread), 0);
    await_state(thread, HKT_THREAD_BLOCKED);
    hkt_event_set(&events[0]);
    await_state(thread, HKT_THREAD_TIMED_WAITING);
    hkt_event_set(&events[1]);
    await_state(thread, HKT_THREAD_RUNNABLE);
    go_on = true;
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_TERMINATED);
    hkt_thread_destroy(thread);
}

TEST(a_new_thread_is_described)
{
    hkt_thread_info info;
    hkt_thread *thread;
    hkt_thread_options options = { .name = "unborn", .daemon = HKT_DAEMON_YES };
    CHECK_EQ(hkt_thread_create(&thread, run_until_told, NULL, &options), 0);
    memset(&info, 0x77, sizeof info);
    hkt_thread_get_info(thread, &info);
    CHECK_EQ(info.ident, 0);
    CHECK_EQ(info.native_id, 0);
    CHECK(info.daemon);
    CHECK(!info.foreign);
    CHECK_EQ(info.state, HKT_THREAD_NEW);
    CHECK(info.waits_for == NULL);
    CHECK(info.object == NULL);
    CHECK_STR(info.name, "unborn");
    hkt_thread_destroy(thread);
}

TEST(a_running_thread_is_described)
{
    hkt_thread_info info;
    hkt_thread *thread = must_spawn(run_until_told, NULL, &(hkt_thread_options){ .name = "busy" });
    hkt_thread_get_info(thread, &info);
    CHECK_EQ(info.ident, hkt_thread_ident(thread));
    CHECK_EQ(info.native_id, hkt_thread_native_id(thread));
    CHECK(!info.daemon);
    CHECK(!info.foreign);
    CHECK_EQ(info.state, HKT_THREAD_RUNNABLE);
    CHECK(info.waits_for == NULL);
    CHECK_STR(info.name, "busy");
    go_on = true;
    CHECK_EQ(hkt_thread_join(thread), 0);
    hkt_thread_get_info(thread, &info);
    CHECK_EQ(info.state, HKT_THREAD_TERMINATED);
    CHECK(info.waits_for == NULL);
    CHECK_EQ(info.ident, hkt_thread_ident(thread));
    hkt_thread_destroy(thread);
}

TEST(main_is_described)
{
    hkt_thread_info info;
    hkt_thread_get_info(hkt_thread_main(), &info);
    CHECK_EQ(info.native_id, getpid());
    CHECK_EQ(info.state, HKT_THREAD_RUNNABLE);
    CHECK(info.foreign);
    CHECK(!info.daemon);
    CHECK_STR(info.name, "main");
}

static void check_kind(struct place *place, const struct wait_kind *kind, bool timed)
{
    hkt_thread_info info;
    struct waiter waiter = { .place = place, .kind = kind };
    if (timed)
        waiter.deadline = hkt_after(1000);
    double before = hkt_monotonic();
    waiter_start(&waiter);
    await_state(waiter.thread, timed ? HKT_THREAD_TIMED_WAITING : HKT_THREAD_BLOCKED);
    double after = hkt_monotonic();
    hkt_thread_get_info(waiter.thread, &info);
    CHECK_EQ(info.state, timed ? HKT_THREAD_TIMED_WAITING : HKT_THREAD_BLOCKED);
    CHECK_STR(info.waits_for, kind->waits_for);
    CHECK(info.since >= before && info.since <= after);
    hkt_scope_cancel(&waiter.scope);
    CHECK_EQ(hkt_thread_join(waiter.thread), 0);
    hkt_thread_get_info(waiter.thread, &info);
    CHECK_EQ(info.state, HKT_THREAD_TERMINATED);
    CHECK(info.waits_for == NULL);
    CHECK_EQ(waiter.result, -ECANCELED);
    hkt_thread_destroy(waiter.thread);
    hkt_barrier_reset(&place->barrier);
}

TEST(each_wait_is_shown_with_what_and_since)
{
    struct place place;
    place_open(&place);
    for (size_t i = 0; i < wait_kind_count; i++) {
        check_kind(&place, &wait_kinds[i], false);
        if (wait_kinds[i].wait_until)
            check_kind(&place, &wait_kinds[i], true);
    }
    place_close(&place);
}

static void check_object(struct place *place, size_t kind, const void *object)
{
    hkt_thread_info info;
    struct waiter waiter = { .place = place, .kind = &wait_kinds[kind] };
    waiter_start(&waiter);
    await_state(waiter.thread, HKT_THREAD_BLOCKED);
    hkt_thread_get_info(waiter.thread, &info);
    CHECK(info.object == object);
    hkt_scope_cancel(&waiter.scope);
    waiter_join(&waiter);
    hkt_barrier_reset(&place->barrier);
}

TEST(each_wait_is_shown_with_its_object)
{
    struct place place;
    place_open(&place);
    check_object(&place, 0, NULL);
    check_object(&place, 1, &place.event);
    check_object(&place, 2, &place.lock);
    check_object(&place, 3, &place.rlock);
    check_object(&place, 4, &place.rwlock);
    check_object(&place, 5, &place.rwlock);
    check_object(&place, 6, &place.condition);
    check_object(&place, 7, &place.semaphore);
    check_object(&place, 8, &place.barrier);
    check_object(&place, 9, place.full);
    check_object(&place, 10, place.empty);
    check_object(&place, 11, place.full);
    check_object(&place, 16, &place.once);
    place_close(&place);
}

static int take_plainly(void *arg)
{
    struct place *place = arg;
    hkt_lock_acquire(&place->lock);
    hkt_lock_release(&place->lock);
    return 0;
}

TEST(a_plain_acquire_is_shown)
{
    struct place place;
    hkt_thread_info info;
    place_open(&place);
    hkt_thread *thread = must_spawn(take_plainly, &place, NULL);
    await_waiting_for(thread, &place.lock);
    hkt_thread_get_info(thread, &info);
    CHECK_EQ(info.state, HKT_THREAD_BLOCKED);
    CHECK_STR(info.waits_for, "lock");
    hkt_lock_release(&place.lock);
    must_join(thread);
    hkt_lock_acquire(&place.lock);
    place_close(&place);
}

TEST(all_are_listed_the_oldest_first)
{
    hkt_event event = { 0 };
    hkt_thread *threads[6];
    hkt_thread_info infos[16];
    char name[16];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "list-%d", i);
        hkt_thread_options options = { .name = name,
                                       .daemon = i % 2 ? HKT_DAEMON_YES : HKT_DAEMON_NO };
        threads[i] = must_spawn(wait_for_event, &event, &options);
    }
    CHECK_EQ(hkt_thread_active_count(), 7);
    CHECK_EQ(hkt_thread_enumerate(infos, 16), 7);
    CHECK_STR(infos[0].name, "main");
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "list-%d", i);
        CHECK_STR(infos[i + 1].name, name);
        CHECK_EQ(infos[i + 1].ident, hkt_thread_ident(threads[i]));
        CHECK_EQ(infos[i + 1].daemon, i % 2);
        CHECK(infos[i].ident < infos[i + 1].ident);
    }
    hkt_event_set(&event);
    for (int i = 0; i < 6; i++)
        must_join(threads[i]);
    CHECK_EQ(hkt_thread_active_count(), 1);
}

TEST(a_short_list_is_cut)
{
    hkt_event event = { 0 };
    hkt_thread *threads[3];
    hkt_thread_info infos[3];
    for (int i = 0; i < 3; i++)
        threads[i] = must_spawn(wait_for_event, &event, NULL);
    memset(infos, 0x77, sizeof infos);
    CHECK_EQ(hkt_thread_enumerate(infos, 2), 4);
    CHECK_EQ(infos[1].ident, hkt_thread_ident(threads[0]));
    CHECK_EQ(infos[2].ident, 0x7777777777777777); /* not written */
    CHECK_EQ(hkt_thread_enumerate(NULL, 0), 4);
    hkt_event_set(&event);
    for (int i = 0; i < 3; i++)
        must_join(threads[i]);
}

TEST(threads_not_started_and_ended_are_not_listed)
{
    hkt_thread *unborn;
    CHECK_EQ(hkt_thread_create(&unborn, wait_for_event, NULL, NULL), 0);
    CHECK_EQ(hkt_thread_active_count(), 1);
    go_on = true;
    hkt_thread *dead = must_spawn(run_until_told, NULL, NULL);
    CHECK_EQ(hkt_thread_join(dead), 0);
    CHECK_EQ(hkt_thread_active_count(), 1); /* right after the join */
    hkt_thread_destroy(unborn);
    hkt_thread_destroy(dead);
}

/* Looking never waits and never shows nonsense, whatever the others do. */
static int wait_and_run(void *arg)
{
    hkt_event *never = arg;
    while (!go_on) {
        int err = hkt_event_wait_until(never, hkt_after(0.0001));
        CHECK_EQ(err, -ETIMEDOUT);
        CHECK_EQ(hkt_sleep(0.0001), 0);
    }
    return 0;
}

TEST_TIMEOUT(looking_disturbs_nobody, 60)
{
    hkt_event never = { 0 };
    hkt_thread *threads[4];
    long waits = 0;
    for (int i = 0; i < 4; i++)
        threads[i] = must_spawn(wait_and_run, &never, NULL);
    for (long i = 0; i < test_scaled(20000); i++) {
        hkt_thread_info info;
        hkt_thread_get_info(threads[i % 4], &info);
        CHECK(info.state == HKT_THREAD_RUNNABLE || info.state == HKT_THREAD_TIMED_WAITING);
        CHECK_EQ(info.waits_for != NULL, info.state != HKT_THREAD_RUNNABLE);
        if (info.waits_for)
            CHECK(strcmp(info.waits_for, "event") == 0 || strcmp(info.waits_for, "sleep") == 0);
        waits += info.waits_for != NULL;
    }
    CHECK(waits > 0);
    go_on = true;
    for (int i = 0; i < 4; i++)
        must_join(threads[i]);
}
