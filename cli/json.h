/* SPDX-License-Identifier: MIT */
/* Writes JSON to standard output, indented by two. A key is NULL within an array. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>

/* All zero is ready. */
struct json {
    int depth;
    bool filled; /* something stands before the next value */
};

/* `bracket` is '{' or '['. Closing the outermost ends the line. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* `value` may hold any bytes: what is not UTF-8 becomes U+FFFD. NULL is null. */
void json_string(struct json *json, const char *key, const char *value);
void json_count(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);

/* What is not finite becomes null. */
void json_number(struct json *json, const char *key, double value);

#endif
