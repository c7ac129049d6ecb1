/* SPDX-License-Identifier: MIT */
/* The head of an answer: making one, and reading one. And times as HTTP writes them. */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <hocket/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { HTTP_DATE_MAX = 32 };

/* A head as it grows in the caller's memory. What does not fit is not written, and `cut` is set. */
struct http_head {
    char *text;
    size_t room, length;
    bool cut;
};

/* The first line, and Date, unless that is NULL. */
void http_head_begin(struct http_head *head, int status, const char *date);
/* One more line, as by printf, without its end. */
void http_head_add(struct http_head *head, const char *format, ...) HKT_PRINTF(2, 3);
/* The empty line. */
void http_head_end(struct http_head *head);

/* "Not Found". */
const char *http_reason(int status);

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
void http_date_format(char text[HTTP_DATE_MAX], time_t time);
/* The same, or one of the two older forms: false if it is none of them. */
bool http_date_parse(time_t *time, const char *text, size_t length);

/* An answer that has been read: its status, and how many bytes its body has. false: it is none, or
 * one that does not tell its length. */
bool http_answer_parse(const char *text, size_t length, int *status, uint64_t *body);

#endif
