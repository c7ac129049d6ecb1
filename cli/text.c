/* SPDX-License-Identifier: MIT */
/* Formatting only. Names may hold any byte but zero: what a terminal would act on is written as an
 * escape, everything from a space up goes through as it is. */
#include "text.h"

#include <stdio.h>
#include <string.h>

static size_t escape(char out[5], unsigned char c)
{
    static const char letters[] = "abtnvfr"; /* from \007 on */

    if (c >= 7 && c <= 13)
        return (size_t)sprintf(out, "\\%c", letters[c - 7]);
    if (c < 32 || c == 127)
        return (size_t)sprintf(out, "\\%03o", c);
    out[0] = (char)c;
    return 1;
}

char *text_name(char text[TEXT_MAX], const char *name)
{
    size_t used = 0;

    for (; *name && used + 5 < TEXT_MAX; name++)
        used += escape(text + used, (unsigned char)*name);
    text[used] = 0;
    if (*name)
        memcpy(text + used - 3, "...", 4);
    return text;
}

char *text_count(char text[TEXT_MAX], uint64_t count)
{
    char digits[24];
    int n = sprintf(digits, "%llu", (unsigned long long)count);
    char *end = text;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *end++ = ',';
        *end++ = digits[i];
    }
    *end = 0;
    return text;
}

char *text_bytes(char text[TEXT_MAX], uint64_t bytes)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB" };
    double value = (double)bytes / 1e3;
    size_t unit = 0;

    for (; value >= 999.95 && unit < 3; unit++)
        value /= 1e3;
    if (bytes < 1000)
        snprintf(text, TEXT_MAX, "%d byte%s", (int)bytes, text_plural(bytes));
    else
        snprintf(text, TEXT_MAX, "%.1f %s", value, units[unit]);
    return text;
}

size_t text_letter(const unsigned char *s)
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

const char *text_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}
