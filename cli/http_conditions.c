/* SPDX-License-Identifier: MIT */
/* In the order that RFC 9110 gives them (13.2.2). What cannot be understood is as if it were not
 * there. Of several ranges in one request the whole file is sent, which is allowed. */
#include "http_conditions.h"

#include "http_answer.h"

#include <string.h>

/* Is the tag among those of all fields of that name? `weak`: "W/" makes no difference. */
static bool names_tag(const struct http_request *request, const char *name, const char *etag,
                      bool weak)
{
    size_t length = strlen(etag);

    for (int nth = 0;; nth++) {
        struct http_text text = http_request_field(request, name, nth);
        size_t i = 0;

        if (!text.at)
            return false;
        if (http_text_is(text, "*"))
            return true;
        while (i < text.length) {
            bool is_weak = text.length - i > 2 && memcmp(text.at + i, "W/", 2) == 0;

            i += is_weak ? 2 : 0;
            if (text.at[i] != '"') { /* a comma, a blank, or nothing that is a tag */
                i++;
                continue;
            }
            const char *end = memchr(text.at + i + 1, '"', text.length - i - 1);

            if (!end)
                break;
            size_t n = (size_t)(end + 1 - (text.at + i));

            if (n == length && memcmp(text.at + i, etag, n) == 0 && (weak || !is_weak))
                return true;
            i += n;
        }
    }
}

/* The date of a field that is there once. */
static bool takes_date(const struct http_request *request, const char *name, time_t *date)
{
    struct http_text text = http_request_field(request, name, 0);

    return text.at && !http_request_field(request, name, 1).at &&
           http_date_parse(date, text.at, text.length);
}

static bool may_go_on(const struct http_request *request, const struct http_file *file)
{
    time_t date;

    if (http_request_field(request, "If-Match", 0).at)
        return names_tag(request, "If-Match", file->etag, false);
    return !takes_date(request, "If-Unmodified-Since", &date) || file->changed <= date;
}

static bool has_it_already(const struct http_request *request, const struct http_file *file)
{
    time_t date;

    if (http_request_field(request, "If-None-Match", 0).at)
        return names_tag(request, "If-None-Match", file->etag, true);
    return takes_date(request, "If-Modified-Since", &date) && file->changed <= date;
}

/* Is the part that the client has one of the same file? A date tells that only of a file that has
 * not changed in this very second. */
static bool is_same(const struct http_request *request, const struct http_file *file)
{
    struct http_text text = http_request_field(request, "If-Range", 0);
    time_t date;

    if (!text.at)
        return true;
    if (text.length > 0 && *text.at == '"')
        return text.length == strlen(file->etag) && memcmp(text.at, file->etag, text.length) == 0;
    return takes_date(request, "If-Range", &date) && date == file->changed &&
           file->now > file->changed + 1;
}

/* Digits: how many, and their number, which stays at the highest one if it is higher. */
static size_t take_number(const char *text, size_t length, uint64_t *number)
{
    size_t n = 0;

    for (*number = 0; n < length && text[n] >= '0' && text[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(text[n] - '0');

        *number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : 10 * *number + digit;
    }
    return n;
}

/* "bytes=1-2", "bytes=1-", "bytes=-2": 206; 416 of a file that is shorter; 200 of anything else. */
static int take_range(struct http_text text, uint64_t size, struct http_range *range)
{
    static const char unit[] = "bytes=";
    size_t n = sizeof unit - 1, first, last;
    uint64_t begin, end;

    if (text.length < n || !http_text_is((struct http_text){ text.at, n }, unit))
        return 200;
    first = take_number(text.at + n, text.length - n, &begin);
    n += first;
    if (n == text.length || text.at[n++] != '-')
        return 200;
    last = take_number(text.at + n, text.length - n, &end);
    if (n + last != text.length || (first == 0 && last == 0) ||
        (first > 0 && last > 0 && end < begin))
        return 200;
    if (first == 0) { /* so many at the end */
        if (end == 0)
            return 416;
        begin = end < size ? size - end : 0;
        end = UINT64_MAX;
        if (size == 0)
            return 200;
    }
    if (begin >= size)
        return 416;
    range->begin = begin;
    range->length = last == 0 || end >= size ? size - begin : end - begin + 1;
    return 206;
}

int http_conditions(const struct http_request *request, const struct http_file *file,
                    struct http_range *range)
{
    struct http_text text = http_request_field(request, "Range", 0);

    *range = (struct http_range){ 0, file->size };
    if (!may_go_on(request, file))
        return 412;
    if (has_it_already(request, file))
        return 304;
    if (request->verb != HTTP_VERB_GET || !text.at || http_request_field(request, "Range", 1).at ||
        !is_same(request, file))
        return 200;
    return take_range(text, file->size, range);
}
