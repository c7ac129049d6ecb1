/* SPDX-License-Identifier: MIT */
/* The CPU-bound work: the SHA-256 sum of each file of a list. */
#ifndef HASHING_H
#define HASHING_H

#include "file_list.h"
#include "work.h"

struct hashing {
    struct job job;
    const struct file *file;
};

/* Makes the work; `bytes` is what the files have in all; `shared`: processes can do it, too. 0 or
 * -ENOMEM. */
int hashing_create(struct work *work, const struct file_list *list, uint64_t bytes, bool shared);
void hashing_destroy(struct work *work);

/* The same as a struct. */
const struct hashing *hashing_job(const struct work *work, size_t i);

#endif
