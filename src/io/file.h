/* SPDX-License-Identifier: MIT */
/* What the calls for files have in common. */
#ifndef HKTI_IO_FILE_H
#define HKTI_IO_FILE_H

#include <hocket/executor.h>
#include <hocket/file.h>

/* Runs job(arg), which blocks: on a thread, if the caller is in a loop, else here. Its result;
 * or -ECANCELED, -ENOMEM, -EAGAIN (no thread), and it was not run; when this returns, `arg` is
 * not used any more. A cancellation point at its beginning. */
int hkti_file_do(hkt_job *job, void *arg);

/* Leaves a sentence with an error: "cannot <what> <path>: ..."; other results pass. */
int hkti_file_fail(const char *what, const char *path, int err);

/* Bytes between memory and a file: `done` of `size` so far. */
struct hkti_transfer {
    int fd;
    bool writes;
    char *data;
    size_t size, done;
    int64_t offset; /* of the whole; HKT_FILE_POSITION */
};
/* All of it, or up to the end of the file, blocking: 0 or an error. */
int hkti_file_transfer(void *transfer);

int hkti_file_sync(int fd, bool data_only);

#endif
