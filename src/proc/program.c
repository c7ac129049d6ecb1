/* SPDX-License-Identifier: MIT */
/* The program's file, and how it is started anew: by posix_spawn, so nothing of the caller's memory
 * is copied, with a variable in its environment that says what it is to do (entry.c). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "proc/start.h"
#include "proc/valgrind.h"

#define SELF "/proc/self/exe"

/* The program by its path, so that it has its name in all lists; by the system's link to the file
 * itself when that has been moved, deleted or replaced. (Under valgrind the link is to
 * valgrind.) */
static const char *find_program(char path[PATH_MAX])
{
    struct stat ours, there;
    ssize_t length = readlink(SELF, path, PATH_MAX - 1);
    if (length <= 0)
        return SELF;
    path[length] = '\0';
    if (RUNNING_ON_VALGRIND)
        return path;
    bool same = stat(SELF, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
                ours.st_dev == there.st_dev;
    return same ? path : SELF;
}

/* The environment with the variable in front; to be released, `size` bytes. */
static char **make_environment(char *variable, size_t *size)
{
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    *size = (count + 2) * sizeof(char *);
    char **made = hkti_allocate(*size);
    if (made == NULL)
        return NULL;
    made[kept++] = variable;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], HKTI_START_VARIABLE "=", sizeof HKTI_START_VARIABLE) != 0)
            made[kept++] = environ[i];
    return made;
}

/* Signals are as at the start of a program, but for SIGHUP, which nohup has it ignore. */
static int set_attributes(posix_spawnattr_t *attributes, bool hold_interrupts)
{
    sigset_t set;
    int err = posix_spawnattr_init(attributes);
    if (err != 0)
        return err;
    memset(&set, 0xff, sizeof set); /* sigfillset leaves out two */
    sigdelset(&set, SIGHUP);
    (void)posix_spawnattr_setsigdefault(attributes, &set);
    sigemptyset(&set);
    if (hold_interrupts) {
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGQUIT);
    }
    (void)posix_spawnattr_setsigmask(attributes, &set);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    return 0;
}

int hkti_program_spawn(pid_t *pid, const char *start, posix_spawn_file_actions_t *actions,
                       bool hold_interrupts)
{
    char path[PATH_MAX], variable[160];
    posix_spawnattr_t attributes;
    size_t size;
    int saved = errno;
    (void)snprintf(variable, sizeof variable, HKTI_START_VARIABLE "=%s", start);
    char **environment = make_environment(variable, &size);
    int err = environment ? set_attributes(&attributes, hold_interrupts) : ENOMEM;
    if (err == 0) {
        const char *program = find_program(path);
        char *argv[] = { program_invocation_name, NULL };
        err = posix_spawn(pid, program, actions, &attributes, argv, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    hkti_release(environment, size);
    errno = saved;
    return -err;
}

static bool close_range_of(unsigned first, unsigned last)
{
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
}

/* For systems without that call (before Linux 5.9). */
static void close_one_by_one(const int *kept, size_t count)
{
    DIR *all = opendir("/proc/self/fd");
    struct dirent *entry;
    while (all && (entry = readdir(all)) != NULL) {
        int fd = atoi(entry->d_name);
        bool keep = fd <= STDERR_FILENO || fd == dirfd(all);
        for (size_t i = 0; i < count; i++)
            keep = keep || kept[i] == fd;
        if (!keep)
            (void)close(fd);
    }
    if (all)
        (void)closedir(all);
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void hkti_close_others(int *kept, size_t count)
{
    unsigned next = STDERR_FILENO + 1;
    if (count > 1)
        qsort(kept, count, sizeof *kept, compare);
    bool done = true;
    for (size_t i = 0; done && i < count; i++) {
        if (kept[i] < (int)next)
            continue;
        done = close_range_of(next, (unsigned)kept[i] - 1);
        next = (unsigned)kept[i] + 1;
    }
    if (!done || !close_range_of(next, ~0u))
        close_one_by_one(kept, count);
}
