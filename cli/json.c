/* SPDX-License-Identifier: MIT */
/* RFC 8259. Numbers are written with as many digits as a clock can mean. */
#include "json.h"

#include "text.h"

#include <math.h>
#include <stdio.h>

/* Comma, new line, key: what stands before each value. */
static void before(struct json *json, const char *key)
{
    if (json->filled)
        putchar(',');
    if (json->depth > 0)
        printf("\n%*s", 2 * json->depth, "");
    if (key)
        printf("\"%s\": ", key);
    json->filled = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
    before(json, key);
    putchar(bracket);
    json->depth++;
    json->filled = false;
}

void json_close(struct json *json, char bracket)
{
    json->depth--;
    if (json->filled)
        printf("\n%*s", 2 * json->depth, "");
    putchar(bracket);
    json->filled = true;
    if (json->depth == 0)
        putchar('\n');
}

void json_string(struct json *json, const char *key, const char *value)
{
    const unsigned char *s = (const unsigned char *)value;

    before(json, key);
    if (!s) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    while (*s) {
        size_t n = text_letter(s);

        if (n == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 32)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, n, stdout);
        s += n ? n : 1;
    }
    putchar('"');
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    before(json, key);
    printf("%llu", (unsigned long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    before(json, key);
    fputs(value ? "true" : "false", stdout);
}

void json_number(struct json *json, const char *key, double value)
{
    before(json, key);
    if (isfinite(value))
        printf("%.9g", value);
    else
        fputs("null", stdout);
}
