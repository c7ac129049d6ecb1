/* SPDX-License-Identifier: MIT */
/* A head is first looked at line by line until it is complete, then each line is checked, and last
 * llhttp must agree on what has been found. So it is with bodies in chunks: who reads them here and
 * llhttp must agree on where they end. */
#include "http_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { EMPTY_LINES = 4 }; /* before a request: some old clients send one */

void http_request_reset(struct http_request *request)
{
    memset(request, 0, offsetof(struct http_request, fields));
    request->count = 0;
    request->skipped = request->line = request->searched = 0;
    request->first.length = request->target.length = 0;
    request->body_ended = false;
    request->chunk.left = request->chunk.state = 0;
}

struct http_text http_request_line(const struct http_request *request)
{
    return (struct http_text){ request->head ? request->head + request->first.begin : NULL,
                               request->first.length };
}

struct http_text http_request_target(const struct http_request *request)
{
    return (struct http_text){ request->head + request->target.begin, request->target.length };
}

bool http_text_is(struct http_text text, const char *word)
{
    return text.at && text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

struct http_text http_request_field(const struct http_request *request, const char *name, int nth)
{
    for (size_t i = 0; i < request->count; i++) {
        struct http_text text = { request->head + request->fields[i].name,
                                  request->fields[i].name_length };

        if (!http_text_is(text, name) || nth-- > 0)
            continue;
        return (struct http_text){ request->head + request->fields[i].value,
                                   request->fields[i].value_length };
    }
    return (struct http_text){ NULL, 0 };
}

bool http_request_has_body(const struct http_request *request)
{
    return request->chunked || request->content_length > 0;
}

#ifdef HOCKET_HAVE_LLHTTP

#include <llhttp.h>

_Static_assert(sizeof(llhttp_t) <= sizeof(((struct http_request *)0)->parser), "room for it");

bool http_available(void)
{
    return true;
}

const char *http_library(void)
{
    static char text[32];

    snprintf(text, sizeof text, "llhttp %d.%d.%d", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
             LLHTTP_VERSION_PATCH);
    return text;
}

/* A letter of a name (RFC 9110, token). */
static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && is_token((unsigned char)text[n]))
        n++;
    return n;
}

static bool is_method(const char *text, size_t length, const char *method)
{
    return length == strlen(method) && memcmp(text, method, length) == 0;
}

/* "HTTP/1.1": 0; -505 of another version, -400 of something else. */
static int take_version(struct http_request *request, const char *text, size_t length)
{
    if (length != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' ||
        text[5] > '9' || text[7] < '0' || text[7] > '9')
        return -400;
    if (text[5] != '1' || text[7] > '1')
        return -505;
    request->old = text[7] == '0';
    return 0;
}

/* Method, one space, target, one space, version. */
static int take_first(struct http_request *request, const char *head)
{
    const char *line = head + request->first.begin;
    size_t length = request->first.length;
    size_t method = token_length(line, length);
    size_t target = method + 1, n = 0;

    if (method == 0 || method == length || line[method] != ' ')
        return -400;
    while (target + n < length && (unsigned char)line[target + n] > ' ' && line[target + n] < 127)
        n++;
    if (n == 0 || target + n >= length || line[target + n] != ' ')
        return -400;
    request->target.begin = (uint16_t)(request->first.begin + target);
    request->target.length = (uint16_t)n;
    request->verb = is_method(line, method, "GET")       ? HTTP_VERB_GET
                    : is_method(line, method, "HEAD")    ? HTTP_VERB_HEAD
                    : is_method(line, method, "OPTIONS") ? HTTP_VERB_OPTIONS
                                                         : HTTP_VERB_OTHER;
    return take_version(request, line + target + n + 1, length - (target + n + 1));
}

/* One field: a name, the colon at once, a value without controls, and no blanks around it. */
static int take_field(struct http_request *request, const char *head, size_t begin, size_t end)
{
    size_t name = token_length(head + begin, end - begin);
    size_t value = begin + name + 1;

    if (name == 0 || begin + name == end || head[begin + name] != ':')
        return -400;
    for (size_t i = value; i < end; i++) {
        unsigned char c = (unsigned char)head[i];

        if ((c < ' ' && c != '\t') || c == 127)
            return -400;
    }
    while (value < end && (head[value] == ' ' || head[value] == '\t'))
        value++;
    while (end > value && (head[end - 1] == ' ' || head[end - 1] == '\t'))
        end--;
    if (request->count == HTTP_FIELDS_MAX)
        return -431;
    request->fields[request->count].name = (uint16_t)begin;
    request->fields[request->count].name_length = (uint16_t)name;
    request->fields[request->count].value = (uint16_t)value;
    request->fields[request->count++].value_length = (uint16_t)(end - value);
    return 0;
}

/* Where the request is for: one in HTTP/1.1, and nothing that another reader may take apart. */
static int check_host(const struct http_request *request)
{
    struct http_text host = http_request_field(request, "Host", 0);

    if (!host.at)
        return request->old ? 0 : -400;
    if (http_request_field(request, "Host", 1).at)
        return -400;
    for (size_t i = 0; i < host.length; i++) {
        if (!is_token((unsigned char)host.at[i]) && !strchr(":[](),;=", host.at[i]))
            return -400;
    }
    return 0;
}

static int take_length(struct http_request *request, struct http_text text)
{
    if (text.length == 0 || text.length > 18)
        return -400;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -400;
        request->content_length = 10 * request->content_length + (uint64_t)(text.at[i] - '0');
    }
    return 0;
}

/* How long the body is: told once, in one way. */
static int take_body(struct http_request *request)
{
    struct http_text length = http_request_field(request, "Content-Length", 0);
    struct http_text coding = http_request_field(request, "Transfer-Encoding", 0);

    if (http_request_field(request, "Content-Length", 1).at)
        return -400;
    if (coding.at) {
        if (length.at || request->old || http_request_field(request, "Transfer-Encoding", 1).at)
            return -400;
        if (!http_text_is(coding, "chunked"))
            return -501;
        request->chunked = true;
    }
    return length.at ? take_length(request, length) : 0;
}

static int take_expectation(struct http_request *request)
{
    struct http_text text = http_request_field(request, "Expect", 0);

    if (!text.at || request->old)
        return 0;
    request->expects = true;
    return http_text_is(text, "100-continue") ? 0 : -417;
}

/* The whole head but for its first line, up to the empty line. */
static int take_fields(struct http_request *request, const char *head, size_t end)
{
    size_t begin = request->first.begin + request->first.length + (size_t)2;
    int err = 0;

    while (err == 0 && begin < end) {
        const char *feed = memchr(head + begin, '\n', end - begin);
        size_t next = (size_t)(feed - head) + 1;

        err = take_field(request, head, begin, next - 2);
        begin = next;
    }
    if (err == 0)
        err = check_host(request);
    if (err == 0)
        err = take_body(request);
    return err < 0 ? err : take_expectation(request);
}

static int end_of_message(llhttp_t *parser)
{
    ((struct http_request *)parser->data)->body_ended = true;
    return HPE_PAUSED;
}

/* What llhttp makes of the same head: the second opinion. */
static int confirm(struct http_request *request, const char *head, size_t end)
{
    static const llhttp_settings_t settings = { .on_message_complete = end_of_message };
    llhttp_t *parser = (llhttp_t *)request->parser;

    llhttp_init(parser, HTTP_REQUEST, &settings);
    parser->data = request;
    llhttp_errno_t err = llhttp_execute(parser, head + request->skipped, end - request->skipped);

    if (err == HPE_INVALID_METHOD)
        return -501;
    if (err != HPE_OK && err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE)
        return -400;
    if (parser->method == HTTP_CONNECT) /* what follows is no HTTP */
        return 0;
    if (request->body_ended == http_request_has_body(request))
        return -400;
    return 0;
}

/* "close" and "keep-alive" among the words of all Connection fields. */
static bool wants_to_stay(const struct http_request *request)
{
    bool stays = !request->old;

    for (int nth = 0;; nth++) {
        struct http_text text = http_request_field(request, "Connection", nth);

        if (!text.at)
            return stays;
        for (size_t i = 0, n; i < text.length; i += n + 1) {
            struct http_text word = { text.at + i, 0 };

            n = token_length(word.at, text.length - i);
            word.length = n;
            if (http_text_is(word, "close"))
                return false;
            if (http_text_is(word, "keep-alive"))
                stays = true;
        }
    }
}

static int take_head(struct http_request *request, const char *head, size_t end)
{
    int err = take_first(request, head);

    if (err == 0)
        err = take_fields(request, head, end - 2);
    if (err == 0)
        err = confirm(request, head, end);
    request->keep_alive = err == 0 && wants_to_stay(request);
    return err < 0 ? err : (int)end;
}

/* One complete line from request->line up to its line feed: 1 if it is the empty one at the end. */
static int end_line(struct http_request *request, const char *data, size_t feed)
{
    size_t begin = request->line, length = feed - begin;

    request->line = request->searched = feed + 1;
    if (request->first.length == 0 && length > HTTP_LINE_MAX)
        return -414;
    if (length == 0 || data[feed - 1] != '\r')
        return -400;
    if (request->first.length > 0)
        return length == 1;
    if (length == 1) {
        request->skipped = feed + 1;
        return request->skipped > (size_t)2 * EMPTY_LINES ? -400 : 0;
    }
    request->first.begin = (uint16_t)begin;
    request->first.length = (uint16_t)(length - 1);
    return 0;
}

int http_request_parse(struct http_request *request, const char *data, size_t length)
{
    size_t whole = length;

    if (length > HTTP_HEAD_MAX)
        length = HTTP_HEAD_MAX;
    request->head = data;
    while (request->searched < length) {
        const char *feed = memchr(data + request->searched, '\n', length - request->searched);

        if (!feed) {
            request->searched = length;
            break;
        }
        int end = end_line(request, data, (size_t)(feed - data));

        if (end != 0)
            return end < 0 ? end : take_head(request, data, (size_t)(feed - data) + 1);
    }
    if (request->first.length == 0 && length - request->line > HTTP_LINE_MAX)
        return -414;
    return whole >= HTTP_HEAD_MAX ? -431 : 0;
}

/* The states of a chunked body: which byte comes next. */
enum chunk_state {
    CHUNK_SIZE,    /* the first digit of a size */
    CHUNK_DIGITS,  /* another one, or what ends it */
    CHUNK_REMARK,  /* behind a semicolon */
    CHUNK_SIZE_LF, /* the end of that line */
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* the first byte of a field, or the empty line */
    CHUNK_NAME,
    CHUNK_VALUE,
    CHUNK_VALUE_LF,
    CHUNK_END_LF,
    CHUNK_END,
    CHUNK_BAD,
};

static int hex_digit(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A byte of a size: more than 15 digits are no chunk that anybody sends. */
static enum chunk_state take_digit(struct http_request *request, unsigned char c)
{
    if (c == '\r' && request->chunk.state == CHUNK_DIGITS)
        return CHUNK_SIZE_LF;
    if (c == ';' && request->chunk.state == CHUNK_DIGITS)
        return CHUNK_REMARK;
    if (hex_digit(c) < 0 || request->chunk.left >> 56 != 0)
        return CHUNK_BAD;
    request->chunk.left = request->chunk.left << 4 | (uint64_t)hex_digit(c);
    return CHUNK_DIGITS;
}

static enum chunk_state take_text(unsigned char c, enum chunk_state here, enum chunk_state next)
{
    return c == '\r' ? next : (c < ' ' && c != '\t') || c == 127 ? CHUNK_BAD : here;
}

/* The state behind a byte that is no data. */
static enum chunk_state take_byte(struct http_request *request, unsigned char c)
{
    switch ((enum chunk_state)request->chunk.state) {
    case CHUNK_SIZE:
    case CHUNK_DIGITS:
        return take_digit(request, c);
    case CHUNK_REMARK:
        return take_text(c, CHUNK_REMARK, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return c != '\n' ? CHUNK_BAD : request->chunk.left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
    case CHUNK_DATA_LF:
        return c == '\n' ? CHUNK_SIZE : CHUNK_BAD;
    case CHUNK_TRAILER:
        return c == '\r' ? CHUNK_END_LF : is_token(c) ? CHUNK_NAME : CHUNK_BAD;
    case CHUNK_NAME:
        return c == ':' ? CHUNK_VALUE : is_token(c) ? CHUNK_NAME : CHUNK_BAD;
    case CHUNK_VALUE:
        return take_text(c, CHUNK_VALUE, CHUNK_VALUE_LF);
    case CHUNK_VALUE_LF:
        return c == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
    case CHUNK_END_LF:
        return c == '\n' ? CHUNK_END : CHUNK_BAD;
    default:
        return CHUNK_BAD;
    }
}

/* Our own opinion on a body in chunks; llhttp takes line feeds alone and folded fields behind the
 * last one. As http_request_body. */
static int take_chunks(struct http_request *request, const char *data, size_t length, size_t *used)
{
    size_t i = 0;

    while (i < length && request->chunk.state < CHUNK_END) {
        if (request->chunk.state == CHUNK_DATA) {
            size_t n = length - i < request->chunk.left ? length - i : (size_t)request->chunk.left;

            i += n;
            request->chunk.left -= n;
            if (request->chunk.left == 0)
                request->chunk.state = CHUNK_DATA_CR;
            continue;
        }
        request->chunk.state = take_byte(request, (unsigned char)data[i++]);
    }
    *used = i;
    return request->chunk.state == CHUNK_BAD ? -400 : request->chunk.state == CHUNK_END;
}

int http_request_body(struct http_request *request, const char *data, size_t length, size_t *used)
{
    llhttp_t *parser = (llhttp_t *)request->parser;
    llhttp_errno_t err = llhttp_execute(parser, data, length);
    size_t mine;
    int end = 0;

    *used = length;
    if (err == HPE_PAUSED || err == HPE_PAUSED_UPGRADE) {
        *used = (size_t)(llhttp_get_error_pos(parser) - data);
        end = request->body_ended ? 1 : -400;
    } else if (err != HPE_OK) {
        return -400;
    }
    if (request->chunked && (take_chunks(request, data, length, &mine) != end || mine != *used))
        return -400;
    return end;
}

#else

bool http_available(void)
{
    return false;
}

const char *http_library(void)
{
    return NULL;
}

int http_request_parse(struct http_request *request, const char *data, size_t length)
{
    (void)request;
    (void)data;
    (void)length;
    return -501;
}

int http_request_body(struct http_request *request, const char *data, size_t length, size_t *used)
{
    (void)request;
    (void)data;
    (void)length;
    *used = 0;
    return -400;
}

#endif
