/* SPDX-License-Identifier: MIT */
/* The access log, in the Common Log Format, to standard output. Lines are gathered, and written by a
 * thread of its own a moment later, so that who serves does not wait for a disk or a terminal; only
 * when more is gathered than there is room for, he waits until some of it is written. */
#ifndef ACCESS_LOG_H
#define ACCESS_LOG_H

#include "http_request.h"

#include <time.h>

struct access_log;

/* 0, -ENOMEM, -EAGAIN. */
int access_log_open(struct access_log **log);

/* One answer: to whom, to which first line, its status, and how many bytes of body were sent. NULL:
 * there is no log. Who is cancelled while he waits for room gives up the line. */
void access_log_add(struct access_log *log, const char *peer, struct http_text line, int status,
                    uint64_t bytes);

/* Writes what is left and ends the thread; main.c tells whether writing failed. NULL is fine. */
void access_log_close(struct access_log *log);

#endif
