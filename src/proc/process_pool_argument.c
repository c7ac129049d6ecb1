/* SPDX-License-Identifier: MIT */
/* What may be a job's argument in another process: nothing, what lies in shared memory, or a struct
 * whose size is known. In the checked build it is searched for words that look like pointers into
 * this process alone: its stack, its heap, its data, its literals. That is a guess, by the mappings
 * that there are, so a number that looks like one is told, too; each costs a look into /proc. */
#include "proc/process_pool_argument.h"

#include <errno.h>
#include <hocket/error.h>
#include <hocket/shared.h>
#include <stdint.h>
#include <string.h>

#ifdef HKT_CHECKED
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/os.h"
#include "proc/arena.h"

/* Is this address mapped here, and of this process alone? Names what is there. */
static bool is_private(uintptr_t address, char name[64])
{
    char line[512];
    bool found = false;
    int before = errno;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && !found && fgets(line, sizeof line, maps)) {
        unsigned long low, high;
        char rights[5] = "", path[64] = "";
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %63s", &low, &high, rights, path) < 3)
            continue;
        found = address >= low && address < high && rights[3] == 'p';
        if (found)
            snprintf(name, 64, "%s", path[0] ? path : "the heap");
    }
    if (maps)
        fclose(maps);
    errno = before;
    return found;
}

static int search(const void *arg, size_t size)
{
    char name[64];
    for (size_t at = 0; at + sizeof(uintptr_t) <= size; at += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, (const char *)arg + at, sizeof word);
        if (word < 65536 || word >> 47 || hkt_shared_contains((const void *)word))
            continue;
        if (is_private(word, name))
            return hkt_fail(-EINVAL,
                            "the argument's word at offset %zu points to %s, which no other "
                            "process has: use hkt_shared_alloc",
                            at, name);
    }
    return 0;
}
#else
static int search(const void *arg, size_t size)
{
    (void)arg;
    (void)size;
    return 0;
}
#endif

int hkti_argument_check(const void *arg, size_t *size)
{
    if (arg == NULL && *size == 0)
        return 0;
    if (arg == NULL)
        return hkt_fail(-EINVAL, "a job's argument is NULL, and its size is %zu", *size);
    if (hkt_shared_contains(arg)) {
        *size = 0;
        return 0;
    }
    if (*size > 0)
        return search(arg, *size);
    return hkt_fail(-EINVAL,
                    "a job in another process gets a struct (HKT_ITEM, .arg_size), or what "
                    "hkt_shared_alloc gave");
}
