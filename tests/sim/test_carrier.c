/* SPDX-License-Identifier: MIT */
/* Coroutines on a carrier, under all schedules: whoever is made ready goes on, by whatever it is woken;
 * the thread sleeps through no news; and nobody touches a carrier that has ended. */
#include "crew.h"
#include "park/wait.h"
#include "strand/carrier.h"

#define JOBS 3

/* The smallest engine: begins its jobs in turn, a coroutine each, whenever nobody is ready. */
static struct hkti_carrier carrier;
static int (*jobs[JOBS])(void);
static int count, begun, failure;

static int has_news(struct hkti_wait *wait)
{
    (void)wait;
    return hkti_carrier_has_news(&carrier);
}

static void sleep(void)
{
    struct hkti_wait wait = { .what = "coroutines",
                              .object = &carrier,
                              .deadline = hkti_carrier_alarm(&carrier),
                              .reason = has_news,
                              .no_hooks = true };
    hkti_wait_begin(carrier.base, &wait);
    hkti_wait_finish(carrier.base, &wait);
}

static struct hkti_coroutine *run(void *value)
{
    (void)value;
    for (;;) {
        struct hkti_coroutine *next = hkti_carrier_next(&carrier);
        if (next)
            return next;
        if (begun < count) {
            int err = jobs[begun++]();
            failure = failure < 0 ? failure : err;
        } else if (carrier.started == 1) {
            return NULL;
        } else {
            sleep();
        }
    }
}

static void park(struct hkti_carrier *of, struct hkti_coroutine *self, bool for_jobs)
{
    (void)for_jobs;
    for (;;) {
        struct hkti_coroutine *next = hkti_carrier_next(of);
        if (next == self)
            return;
        if (next) {
            hkti_carrier_switch(of, next);
            return;
        }
        struct hkti_coroutine *fresh = begun < count ? hkti_coroutine_take(of) : NULL;
        if (fresh) {
            hkti_coroutine_run(fresh, run, NULL);
            return;
        }
        sleep();
    }
}

static int carries(void *arg)
{
    (void)arg;
    hkti_carrier_begin(&carrier, 64 << 10);
    struct hkti_coroutine *first = hkti_coroutine_take(&carrier);
    MUST(first);
    hkti_coroutine_run(first, run, NULL);
    hkti_carrier_end(&carrier);
    memset(&carrier, 0x5a, sizeof carrier); /* nobody may write to it any more */
    return failure;
}

static void begin(int (*const *functions)(void), int n)
{
    carrier = (struct hkti_carrier){ .park = park };
    count = n;
    begun = failure = 0;
    for (int i = 0; i < n; i++)
        jobs[i] = functions[i];
}

static int left_alone(int err)
{
    for (size_t i = 0; err == 0 && i < sizeof carrier; i++)
        MUST(((const char *)&carrier)[i] == 0x5a);
    return err;
}

#define BEGIN(...)                                                                                 \
    begin((int (*const[])(void)){ __VA_ARGS__ },                                                   \
          (int)(sizeof((int (*[])(void)){ __VA_ARGS__ }) / sizeof(int (*)(void))))

/* Made ready by other threads. */
static hkt_event events[2];
static int passed;

static int waits_for_first(void)
{
    int err = hkt_event_wait(&events[0]);
    passed++;
    return err;
}

static int waits_for_second(void)
{
    int err = hkt_event_wait(&events[1]);
    passed++;
    return err;
}

static int sets_first(void *arg)
{
    (void)arg;
    hkt_event_set(&events[0]);
    return 0;
}

static int sets_second(void *arg)
{
    (void)arg;
    hkt_event_set(&events[1]);
    return 0;
}

static int two_wait(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    passed = 0;
    BEGIN(waits_for_first, waits_for_second);
    int err = TOGETHER(carries, sets_first, sets_second);
    MUST(err < 0 || passed == 2);
    return left_alone(err);
}

TEST_TIMEOUT(who_is_made_ready_from_elsewhere_goes_on, 60)
{
    prove(two_wait);
}

/* By one another. */
static int passes_on(void)
{
    int err = hkt_event_wait(&events[1]);
    hkt_event_set(&events[0]);
    passed++;
    return err;
}

static int passed_on(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    passed = 0;
    BEGIN(waits_for_first, passes_on, waits_for_first);
    int err = TOGETHER(carries, sets_second);
    MUST(err < 0 || passed == 3);
    return left_alone(err);
}

TEST_TIMEOUT(who_is_made_ready_by_a_neighbour_goes_on, 60)
{
    prove(passed_on);
    prove_whole(passed_on);
}

/* Alarms, which race with who wakes. */
static int waits_shortly(void)
{
    int err = hkt_event_wait_until(&events[0], hkt_after(3e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    passed++;
    return 0;
}

static int waits_shorter(void)
{
    int err = hkt_event_wait_until(&events[1], hkt_after(2e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    err = hkt_sleep(1e-6);
    passed++;
    return err;
}

static int with_alarms(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    passed = 0;
    BEGIN(waits_shortly, waits_shorter, waits_shortly);
    int err = TOGETHER(carries, sets_first, sets_second);
    MUST(err < 0 || passed == 3);
    return left_alone(err);
}

TEST_TIMEOUT(alarms_ring, 60)
{
    prove(with_alarms);
}

static int only_alarms(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    passed = 0;
    BEGIN(waits_shortly, waits_shorter, waits_shortly);
    int err = TOGETHER(carries);
    MUST(err < 0 || passed == 3);
    return left_alone(err);
}

TEST_TIMEOUT(alarms_ring_for_all_who_sleep, 60)
{
    prove(only_alarms);
    prove_whole(only_alarms);
}

/* Nudges: a cancel comes to one that is parked, while it is woken and its alarm rings. */
static hkt_scope *scope;
static hkt_event entered;

static int waits_in_a_scope(void)
{
    hkt_scope mine; /* on the coroutine's stack, which stays until all have ended */
    hkt_scope_enter(&mine, NULL);
    scope = &mine;
    hkt_event_set(&entered);
    int err = hkt_event_wait_until(&events[0], hkt_after(5e-6));
    MUST(err == 0 || err == -ETIMEDOUT || err == -ECANCELED);
    err = hkt_sleep_until((hkt_deadline){ 0 });
    MUST(err == -ECANCELED);
    int end = hkt_scope_leave(&mine);
    MUST(end == -ECANCELED);
    passed++;
    return 0;
}

static int cancels(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    hkt_scope_cancel(scope);
    return 0;
}

static int nudged(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    entered = (hkt_event){ { 0 } };
    passed = 0;
    BEGIN(waits_in_a_scope, waits_for_second);
    int err = TOGETHER(carries, cancels, sets_first, sets_second);
    MUST(err < 0 || passed == 2);
    return left_alone(err);
}

TEST_TIMEOUT(a_cancel_reaches_who_is_parked, 60)
{
    prove(nudged);
}

/* One that keeps its thread to itself while it waits: the others do not run meanwhile. */
static bool alone;

static int is_exclusive(void)
{
    carrier.current->ready.exclusive = true;
    alone = true;
    int err = hkt_event_wait(&events[0]);
    alone = false;
    carrier.current->ready.exclusive = false;
    passed++;
    return err;
}

static int is_not_beside(void)
{
    int err = hkt_event_wait(&events[1]);
    MUST(!alone);
    passed++;
    return err;
}

static int one_alone(void *arg)
{
    (void)arg;
    memset(events, 0, sizeof events);
    passed = 0;
    BEGIN(is_not_beside, is_not_beside, is_exclusive);
    int err = TOGETHER(carries, sets_first, sets_second);
    MUST(err < 0 || passed == 3);
    return left_alone(err);
}

TEST_TIMEOUT(an_exclusive_one_is_alone, 60)
{
    prove(one_alone);
}
