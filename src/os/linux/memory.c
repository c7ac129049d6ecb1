/* SPDX-License-Identifier: MIT */
/* Pages for stacks.
 *
 * Advice about pages that lie apart is given in one call for many, as to another process: the
 * kernel takes the calling one for that, by a number that stands for it (6.14), or by a descriptor.
 * What it refuses so is advised one by one.
 *
 * A guard is either a mark in the page table (6.13), or a page of another protection, which splits
 * the mapping. Emulators and sandboxes say 0 to an advice that they do not know; so once, a mark is
 * tried and looked at. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/os.h"

#define ADVICE_POPULATE_READ 22
#define ADVICE_POPULATE_WRITE 23
#define ADVICE_GUARD_INSTALL 102
#define SELF (-10000)
#define BATCH 256

enum { UNKNOWN, MARKED, NOT_MARKED };
static uint32_t marks;
static uint32_t one_by_one; /* advice for many is not known here; valgrind complains of each try */

size_t hkti_os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *hkti_os_stack_map(size_t size)
{
    int saved = errno;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack != MAP_FAILED && mprotect(stack, hkti_os_page_size(), PROT_NONE) < 0) {
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

/* Both say how many pages, from the first on, the kernel took the advice for. */
static size_t advise_together(char *first, size_t stride, size_t count, int advice)
{
#ifdef SYS_process_madvise
    struct iovec pages[BATCH];
    size_t page = hkti_os_page_size();
    if (hkti_load_relaxed(&one_by_one))
        return 0;
    for (size_t i = 0; i < count; i++)
        pages[i] = (struct iovec){ first + i * stride, page };
    long done = syscall(SYS_process_madvise, SELF, pages, count, advice, 0);
    if (done < 0 && errno == EBADF) {
        int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (self < 0)
            return 0;
        done = syscall(SYS_process_madvise, self, pages, count, advice, 0);
        close(self);
    }
    if (done < 0 && errno == ENOSYS)
        hkti_store_relaxed(&one_by_one, 1);
    return done > 0 ? (size_t)done / page : 0;
#else
    (void)first, (void)stride, (void)count, (void)advice;
    return 0;
#endif
}

static size_t advise(char *first, size_t stride, size_t count, int advice)
{
    size_t done = 0;
    while (done < count) {
        size_t some = count - done < BATCH ? count - done : BATCH;
        if (some > 1)
            some = advise_together(first + done * stride, stride, some, advice);
        else
            some = 0;
        if (some == 0 && madvise(first + done * stride, hkti_os_page_size(), advice) == 0)
            some = 1;
        if (some == 0)
            break;
        done += some;
    }
    return done;
}

/* A page that is marked cannot be read, which is asked without touching it. */
static uint32_t try_mark(void)
{
    size_t page = hkti_os_page_size();
    uint32_t result = NOT_MARKED;
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return UNKNOWN;
    if (madvise(memory, page, ADVICE_GUARD_INSTALL) == 0 &&
        madvise(memory, page, ADVICE_POPULATE_READ) < 0 && errno == EFAULT)
        result = MARKED;
    munmap(memory, page);
    return result;
}

size_t hkti_os_stack_mark(void *first, size_t stride, size_t count)
{
    int saved = errno;
    size_t done = 0;
    uint32_t known = hkti_load_relaxed(&marks);
    if (known == UNKNOWN) {
        known = try_mark();
        hkti_store_relaxed(&marks, known);
    }
    if (known == MARKED)
        done = advise(first, stride, count, ADVICE_GUARD_INSTALL);
    errno = saved;
    return done;
}

bool hkti_os_stack_protect(void *page)
{
    int saved = errno;
    bool done = mprotect(page, hkti_os_page_size(), PROT_NONE) == 0;
    errno = saved;
    return done;
}

void hkti_os_stack_populate(void *first, size_t stride, size_t count)
{
    int saved = errno;
    (void)advise(first, stride, count, ADVICE_POPULATE_WRITE);
    errno = saved;
}
