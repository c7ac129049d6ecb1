/* SPDX-License-Identifier: MIT */
/* What tests of segments use: names of their own, and segments that must be had. */
#ifndef HOCKET_TESTS_SEGMENTS_H
#define HOCKET_TESTS_SEGMENTS_H

#include <hocket.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "loops.h"

/* A name that no other test has, that runs at the same time. */
static inline const char *name_of(int number)
{
    static _Thread_local char names[4][64];
    if (names[number][0] == 0)
        snprintf(names[number], sizeof names[number], "/test-%ld-%d", (long)getpid(), number);
    return names[number];
}

static inline const char *file_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "/dev/shm/hocket.%s", name + 1);
    return path;
}

static inline bool is_there(const char *name)
{
    return access(file_of(name), F_OK) == 0;
}

static inline hkt_shared_memory *must_create(const char *name, size_t size)
{
    hkt_shared_memory *segment = NULL;
    CHECK_EQ(hkt_shared_memory_create(&segment, name, size), 0);
    return segment;
}

static inline hkt_shared_memory *must_open_segment(const char *name)
{
    hkt_shared_memory *segment = NULL;
    CHECK_EQ(hkt_shared_memory_open(&segment, name), 0);
    return segment;
}

/* A child that does this with the name; how it ended. */
static inline int in_child(const char *name, void (*part)(const char *name))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        part(name);
        _exit(7);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

#endif
