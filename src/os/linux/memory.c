/* SPDX-License-Identifier: MIT */
/* Pages for stacks. */
#include <errno.h>
#include <sys/mman.h>

#include "os/os.h"

#define PAGE 4096

void *hkti_os_stack_map(size_t size)
{
    int saved = errno;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack != MAP_FAILED && mprotect(stack, PAGE, PROT_NONE) < 0) {
        munmap(stack, size);
        stack = MAP_FAILED;
    }
    errno = saved;
    return stack == MAP_FAILED ? NULL : stack;
}

void hkti_os_stack_unmap(void *stack, size_t size)
{
    int saved = errno;
    munmap(stack, size);
    errno = saved;
}
