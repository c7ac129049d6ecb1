/* SPDX-License-Identifier: MIT */
/* A process pool when there is no memory, no process to be had, and when the program ends around it. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "process_pools.h"

static long calls, alive;
static long fails_from, fails_to; /* these calls fail, counted from 1 */

static void *scarce_allocate(void *context, size_t size)
{
    (void)context;
    long call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    void *memory = call >= fails_from && call <= fails_to ? NULL : malloc(size);
    if (memory)
        __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return memory;
}

static void scarce_release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    free(memory);
}

static int return_one(void *arg)
{
    (void)arg;
    return 1;
}

/* What a program does with a pool: 0, or what kept it from it. */
static int use_pool(void)
{
    hkt_executor *pool;
    struct square items[40], item = { 3, 0 };
    hkt_future *future;
    int err = hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 2 });
    if (err < 0)
        return err;
    for (int i = 0; i < 40; i++)
        items[i] = (struct square){ i, 0 };
    int first = hkt_map(pool, square, HKT_ARRAY(items));
    hkt_submit_options options = { .name = "three", .deadline = hkt_after(60) };
    int second = hkt_submit_with(pool, &future, return_one, NULL, &options);
    if (second == 0)
        second = hkt_future_finish(future);
    int third = hkt_apply(pool, square, HKT_ITEM(item));
    CHECK(first < 0 || items[7].squared == 49);
    CHECK(third < 0 || item.squared == 9);
    hkt_executor_destroy(pool);
    return first < 0 ? first : second < 0 ? second : third;
}

static int use_scarcely(long from, long to)
{
    calls = 0;
    fails_from = from;
    fails_to = to;
    int err = use_pool();
    fails_from = fails_to = 0;
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(alive, 0);
    return err;
}

TEST_TIMEOUT(without_memory_a_pool_says_so_and_leaves_nothing, 120)
{
    const hkt_allocator scarce = { scarce_allocate, scarce_release, NULL, { 0 } };
    CHECK_EQ(hkt_set_allocator(&scarce), 0);
    CHECK_EQ(use_scarcely(0, 0), 0);
    long needed = calls;
    for (long n = 1; n <= needed; n++) {
        int err = use_scarcely(n, n);
        CHECK(err == 0 || err == -ENOMEM);
        err = use_scarcely(n, INT32_MAX);
        CHECK(err == 0 || err == -ENOMEM);
    }
    CHECK_EQ(use_scarcely(0, 0), 0);
    CHECK_EQ(hkt_set_allocator(NULL), 0);
}

/* In a child, whose exit handlers are those of a program. */
static int in_child(void (*body)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        body();
        exit(0);
    }
    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void leave_a_pool_behind(void)
{
    hkt_executor *pool = must_workers(2);
    CHECK_EQ(hkt_apply(pool, return_one, NULL, 0), 1);
}

TEST(a_program_may_end_without_destroying_its_pool)
{
    CHECK_EQ(in_child(leave_a_pool_behind), 0);
}

static void leave_a_stopped_worker_behind(void)
{
    int pid;
    hkt_executor *pool = must_workers(1);
    CHECK_EQ(hkt_apply(pool, return_one, NULL, 0), 1);
    CHECK_EQ(hkt_process_pool_pids(pool, &pid, 1), 1);
    CHECK_EQ(kill(pid, SIGSTOP), 0);
}

/* The watcher does not see it leave, and is given up. */
TEST(a_program_that_ends_is_not_held_by_a_stopped_worker)
{
    CHECK_EQ(in_child(leave_a_stopped_worker_behind), 0);
}

static int sleep_long(void *arg)
{
    (void)arg;
    for (;;)
        usleep(1000);
    return 0;
}

static void drop_line(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void leave_jobs_behind(void)
{
    hkt_set_report_sink(drop_line, NULL);
    hkt_executor *pool = must_workers(1);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_submit(pool, NULL, sleep_long, NULL), 0);
}

TEST(a_program_that_ends_is_not_held_by_jobs_that_do_not)
{
    double start = hkt_monotonic();
    CHECK_EQ(in_child(leave_jobs_behind), 0);
    CHECK(hkt_monotonic() - start >= 1.0);
}

static void leave_a_job_behind(void)
{
    hkt_executor *pool = must_workers(1);
    hkt_future *future;
    CHECK_EQ(hkt_submit(pool, &future, sleep_long, NULL), 0);
    while (!hkt_future_running(future))
        usleep(100);
    int pids[1];
    CHECK_EQ(hkt_process_pool_pids(pool, pids, 1), 1);
    kill(getpid(), SIGKILL);
}

TEST(the_workers_of_a_killed_program_end)
{
    CHECK_EQ(in_child(leave_a_job_behind), SIGKILL);
}

/* As a user for whom limits count. */
static void do_without_processes(void)
{
    struct square item = { 8, 0 };
    struct rlimit none = { 1, 1 };
    hkt_executor *pool = must_workers(2);
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &none), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    hkt_executor_destroy(pool);
    _exit(0); /* a sanitizer would start a process to look for leaks */
}

static void become_nobody(void)
{
    if (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0)
        do_without_processes();
}

TEST(without_more_processes_those_that_are_there_go_on)
{
    if (getuid() != 0)
        TEST_SKIP("only root can become a user who has no processes");
    CHECK_EQ(in_child(become_nobody), 0);
}

/* Who started it. */
static int parent_of(int pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    CHECK(file && fscanf(file, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent > 1);
    fclose(file);
    return parent;
}

static void lose_its_one_worker(void)
{
    struct square item = { 8, 0 };
    struct rlimit none = { 1, 1 };
    int pid = 0;
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        exit(1);
    hkt_executor *pool = must_workers(1);
    CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(pid)), 0);
    CHECK_EQ(prlimit(parent_of(pid), RLIMIT_NPROC, &none, NULL), 0);
    CHECK_EQ(hkt_apply(pool, die_by_kill, NULL, 0), -EOWNERDEAD);
    double start = hkt_monotonic();
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), -EAGAIN);
    CHECK(hkt_monotonic() - start >= 1.0); /* it was tried for some time */
    hkt_executor_destroy(pool);
    _exit(0);
}

TEST(without_a_worker_jobs_end_rather_than_hang)
{
    if (getuid() != 0)
        TEST_SKIP("only root can become a user who has no processes");
    CHECK_EQ(in_child(lose_its_one_worker), 0);
}
