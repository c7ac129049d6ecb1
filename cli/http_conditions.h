/* SPDX-License-Identifier: MIT */
/* What a request wants of a file: all of it, a part, or nothing since the client has it already
 * (RFC 9110, sections 13 and 14). */
#ifndef HTTP_CONDITIONS_H
#define HTTP_CONDITIONS_H

#include "http_request.h"

#include <time.h>

/* The file as it is now. */
struct http_file {
    char etag[64]; /* with its quotes */
    time_t changed;
    time_t now;
    uint64_t size;
};

struct http_range {
    uint64_t begin, length;
};

/* The status of the answer: 200 and the whole as the range; 206 and a range; 304, 412, 416. */
int http_conditions(const struct http_request *request, const struct http_file *file,
                    struct http_range *range);

#endif
