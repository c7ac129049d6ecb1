/* SPDX-License-Identifier: MIT */
/* Files as a whole: read into memory, and written anew. Each is one job, which a task has done
 * on a thread from its beginning to its end.
 *
 * To write: the bytes go under a name that nobody has into the same folder, and to the disk;
 * then that name takes the place of the other, which the folder does in one step; then the
 * folder goes to the disk. All names are relative to the open folder, so it is the same one
 * throughout. */
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "io/file.h"
#include "os/os.h"

#define LIMIT ((size_t)64 << 20)
#define FIRST ((size_t)4096)
#define ATTEMPTS 100

struct read_call {
    const char *path;
    size_t limit;
    char *data;
    size_t size, room;
};

/* Room for one more than there is, to see the end, and for the zero; up to the limit, and both. */
static int make_room(struct read_call *call)
{
    size_t most = call->limit + 2;
    size_t room = call->room ? call->room : FIRST;
    if (call->room)
        room = room > most / 2 ? most : room * 2;
    char *data = realloc(call->data, room);
    if (data == NULL)
        return -ENOMEM;
    call->data = data;
    call->room = room;
    return 0;
}

static int read_up(struct read_call *call, int fd)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (S_ISREG(about.st_mode) && about.st_size > 0) {
        if ((uint64_t)about.st_size > call->limit)
            return -EFBIG;
        call->room = ((size_t)about.st_size + 3) / 2; /* which is doubled */
    }
    for (;;) {
        int err = call->data && call->size + 1 < call->room ? 0 : make_room(call);
        if (err < 0)
            return err;
        struct hkti_transfer transfer = { .fd = fd,
                                          .data = call->data + call->size,
                                          .size = call->room - 1 - call->size,
                                          .offset = HKT_FILE_POSITION };
        err = hkti_file_transfer(&transfer);
        if (err < 0)
            return err;
        call->size += transfer.done;
        if (call->size > call->limit)
            return -EFBIG;
        if (transfer.done < transfer.size)
            return 0;
    }
}

static int do_read_all(void *arg)
{
    struct read_call *call = arg;
    int fd;
    do
        fd = open(call->path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    int err = fd < 0 ? -errno : read_up(call, fd);
    if (fd >= 0)
        close(fd);
    if (err < 0) {
        free(call->data);
        return hkti_file_fail("read", call->path, err);
    }
    call->data[call->size] = 0;
    return 0;
}

int hkt_file_read_all(const char *path, char **data, size_t *size, size_t limit)
{
    const size_t most = SSIZE_MAX / 2;
    struct read_call call = { .path = path, .limit = limit ? limit : LIMIT };
    if (call.limit > most)
        call.limit = most;
    int err = hkti_file_do(do_read_all, &call);
    if (err < 0)
        return err;
    *data = call.data;
    *size = call.size;
    return 0;
}

struct write_call {
    const char *path;
    const void *data;
    size_t size;
    unsigned mode;
    int folder;
    const char *name; /* in the folder */
    char temporary[64];
};

/* The folder that the file is in, and its name there. */
static int open_folder(struct write_call *call)
{
    char path[PATH_MAX] = ".";
    const char *slash = strrchr(call->path, '/');
    call->name = slash ? slash + 1 : call->path;
    if (slash && (size_t)(slash - call->path) + 2 > sizeof path)
        return -ENAMETOOLONG;
    if (slash) /* with its slash, which is all of "/" */
        memcpy(path, call->path, (size_t)(slash - call->path) + 1);
    if (slash)
        path[slash - call->path + 1] = 0;
    if (*call->name == 0)
        return slash ? -EISDIR : -ENOENT;
    do
        call->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (call->folder < 0 && errno == EINTR);
    return call->folder < 0 ? -errno : 0;
}

/* A file that nobody else has, under a name that nobody has: the fd. */
static int open_temporary(struct write_call *call)
{
    static uint32_t count;
    int fd = -1;
    for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
        snprintf(call->temporary, sizeof call->temporary, ".%d-%u-%llx.tmp", (int)getpid(),
                 (unsigned)hkti_fetch_add_relaxed(&count, 1), (unsigned long long)hkti_os_now());
        fd = openat(call->folder, call->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    (mode_t)call->mode);
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static int fill(struct write_call *call, int fd)
{
    struct hkti_transfer transfer = { .fd = fd,
                                      .writes = true,
                                      .data = (char *)(uintptr_t)call->data,
                                      .size = call->size,
                                      .offset = HKT_FILE_POSITION };
    int err = call->size > 0 ? hkti_file_transfer(&transfer) : 0;
    if (err == 0)
        err = hkti_file_sync(fd, false);
    if (close(fd) < 0 && err == 0 && errno != EINTR)
        err = -errno;
    return err;
}

/* Some file systems have nothing to do for a folder, and say that they cannot. */
static int sync_folder(int folder)
{
    int err = hkti_file_sync(folder, false);
    return err == -EINVAL ? 0 : err;
}

static int write_anew(struct write_call *call)
{
    int fd = open_temporary(call);
    if (fd < 0)
        return fd;
    int err = fill(call, fd);
    if (err == 0 && renameat(call->folder, call->temporary, call->folder, call->name) < 0)
        err = -errno;
    if (err < 0)
        unlinkat(call->folder, call->temporary, 0);
    return err < 0 ? err : sync_folder(call->folder);
}

static int do_write_all(void *arg)
{
    struct write_call *call = arg;
    int err = open_folder(call);
    if (err == 0) {
        err = write_anew(call);
        close(call->folder);
    }
    return hkti_file_fail("write", call->path, err);
}

int hkt_file_write_all(const char *path, const void *data, size_t size, unsigned mode)
{
    struct write_call call = { .path = path, .data = data, .size = size, .mode = mode };
    return hkti_file_do(do_write_all, &call);
}
