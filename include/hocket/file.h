/* SPDX-License-Identifier: MIT */
/* Files, without stopping the loop: in a task, what may have to wait for a disk is done on a
 * thread (hkt_to_thread) while others run; what lies in memory already is read at once.
 * Elsewhere these are the plain calls. The fds are the system's own: everything else that takes
 * an fd takes them.
 *
 *     int fd = hkt_file_open("notes.txt", O_RDONLY, 0);
 *     if (fd < 0)
 *         return fd;
 *     int64_t n = hkt_file_read(fd, data, sizeof data, 0);
 *     hkt_file_close(fd);
 *
 * All of them return the system's error, negative; they are cancellation points at their
 * beginning: once a thread has your memory, the call returns when that is done. */
#ifndef HOCKET_FILE_H
#define HOCKET_FILE_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

struct stat;

/* The offset of the file's own position, which then moves. */
#define HKT_FILE_POSITION INT64_C(-1)

/* As open(2), with O_CLOEXEC: the fd, or an error with a sentence that names the file. */
HKT_API HKT_MUST_USE int hkt_file_open(const char *path, int flags, unsigned mode);
/* Closes it: 0, or an error of writing that comes so late; it is closed in any case. */
HKT_API int hkt_file_close(int fd);
/* Reads at that offset until `size` bytes have come or the file is at its end: how many. */
HKT_API HKT_MUST_USE int64_t hkt_file_read(int fd, void *data, size_t size, int64_t offset);
/* Writes all of it at that offset: 0. After an error (-ENOSPC) part of it may be there: *written
 * tells, unless that is NULL. */
HKT_API int hkt_file_write(int fd, const void *data, size_t size, int64_t offset, size_t *written);
/* What was written is on the disk, but for `data_only` its times: 0. (os.fsync, fdatasync) */
HKT_API int hkt_file_sync(int fd, bool data_only);
HKT_API int hkt_file_truncate(int fd, uint64_t size);
/* About a file, or (path NULL) about an fd; `follow`: symbolic links. 0. */
HKT_API int hkt_file_stat(const char *path, int fd, bool follow, struct stat *about);
HKT_API int hkt_file_rename(const char *from, const char *to);
HKT_API int hkt_file_unlink(const char *path);
HKT_API int hkt_file_make_folder(const char *path, unsigned mode);
HKT_API int hkt_file_remove_folder(const char *path);

/* All of a file in memory that is yours (free), with a zero behind it, which does not count: 0.
 * -EFBIG: more than `limit` bytes; 0: 64 MiB. */
HKT_API HKT_MUST_USE int hkt_file_read_all(const char *path, char **data, size_t *size,
                                           size_t limit);
/* All of a file anew: under another name beside it first, then in its place, so it is there
 * whole or as it was: 0. The bytes are on the disk when it returns. */
HKT_API int hkt_file_write_all(const char *path, const void *data, size_t size, unsigned mode);

/* Walks a folder and what is below it.
 *
 *     hkt_walk *walk;
 *     const hkt_walk_entry *entry;
 *     int err = hkt_walk_create(&walk, "src", NULL);
 *     while (err >= 0 && (err = hkt_walk_next(walk, &entry)) > 0)
 *         puts(entry->path);
 *     hkt_walk_destroy(walk);
 */
typedef enum hkt_file_kind {
    HKT_FILE_OTHER = 0,
    HKT_FILE_REGULAR = 1,
    HKT_FILE_FOLDER = 2,
    HKT_FILE_LINK = 3,
} hkt_file_kind;

typedef struct hkt_walk_entry {
    const char *path; /* from the one that the walk began with on */
    const char *name; /* its last part */
    hkt_file_kind kind;
    unsigned depth; /* 1: in the folder itself */
    int err;        /* of a folder that cannot be read, else 0 */
    uint64_t reserved[2];
} hkt_walk_entry;

typedef struct hkt_walk_options {
    unsigned max_depth;   /* 0: no limit; 1: the folder itself alone */
    bool sorted;          /* the names of each folder by their bytes; else as they come */
    uint64_t reserved[2]; /* zero */
} hkt_walk_options;

typedef struct hkt_walk hkt_walk;
HKT_API HKT_MUST_USE int hkt_walk_create(hkt_walk **walk, const char *path,
                                         const hkt_walk_options *options);
/* 1 and the next entry, valid until the next call: a folder before what is in it; symbolic links
 * are told and not followed. 0: no more. -ENOMEM, -ECANCELED. By one caller at a time. (os.walk) */
HKT_API HKT_MUST_USE int hkt_walk_next(hkt_walk *walk, const hkt_walk_entry **entry);
/* What is in the folder that came last is left out. */
HKT_API void hkt_walk_skip(hkt_walk *walk);
HKT_API void hkt_walk_destroy(hkt_walk *walk);

HKT_END_DECLS

#endif
