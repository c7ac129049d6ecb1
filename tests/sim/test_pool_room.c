/* SPDX-License-Identifier: MIT */
/* Outsiders who wait for room in a pool, under all schedules: each goes on, whether there is room, or
 * the pool is closed or broken, or its own scope ends. */
#include "crew.h"

static int ran, handed;
static hkt_event gate;

static int counts(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    ran++;
    return 0;
}

static int begin(hkt_job *initializer)
{
    ran = handed = 0;
    gate = (hkt_event){ { 0 } };
    return crew_begin_with(&(hkt_thread_pool_options){
        .max_workers = 1, .max_pending = 1, .initializer = initializer });
}

static int submits_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_submit(crew, NULL, counts, NULL);
        MUST(err == 0 || err == -ESHUTDOWN || err == -EIO);
        handed += err == 0;
    }
    return 0;
}

static int crowded(void *arg)
{
    (void)arg;
    MUST(begin(NULL) == 0);
    int err = TOGETHER(submits_two, submits_two, submits_two);
    MUST(err < 0 || handed == 6);
    err = err < 0 ? err : hkt_executor_shutdown(crew);
    MUST(err < 0 || ran == 6);
    return crew_end(err);
}

TEST_TIMEOUT(all_who_wait_for_room_get_in, 60)
{
    prove_for(4000, crowded);
}

static int closes(void *arg)
{
    (void)arg;
    hkt_executor_close(crew, false);
    return 0;
}

static int closed_while_full(void *arg)
{
    (void)arg;
    MUST(begin(NULL) == 0);
    int err = TOGETHER(submits_two, submits_two, submits_two, closes);
    err = err < 0 ? err : hkt_executor_shutdown(crew);
    MUST(err < 0 || ran == handed);
    return crew_end(err);
}

TEST_TIMEOUT(a_close_sends_away_who_waits_for_room, 60)
{
    prove_for(4000, closed_while_full);
}

static int submits_shortly(void *arg)
{
    hkt_scope scope;
    (void)arg;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(3e-6) });
    int err = hkt_submit(crew, NULL, counts, NULL);
    handed += err == 0;
    int end = hkt_scope_leave(&scope);
    MUST(err == 0 || (err == -ECANCELED && end == -ETIMEDOUT));
    return 0;
}

static int some_give_up(void *arg)
{
    (void)arg;
    MUST(begin(NULL) == 0);
    int err = TOGETHER(submits_two, submits_shortly, submits_two, submits_shortly);
    err = err < 0 ? err : hkt_executor_shutdown(crew);
    MUST(err < 0 || (ran == handed && ran >= 4));
    return crew_end(err);
}

TEST_TIMEOUT(who_gives_up_takes_no_room, 60)
{
    prove_for(4000, some_give_up);
}

/* The initializer fails when all wait. */
static int fails_at_the_gate(void *arg)
{
    (void)arg;
    hkt_event_wait(&gate);
    return -EIO;
}

static int opens(void *arg)
{
    (void)arg;
    hkt_event_set(&gate);
    return 0;
}

static int broken_while_full(void *arg)
{
    hkt_future *future;
    (void)arg;
    MUST(begin(fails_at_the_gate) == 0);
    MUST(hkt_submit(crew, &future, counts, NULL) == 0);
    int err = TOGETHER(submits_two, submits_two, submits_two, opens);
    int first = hkt_future_finish(future);
    MUST(first == -EIO && ran == 0);
    return crew_end(err);
}

static void be_quiet(void *context, const char *line)
{
    (void)context;
    (void)line;
}

TEST_TIMEOUT(a_broken_pool_sends_away_who_waits_for_room, 60)
{
    hkt_set_report_sink(be_quiet, NULL);
    prove_for(4000, broken_while_full);
}
