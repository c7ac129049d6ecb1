/* SPDX-License-Identifier: MIT */
/* Walking a folder and what is below it. A folder is read as a whole, in one job, before its
 * entry is told: so the entry can say whether that went well, and a task waits once a folder.
 * What was read is a batch; the batches from the first folder down to the present one are a
 * list, so depth costs memory and no stack, and one fd is open, that of the first folder.
 *
 * A batch has its names one behind the other, each after a letter for its kind. `next` is where
 * the next one stands; sorted, which of `order` that is. An entry is taken out only when nothing
 * can fail any more; so a call that failed may be made again.
 *
 * All of it is touched by the one caller, and by the job that he waits for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/file.h"
#include "park/scope.h"

#define BUFFER ((size_t)32 << 10)
#define FIRST ((size_t)1024)

struct batch {
    struct batch *up;
    char *names;
    size_t used, room;
    size_t count, next;
    const char **order; /* count of them, if sorted */
    size_t path_length; /* of the folder */
    unsigned depth;     /* of what is in it */
};

struct hkt_walk {
    hkt_walk_options options;
    int root;            /* an fd */
    size_t below;        /* where in `path` that begins which is relative to it */
    struct batch *batch; /* the innermost */
    bool fresh;          /* it is that of the entry that came last */
    char *path;
    size_t path_room;
    char *buffer; /* of getdents64 */
    hkt_walk_entry entry;
};

static void release_batch(struct batch *batch)
{
    hkti_release(batch->names, batch->room);
    hkti_release(batch->order, batch->count * sizeof *batch->order);
    hkti_release(batch, sizeof *batch);
}

static void pop(struct hkt_walk *walk)
{
    struct batch *batch = walk->batch;
    walk->batch = batch->up;
    release_batch(batch);
}

/* Room for `size` bytes, of which `used` are kept: false without memory. */
static bool grow(char **memory, size_t *room, size_t used, size_t size)
{
    if (size <= *room)
        return true;
    size_t more = *room ? *room : FIRST;
    while (more < size)
        more *= 2;
    char *grown = hkti_allocate(more);
    if (grown == NULL)
        return false;
    if (used > 0)
        memcpy(grown, *memory, used);
    hkti_release(*memory, *room);
    *memory = grown;
    *room = more;
    return true;
}

static hkt_file_kind kind_of_mode(mode_t mode)
{
    if (S_ISREG(mode))
        return HKT_FILE_REGULAR;
    if (S_ISDIR(mode))
        return HKT_FILE_FOLDER;
    return S_ISLNK(mode) ? HKT_FILE_LINK : HKT_FILE_OTHER;
}

static hkt_file_kind kind_of(int folder, const struct dirent64 *found)
{
    struct stat about;
    switch (found->d_type) {
    case DT_REG:
        return HKT_FILE_REGULAR;
    case DT_DIR:
        return HKT_FILE_FOLDER;
    case DT_LNK:
        return HKT_FILE_LINK;
    case DT_UNKNOWN:
        if (fstatat(folder, found->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0)
            return kind_of_mode(about.st_mode);
        return HKT_FILE_OTHER;
    default:
        return HKT_FILE_OTHER;
    }
}

static int add_name(struct batch *batch, int folder, const struct dirent64 *found)
{
    const char *name = found->d_name;
    size_t size = strlen(name) + 1;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (!grow(&batch->names, &batch->room, batch->used, batch->used + 1 + size))
        return -ENOMEM;
    batch->names[batch->used] = (char)kind_of(folder, found);
    memcpy(batch->names + batch->used + 1, name, size);
    batch->used += 1 + size;
    batch->count++;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const char *const *one = a, *const *other = b;
    return strcmp(*one + 1, *other + 1);
}

static int sort(struct batch *batch)
{
    if (batch->count == 0)
        return 0;
    batch->order = hkti_allocate(batch->count * sizeof *batch->order);
    if (batch->order == NULL)
        return -ENOMEM;
    const char *name = batch->names;
    for (size_t i = 0; i < batch->count; i++) {
        batch->order[i] = name;
        name += strlen(name + 1) + 2;
    }
    qsort(batch->order, batch->count, sizeof *batch->order, compare);
    return 0;
}

static int read_names(struct hkt_walk *walk, struct batch *batch, int folder)
{
    ssize_t n;
    while ((n = getdents64(folder, walk->buffer, BUFFER)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *found = (const void *)(walk->buffer + at);
            int err = add_name(batch, folder, found);
            if (err < 0)
                return err;
            at += found->d_reclen;
        }
    return n < 0 ? -errno : 0;
}

/* A folder below an open one, no symbolic link among the parts of its path, where the kernel can
 * say that; else none at its end. */
static int open_part(int root, const char *path, uint64_t flags)
{
    struct open_how how = { .flags = flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                            .resolve = RESOLVE_NO_SYMLINKS };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
        fd = openat(root, path, (int)how.flags);
    return fd < 0 ? -errno : fd;
}

/* A path that is too long for the system is walked in parts. It is changed meanwhile. */
static int open_below(int root, char *path)
{
    int from = root;
    for (size_t left = strlen(path); left >= PATH_MAX;) {
        char *slash = path + PATH_MAX - 1;
        while (*slash != '/')
            slash--;
        *slash = 0;
        int next = open_part(from, path, O_PATH);
        *slash = '/';
        if (from != root)
            close(from);
        if (next < 0)
            return next;
        from = next;
        left -= (size_t)(slash + 1 - path);
        path = slash + 1;
    }
    int fd = open_part(from, path, O_RDONLY);
    if (from != root)
        close(from);
    return fd;
}

/* The folder at walk->path is to be read. */
struct reading {
    struct hkt_walk *walk;
    bool first;          /* the one that the walk begins with */
    struct batch *batch; /* what came out; NULL: no memory, or it could not be opened */
    int err;             /* the system's */
};

static int open_reading(struct reading *reading)
{
    struct hkt_walk *walk = reading->walk;
    if (!reading->first)
        return open_below(walk->root, walk->path + walk->below);
    walk->root = open(walk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return walk->root < 0 ? -errno : walk->root;
}

/* 0, and what went wrong with the folder is in `err`; -ENOMEM. */
static int do_read(void *arg)
{
    struct reading *reading = arg;
    struct hkt_walk *walk = reading->walk;
    struct batch *batch = hkti_allocate(sizeof *batch);
    if (batch == NULL)
        return -ENOMEM;
    int fd = open_reading(reading);
    int err = fd < 0 ? fd : read_names(walk, batch, fd);
    if (fd >= 0 && !reading->first)
        close(fd);
    if (walk->options.sorted && err != -ENOMEM && sort(batch) < 0)
        err = -ENOMEM;
    if (err == -ENOMEM) {
        release_batch(batch);
        return err;
    }
    reading->batch = batch;
    reading->err = err;
    return 0;
}

/* Reads the folder at walk->path, of that length, whose batch is the innermost then. */
static int push(struct hkt_walk *walk, size_t path_length, unsigned depth, int *folder_err)
{
    struct reading reading = { .walk = walk, .first = walk->batch == NULL };
    int err = hkti_file_do(do_read, &reading);
    *folder_err = reading.err;
    if (err < 0)
        return err;
    reading.batch->up = walk->batch;
    reading.batch->path_length = path_length;
    reading.batch->depth = depth;
    walk->batch = reading.batch;
    return 0;
}

int hkt_walk_create(hkt_walk **walk, const char *path, const hkt_walk_options *options)
{
    struct hkt_walk *made = hkti_allocate(sizeof *made);
    size_t length = strlen(path);
    int folder_err = 0;
    if (made == NULL)
        return -ENOMEM;
    made->root = -1;
    made->options = options ? *options : (hkt_walk_options){ 0 };
    made->buffer = hkti_allocate(BUFFER);
    int err = -ENOMEM;
    if (made->buffer && grow(&made->path, &made->path_room, 0, length + 2)) {
        memcpy(made->path, path, length + 1);
        made->below = length + (length > 0 && path[length - 1] != '/');
        err = push(made, length, 1, &folder_err);
    }
    if (err == 0 && folder_err < 0)
        err = hkti_file_fail("read folder", path, folder_err);
    if (err < 0)
        hkt_walk_destroy(made);
    else
        *walk = made;
    return err;
}

/* The next name of the batch, behind its kind; NULL: there is none. */
static const char *next_name(const struct batch *batch)
{
    if (batch->order)
        return batch->next < batch->count ? batch->order[batch->next] : NULL;
    return batch->next < batch->used ? batch->names + batch->next : NULL;
}

int hkt_walk_next(hkt_walk *walk, const hkt_walk_entry **entry)
{
    int err = hkti_cancelled(0), folder_err = 0;
    const char *name;
    if (err < 0)
        return err;
    while ((name = next_name(walk->batch)) == NULL && walk->batch->up)
        pop(walk);
    walk->fresh = false;
    if (name == NULL)
        return 0;
    struct batch *batch = walk->batch;
    hkt_file_kind kind = (hkt_file_kind)*name++;
    size_t length = strlen(name), at = batch->path_length;
    if (!grow(&walk->path, &walk->path_room, at, at + length + 2))
        return -ENOMEM;
    if (at > 0 && walk->path[at - 1] != '/')
        walk->path[at++] = '/';
    memcpy(walk->path + at, name, length + 1);
    bool deeper = kind == HKT_FILE_FOLDER &&
                  (walk->options.max_depth == 0 || batch->depth < walk->options.max_depth);
    if (deeper && (err = push(walk, at + length, batch->depth + 1, &folder_err)) < 0)
        return err;
    walk->fresh = deeper;
    batch->next += batch->order ? 1 : length + 2;
    walk->entry = (hkt_walk_entry){ .path = walk->path,
                                    .name = walk->path + at,
                                    .kind = kind,
                                    .depth = batch->depth,
                                    .err = folder_err };
    *entry = &walk->entry;
    return 1;
}

void hkt_walk_skip(hkt_walk *walk)
{
    if (walk->fresh)
        pop(walk);
    walk->fresh = false;
}

void hkt_walk_destroy(hkt_walk *walk)
{
    if (walk == NULL)
        return;
    int saved = errno;
    while (walk->batch)
        pop(walk);
    if (walk->root >= 0)
        close(walk->root);
    errno = saved;
    hkti_release(walk->path, walk->path_room);
    hkti_release(walk->buffer, BUFFER);
    hkti_release(walk, sizeof *walk);
}
