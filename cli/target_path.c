/* SPDX-License-Identifier: MIT */
/* Decoded once, in one pass; what is decoded is never looked at as if it were code. */
#include "target_path.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "http://host/path" is "/path" to us; without a path it is the root. */
static void skip_authority(struct http_text *target)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);

        if (target->length < n || strncasecmp(target->at, schemes[i], n) != 0)
            continue;
        while (n < target->length && !strchr("/?", target->at[n]))
            n++;
        target->at += n;
        target->length -= n;
        return;
    }
}

/* The next byte, decoded, and how many bytes of the text it took; -EINVAL. */
static int decode(const char *text, size_t length, unsigned char *byte)
{
    if (*text != '%') {
        *byte = (unsigned char)*text;
        return *byte == 0 ? -EINVAL : 1;
    }
    if (length < 3 || digit(text[1]) < 0 || digit(text[2]) < 0)
        return -EINVAL;
    *byte = (unsigned char)(digit(text[1]) << 4 | digit(text[2]));
    return *byte == 0 ? -EINVAL : *byte == '/' ? -ENOENT : 3;
}

/* The part from `begin` to the end of the name is complete. */
static int end_part(struct target_path *path, size_t begin)
{
    const char *part = path->name + begin;
    size_t length = path->length - begin;

    path->folder = length == 0 || (length == 1 && *part == '.');
    if (length == 2 && memcmp(part, "..", 2) == 0)
        return -EINVAL;
    if (path->folder)
        path->length = begin;
    else if (*part == '.')
        path->hidden = true;
    return 0;
}

/* One part, up to the next slash or the end: how many bytes of the text. */
static int take_part(struct target_path *path, const char *text, size_t length)
{
    size_t used = 0, begin;

    if (path->length > 0)
        path->name[path->length++] = '/';
    begin = path->length;
    while (used < length && text[used] != '/') {
        unsigned char byte;
        int n = decode(text + used, length - used, &byte);

        if (n < 0)
            return n;
        if (path->length + 3 > sizeof path->name)
            return -ENOENT;
        path->name[path->length++] = (char)byte;
        used += (size_t)n;
    }
    int err = end_part(path, begin);

    if (path->length == begin && begin > 0)
        path->length = begin - 1; /* nothing came after the slash */
    return err < 0 ? err : (int)used;
}

int target_path_parse(struct target_path *path, struct http_text target)
{
    size_t used = 0;

    path->length = 0;
    path->folder = path->hidden = false;
    skip_authority(&target);
    const char *mark = target.length > 0 ? memchr(target.at, '?', target.length) : NULL;
    size_t length = mark ? (size_t)(mark - target.at) : target.length;

    path->query = (struct http_text){ mark, target.length - length };
    path->folder = true;
    if (length > 0 && (*target.at != '/' || memchr(target.at, '#', length)))
        return -EINVAL;
    while (used < length) {
        used++; /* the slash */
        int n = take_part(path, target.at + used, length - used);

        if (n < 0)
            return n;
        used += (size_t)n;
    }
    path->name[path->length] = 0;
    return 0;
}

size_t target_path_encode(char *text, const char *name, bool keep_slashes)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            strchr("-._~", c) || (c == '/' && keep_slashes)) {
            text[n++] = (char)c;
            continue;
        }
        text[n++] = '%';
        text[n++] = digits[c >> 4];
        text[n++] = digits[c & 15];
    }
    text[n] = 0;
    return n;
}
