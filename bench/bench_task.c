/* SPDX-License-Identifier: MIT */
/* Tasks of one loop: a yield, a spawn, a queue between two, a million asleep, the cancel of a group.
 * That all of them have done what they should is checked. */
#include <hocket.h>

#include <errno.h>
#include <stdlib.h>

#include "task_rivals.h"

enum { MILLION = 1000000, WARM = 3, WARM_SPAWNS = 1000 };

/* The rivals, and how many times less work than hocket each gets. */
struct system {
    const char *name, *program;
    int less, most; /* `most`: tasks asleep at a time; 0: it has none */
    long ns;        /* that each of these gets at first to fall asleep in */
};

static const struct system systems[] = {
    { "hocket", NULL, 1, MILLION, 2000 },
    { "boost.fiber", "boost-task fiber", 4, 30000, 40000 },
    { "boost.asio", "boost-task asio", 4, 250000, 3000 },
    { "go", "go-task go", 4, 250000, 3000 },
    { "asyncio", "asyncio-task asyncio", 100, 20000, 20000 },
    { "uvloop", "asyncio-task uvloop", 100, 20000, 20000 },
    { "fcontext-bare", "boost-task bare", 1, 0, 0 },
    { "ucontext-bare", "uv-task bare", 10, 0, 0 },
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static void finish(hkt_task *task)
{
    bench_check(hkt_future_finish(task), "hkt_future_finish");
}

static hkt_task *spawn(hkt_job *job, void *arg)
{
    hkt_task *task;

    bench_check(hkt_task_spawn(&task, job, arg), "hkt_task_spawn");
    return task;
}

/* Yields. The first task takes the time when all others have begun and are warm. */

static struct {
    int tasks, rounds;
    uint64_t began, ended, yields;
} yields;

static int yielder(void *arg)
{
    intptr_t index = (intptr_t)arg;

    for (int i = 0; i < WARM; i++)
        bench_check(hkt_yield(), "hkt_yield");
    if (index == 0)
        yields.began = bench_ns();
    for (int i = 0; i < yields.rounds; i++)
        bench_check(hkt_yield(), "hkt_yield");
    yields.yields += (uint64_t)yields.rounds;
    if (index == yields.tasks - 1)
        yields.ended = bench_ns();
    return 0;
}

static int yield_all(void *arg)
{
    hkt_task **tasks = malloc((size_t)yields.tasks * sizeof(hkt_task *));

    (void)arg;
    for (int i = 0; i < yields.tasks; i++)
        tasks[i] = spawn(yielder, (void *)(intptr_t)i);
    for (int i = 0; i < yields.tasks; i++)
        finish(tasks[i]);
    free(tasks);
    return 0;
}

static double yield_ns(long times, int tasks)
{
    yields.tasks = tasks;
    yields.rounds = (int)(times / tasks);
    yields.yields = 0;
    bench_check(hkt_run(yield_all, NULL), "hkt_run");
    if (yields.yields != (uint64_t)tasks * (uint64_t)yields.rounds)
        bench_fail("some task has not yielded");
    return (double)(yields.ended - yields.began) / (double)yields.yields;
}

/* Spawns. */

static long ran;

static int nothing(void *arg)
{
    (void)arg;
    ran++;
    return 0;
}

static int spawn_all(void *arg)
{
    long times = *(long *)arg;
    uint64_t began = 0;

    ran = -WARM_SPAWNS;
    for (long i = -WARM_SPAWNS; i < times; i++) {
        if (i == 0)
            began = bench_ns();
        finish(spawn(nothing, NULL));
    }
    yields.began = began;
    yields.ended = bench_ns();
    return 0;
}

static double spawn_ns(long times, int unused)
{
    (void)unused;
    bench_check(hkt_run(spawn_all, &times), "hkt_run");
    if (ran != times)
        bench_fail("task-spawn: a task was lost");
    return (double)(yields.ended - yields.began) / (double)times;
}

/* A queue. */

static struct {
    hkt_queue *queue;
    long times;
} messages;

static int producer(void *arg)
{
    (void)arg;
    for (long i = 0; i < messages.times; i++)
        bench_check(hkt_queue_put(messages.queue, &i), "hkt_queue_put");
    return 0;
}

static int consumer(void *arg)
{
    (void)arg;
    for (long i = 0; i < messages.times; i++) {
        long item = -1;
        bench_check(hkt_queue_get(messages.queue, &item), "hkt_queue_get");
        if (item != i)
            bench_fail("task-queue: wrong item");
    }
    return 0;
}

static int message_all(void *arg)
{
    size_t room = *(size_t *)arg;

    bench_check(
        hkt_queue_create(&messages.queue, sizeof(long), &(hkt_queue_options){ .maxsize = room }),
        "hkt_queue_create");
    yields.began = bench_ns();
    hkt_task *first = spawn(producer, NULL), *second = spawn(consumer, NULL);
    finish(first);
    finish(second);
    yields.ended = bench_ns();
    hkt_queue_destroy(messages.queue);
    return 0;
}

static double queue_ns(long times, int room)
{
    size_t places = (size_t)room;

    messages.times = times;
    bench_check(hkt_run(message_all, &places), "hkt_run");
    return (double)(yields.ended - yields.began) / (double)times;
}

/* Asleep. */

static struct {
    int n, woken;
    bool disordered;
    uint64_t ended;
    hkt_deadline common, last, *each; /* `each`: NULL, all have the common one */
    hkt_event over;
} asleep;

static int sleeper(void *arg)
{
    intptr_t index = (intptr_t)arg;
    hkt_deadline mine = asleep.each ? asleep.each[index] : asleep.common;

    bench_check(hkt_sleep_until(mine), "hkt_sleep_until");
    asleep.disordered |= mine.ns < asleep.last.ns;
    asleep.last = mine;
    if (++asleep.woken == asleep.n) {
        asleep.ended = bench_ns();
        hkt_event_set(&asleep.over);
    }
    return 0;
}

/* Bytes of memory that the process has. */
static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        bench_fail("/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* By chance, within a hundredth of the time that they have to fall asleep. */
static void choose_deadlines(uint64_t from, uint64_t length)
{
    uint64_t random = 1;

    asleep.each = malloc((size_t)asleep.n * sizeof *asleep.each);
    for (int i = 0; i < asleep.n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        asleep.each[i].ns = (int64_t)(from + (random >> 33) % length);
    }
}

/* Starts them all, and waits for all: nanoseconds of both a task, without the time between. NaN: the
 * deadline came before all were asleep. */
static double sleep_round(uint64_t ns_each, bool by_chance, double *bytes)
{
    uint64_t patience = ns_each * (uint64_t)asleep.n + 10000000;
    double before = resident();

    asleep.woken = 0;
    asleep.last.ns = 0;
    hkt_event_clear(&asleep.over);
    uint64_t due = bench_ns() + patience;
    asleep.common.ns = (int64_t)due;
    if (by_chance)
        choose_deadlines(due, patience / 100);
    uint64_t began = bench_ns();
    for (int i = 0; i < asleep.n; i++)
        bench_check(hkt_task_spawn(NULL, sleeper, (void *)(intptr_t)i), "hkt_task_spawn");
    bench_check(hkt_yield(), "hkt_yield");
    uint64_t all = bench_ns();
    *bytes = (resident() - before) / asleep.n;
    bench_check(hkt_event_wait(&asleep.over), "hkt_event_wait");
    free(asleep.each);
    asleep.each = NULL;
    if (all > due)
        return (double)NAN;
    if (asleep.disordered)
        bench_fail("task-sleep: woken in a wrong order");
    return (double)((all - began) + (asleep.ended - due)) / asleep.n;
}

/* Cold, recycled, recycled with deadlines by chance: prints three times and the memory. */
static int sleep_thrice(void *arg)
{
    uint64_t ns = *(uint64_t *)arg;
    double bytes, unused;
    double cold = sleep_round(ns, false, &bytes);
    double recycled = sleep_round(ns, false, &unused);
    double by_chance = sleep_round(ns, true, &unused);

    printf("%f %f %f %f\n", cold, recycled, by_chance, bytes);
    return 0;
}

/* This program started by itself: `bench_task sleep N NS`. */
static int sleep_cold(char **argv)
{
    uint64_t ns = (uint64_t)atoll(argv[3]);

    asleep.n = atoi(argv[2]);
    bench_check(hkt_run(sleep_thrice, &ns), "hkt_run");
    return 0;
}

/* A group. */

static int sleep_on(void *arg)
{
    (void)arg;
    int err = hkt_sleep(3600);

    if (err == -ECANCELED)
        ran++;
    return err;
}

static int cancel_all(void *arg)
{
    int n = *(int *)arg;
    hkt_task_group group = { 0 };

    ran = 0;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < n; i++)
        bench_check(hkt_task_group_spawn(&group, NULL, sleep_on, NULL), "hkt_task_group_spawn");
    bench_check(hkt_yield(), "hkt_yield");
    yields.began = bench_ns();
    hkt_task_group_cancel(&group);
    bench_check(hkt_task_group_leave(&group, 0), "hkt_task_group_leave");
    yields.ended = bench_ns();
    if (ran != n)
        bench_fail("task-cancel: not all were cancelled");
    return 0;
}

static double cancel_ns(long times, int unused)
{
    int n = (int)times;

    (void)unused;
    bench_check(hkt_run(cancel_all, &n), "hkt_run");
    return (double)(yields.ended - yields.began) / n;
}

/* All but the sleepers: what hocket does, and what is said to the rivals. */
struct task_workload {
    struct bench_workload workload;
    double (*hocket)(long times, int parameter);
    const char *what;
    long times;
    int parameter;
};

static const struct task_workload tasks[] = {
    { { .name = "task-yield", .metrics = { { "yield", "ns", BENCH_LESS } } },
      yield_ns,
      "yield",
      4000000,
      2 },
    { { .name = "task-yield-10000", .metrics = { { "yield", "ns", BENCH_LESS } } },
      yield_ns,
      "yield",
      4000000,
      10000 },
    { { .name = "task-spawn", .metrics = { { "spawn+await", "ns", BENCH_LESS } } },
      spawn_ns,
      "spawn",
      1000000,
      0 },
    { { .name = "task-queue-1024", .metrics = { { "message", "ns", BENCH_LESS } } },
      queue_ns,
      "queue",
      2000000,
      1024 },
    { { .name = "task-queue-1", .metrics = { { "message", "ns", BENCH_LESS } } },
      queue_ns,
      "queue",
      1000000,
      1 },
    { { .name = "task-cancel-100000", .metrics = { { "cancel+leave", "ns", BENCH_LESS } } },
      cancel_ns,
      "cancel",
      100000,
      0 },
};

static bool quick(const struct bench_workload *workload)
{
    return workload->seconds < 0.1;
}

static void measure(const struct bench_workload *workload, int s, double values[])
{
    const struct task_workload *task = &tasks[0];
    char what[64];

    while (strcmp(task->workload.name, workload->name) != 0)
        task++;
    long times = task->times / (quick(workload) ? 50 : 1);
    if (!systems[s].program) {
        values[0] = task->hocket(times, task->parameter);
        return;
    }
    /* The fewest that say something: ten rounds of all tasks. */
    long least = task->parameter * 10L, fewer = times / systems[s].less;
    snprintf(what, sizeof what, "%s %ld %d", task->what, fewer < least ? least : fewer,
             task->parameter);
    task_rival(values, systems[s].program, what);
}

/* The deadline is put off until all are asleep by then; and stays so for the next rounds. */
static void measure_sleep(const struct bench_workload *workload, int s, double values[])
{
    static long ns_each[SYSTEMS];
    char what[64];
    int n = systems[s].most / (quick(workload) ? 50 : 1);

    if (n == 0)
        return;
    if (ns_each[s] == 0)
        ns_each[s] = systems[s].ns;
    for (int tries = 0; tries < 8; tries++, ns_each[s] *= 2) {
        snprintf(what, sizeof what, "sleep %d %ld", n, ns_each[s]);
        task_rival(values, systems[s].program, what);
        if (!isnan(values[0]) && !isnan(values[1]) && !isnan(values[2]))
            return;
        if (isnan(values[3])) /* it is not here */
            return;
    }
    bench_fail("%s: %s does not fall asleep", workload->name, systems[s].name);
}

int main(int argc, char **argv)
{
    static const struct bench_workload million = {
        "task-sleep-million",
        measure_sleep,
        1,
        1,
        0,
        { { "cold", "ns", BENCH_LESS },
          { "recycled", "ns", BENCH_LESS },
          { "by_chance", "ns", BENCH_LESS },
          { "resident", "B", BENCH_LESS } },
    };
    const char *names[SYSTEMS];

    if (argc == 4 && strcmp(argv[1], "sleep") == 0)
        return sleep_cold(argv);
    bench_begin(argc, argv, "Tasks: yield, spawn, queue, a million asleep, cancel of a group.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        struct bench_workload workload = tasks[i].workload;
        workload.measure = measure;
        workload.seconds = 1;
        bench_measure(&workload, names, SYSTEMS);
    }
    bench_measure(&million, names, SYSTEMS);
    return bench_end();
}
