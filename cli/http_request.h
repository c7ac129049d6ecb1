/* SPDX-License-Identifier: MIT */
/* A request of HTTP/1.0 or 1.1, out of bytes that somebody else reads.
 *
 * What is not clearly one request is refused, as two readers of the same bytes may not disagree
 * about where a request ends: a line feed alone, a folded field, a space before a colon, two
 * lengths, a length and chunks. After a refusal the bytes that follow mean nothing. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX = 16 * 1024, /* bytes of a head; more: 431 */
    HTTP_LINE_MAX = 8 * 1024,  /* bytes of its first line; more: 414 */
    HTTP_FIELDS_MAX = 100,     /* more: 431 */
};

/* Bytes in the head; never ended by a zero. */
struct http_text {
    const char *at; /* NULL: none */
    size_t length;
};

enum http_verb { HTTP_VERB_GET, HTTP_VERB_HEAD, HTTP_VERB_OPTIONS, HTTP_VERB_OTHER };

struct http_request {
    enum http_verb verb;
    bool old;        /* HTTP/1.0 */
    bool keep_alive; /* the client does not want the connection closed */
    bool chunked;    /* a body in chunks; else one of so many bytes: */
    uint64_t content_length;
    bool expects;     /* the client waits for "100 Continue" */
    const char *head; /* the caller's bytes; if they move, he says so here */

    /* Private: offsets in the head. */
    struct {
        uint16_t name, name_length, value, value_length;
    } fields[HTTP_FIELDS_MAX];
    size_t count;
    size_t skipped;  /* empty lines before the first one */
    size_t line;     /* where the line begins that is not complete */
    size_t searched; /* no line feed between there and here */
    struct {
        uint16_t begin, length;
    } first, target;
    struct {
        uint64_t left; /* bytes of the chunk */
        unsigned state;
    } chunk;
    bool body_ended; /* llhttp says so */
    uint64_t parser[16];
};

/* Is there a parser in this build? Which one, and its version; NULL. */
bool http_available(void);
const char *http_library(void);

/* Before each request. */
void http_request_reset(struct http_request *request);

/* Looks at the `length` bytes of a request that have come so far: how many of them are the head, if
 * that is complete; 0: more are needed; else minus the status that refuses it: 400, 414, 417, 431,
 * 501, 505. Again after 0, with those bytes and more. */
int http_request_parse(struct http_request *request, const char *data, size_t length);

/* Has the request a body? */
bool http_request_has_body(const struct http_request *request);

/* Takes the next bytes of the body: 1 when that is its end, 0 if more will come; *used are those
 * that were part of it. -400. */
int http_request_body(struct http_request *request, const char *data, size_t length, size_t *used);

/* The first line, as far as there is one: for the log. */
struct http_text http_request_line(const struct http_request *request);
struct http_text http_request_target(const struct http_request *request);

/* The value of the field of that name; of several the one with this number, from 0 on. */
struct http_text http_request_field(const struct http_request *request, const char *name, int nth);

/* Without regard to case. */
bool http_text_is(struct http_text text, const char *word);

#endif
