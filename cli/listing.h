/* SPDX-License-Identifier: MIT */
/* A folder as a page of HTML. */
#ifndef LISTING_H
#define LISTING_H

#include "files.h"

#include <stddef.h>

struct listing {
    const struct files *files;
    const char *name; /* of the folder, beneath the root */
    int fd;           /* of the folder: open for reading; listing_make closes it, and says -1 */
    bool hidden;      /* with names that begin with a dot */
    char *page;       /* to be freed */
    size_t length;
};

/* Fills in the page: 0; errors of reading the folder, -ENOMEM. Folders come first, then in the order
 * of the bytes of their names; links that lead out are left out. Asks the disk: for hkt_to_thread. */
int listing_make(void *listing);

#endif
