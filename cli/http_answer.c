/* SPDX-License-Identifier: MIT */
/* Used by `hocket serve` and by both sides of the downloads of `hocket bench`. */
#include "http_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 200, "OK" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

static void add(struct http_head *head, const char *format, va_list args)
{
    size_t room = head->room - head->length;
    int n = vsnprintf(head->text + head->length, room, format, args);

    if (n < 0 || (size_t)n + 2 > room) {
        head->cut = true;
        return;
    }
    head->length += (size_t)n;
    http_head_end(head);
}

void http_head_add(struct http_head *head, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(head, format, args);
    va_end(args);
}

void http_head_begin(struct http_head *head, int status, const char *date)
{
    head->length = 0;
    head->cut = false;
    http_head_add(head, "HTTP/1.1 %d %s", status, http_reason(status));
    if (date)
        http_head_add(head, "Date: %s", date);
}

void http_head_end(struct http_head *head)
{
    if (head->length + 2 > head->room) {
        head->cut = true;
        return;
    }
    memcpy(head->text + head->length, "\r\n", 2);
    head->length += 2;
}

void http_date_format(char text[HTTP_DATE_MAX], time_t time)
{
    struct tm parts;

    if (!gmtime_r(&time, &parts) || parts.tm_year > 9999 - 1900 || parts.tm_year < -1900)
        parts = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
    strftime(text, HTTP_DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

bool http_date_parse(time_t *time, const char *text, size_t length)
{
    static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                         "%a %b %e %H:%M:%S %Y" };
    char copy[64];

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm parts = { .tm_mday = 1 };
        const char *end = strptime(copy, forms[i], &parts);

        if (!end || *end)
            continue;
        *time = timegm(&parts);
        return true;
    }
    return false;
}

bool http_answer_parse(const char *text, size_t length, int *status, uint64_t *body)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *field;
    char *end;

    if (length < 15 || memcmp(text, "HTTP/1.1 ", 9) != 0)
        return false;
    *status = atoi(text + 9);
    field = memmem(text, length, name, sizeof name - 1);
    if (!field)
        return false;
    *body = strtoull(field + sizeof name - 1, &end, 10);
    return *status >= 100 && end > field && *end == '\r';
}
