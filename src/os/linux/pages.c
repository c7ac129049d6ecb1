/* SPDX-License-Identifier: MIT */
/* Pages at a multiple of something. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "os/os.h"

void *hkti_os_pages_map(size_t size, size_t alignment)
{
    int saved = errno;
    char *whole = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (whole != MAP_FAILED) {
        size_t before = -(uintptr_t)whole & (alignment - 1);
        if (before)
            munmap(whole, before);
        if (alignment - before)
            munmap(whole + before + size, alignment - before);
        whole += before;
        madvise(whole, size, MADV_NOHUGEPAGE);
    }
    errno = saved;
    return whole == MAP_FAILED ? NULL : whole;
}

void hkti_os_pages_unmap(void *pages, size_t size)
{
    int saved = errno;
    munmap(pages, size);
    errno = saved;
}
