/* SPDX-License-Identifier: MIT */
/* What tests of files use: a folder of the test's own, and bodies that run in it on each kind of
 * executor. */
#ifndef HOCKET_TESTS_FILES_H
#define HOCKET_TESTS_FILES_H

#include <dirent.h>
#include <hocket/file.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "groups.h"

/* A folder of the test's own, and paths in it. */
static char folder[64];
static char path_a[128], path_b[128];

static inline void remove_all(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    CHECK_EQ(system(command), 0);
}

static inline void folder_open(void)
{
    strcpy(folder, "/tmp/hocket-file-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path_a, sizeof path_a, "%s/a", folder);
    snprintf(path_b, sizeof path_b, "%s/b", folder);
}

static inline int names_in(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static inline void fill(char *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(seed + i * 7 + i / 251);
}

static inline void each_kind_in_a_folder(hkt_job *job)
{
    for (int kind = 0; kind < KINDS; kind++) {
        folder_open();
        CHECK_EQ(run_in(kind, job, NULL), 0);
        check_finalized();
        remove_all(folder);
    }
}

#endif
