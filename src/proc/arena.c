/* SPDX-License-Identifier: MIT */
/* The arena's memory: made, mapped, grown, closed. arena.h says what is in it.
 *
 * The file is sparse and as long as the address range; it never changes its length, which its seals
 * say, too. A process may not be allowed that much address space: so less is asked for until some is
 * had. Without memfd_create, which a sandbox may refuse, it is a nameless file in a folder of memory.
 *
 * States: NONE, MAKING (by one strand; the others wait for it), OPEN. */
#include "proc/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <hocket/shared.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/report.h"
#include "os/os.h"
#include "park/strand.h"
#include "proc/family.h"
#include "proc/identity.h"
#include "proc/valgrind.h"

#define MAGIC UINT64_C(0x31616e6572614b48)
#define FAMILY ((size_t)128 << 10)
#define MODULES ((size_t)17 << 20) /* after the family */
#define WORDS ((size_t)18 << 20)
_Static_assert(sizeof(struct hkti_modules) <= WORDS - MODULES, "room for the modules");
#define VALGRIND_MAX ((size_t)256 << 20)
#define CHUNK ((size_t)64 << 20) /* as much is had at a time, since a signal undoes the call */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { NONE, MAKING, OPEN };

static uint32_t state;
static int arena_fd = -1;
static uint64_t mapped;

static char *at(size_t offset)
{
    return (char *)hkti_arena() + offset;
}

bool hkti_arena_is_open(void)
{
    return hkti_load_acquire(&state) == OPEN; /* pairs: arena */
}

int hkti_arena_fd(void)
{
    return arena_fd;
}

struct hkti_family *hkti_arena_family(void)
{
    return (struct hkti_family *)(void *)at(FAMILY);
}

struct hkti_modules *hkti_arena_modules(void)
{
    return (struct hkti_modules *)(void *)at(MODULES);
}

bool hkt_shared_contains(const void *memory)
{
    uintptr_t offset = (uintptr_t)memory - HKTI_ARENA_BASE;
    return hkti_arena_is_open() && offset < mapped;
}

size_t hkt_shared_capacity(void)
{
    return hkti_arena_is_open() ? hkti_arena()->spans * HKTI_SPAN : 0;
}

int hkti_arena_commit(const void *start, size_t size)
{
    size_t page = hkti_os_page_size();
    size_t from = ((uintptr_t)start - HKTI_ARENA_BASE) & ~(page - 1);
    size_t to = ((uintptr_t)start + size - HKTI_ARENA_BASE + page - 1) & ~(page - 1);
    int saved = errno, err = 0;
    while (from < to && err == 0) {
        size_t some = to - from < CHUNK ? to - from : CHUNK;
        do
            err = fallocate(arena_fd, 0, (off_t)from, (off_t)some) < 0 ? errno : 0;
        while (err == EINTR);
        if (err == EOPNOTSUPP || err == ENOSYS)
            err = posix_fallocate(arena_fd, (off_t)from, (off_t)some);
        from += some;
    }
    errno = saved;
    return err ? -ENOMEM : 0;
}

void hkti_arena_drop(const void *start, size_t size)
{
    int saved = errno;
    off_t from = (off_t)((uintptr_t)start - HKTI_ARENA_BASE);
    (void)fallocate(arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, (off_t)size);
    errno = saved;
}

/* -errno. None of the three fds that are written to and read from by everybody, should they be free. */
static int open_file(bool *sealable)
{
    int fd = memfd_create("hocket", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *sealable = fd >= 0;
    if (fd < 0)
        fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd < 0 ? -errno : fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int err = above < 0 ? -errno : above;
    close(fd);
    return err;
}

/* 0, or an errno; -1: something else is mapped there. */
static int map(int fd, size_t size)
{
    void *base = (void *)HKTI_ARENA_BASE;
    void *got = mmap(base, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
    if (got == MAP_FAILED)
        return errno == EEXIST ? -1 : errno;
    if (got != base) {
        munmap(got, size);
        return -1;
    }
    (void)madvise(got, size, MADV_DONTDUMP);
    mapped = size;
    return 0;
}

/* The most that this process's limits give. Of limited addresses half is left to stacks and heap. At the
 * end of a program valgrind looks for pointers in all that is mapped, whereby holes become memory. */
static size_t most(void)
{
    struct rlimit files = { .rlim_cur = RLIM_INFINITY }, addresses = files;
    size_t size = RUNNING_ON_VALGRIND ? VALGRIND_MAX : HKTI_ARENA_MAX;
    (void)getrlimit(RLIMIT_FSIZE, &files);
    (void)getrlimit(RLIMIT_AS, &addresses);
    while (size > files.rlim_cur || (size > HKTI_ARENA_MIN && size > addresses.rlim_cur / 2))
        size /= 2;
    return size;
}

static int reserve(int fd, size_t *size)
{
    int err = EFBIG;
    for (*size = most(); *size >= HKTI_ARENA_MIN; *size /= 2) {
        err = ftruncate(fd, (off_t)*size) < 0 ? errno : map(fd, *size);
        if (err <= 0)
            return err;
    }
    return err;
}

/* The words and bits of all spans come first. */
static void lay_out(struct hkti_arena *arena, size_t size)
{
    size_t left = size - WORDS;
    size_t spans = left / (HKTI_SPAN + 8 + HKTI_SPAN / 128);
    size_t bits = (WORDS + spans * 8 + HKTI_SPAN - 1) & ~(HKTI_SPAN - 1);
    size_t first = (bits + spans * (HKTI_SPAN / 128) + HKTI_SPAN - 1) & ~(HKTI_SPAN - 1);
    arena->size = size;
    arena->words = WORDS;
    arena->bits = bits;
    arena->first = first;
    arena->spans = (uint32_t)((size - first) / HKTI_SPAN);
    if (arena->spans > spans)
        arena->spans = (uint32_t)spans;
    arena->magic = MAGIC;
}

static int fill(size_t size)
{
    if (hkti_arena_commit(hkti_arena(), sizeof(struct hkti_arena)) < 0 ||
        hkti_arena_commit(hkti_arena_modules(), HKTI_ARENA_MODULES) < 0) {
        munmap(hkti_arena(), size);
        return hkt_fail(-ENOMEM, "there is no memory for the shared arena: the system's memory, or "
                                 "its control group's, is full");
    }
    lay_out(hkti_arena(), size);
    return 0;
}

static int refused(int err)
{
    if (err == -1)
        return hkt_fail(-ENOMEM,
                        "the shared arena needs the addresses from %#lx on, and something "
                        "else is mapped there",
                        (unsigned long)HKTI_ARENA_BASE);
    return hkt_fail(-ENOMEM,
                    "no %zu MiB of addresses for the shared arena (%s): raise ulimit -v "
                    "and ulimit -f",
                    HKTI_ARENA_MIN >> 20, strerrordesc_np(err));
}

static int make(void)
{
    bool sealable;
    size_t size;
    int fd = open_file(&sealable);
    if (fd < 0)
        return hkt_fail(fd,
                        "no file for the shared arena (%s): memfd_create, /dev/shm and /tmp "
                        "all refuse one",
                        strerrordesc_np(-fd));
    int err = reserve(fd, &size);
    arena_fd = fd;
    err = err != 0 ? refused(err) : fill(size);
    if (err < 0) {
        arena_fd = -1;
        close(fd);
        return err;
    }
    if (sealable)
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return 0;
}

static int find(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    int err = map(fd, (size_t)status.st_size);
    if (err != 0)
        return hkt_fail(-ENOMEM, "the family's shared memory cannot be mapped in this process (%s)",
                        err == -1 ? "its addresses are taken" : strerrordesc_np(err));
    if (hkti_arena()->magic != MAGIC) {
        munmap(hkti_arena(), mapped);
        return hkt_fail(-EINVAL, "fd %d is not the family's shared memory", fd);
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    arena_fd = fd;
    return 0;
}

/* The arena of this fd; -1: a new one. One strand does it. */
static int become_open(int fd)
{
    for (unsigned turns = 0; !hkti_arena_is_open(); turns++) {
        if (!hkti_cas_acquire(&state, NONE, MAKING)) { /* pairs: arena */
            hkti_os_yield(turns);
            continue;
        }
        int saved = errno;
        int err = fd < 0 ? make() : find(fd);
        errno = saved;
        hkti_store_release(&state, err < 0 ? NONE : OPEN); /* pairs: arena */
        return err;
    }
    return 0;
}

int hkti_arena_open(void)
{
    return become_open(-1);
}

int hkti_arena_attach(int fd)
{
    return become_open(fd);
}

bool hkti_arena_close(void)
{
    if (!hkti_arena_is_open())
        return true;
    if (hkti_family_others())
        return true;
    if (hkt_shared_used() > 0)
        return false;
    hkti_family_leave();
    munmap(hkti_arena(), mapped);
    hkti_os_close(arena_fd);
    arena_fd = -1;
    mapped = 0;
    hkti_heap_reset();
    hkti_function_forget();
    hkti_store_release(&state, NONE); /* pairs: arena */
    return true;
}

/* Another thread, which the child has not got, was about to make it. */
static void in_fork_child(void)
{
    if (hkti_load_relaxed(&state) == MAKING)
        hkti_store_relaxed(&state, NONE);
}

static struct hkti_strand_events events = { .finalize = hkti_arena_close, .last = true };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
    (void)hkti_os_at_fork(in_fork_child);
}
