/* SPDX-License-Identifier: MIT */
/* From the target of a request ("/a%20b/?x=1") to the name of a file beneath the root ("a b"), and
 * back. The name is plain: parts with one slash between them, of which none is empty, "." or "..",
 * and none holds a zero or a slash. */
#ifndef TARGET_PATH_H
#define TARGET_PATH_H

#include "http_request.h"

enum { TARGET_PATH_MAX = 4096, TARGET_ENCODED_MAX = 3 * TARGET_PATH_MAX };

struct target_path {
    char name[TARGET_PATH_MAX]; /* "": the root itself */
    size_t length;
    bool folder;            /* the target ends in a slash */
    bool hidden;            /* a part begins with a dot */
    struct http_text query; /* with its question mark; in the target */
};

/* 0. -EINVAL: not a path: badly encoded, with a zero or "..", without a slash at its beginning.
 * -ENOENT: no file can be called so. */
int target_path_parse(struct target_path *path, struct http_text target);

/* Writes a name for a URL: all but letters, digits and "-._~" are encoded, and slashes too unless
 * they are kept. How many bytes, and a zero behind them; `text` has 3 * strlen(name) + 1. */
size_t target_path_encode(char *text, const char *name, bool keep_slashes);

#endif
