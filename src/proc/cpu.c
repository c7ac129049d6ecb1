/* SPDX-License-Identifier: MIT */
/* Processors of the machine, and those that this process may use. */
#include <errno.h>
#include <hocket/process.h>
#include <unistd.h>

#include "os/os.h"

unsigned hkt_cpu_count(void)
{
    int saved = errno;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    errno = saved;
    return count > 0 ? (unsigned)count : 1;
}

unsigned hkt_process_cpu_count(void)
{
    return hkti_os_cpu_count();
}
