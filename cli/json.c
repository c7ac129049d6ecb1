/* SPDX-License-Identifier: MIT */
/* RFC 8259. Numbers are written with as many digits as a clock can mean. */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* How many bytes at `s` make one letter of UTF-8 (RFC 3629); 0 if they make none. */
static size_t letter(const unsigned char *s)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = *s < 0x80 ? 1 : *s < 0xC2 ? 0 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : *s < 0xF5 ? 4 : 0;
    uint32_t code = n > 1 ? *s & (0xFFU >> (n + 1)) : *s;

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3F);
    }
    if (n > 1 && (code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)))
        return 0;
    return n;
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
        size_t n = letter(s);

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
