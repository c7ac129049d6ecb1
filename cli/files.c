/* SPDX-License-Identifier: MIT */
/* Opening beneath the root. A walk keeps the fds of all folders on its way, so ".." in a link goes
 * back to where it came from, even if somebody moves folders meanwhile. */
#include "files.h"

#include <hocket/task_group.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define GO_ON INT_MIN

enum { WALK_DEPTH = 64, WALK_LINKS = 40, AGAIN = 8 };

/* Nothing that is opened shall be waited for, or become our terminal; O_PATH opens nothing. */
static int all_flags(int flags)
{
    return flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY | O_NONBLOCK);
}

static int open_beneath(int root, const char *name, int flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)all_flags(flags),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
    };
    long fd = syscall(SYS_openat2, root, *name ? name : ".", &how, sizeof how);

    return fd < 0 ? -errno : (int)fd;
}

int files_open_root(struct files *files, const char *dir)
{
    int saved;

    *files = (struct files){ .root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) };
    if (files->root < 0)
        return -errno;
    int fd = open_beneath(files->root, "", O_RDONLY | O_DIRECTORY, 0);

    files->walk = fd == -ENOSYS || fd == -EPERM; /* an old kernel; a filter of system calls */
    if (files->walk)
        fd = openat(files->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    saved = files->walk ? -errno : fd;
    files_close_root(files);
    return saved;
}

void files_close_root(struct files *files)
{
    if (files->root >= 0)
        close(files->root);
    files->root = -1;
}

/* A walk: the folders it is in, and what is left of the way. */
struct walk {
    int fds[WALK_DEPTH];
    int depth; /* of fds; [0] is the root, which stays open */
    int links;
    char left[2 * PATH_MAX];
};

static void go_back(struct walk *walk, int depth)
{
    while (walk->depth > depth)
        close(walk->fds[--walk->depth]);
}

/* `part` is a link: what it names takes its place before the rest of the way. */
static int follow(struct walk *walk, const char *part, size_t length)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(walk->fds[walk->depth - 1], part, target, sizeof target);
    size_t rest = strlen(walk->left + length); /* with the slash before it */

    if (n < 0)
        return -errno;
    if (++walk->links > WALK_LINKS)
        return -ELOOP;
    if (n == 0 || target[0] == '/')
        return -EXDEV;
    if ((size_t)n + rest + 1 > sizeof walk->left)
        return -ENAMETOOLONG;
    memmove(walk->left + n, walk->left + length, rest + 1);
    memcpy(walk->left, target, (size_t)n);
    return GO_ON;
}

/* Goes into a folder on the way, or back out of it. */
static int step(struct walk *walk, const char *part, size_t length)
{
    const char *rest = walk->left + length + strspn(walk->left + length, "/");

    if (strcmp(part, "..") == 0) {
        if (walk->depth == 1)
            return -EXDEV;
        go_back(walk, walk->depth - 1);
    } else if (strcmp(part, ".") != 0) {
        if (walk->depth == WALK_DEPTH)
            return -ENAMETOOLONG;
        int fd = openat(walk->fds[walk->depth - 1], part,
                        O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return -errno;
        walk->fds[walk->depth++] = fd;
    }
    memmove(walk->left, rest, strlen(rest) + 1);
    return GO_ON;
}

static bool is_link(const struct walk *walk, const char *part)
{
    struct stat status;

    return fstatat(walk->fds[walk->depth - 1], part, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status.st_mode);
}

static bool is_dots(const char *part)
{
    return strcmp(part, ".") == 0 || strcmp(part, "..") == 0;
}

/* One part of what is left: an fd or an error if it was the last one, or GO_ON. */
static int take_part(struct walk *walk, int flags)
{
    char part[NAME_MAX + 1] = ".";
    size_t length = strcspn(walk->left, "/");
    bool last = walk->left[length] == 0;

    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    if (length > 0) {
        memcpy(part, walk->left, length);
        part[length] = 0;
        if (is_link(walk, part))
            return follow(walk, part, length);
        if (!last || is_dots(part))
            return step(walk, part, length);
    }
    int fd = openat(walk->fds[walk->depth - 1], part, all_flags(flags) | O_NOFOLLOW);

    return fd < 0 ? -errno : fd;
}

int files_walk(const struct files *files, const char *name, int flags)
{
    struct walk walk = { .fds = { files->root }, .depth = 1 };
    int fd = GO_ON;

    if (strlen(name) >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(walk.left, name, strlen(name) + 1);
    while (fd == GO_ON)
        fd = take_part(&walk, flags);
    go_back(&walk, 1);
    return fd;
}

struct opening {
    const struct files *files;
    const char *name;
    int flags;
    int fd;
};

int files_open_here(const struct files *files, const char *name, int flags)
{
    int fd = -EAGAIN;

    if (files->walk)
        return files_walk(files, name, flags);
    for (int i = 0; fd == -EAGAIN && i < AGAIN; i++) /* folders were moved meanwhile */
        fd = open_beneath(files->root, name, flags, 0);
    return fd;
}

static int open_there(void *arg)
{
    struct opening *opening = arg;

    opening->fd = files_open_here(opening->files, opening->name, opening->flags);
    return opening->fd < 0 ? opening->fd : 0;
}

int files_open(const struct files *files, const char *name, int flags)
{
    struct opening opening = { files, name, flags, -1 };

    if (!files->walk) {
        int fd = open_beneath(files->root, name, flags, RESOLVE_CACHED);

        if (fd != -EAGAIN && fd != -EINVAL) /* before Linux 5.12 it does not know that */
            return fd;
    }
    int err = hkt_to_thread(open_there, &opening);

    if (err < 0 && opening.fd >= 0) /* cancelled, and opened all the same */
        close(opening.fd);
    return err < 0 ? err : opening.fd;
}

int files_status(int err)
{
    switch (err) {
    case -ENOENT:
    case -ENOTDIR:
    case -EXDEV:
    case -ELOOP:
    case -ENAMETOOLONG:
    case -ENXIO: /* a socket */
    case -EINVAL:
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
        return 503;
    default:
        return 500;
    }
}
