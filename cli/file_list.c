/* SPDX-License-Identifier: MIT */
/* Walks by fts(3), sorts by bytes, as `LC_ALL=C sort` does. By the main thread, except file_read,
 * which anybody may call.
 *
 * A file may be replaced by anything between listing and reading: it is opened so that neither a
 * symbolic link is followed nor a pipe waited for, and looked at again. */
#include "file_list.h"

#include "progress.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPORTS = 10, PART = 64 * 1024 };

void file_list_report(struct file_list *list, const char *path, int err)
{
    char name[TEXT_MAX];

    if (list->unreadable++ < REPORTS)
        progress_say("cannot read %s: %s", text_name(name, path), strerror(-err));
}

void file_list_end_reports(const struct file_list *list)
{
    char count[TEXT_MAX];

    if (list->unreadable > REPORTS)
        progress_say("and %s more could not be read",
                     text_count(count, list->unreadable - REPORTS));
}

static int add(struct file_list *list, const char *path, const struct stat *status)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 1024;
        struct file *files = realloc(list->files, room * sizeof *files);

        if (!files)
            return -ENOMEM;
        list->files = files;
        list->room = room;
    }
    char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    list->files[list->count++] = (struct file){
        .path = copy,
        .size = (uint64_t)status->st_size,
        .changed = status->st_ctim,
    };
    progress_add(1);
    return 0;
}

/* One entry of the walk. What is wrong with the start itself is returned, the rest reported. */
static int visit(struct file_list *list, FTSENT *entry)
{
    bool start = entry->fts_level == FTS_ROOTLEVEL;

    switch (entry->fts_info) {
    case FTS_F:
        return add(list, entry->fts_path, entry->fts_statp);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        if (start)
            return -entry->fts_errno;
        file_list_report(list, entry->fts_path, -entry->fts_errno);
        return 0;
    case FTS_SLNONE:
        return start ? -ENOENT : 0;
    case FTS_DEFAULT:
        return start ? -ENOTDIR : 0;
    default:
        return 0;
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

int file_list_make(struct file_list *list, const char *dir)
{
    char *starts[] = { (char *)dir, NULL };
    FTS *walk = fts_open(starts, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int err = 0;

    *list = (struct file_list){ .files = NULL };
    if (!walk)
        return -errno;
    while (err == 0 && (errno = 0, entry = fts_read(walk)) != NULL)
        err = visit(list, entry);
    if (err == 0 && errno != 0)
        err = -errno;
    fts_close(walk);
    if (err < 0)
        file_list_free(list);
    else if (list->count > 0)
        qsort(list->files, list->count, sizeof list->files[0], by_path);
    return err;
}

static void count_bytes(void *bytes, const unsigned char *part, size_t n)
{
    (void)part;
    *(uint64_t *)bytes += n;
    progress_add(n);
}

uint64_t file_list_warm(struct file_list *list)
{
    uint64_t bytes = 0;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        uint64_t before = bytes;
        int err = file_read(list->files[i].path, count_bytes, &bytes);

        if (err == 0) {
            list->files[kept++] = list->files[i];
            continue;
        }
        bytes = before;
        file_list_report(list, list->files[i].path, err);
        free(list->files[i].path);
    }
    list->count = kept;
    return bytes;
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->files[i].path);
    free(list->files);
    *list = (struct file_list){ .files = NULL };
}

bool file_has_changed(const struct file *file)
{
    struct stat now;

    return lstat(file->path, &now) < 0 || (uint64_t)now.st_size != file->size ||
           now.st_ctim.tv_sec != file->changed.tv_sec ||
           now.st_ctim.tv_nsec != file->changed.tv_nsec;
}

static int open_regular(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return -ESTALE; /* not the file that was listed */
}

int file_read(const char *path, void (*part)(void *context, const unsigned char *bytes, size_t n),
              void *context)
{
    unsigned char bytes[PART];
    int fd = open_regular(path);
    int err = 0;
    ssize_t n;

    if (fd < 0)
        return fd;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n > 0)
            part(context, bytes, (size_t)n);
        else if (errno != EINTR) {
            err = -errno;
            break;
        }
    }
    close(fd);
    return err;
}
