/* SPDX-License-Identifier: MIT */
/* A thousand short programs (`true`), eight at once: who starts them is a process of its own,
 * hocket too, and its whole life is measured. */
#include <hocket.h>
#include <hocket/subprocess.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"

enum { AT_ONCE = 8, PROGRAMS = 1000, QUICK_PROGRAMS = 20 };

static const char *const names[] = { "hocket", "xargs", "posix_spawn" };
enum { SYSTEMS = sizeof names / sizeof names[0] };

static struct {
    int n, started, good;
} order;

static int start_in_turn(void *arg)
{
    char number[16];
    char *program[] = { "true", number, NULL };

    (void)arg;
    while (order.started < order.n) {
        hkt_subprocess *child;
        int code = -1;

        snprintf(number, sizeof number, "%d", order.started++);
        bench_check(hkt_subprocess_exec(&child, program, NULL), "hkt_subprocess_exec");
        bench_check(hkt_subprocess_wait(child, &code), "hkt_subprocess_wait");
        hkt_subprocess_destroy(child);
        order.good += code == 0;
    }
    return 0;
}

static int start_all(void *arg)
{
    hkt_task_group group = { 0 };

    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < AT_ONCE; i++)
        bench_check(hkt_task_group_spawn(&group, NULL, start_in_turn, NULL), "spawn");
    return hkt_task_group_leave(&group, 0);
}

static void run_hocket(void)
{
    bench_check(hkt_run(start_all, NULL), "hkt_run");
}

static void reap_one(void)
{
    int status;

    order.good += wait(&status) > 0 && status == 0;
}

static void run_spawn(void)
{
    extern char **environ;
    char number[16];
    char *program[] = { "true", number, NULL };
    pid_t pid;

    while (order.started < order.n) {
        if (order.started >= AT_ONCE)
            reap_one();
        snprintf(number, sizeof number, "%d", order.started++);
        bench_check(posix_spawnp(&pid, "true", NULL, NULL, program, environ), "posix_spawnp");
    }
    for (int i = 0; i < AT_ONCE && i < order.n; i++)
        reap_one();
}

/* This program started by itself: `bench_subprocess hocket|posix_spawn N`. */
static int run(const char *system, const char *n)
{
    order.n = atoi(n);
    if (strcmp(system, "hocket") == 0)
        run_hocket();
    else
        run_spawn();
    return order.good != order.n;
}

static double children_cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure(const struct bench_workload *workload, int s, double values[])
{
    char self[4096], command[4096 + 64];
    int n = workload->seconds < 0.1 ? QUICK_PROGRAMS : PROGRAMS;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length < 0)
        bench_fail("readlink: /proc/self/exe");
    self[length] = '\0';
    if (strcmp(names[s], "xargs") == 0)
        snprintf(command, sizeof command, "seq %d | xargs -P%d -n1 true", n, AT_ONCE);
    else
        snprintf(command, sizeof command, "exec '%s' %s %d", self, names[s], n);
    double before = children_cpu();
    uint64_t began = bench_ns();
    int status = system(command);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        bench_left_out(names[s], "it is not on this machine");
        return;
    }
    if (status != 0)
        bench_fail("failed: %s", command);
    values[0] = n / ((double)(bench_ns() - began) / 1e9);
    values[1] = (children_cpu() - before) / n;
}

int main(int argc, char **argv)
{
    static const struct bench_workload workload = {
        "subprocess-1000",
        measure,
        1,
        AT_ONCE,
        0,
        { { "programs", "/s", BENCH_MORE }, { "cpu", "us", BENCH_LESS } },
    };

    if (argc == 3 && argv[1][0] != '-')
        return run(argv[1], argv[2]);
    bench_begin(argc, argv, "A thousand short programs, eight at once.");
    bench_measure(&workload, names, SYSTEMS);
    return bench_end();
}
