/* SPDX-License-Identifier: MIT */
/* Files. In a task of a loop a call that may wait for a disk is made on a thread, with all it
 * needs in a struct on the task's stack, which stays until the thread has done with it;
 * elsewhere it is made here and now. Small reads and writes are tried in place first, in a way
 * that does not wait.
 *
 * The fds and the memory are the user's; nothing is kept here. */
#include <hocket/file.h>

#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <hocket/loop.h>
#include <hocket/task_group.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/file.h"
#include "park/scope.h"

/* At a time: what the system takes at once; and what is copied in place, while others wait. */
#define CHUNK ((size_t)1 << 30)
#define IN_PLACE ((size_t)256 << 10)

int hkti_file_do(hkt_job *job, void *arg)
{
    if (hkt_loop_running())
        return hkt_to_thread(job, arg);
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    int saved = errno;
    err = job(arg);
    errno = saved;
    return err;
}

int hkti_file_fail(const char *what, const char *path, int err)
{
    return err < 0 ? hkt_fail(err, "cannot %s %s: %s", what, path, hkt_strerror(err)) : err;
}

static int result_of(int result)
{
    return result < 0 ? -errno : result;
}

/* A call that has a path. */
struct path_call {
    const char *path, *to;
    int flags;
    unsigned mode;
};

static int do_open(void *arg)
{
    struct path_call *call = arg;
    int fd;
    do
        fd = open(call->path, call->flags | O_CLOEXEC, (mode_t)call->mode);
    while (fd < 0 && errno == EINTR);
    return hkti_file_fail("open", call->path, result_of(fd));
}

int hkt_file_open(const char *path, int flags, unsigned mode)
{
    return hkti_file_do(do_open, &(struct path_call){ .path = path, .flags = flags, .mode = mode });
}

static int do_rename(void *arg)
{
    struct path_call *call = arg;
    int err = result_of(rename(call->path, call->to));
    if (err < 0)
        hkt_fail(err, "cannot rename %s to %s: %s", call->path, call->to, hkt_strerror(err));
    return err;
}

int hkt_file_rename(const char *from, const char *to)
{
    return hkti_file_do(do_rename, &(struct path_call){ .path = from, .to = to });
}

static int do_unlink(void *arg)
{
    struct path_call *call = arg;
    return hkti_file_fail("unlink", call->path, result_of(unlink(call->path)));
}

int hkt_file_unlink(const char *path)
{
    return hkti_file_do(do_unlink, &(struct path_call){ .path = path });
}

static int do_make_folder(void *arg)
{
    struct path_call *call = arg;
    return hkti_file_fail("make folder", call->path,
                          result_of(mkdir(call->path, (mode_t)call->mode)));
}

int hkt_file_make_folder(const char *path, unsigned mode)
{
    return hkti_file_do(do_make_folder, &(struct path_call){ .path = path, .mode = mode });
}

static int do_remove_folder(void *arg)
{
    struct path_call *call = arg;
    return hkti_file_fail("remove folder", call->path, result_of(rmdir(call->path)));
}

int hkt_file_remove_folder(const char *path)
{
    return hkti_file_do(do_remove_folder, &(struct path_call){ .path = path });
}

struct stat_call {
    const char *path;
    int fd;
    bool follow;
    struct stat *about;
};

static int do_stat(void *arg)
{
    struct stat_call *call = arg;
    if (call->path == NULL)
        return result_of(fstat(call->fd, call->about));
    int flags = call->follow ? 0 : AT_SYMLINK_NOFOLLOW;
    int err = result_of(fstatat(AT_FDCWD, call->path, call->about, flags));
    return hkti_file_fail("look at", call->path, err);
}

int hkt_file_stat(const char *path, int fd, bool follow, struct stat *about)
{
    return hkti_file_do(do_stat, &(struct stat_call){ path, fd, follow, about });
}

/* A call that has an fd. */
struct fd_call {
    int fd;
    bool data_only;
    bool done;
    uint64_t size;
};

/* Whatever close says, the fd is closed; so EINTR is none. */
static int do_close(void *arg)
{
    struct fd_call *call = arg;
    call->done = true;
    int err = result_of(close(call->fd));
    return err == -EINTR ? 0 : err;
}

/* Also for who is cancelled, and where there is no thread for it. */
int hkt_file_close(int fd)
{
    struct fd_call call = { .fd = fd };
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    int saved = errno;
    int err = hkti_file_do(do_close, &call);
    if (!call.done)
        err = do_close(&call);
    errno = saved;
    hkt_scope_leave(&shield);
    return err;
}

static int do_sync(void *arg)
{
    struct fd_call *call = arg;
    return hkti_file_sync(call->fd, call->data_only);
}

int hkti_file_sync(int fd, bool data_only)
{
    int err;
    do
        err = result_of(data_only ? fdatasync(fd) : fsync(fd));
    while (err == -EINTR);
    return err;
}

int hkt_file_sync(int fd, bool data_only)
{
    return hkti_file_do(do_sync, &(struct fd_call){ .fd = fd, .data_only = data_only });
}

static int do_truncate(void *arg)
{
    struct fd_call *call = arg;
    int err;
    do
        err = result_of(ftruncate(call->fd, (off_t)call->size));
    while (err == -EINTR);
    return err;
}

int hkt_file_truncate(int fd, uint64_t size)
{
    if (size > INT64_MAX)
        return -EFBIG;
    return hkti_file_do(do_truncate, &(struct fd_call){ .fd = fd, .size = size });
}

/* One call of the system, of the next piece: what it said. */
static ssize_t transfer_once(struct hkti_transfer *transfer, int flags)
{
    size_t left = transfer->size - transfer->done;
    struct iovec piece = { .iov_base = transfer->data + transfer->done,
                           .iov_len = left < CHUNK ? left : CHUNK };
    off_t offset = -1;
    ssize_t n;
    if (transfer->offset != HKT_FILE_POSITION) {
        if (transfer->done > (size_t)(INT64_MAX - transfer->offset))
            return -EFBIG;
        offset = (off_t)transfer->offset + (off_t)transfer->done;
    }
    do {
        if (flags)
            n = transfer->writes ? pwritev2(transfer->fd, &piece, 1, offset, flags)
                                 : preadv2(transfer->fd, &piece, 1, offset, flags);
        else if (offset < 0)
            n = transfer->writes ? write(transfer->fd, piece.iov_base, piece.iov_len)
                                 : read(transfer->fd, piece.iov_base, piece.iov_len);
        else
            n = transfer->writes ? pwrite(transfer->fd, piece.iov_base, piece.iov_len, offset)
                                 : pread(transfer->fd, piece.iov_base, piece.iov_len, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Direct reads end where the file does, and cannot ask from there on. */
static bool is_direct_end(const struct hkti_transfer *transfer, ssize_t err)
{
    if (err != -EINVAL || transfer->writes || transfer->done == 0)
        return false;
    int flags = fcntl(transfer->fd, F_GETFL);
    return flags >= 0 && flags & O_DIRECT;
}

/* All of it, or up to the end: 0; or the error. */
static int transfer_all(struct hkti_transfer *transfer, int flags)
{
    ssize_t n;
    do {
        n = transfer_once(transfer, flags);
        if (n > 0)
            transfer->done += (size_t)n;
    } while (n > 0 && transfer->done < transfer->size);
    if (n == 0 && transfer->writes && transfer->size > 0)
        return -EIO; /* it took nothing, and never will */
    return n < 0 && !is_direct_end(transfer, n) ? (int)n : 0;
}

int hkti_file_transfer(void *transfer)
{
    return transfer_all(transfer, 0);
}

/* What can be had without waiting: 0 if that is all. -EAGAIN: the rest must be waited for; so it is
 * with any error, which comes again if it is one. */
static int try_in_place(struct hkti_transfer *transfer)
{
    if (transfer->size > IN_PLACE)
        return -EAGAIN;
    int saved = errno;
    int err = transfer_all(transfer, RWF_NOWAIT);
    errno = saved;
    return err < 0 ? -EAGAIN : 0;
}

static int transfer_of(struct hkti_transfer *transfer)
{
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    if (transfer->offset < 0 && transfer->offset != HKT_FILE_POSITION)
        return -EINVAL;
    if (hkt_loop_running() && try_in_place(transfer) == 0)
        return 0;
    return hkti_file_do(hkti_file_transfer, transfer);
}

int64_t hkt_file_read(int fd, void *data, size_t size, int64_t offset)
{
    struct hkti_transfer transfer = { .fd = fd, .data = data, .offset = offset };
    transfer.size = size < INT64_MAX ? size : INT64_MAX;
    int err = transfer_of(&transfer);
    return err < 0 ? err : (int64_t)transfer.done;
}

int hkt_file_write(int fd, const void *data, size_t size, int64_t offset, size_t *written)
{
    struct hkti_transfer transfer = {
        .fd = fd, .data = (char *)(uintptr_t)data, .size = size, .offset = offset, .writes = true
    };
    int err = transfer_of(&transfer);
    if (written)
        *written = transfer.done;
    return err;
}
