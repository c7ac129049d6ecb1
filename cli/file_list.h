/* SPDX-License-Identifier: MIT */
/* The regular files below a directory, sorted. */
#ifndef FILE_LIST_H
#define FILE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct file {
    char *path;
    uint64_t size;           /* these two when it was listed: */
    struct timespec changed; /* st_ctim */
};

struct file_list {
    struct file *files;
    size_t count;
    size_t room;
    size_t unreadable; /* directories that could not be read, files likewise (file_list_warm) */
};

/* Lists every regular file below `dir` (or `dir` itself, if it is one), hidden ones too; symbolic
 * links are followed at `dir` alone. What cannot be read is reported and counted. 0, or a negative
 * errno if there is nothing to list: `dir` is not there, cannot be read (-ENOTDIR if it is neither
 * directory nor file), or memory ran out. */
int file_list_make(struct file_list *list, const char *dir);

/* Reads all files once, so that they are in the page cache, and drops those that cannot be read
 * from the list, with a report. Returns the bytes read. */
uint64_t file_list_warm(struct file_list *list);

/* Reports a file or directory that cannot be read: the first few on a line each, the others are
 * counted, and told by file_list_end_reports. */
void file_list_report(struct file_list *list, const char *path, int err);
void file_list_end_reports(const struct file_list *list);

void file_list_free(struct file_list *list);

/* Is the file another one than when it was listed, or gone? */
bool file_has_changed(const struct file *file);

/* Reads a file, 64 KiB at a time, through `part`. 0 or a negative errno. */
int file_read(const char *path, void (*part)(void *context, const unsigned char *bytes, size_t n),
              void *context);

#endif
