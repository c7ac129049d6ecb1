/* SPDX-License-Identifier: MIT */
/* What tests of processes share: each is done by all three ways to start, and leaves nothing. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <dirent.h>
#include <errno.h>
#include <hocket.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#define EACH_METHOD(method)                                                                        \
    for (hkt_start_method method = HKT_START_FORKSERVER; method <= HKT_START_FORK;                 \
         method = (hkt_start_method)(method + 1))

static inline hkt_process *start_by(hkt_start_method method, hkt_job *function, const void *arg,
                                    size_t size)
{
    hkt_process_options options = { .method = method };
    hkt_process *process = NULL;
    int err = hkt_process_spawn(&process, function, arg, size, &options);
    if (err < 0)
        test_fail(__FILE__, __LINE__, "a start by %s: %s", hkt_start_method_name(method),
                  hkt_sentence(err));
    return process;
}

/* Joins it, gives it back, and returns its exit code. */
static inline int end_of(hkt_process *process)
{
    int code = -1000;
    CHECK_EQ(hkt_process_join(process), 0);
    CHECK_EQ(hkt_process_exit_code(process, &code), 0);
    hkt_process_destroy(process);
    return code;
}

/* A word of shared memory, which children write into. */
static inline int *shared_words(size_t count)
{
    int *words = (int *)hkt_shared_alloc(count * sizeof(int));
    CHECK(words != NULL);
    return words;
}

static inline void put(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline int get(int *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* Waits until a child has written something there. */
static inline int await_word(int *word)
{
    hkt_deadline deadline = hkt_after(20);
    while (get(word) == 0) {
        CHECK(!hkt_deadline_passed(deadline));
        usleep(500);
    }
    return get(word);
}

/* Has it ended? A zombie has: whoever is its parent now may take its time. */
static inline bool is_gone(int pid)
{
    char path[40], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "re");
    if (stat == NULL)
        return true;
    char *state = fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
    fclose(stat);
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static inline bool is_gone_within(int pid, double seconds)
{
    hkt_deadline deadline = hkt_after(seconds);
    while (!is_gone(pid)) {
        if (hkt_deadline_passed(deadline))
            return false;
        usleep(1000);
    }
    return true;
}

/* hkt_finalize, when the servers of processes that were killed have ended, too: until then the shared
 * memory is theirs. */
static inline void finalize_alone(void)
{
    hkt_deadline deadline = hkt_after(10);
    do {
        CHECK_EQ(hkt_finalize(), 0);
        CHECK(!hkt_deadline_passed(deadline));
        usleep(1000);
    } while (hkt_shared_capacity() > 0);
}

/* The number of this process's fork server, which is its only child of that name; 0. */
static inline int server_pid(void)
{
    int found = 0;
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while (all && !found && (entry = readdir(all)) != NULL) {
        char path[40], text[512] = "";
        int pid = atoi(entry->d_name), parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *stat = pid > 0 ? fopen(path, "re") : NULL;
        char *end = stat && fgets(text, sizeof text, stat) ? strrchr(text, ')') : NULL;
        if (end && strstr(text, "(hkt-forkserver)") && sscanf(end, ") %*c %d", &parent) == 1 &&
            parent == getpid())
            found = pid;
        if (stat)
            fclose(stat);
    }
    if (all)
        closedir(all);
    return found;
}

#endif
