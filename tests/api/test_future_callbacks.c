/* SPDX-License-Identifier: MIT */
/* Futures: callbacks, by whom and in which order; and the producer's side, without an executor. */
#include "pools.h"

/* What the callbacks of one future noted. */
struct notes {
    int count;
    int tags[16];
    uint64_t by[16];
    hkt_future *future;
    bool was_done;
    int result;
};

struct note {
    struct notes *notes;
    int tag;
};

static void write_note(hkt_future *future, void *arg)
{
    struct note *note = arg;
    struct notes *notes = note->notes;
    CHECK(notes->count < 16);
    notes->tags[notes->count] = note->tag;
    notes->by[notes->count++] = hkt_ident();
    notes->future = future;
    notes->was_done = hkt_future_done(future);
    CHECK_EQ(hkt_future_result(future, &notes->result), 0);
}

static void add_notes(hkt_future *future, struct note *list, struct notes *notes, int count)
{
    for (int i = 0; i < count; i++) {
        list[i] = (struct note){ notes, i };
        CHECK_EQ(hkt_future_add_done_callback(future, write_note, &list[i]), 0);
    }
}

static void check_notes(const struct notes *notes, int count, uint64_t by, hkt_future *future)
{
    CHECK_EQ(notes->count, count);
    CHECK(notes->future == future);
    CHECK(notes->was_done);
    for (int i = 0; i < count; i++) {
        CHECK_EQ(notes->tags[i], i);
        CHECK_EQ(notes->by[i], by);
    }
}

static int tell_ident(void *arg)
{
    struct gate *gate = arg;
    int err = stand_at(gate);
    return err < 0 ? err : (int)hkt_ident();
}

TEST(callbacks_are_called_in_order_by_who_finishes)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    struct notes notes = { 0 };
    struct note list[9];
    hkt_future *future = must_submit(pool, tell_ident, &gate);
    add_notes(future, list, &notes, 9);
    CHECK_EQ(notes.count, 0);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    int worker = result_of(future);
    CHECK(worker != (int)hkt_ident());
    check_notes(&notes, 9, (uint64_t)worker, future);
    CHECK_EQ(notes.result, worker);
    hkt_future_destroy(future);
    end_pool(pool);
}

TEST(callbacks_are_called_by_who_cancels)
{
    hkt_executor *pool = must_pool(1);
    for (int request = 0; request < 2; request++) {
        struct gate gate = { 0 };
        struct notes notes = { 0 };
        struct note list[3];
        hkt_future *running = hold_worker(pool, &gate);
        hkt_future *future = must_submit(pool, do_nothing, NULL);
        add_notes(future, list, &notes, 3);
        CHECK_EQ(request ? hkt_future_request_cancel(future) : hkt_future_cancel(future), 0);
        check_notes(&notes, 3, hkt_ident(), future);
        CHECK_EQ(notes.result, -ECANCELED);
        CHECK_EQ(hkt_future_cancel(future), 0);
        CHECK_EQ(notes.count, 3);
        hkt_future_destroy(future);
        let_through(&gate, running);
    }
    end_pool(pool);
}

TEST(a_callback_on_what_is_done_is_called_at_once_by_the_caller)
{
    hkt_executor *pool = must_pool(1);
    struct notes notes = { 0 };
    struct note list[3];
    hkt_future *future = must_submit(pool, do_nothing, NULL);
    CHECK_EQ(hkt_future_wait(future), 0);
    add_notes(future, list, &notes, 3);
    check_notes(&notes, 3, hkt_ident(), future);
    hkt_future_destroy(future);
    end_pool(pool);
}

static void add_another(hkt_future *future, void *arg)
{
    struct note *note = arg;
    int before = note->notes->count;
    CHECK_EQ(hkt_future_add_done_callback(future, write_note, note), 0);
    CHECK_EQ(note->notes->count, before + 1);
}

TEST(a_callback_may_add_one_and_look_at_a_failure)
{
    struct lines lines;
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = -EIO };
    struct notes notes = { 0 };
    struct note note = { &notes, 0 };
    lines_open(&lines);
    hkt_future *future = hold_worker(pool, &gate);
    CHECK_EQ(hkt_future_add_done_callback(future, add_another, &note), 0);
    hkt_event_set(&gate.open);
    hkt_future_destroy(future); /* perhaps before its end: the callback comes all the same */
    end_pool(pool);
    CHECK_EQ(notes.count, 1);
    CHECK_EQ(notes.result, -EIO);
    CHECK_EQ(lines_count(&lines), 0);
}

static void submit_more(hkt_future *future, void *arg)
{
    struct gate *gate = arg;
    hkt_future_destroy(must_submit(NULL, stand_at, gate));
    (void)future;
}

TEST(a_callback_may_submit)
{
    struct gate gate = { 0 };
    hkt_future *future;
    CHECK_EQ(hkt_future_create(&future), 0);
    CHECK_EQ(hkt_future_add_done_callback(future, submit_more, &gate), 0);
    CHECK_EQ(hkt_future_set_result(future, 0), 0);
    CHECK_EQ(hkt_event_wait(&gate.entered), 0);
    hkt_event_set(&gate.open);
    hkt_future_destroy(future);
    check_finalized();
}

static hkt_future *must_create(void)
{
    hkt_future *future = NULL;
    CHECK_EQ(hkt_future_create(&future), 0);
    return future;
}

TEST(a_producer_finishes_what_runs_or_is_pending)
{
    for (int run = 0; run < 2; run++) {
        hkt_future *future = must_create();
        CHECK(!hkt_future_done(future) && !hkt_future_running(future));
        CHECK(hkt_future_arg(future) == NULL);
        if (run) {
            CHECK_EQ(hkt_future_set_running(future), 0);
            CHECK(hkt_future_running(future));
            CHECK_EQ(hkt_future_set_running(future), -EALREADY);
            CHECK_EQ(hkt_future_cancel(future), -EBUSY);
        }
        CHECK_EQ(hkt_future_set_result(future, 12), 0);
        CHECK_EQ(hkt_future_set_result(future, 13), -EALREADY);
        CHECK_EQ(hkt_future_set_running(future), -EALREADY);
        CHECK_EQ(hkt_future_cancel(future), -EBUSY);
        CHECK_EQ(hkt_future_request_cancel(future), -EBUSY);
        CHECK_EQ(hkt_future_wait(future), 0);
        CHECK_EQ(hkt_future_finish(future), 12);
    }
    check_finalized();
}

TEST(a_producer_learns_that_it_was_taken_back)
{
    hkt_future *future = must_create();
    CHECK_EQ(hkt_future_cancel(future), 0);
    CHECK_EQ(hkt_future_set_running(future), -ECANCELED);
    CHECK_EQ(hkt_future_set_result(future, 12), -ECANCELED);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    check_finalized();
}

TEST(a_producer_leaves_its_sentence)
{
    struct lines lines;
    lines_open(&lines);
    hkt_future *future = must_create(), *unseen = must_create();
    CHECK_EQ(hkt_future_set_result(future, hkt_fail(-EIO, "no fish today")), 0);
    CHECK_EQ(hkt_future_set_result(unseen, hkt_fail(-EIO, "no eel today")), 0);
    (void)hkt_fail(-EIO, "another");
    CHECK_EQ(hkt_future_finish(future), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish today");
    CHECK_EQ(lines_count(&lines), 0);
    hkt_future_destroy(unseen);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(strstr(lines.text[0], "no eel today"));
    check_finalized();
}

static int finish(void *future)
{
    return hkt_future_finish(future);
}

static int wait_for(void *future)
{
    return hkt_future_wait(future);
}

TEST(a_producers_end_reaches_who_waits)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        struct caller callers[4];
        hkt_future *future = must_create();
        for (int i = 0; i < 4; i++)
            caller_start_waiting(&callers[i], wait_for, future, future);
        CHECK_EQ(cancel ? hkt_future_cancel(future) : hkt_future_set_result(future, 6), 0);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(caller_end(&callers[i]), 0);
        CHECK_EQ(hkt_future_finish(future), cancel ? -ECANCELED : 6);
    }
    check_finalized();
}

TEST(to_finish_a_producers_future_in_an_ended_scope_takes_it_back)
{
    struct caller caller;
    hkt_future *pending = must_create(), *running = must_create();
    caller_start_waiting(&caller, finish, pending, pending);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(hkt_future_set_running(running), 0);
    caller_start_waiting(&caller, finish, running, running);
    caller_cancel(&caller);
    CHECK_EQ(hkt_future_set_result(running, 6), 0); /* awaited all the same */
    CHECK_EQ(caller_end(&caller), 6);
    check_finalized();
}

TEST(who_waited_may_destroy_a_producers_future_first)
{
    hkt_future *future = must_create();
    hkt_future_destroy(future);
    CHECK_EQ(hkt_future_set_running(future), 0); /* the producer's until it has finished it */
    CHECK_EQ(hkt_future_set_result(future, 6), 0);
    check_finalized();
}

/* Producers set, others cancel, a waiter destroys as soon as it is done. */
struct race {
    hkt_future *future;
    atomic_int winners, called;
};

static void called(hkt_future *future, void *arg)
{
    struct race *race = arg;
    CHECK(hkt_future_done(future));
    atomic_fetch_add(&race->called, 1);
}

static int set_it(void *arg)
{
    struct race *race = arg;
    int err = hkt_future_set_result(race->future, 1);
    CHECK(err == 0 || err == -EALREADY || err == -ECANCELED);
    atomic_fetch_add(&race->winners, err == 0);
    return 0;
}

static int cancel_it(void *arg)
{
    struct race *race = arg;
    int err = hkt_future_cancel(race->future);
    CHECK(err == 0 || err == -EBUSY);
    return 0;
}

static int add_to_it(void *arg)
{
    struct race *race = arg;
    return hkt_future_add_done_callback(race->future, called, race);
}

TEST_TIMEOUT(a_producers_future_ends_once_whoever_races, 60)
{
    hkt_executor *pool = must_pool(4);
    for (long i = test_scaled(2000); i > 0; i--) {
        struct race race = { .future = must_create() };
        hkt_future *jobs[4];
        jobs[0] = must_submit(pool, set_it, &race);
        jobs[1] = must_submit(pool, i % 2 ? set_it : cancel_it, &race);
        jobs[2] = must_submit(pool, add_to_it, &race);
        jobs[3] = must_submit(pool, add_to_it, &race);
        CHECK_EQ(hkt_future_wait(race.future), 0);
        int result = result_of(race.future);
        for (int k = 0; k < 4; k++)
            CHECK_EQ(hkt_future_finish(jobs[k]), 0);
        CHECK_EQ(race.winners, result == 1);
        CHECK(result == 1 || hkt_future_cancelled(race.future));
        AWAIT(atomic_load(&race.called) == 2);
        hkt_future_destroy(race.future);
    }
    end_pool(pool);
}
