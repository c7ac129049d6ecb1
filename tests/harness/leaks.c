/* SPDX-License-Identifier: MIT */
/*
 * Leaks of a test's process: a snapshot before the body, a comparison after.
 * Fds must be the same, threads as many, children none. A joined thread's
 * entry in /proc may stay for a moment, so there is a short time to settle.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_SECONDS 0.5
#define MAPPINGS_ALLOWED 64 /* malloc's arenas and cached thread stacks stay */

/* Calls visit with each number that is a name in this directory of /proc. */
static void each_number(const char *path, void (*visit)(int number, void *arg), void *arg)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && !(number == dirfd(dir) && strstr(path, "/fd")))
            visit(number, arg);
    }
    closedir(dir);
}

static void mark_fd(int fd, void *arg)
{
    unsigned char *bits = arg;
    if (fd < 8192)
        bits[fd / 8] |= (unsigned char)(1u << (fd % 8));
}

static void count_one(int number, void *arg)
{
    (void)number;
    ++*(int *)arg;
}

/* Mappings without a file behind them. */
static int count_anonymous_mappings(void)
{
    int count = 0;
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return 0;
    while (fgets(line, sizeof line, maps))
        count += !strchr(line, '/');
    fclose(maps);
    return count;
}

void test_snapshot_take(struct test_snapshot *snapshot)
{
    memset(snapshot, 0, sizeof *snapshot);
    each_number("/proc/self/fd", mark_fd, snapshot->fds);
    each_number("/proc/self/task", count_one, &snapshot->threads);
    snapshot->mappings = count_anonymous_mappings();
}

static void print_fd_leaks(const struct test_snapshot *before, const struct test_snapshot *now)
{
    for (int fd = 0; fd < 8192; fd++) {
        bool was = before->fds[fd / 8] >> (fd % 8) & 1;
        bool is = now->fds[fd / 8] >> (fd % 8) & 1;
        if (was && !is)
            dprintf(STDERR_FILENO, "leak check: fd %d was closed\n", fd);
        if (was || !is)
            continue;
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        dprintf(STDERR_FILENO, "leak check: fd %d was left open: %s\n", fd, target);
    }
}

static void print_thread(int tid, void *arg)
{
    (void)arg;
    char path[64], name[64] = "?";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    FILE *comm = fopen(path, "re");
    if (comm) {
        if (fgets(name, sizeof name, comm))
            name[strcspn(name, "\n")] = '\0';
        fclose(comm);
    }
    dprintf(STDERR_FILENO, "    thread %d: %s\n", tid, name);
}

/* Has this process a child, running or not yet waited for? */
static bool child_left(void)
{
    siginfo_t info;
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return false; /* ECHILD */
    if (info.si_pid)
        dprintf(STDERR_FILENO, "leak check: child %d ended and was not waited for\n",
                (int)info.si_pid);
    else
        dprintf(STDERR_FILENO, "leak check: a child process was left running\n");
    return true;
}

bool test_snapshot_compare(const struct test_snapshot *before)
{
    struct test_snapshot now;
    double limit = test_now() + SETTLE_SECONDS * test_timeout_factor();
    bool same_fds, same_threads;
    for (;;) {
        test_snapshot_take(&now);
        same_fds = memcmp(now.fds, before->fds, sizeof now.fds) == 0;
        same_threads = now.threads == before->threads;
        if ((same_fds && same_threads) || test_now() > limit)
            break;
        usleep(1000);
    }
    if (!same_fds)
        print_fd_leaks(before, &now);
    if (!same_threads) {
        dprintf(STDERR_FILENO, "leak check: %d threads before, %d after:\n", before->threads,
                now.threads);
        each_number("/proc/self/task", print_thread, NULL);
    }
    bool same_maps = test_has_sanitizer() || now.mappings - before->mappings <= MAPPINGS_ALLOWED;
    if (!same_maps)
        dprintf(STDERR_FILENO, "leak check: %d anonymous mappings before, %d after\n",
                before->mappings, now.mappings);
    return !child_left() && same_fds && same_threads && same_maps;
}
