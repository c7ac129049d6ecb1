/* SPDX-License-Identifier: MIT */
/* Named shared memory. A file is made without a name, given its memory, its first page
 * (proc/shared_memory.h) is written, and only then it is linked: so nobody ever sees one that is
 * half made, and who is killed before leaves nothing.
 *
 * `owned` has the segments of this process that are removed at its exit, under the guard; a copy of
 * the process by fork owns none of them, which `owner` tells. */
#include "proc/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"
#include "os/os.h"
#include "park/guard.h"

struct hkt_shared_memory {
    struct hkti_node node; /* in `owned`, or nowhere */
    struct hkti_segment_head *head;
    size_t mapped;
    pid_t owner; /* 0: nobody that this process knows of */
    struct hkti_segment_path path;
    struct hkti_segment_file file;
    size_t size;
    char name[HKTI_SEGMENT_NAME_MAX + 2];
};

static uint32_t guard;
static struct hkti_node owned;
static uint32_t registered;

/* Takes a segment off the list of those that this process removes; false: it was not in it. */
static bool forget(hkt_shared_memory *segment)
{
    hkti_guard_acquire(&guard);
    bool was = segment->node.next != NULL;
    if (was)
        hkti_list_remove(&segment->node);
    hkti_guard_release(&guard);
    return was;
}

/* At exit. Other threads may still run, and give segments back meanwhile. */
static void remove_all(void)
{
    for (;;) {
        struct hkti_segment_path path;
        struct hkti_segment_file file;
        pid_t owner = 0;
        hkti_guard_acquire(&guard);
        struct hkti_node *node = hkti_list_pop(&owned);
        if (node) {
            hkt_shared_memory *segment = HKTI_CONTAINER(node, hkt_shared_memory, node);
            path = segment->path;
            file = segment->file;
            owner = segment->owner;
        }
        hkti_guard_release(&guard);
        if (node == NULL)
            return;
        if (owner == getpid())
            (void)hkti_segment_remove(path.text, file);
    }
}

/* Two who come at once may both have it called, which does no harm. */
static int register_exit(void)
{
    if (hkti_load_relaxed(&registered))
        return 0;
    if (atexit(remove_all) != 0)
        return -ENOMEM;
    hkti_store_relaxed(&registered, 1U);
    return 0;
}

static int full(size_t size)
{
    return hkt_fail(-ENOMEM, HKTI_SEGMENT_FOLDER " has no room for a segment of %zu bytes", size);
}

/* A file without a name, with all its memory: its fd. */
static int make_file(size_t size)
{
    int fd = open(HKTI_SEGMENT_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT)
        return hkt_fail(-ENOENT, "this system has no " HKTI_SEGMENT_FOLDER ": mount a tmpfs there");
    if (fd < 0)
        return hkt_fail(errno == EISDIR ? -EOPNOTSUPP : -errno,
                        "cannot make a file in " HKTI_SEGMENT_FOLDER ": %s", hkt_strerror(-errno));
    int err = fchmod(fd, 0600) < 0 ? -errno : 0; /* whatever the umask is */
    while (err == 0 && fallocate(fd, 0, 0, (off_t)size) < 0)
        err = errno == EINTR ? 0 : -errno;
    if (err == 0)
        return fd;
    hkti_os_close(fd);
    return err == -ENOSPC || err == -EFBIG || err == -ENOMEM ? full(size) : err;
}

static int map(hkt_shared_memory *segment, int fd, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return errno == ENOMEM ? -ENOMEM : -errno;
    segment->head = memory;
    segment->mapped = size;
    return 0;
}

static int note_file(hkt_shared_memory *segment, int fd)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    segment->file = (struct hkti_segment_file){ about.st_dev, about.st_ino };
    return 0;
}

/* Gives the file its name: 0, -EEXIST. */
static int name_file(hkt_shared_memory *segment, int fd, const char *name)
{
    char link[32];
    int err = hkti_segment_path(name, &segment->path);
    if (err < 0)
        return err;
    memcpy(segment->name, name, strlen(name) + 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, link, AT_FDCWD, segment->path.text, AT_SYMLINK_FOLLOW) == 0 ||
        (errno == ENOENT && linkat(fd, "", AT_FDCWD, segment->path.text, AT_EMPTY_PATH) == 0))
        return 0;
    if (errno == EEXIST)
        return hkt_fail(-EEXIST, "there is a segment %.80s already", name);
    return hkt_fail(-errno, "cannot name a segment %.60s: %s", name, hkt_strerror(-errno));
}

static int choose_name(hkt_shared_memory *segment, int fd)
{
    char name[64];
    for (;;) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return -EIO;
        snprintf(name, sizeof name, "/%ld-%016llx", (long)getpid(), (unsigned long long)random);
        int err = name_file(segment, fd, name);
        if (err != -EEXIST)
            return err;
    }
}

/* A name that is taken is told before anything is made of it. */
static int check_name(const char *name)
{
    struct hkti_segment_path path;
    struct stat about;
    int err = name ? hkti_segment_path(name, &path) : 0;
    if (err == 0 && name && lstat(path.text, &about) == 0)
        return hkt_fail(-EEXIST, "there is a segment %.80s already", name);
    return err;
}

struct filling {
    void (*fill)(void *bytes, void *arg);
    void *arg;
};

/* All but the memory of the handle. */
static int create(hkt_shared_memory *segment, const char *name, size_t size,
                  const struct filling *filling)
{
    size_t page = hkti_os_page_size();
    if (size == 0)
        return hkt_fail(-EINVAL, "a segment has at least one byte");
    int err = name ? hkti_segment_path(name, &segment->path) : 0;
    if (err == 0 && size > (SIZE_MAX >> 2))
        err = full(size);
    if (err == 0)
        err = register_exit();
    if (err < 0)
        return err;
    (void)hkt_shared_memory_sweep();
    err = check_name(name);
    size_t whole = page + ((size + page - 1) & ~(page - 1));
    int fd = err < 0 ? err : make_file(whole);
    if (fd < 0)
        return fd;
    err = note_file(segment, fd);
    if (err == 0)
        err = map(segment, fd, whole);
    if (err == 0) {
        segment->size = size;
        hkti_segment_sign(segment->head, size);
        if (filling->fill)
            filling->fill(hkt_shared_memory_bytes(segment), filling->arg);
        err = name ? name_file(segment, fd, name) : choose_name(segment, fd);
    }
    hkti_os_close(fd);
    return err;
}

static void release(hkt_shared_memory *segment)
{
    if (segment->head)
        (void)munmap(segment->head, segment->mapped);
    hkti_release(segment, sizeof *segment);
}

int hkti_shared_memory_make(hkt_shared_memory **segment, const char *name, size_t size,
                            void (*fill)(void *bytes, void *arg), void *arg)
{
    hkt_shared_memory *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int saved = errno;
    int err = create(made, name, size, &(struct filling){ fill, arg });
    if (err < 0) {
        release(made);
    } else {
        made->owner = getpid();
        hkti_guard_acquire(&guard);
        hkti_list_append(&owned, &made->node);
        hkti_guard_release(&guard);
        *segment = made;
    }
    errno = saved;
    return err;
}

int hkt_shared_memory_create(hkt_shared_memory **segment, const char *name, size_t size)
{
    return hkti_shared_memory_make(segment, name, size, NULL, NULL);
}

static int foreign(const char *name)
{
    return hkt_fail(-EACCES, "the segment %.60s is another user's, or others may change it", name);
}

/* Of an open file: 0 if it is a segment, of this user's alone. */
static int check_file(hkt_shared_memory *segment, int fd, const char *name, size_t *whole)
{
    struct stat about;
    struct hkti_segment_head head;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid() || (about.st_mode & 077))
        return foreign(name);
    if (!hkti_segment_look(fd, &about, &head) || head.begin != hkti_os_page_size() ||
        about.st_size < 0 || (uint64_t)about.st_size < head.begin ||
        head.size > (uint64_t)about.st_size - head.begin)
        return hkt_fail(-EBADMSG, "what is called %.60s is no segment of hocket's", name);
    *whole = (size_t)about.st_size;
    segment->size = (size_t)head.size;
    return 0;
}

static int open_segment(hkt_shared_memory *segment, const char *name)
{
    size_t whole = 0;
    int err = hkti_segment_path(name, &segment->path);
    if (err < 0)
        return err;
    (void)hkt_shared_memory_sweep();
    int fd = hkti_segment_open_file(segment->path.text, O_RDWR);
    if (fd == -EACCES || fd == -ELOOP || fd == -EISDIR || fd == -ENXIO)
        return foreign(name);
    if (fd == -ENOENT)
        return hkt_fail(fd, "there is no segment %.80s", name);
    if (fd < 0)
        return fd;
    memcpy(segment->name, name, strlen(name) + 1);
    err = check_file(segment, fd, name, &whole);
    if (err == 0)
        err = note_file(segment, fd);
    if (err == 0)
        err = map(segment, fd, whole);
    hkti_os_close(fd);
    return err;
}

int hkt_shared_memory_open(hkt_shared_memory **segment, const char *name)
{
    if (name == NULL)
        return hkt_fail(-EINVAL, "a segment that is to be opened has a name");
    hkt_shared_memory *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int saved = errno;
    int err = open_segment(made, name);
    errno = saved;
    if (err < 0)
        release(made);
    else
        *segment = made;
    return err;
}

void *hkt_shared_memory_bytes(const hkt_shared_memory *segment)
{
    return (char *)segment->head + hkti_os_page_size();
}

size_t hkt_shared_memory_size(const hkt_shared_memory *segment)
{
    return segment->size;
}

const char *hkt_shared_memory_name(const hkt_shared_memory *segment)
{
    return segment->name;
}

bool hkt_shared_memory_is_owner(const hkt_shared_memory *segment)
{
    return segment->owner == getpid();
}

int hkt_shared_memory_unlink(hkt_shared_memory *segment)
{
    if (!hkt_shared_memory_is_owner(segment))
        return hkt_fail(-EPERM, "only the owner of %.80s may remove it", segment->name);
    int saved = errno;
    (void)forget(segment);
    int err = hkti_segment_remove(segment->path.text, segment->file);
    errno = saved;
    return err;
}

int hkt_shared_memory_disown(hkt_shared_memory *segment)
{
    if (!hkt_shared_memory_is_owner(segment))
        return hkt_fail(-EPERM, "only the owner of %.80s may disown it", segment->name);
    hkti_store_relaxed(&segment->head->disowned, 1U);
    (void)forget(segment);
    segment->owner = 0;
    return 0;
}

void hkt_shared_memory_destroy(hkt_shared_memory *segment)
{
    if (segment == NULL)
        return;
    int saved = errno;
    bool listed = forget(segment);
    if (listed && hkt_shared_memory_is_owner(segment))
        (void)hkti_segment_remove(segment->path.text, segment->file);
    release(segment);
    errno = saved;
}
