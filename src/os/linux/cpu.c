/* SPDX-License-Identifier: MIT */
/* How many processors we may use at the same time: those of our affinity, but no more than the
 * quota of our control group (version 2: cpu.max; version 1: cpu.cfs_quota_us), rounded up. Read
 * once; only the group's own file is looked at, as containers show it. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "base/atomic.h"
#include "os/os.h"

/* Processors by quota, or 0 for no limit. */
static long quota_of(const char *quota_path, const char *period_path)
{
    long quota = -1;
    long period = 100000;
    FILE *file = fopen(quota_path, "re");
    if (file == NULL)
        return 0;
    int read = fscanf(file, "%ld %ld", &quota, &period);
    fclose(file);
    if (read == 1 && period_path && (file = fopen(period_path, "re")) != NULL) {
        if (fscanf(file, "%ld", &period) != 1)
            period = 100000;
        fclose(file);
    }
    return read >= 1 && quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

static unsigned count(void)
{
    cpu_set_t set;
    long cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    long quota = quota_of("/sys/fs/cgroup/cpu.max", NULL);
    if (quota == 0)
        quota = quota_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
                         "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (quota > 0 && quota < cpus)
        cpus = quota;
    return cpus > 0 ? (unsigned)cpus : 1;
}

unsigned hkti_os_cpu_count(void)
{
    static unsigned cached;
    unsigned cpus = hkti_load_relaxed(&cached);
    if (cpus == 0) {
        int saved = errno;
        cpus = count();
        errno = saved;
        hkti_store_relaxed(&cached, cpus);
    }
    return cpus;
}
