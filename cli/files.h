/* SPDX-License-Identifier: MIT */
/* Files beneath a folder, and no others.
 *
 * Symbolic links are followed as long as they stay beneath it; one that begins with a slash is taken
 * to lead out, wherever it leads. The kernel sees to that by openat2 (RESOLVE_BENEATH); where it
 * does not have that, each part is opened by itself, links are read, and what they name is taken
 * part by part in the same way. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>

struct stat;

struct files {
    int root;  /* the folder */
    bool walk; /* without openat2 */
};

/* 0, or the negative errno. */
int files_open_root(struct files *files, const char *dir);
void files_close_root(struct files *files);

/* Opens what has that plain name (target_path.h; "": the folder itself), with the flags of open(2):
 * an fd. -EXDEV, -ELOOP: links lead out, or in a circle; other errors of open(2). In a loop it is
 * done on a thread if a disk may have to be asked. A cancellation point. */
int files_open(const struct files *files, const char *name, int flags);

/* The same without a thread, for threads. */
int files_open_here(const struct files *files, const char *name, int flags);

/* The same without openat2. */
int files_walk(const struct files *files, const char *name, int flags);

/* What a response should say of that error: 403, 404, 500 or 503. */
int files_status(int err);

#endif
