/* SPDX-License-Identifier: MIT */
/* Bad days: the system gives no thread. By a stack that fits nowhere, by a filter on the system
 * call (which binds one thread, so that another one can try again), and by too little address
 * space. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "waits.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static const hkt_thread_options huge = { .stack_size = (size_t)1 << 52 };

static bool refused(int err)
{
    return err == -EAGAIN || err == -ENOMEM;
}

/* A start that was refused leaves the thread as it was. */
static void check_new(const hkt_thread *thread)
{
    hkt_thread_info info;
    int result = 4711;
    hkt_thread_get_info(thread, &info);
    CHECK_EQ(info.state, HKT_THREAD_NEW);
    CHECK_EQ(info.ident, 0);
    CHECK_EQ(hkt_thread_ident(thread), 0);
    CHECK_EQ(hkt_thread_native_id(thread), 0);
    CHECK(!hkt_thread_is_alive(thread));
    CHECK_EQ(hkt_thread_result(thread, &result), -EBUSY);
    CHECK_EQ(hkt_thread_active_count(), 1);
}

TEST(a_stack_that_fits_nowhere)
{
    hkt_thread *thread = NULL;
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, &huge), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(refused(hkt_thread_start(thread)));
        check_new(thread);
        CHECK_EQ(hkt_thread_join(thread), -EINVAL);
    }
    hkt_thread_destroy(thread);
    thread = NULL;
    CHECK(refused(hkt_thread_spawn(&thread, nothing, NULL, &huge)));
    CHECK(thread == NULL);
    CHECK(refused(hkt_thread_spawn(NULL, nothing, NULL, &huge)));
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
    must_join(must_spawn(nothing, NULL, NULL)); /* others are not troubled */
}

TEST(stacks_that_fit_nowhere_by_default)
{
    hkt_timer *timer = NULL;
    CHECK_EQ(hkt_thread_set_stack_size((size_t)1 << 52), 0);
    CHECK(refused(hkt_timer_start(&timer, 0, nothing, NULL)));
    CHECK(timer == NULL);
    CHECK(refused(hkt_thread_report_on_signal(SIGUSR1)));
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(hkt_thread_set_stack_size(0), 0);
    CHECK_EQ(hkt_timer_start(&timer, 0, nothing, NULL), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0); /* it may be tried again */
    CHECK_EQ(hkt_finalize(), 0);
}

/* From now on the calling thread can start no other: clone3 is unknown, clone of a thread is
 * refused. False where the system has no such filters. */
static bool refuse_clones(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof filter / sizeof *filter, .filter = filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

struct attempt {
    hkt_thread *thread;
    hkt_timer *timer;
    bool possible;
    int start, spawn, timer_start;
};

static void *try_in_vain(void *arg)
{
    struct attempt *attempt = arg;
    hkt_thread *other = NULL;
    attempt->possible = refuse_clones();
    if (!attempt->possible)
        return NULL;
    attempt->start = hkt_thread_start(attempt->thread);
    attempt->spawn = hkt_thread_spawn(&other, nothing, NULL, NULL);
    CHECK(other == NULL);
    attempt->timer_start = hkt_timer_start(&attempt->timer, 0, nothing, NULL);
    CHECK_EQ(hkt_sleep(0.001), 0); /* and waiting goes on */
    return NULL;
}

TEST(a_refused_start_may_be_tried_again)
{
    struct attempt attempt = { 0 };
    pthread_t pthread;
    CHECK_EQ(hkt_thread_create(&attempt.thread, nothing, NULL, NULL), 0);
    CHECK_EQ(pthread_create(&pthread, NULL, try_in_vain, &attempt), 0);
    pthread_join(pthread, NULL);
    if (!attempt.possible)
        TEST_SKIP("the system has no seccomp filters");
    CHECK_EQ(attempt.start, -EAGAIN);
    CHECK_EQ(attempt.spawn, -EAGAIN);
    CHECK_EQ(attempt.timer_start, -EAGAIN);
    CHECK(attempt.timer == NULL);
    check_new(attempt.thread);
    CHECK_EQ(hkt_thread_start(attempt.thread), 0);
    CHECK(hkt_thread_ident(attempt.thread) != 0);
    must_join(attempt.thread);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static long memory_in_use(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    CHECK(statm && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    return pages * 4096;
}

TEST(too_little_address_space)
{
    struct rlimit all, little;
    hkt_thread *thread;
    if (SANITIZED)
        TEST_SKIP("sanitizers need address space themselves");
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, NULL), 0);
    CHECK_EQ(getrlimit(RLIMIT_AS, &all), 0);
    little = all;
    little.rlim_cur = (rlim_t)memory_in_use() + 256 * 1024;
    CHECK_EQ(setrlimit(RLIMIT_AS, &little), 0);
    int err = hkt_thread_start(thread);
    CHECK_EQ(setrlimit(RLIMIT_AS, &all), 0);
    CHECK(refused(err));
    check_new(thread);
    CHECK_EQ(hkt_thread_start(thread), 0);
    must_join(thread);
}

static atomic_bool over;

static int refuse_always(void *arg)
{
    (void)arg;
    while (!over)
        CHECK(refused(hkt_thread_spawn(NULL, nothing, NULL, &huge)));
    return 0;
}

/* Who joins all, lists, or counts meets threads whose start is about to be refused. */
TEST_TIMEOUT(refused_starts_hold_nobody_up, 60)
{
    hkt_thread_options options = { .daemon = HKT_DAEMON_YES };
    hkt_thread *threads[2];
    hkt_thread_info infos[16];
    for (int i = 0; i < 2; i++)
        threads[i] = must_spawn(refuse_always, NULL, &options);
    hkt_thread_options inherit = { .daemon = HKT_DAEMON_NO, .stack_size = huge.stack_size };
    for (long i = 0; i < test_scaled(3000); i++) {
        CHECK(refused(hkt_thread_spawn(NULL, nothing, NULL, &inherit)));
        CHECK_EQ(hkt_join_all(), 0);
        size_t count = hkt_thread_enumerate(infos, 16);
        CHECK(count >= 3 && count <= 5);
    }
    over = true;
    for (int i = 0; i < 2; i++)
        must_join(threads[i]);
}

static int refuse_non_daemons(void *arg)
{
    hkt_thread_options options = { .daemon = HKT_DAEMON_NO, .stack_size = huge.stack_size };
    (void)arg;
    while (!over)
        CHECK(refused(hkt_thread_spawn(NULL, nothing, NULL, &options)));
    return 0;
}

TEST_TIMEOUT(joining_all_does_not_wait_for_a_refused_start, 60)
{
    hkt_thread_options options = { .daemon = HKT_DAEMON_YES };
    hkt_thread *threads[2];
    for (int i = 0; i < 2; i++)
        threads[i] = must_spawn(refuse_non_daemons, NULL, &options);
    for (long i = 0; i < test_scaled(20000); i++)
        CHECK_EQ(hkt_join_all(), 0);
    over = true;
    for (int i = 0; i < 2; i++)
        must_join(threads[i]);
    CHECK_EQ(hkt_allocation_count(), 0);
}
