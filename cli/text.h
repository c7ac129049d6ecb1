/* SPDX-License-Identifier: MIT */
/* Names and numbers as people read them. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* What each function here needs of room, at most. A name that is longer is cut. */
enum { TEXT_MAX = 512 };

/* A file's name for the eyes: control characters as in C ("\n", "\033"). Returns `text`. */
char *text_name(char text[TEXT_MAX], const char *name);

/* 8,432 */
char *text_count(char text[TEXT_MAX], uint64_t count);

/* 117.6 MB, 3.2 GB */
char *text_bytes(char text[TEXT_MAX], uint64_t bytes);

/* How many bytes at `s` make one letter of UTF-8 (RFC 3629); 0 if they make none. */
size_t text_letter(const unsigned char *s);

/* "s" unless there is one of them. */
const char *text_plural(uint64_t count);

#endif
