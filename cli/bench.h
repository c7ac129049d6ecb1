/* SPDX-License-Identifier: MIT */
/* The two halves of `hocket bench`, as they are filled by bench.c and shown by table.c and
 * bench_json.c. */
#ifndef BENCH_H
#define BENCH_H

#include "downloads.h"
#include "file_list.h"
#include "measure.h"
#include "options.h"
#include "textbook.h"

struct bench {
    struct bench_options options;
    double load; /* of the machine, when it began: processes that wanted to run */

    struct file_list files;
    uint64_t bytes; /* of all files that can be read */
    struct work hashing;
    struct measures hashed; /* no ways: there was nothing to hash, or SHA-256 is off */

    struct downloads each;
    struct work downloads;
    struct measures downloaded;

    struct textbook textbook;
};

/* bench_json.c: the whole of it as one JSON object. */
void bench_print_json(const struct bench *bench);

/* sums.c: hashes the files below the directory and prints what sha256sum prints. An exit code. */
int bench_print_sums(struct bench *bench);

#endif
