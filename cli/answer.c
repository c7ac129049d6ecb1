/* SPDX-License-Identifier: MIT */
/* What is answered to a request: a file, a part of it, a folder as a page, or a refusal. Heads, and
 * files that are small, go into the client's `out`; the rest is sent at once. */
#include "site.h"

#include "file_types.h"
#include "http_conditions.h"
#include "listing.h"

#include <hocket/file.h>
#include <hocket/task_group.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "index.html"

/* A request being answered. */
struct answer {
    struct client *client;
    int status;
    bool keep_alive;
    struct http_head head; /* at the end of the client's `out` */
};

void site_look_at_clock(struct site *site)
{
    time_t now = time(NULL);

    if (now != site->now)
        http_date_format(site->date, now);
    site->now = now;
}

/* Room for a head and a small body, and the lines that every answer has. */
static void begin(struct answer *answer, int status)
{
    struct client *client = answer->client;

    if (client->used > CLIENT_OUT - CLIENT_HEAD - CLIENT_SMALL)
        (void)client_flush(client);
    site_look_at_clock(client->site);
    answer->status = status;
    answer->head.text = client->out + client->used;
    answer->head.room = CLIENT_HEAD;
    http_head_begin(&answer->head, status, client->site->date);
    http_head_add(&answer->head, "Server: hocket");
    if (!answer->keep_alive)
        http_head_add(&answer->head, "Connection: close");
    else if (client->request.old)
        http_head_add(&answer->head, "Connection: keep-alive");
}

static void log_it(const struct answer *answer, uint64_t bytes)
{
    struct client *client = answer->client;

    access_log_add(client->site->log, client->peer, http_request_line(&client->request),
                   answer->status, bytes);
}

/* The head is complete: it counts as kept. */
static void end_head(struct answer *answer)
{
    http_head_end(&answer->head);
    answer->client->used += answer->head.length;
    if (answer->head.cut) /* cannot be: there is room for the longest name */
        answer->client->broken = true;
}

/* The head, and a body that is in memory. */
static void end(struct answer *answer, const char *body, size_t length)
{
    struct client *client = answer->client;
    bool wanted = client->request.verb != HTTP_VERB_HEAD;

    end_head(answer);
    if (!wanted)
        length = 0;
    if (length <= CLIENT_OUT - client->used) {
        memcpy(client->out + client->used, body, length);
        client->used += length;
    } else {
        (void)client_send(client, body, length);
    }
    log_it(answer, length);
}

/* A page that says only what its status means. */
static void end_plainly(struct answer *answer)
{
    char body[64];
    int n = snprintf(body, sizeof body, "%d %s\n", answer->status, http_reason(answer->status));

    http_head_add(&answer->head, "Content-Type: text/plain; charset=utf-8");
    http_head_add(&answer->head, "Content-Length: %d", n);
    end(answer, body, (size_t)n);
}

static void refuse(struct answer *answer, int status)
{
    begin(answer, status);
    if (status == 405)
        http_head_add(&answer->head, "Allow: GET, HEAD, OPTIONS");
    else if (status == 503)
        http_head_add(&answer->head, "Retry-After: 1");
    end_plainly(answer);
}

void answer_refusal(struct client *client, int status)
{
    struct answer answer = { .client = client };

    refuse(&answer, status);
}

/* A folder whose target has no slash at its end. The address is made of the plain name, so it never
 * begins with two slashes, which would be another host's. */
static void redirect(struct answer *answer)
{
    const struct target_path *path = &answer->client->path;
    char name[TARGET_ENCODED_MAX + 1];

    target_path_encode(name, path->name, true);
    begin(answer, 301);
    http_head_add(&answer->head, "Location: /%s/%.*s", name, (int)path->query.length,
                  path->query.at ? path->query.at : "");
    end_plainly(answer);
}

static void list_folder(struct answer *answer, int fd)
{
    struct client *client = answer->client;
    struct listing listing = {
        .files = &client->site->files,
        .name = client->path.name,
        .fd = fd,
        .hidden = client->site->hidden,
    };
    int err = hkt_to_thread(listing_make, &listing);

    if (listing.fd >= 0)
        close(listing.fd);
    if (err < 0) {
        refuse(answer, files_status(err));
    } else {
        begin(answer, 200);
        http_head_add(&answer->head, "Content-Type: text/html; charset=utf-8");
        http_head_add(&answer->head, "Content-Length: %zu", listing.length);
        end(answer, listing.page, listing.length);
    }
    free(listing.page);
}

static void describe(const struct site *site, const struct stat *status, struct http_file *file)
{
    snprintf(file->etag, sizeof file->etag, "\"%llx-%llx-%llx\"",
             (unsigned long long)status->st_mtim.tv_sec * 1000000000ULL +
                 (unsigned long long)status->st_mtim.tv_nsec,
             (unsigned long long)status->st_size, (unsigned long long)status->st_ino);
    file->changed = status->st_mtim.tv_sec;
    file->now = site->now;
    file->size = (uint64_t)status->st_size;
}

static void head_of_file(struct answer *answer, const char *name, int status,
                         const struct http_file *file, const struct http_range *range)
{
    char date[HTTP_DATE_MAX];

    begin(answer, status);
    http_date_format(date, file->changed);
    http_head_add(&answer->head, "ETag: %s", file->etag);
    http_head_add(&answer->head, "Last-Modified: %s", date);
    if (status == 304)
        return;
    http_head_add(&answer->head, "Content-Type: %s", file_type(name));
    http_head_add(&answer->head, "Accept-Ranges: bytes");
    http_head_add(&answer->head, "Content-Length: %llu", (unsigned long long)range->length);
    if (status == 206)
        http_head_add(
            &answer->head, "Content-Range: bytes %llu-%llu/%llu", (unsigned long long)range->begin,
            (unsigned long long)(range->begin + range->length - 1), (unsigned long long)file->size);
}

/* The body, which the head has promised. A file that got shorter meanwhile breaks the promise, which
 * the client notices since the connection is reset. */
static void send_range(struct answer *answer, int fd, const struct http_range *range)
{
    struct client *client = answer->client;
    uint64_t sent = 0;

    end_head(answer);
    if (range->length <= CLIENT_SMALL) {
        int64_t n = hkt_file_read(fd, client->out + client->used, range->length,
                                  (int64_t)range->begin);

        sent = n > 0 ? (uint64_t)n : 0;
        client->used += sent;
    } else {
        sent = client_send_file(client, fd, range->begin, range->length);
    }
    if (sent < range->length) {
        (void)client_flush(client);
        client->broken = true;
    }
    log_it(answer, sent);
}

static void send_file(struct answer *answer, const char *name, int fd, const struct stat *status)
{
    struct client *client = answer->client;
    struct http_file file;
    struct http_range range;

    site_look_at_clock(client->site);
    describe(client->site, status, &file);
    int code = http_conditions(&client->request, &file, &range);

    if (code == 412) {
        refuse(answer, code);
    } else if (code == 416) {
        begin(answer, code);
        http_head_add(&answer->head, "Content-Range: bytes */%llu", (unsigned long long)file.size);
        end_plainly(answer);
    } else {
        head_of_file(answer, name, code, &file, &range);
        if (code == 304 || client->request.verb == HTTP_VERB_HEAD)
            end(answer, "", 0);
        else
            send_range(answer, fd, &range);
    }
}

/* The folder's own page, if it has one, else the list of what is in it. */
static void answer_folder(struct answer *answer, int folder)
{
    struct client *client = answer->client;
    const struct target_path *path = &client->path;
    char name[TARGET_PATH_MAX + sizeof INDEX + 1];
    struct stat status;

    snprintf(name, sizeof name, "%s%s" INDEX, path->name, *path->name ? "/" : "");
    int fd = files_open(&client->site->files, name, O_RDONLY);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        close(folder);
        send_file(answer, name, fd, &status);
    } else if (fd < 0 && files_status(fd) != 404) {
        close(folder);
        refuse(answer, files_status(fd));
    } else {
        list_folder(answer, folder);
    }
    if (fd >= 0)
        close(fd);
}

static void answer_path(struct answer *answer)
{
    struct client *client = answer->client;
    const struct target_path *path = &client->path;
    struct stat status;
    int fd = path->hidden && !client->site->hidden
                 ? -ENOENT
                 : files_open(&client->site->files, path->name, O_RDONLY);

    if (fd < 0) {
        refuse(answer, files_status(fd));
        return;
    }
    if (fstat(fd, &status) < 0 || (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) ||
        (S_ISREG(status.st_mode) && path->folder)) {
        refuse(answer, 404);
    } else if (S_ISREG(status.st_mode)) {
        send_file(answer, path->name, fd, &status);
    } else if (!path->folder) {
        redirect(answer);
    } else {
        answer_folder(answer, fd);
        return;
    }
    close(fd);
}

static void answer_options(struct answer *answer)
{
    begin(answer, 204);
    http_head_add(&answer->head, "Allow: GET, HEAD, OPTIONS");
    end(answer, "", 0);
}

/* Does the connection stay? Not after what may be followed by more than a request, and not when
 * others wait for its place. */
static bool may_stay(const struct client *client)
{
    const struct http_request *request = &client->request;
    const struct site *site = client->site;

    return request->keep_alive && request->verb != HTTP_VERB_OTHER && !site->stopping &&
           !(request->expects && http_request_has_body(request)) && !site_is_full(site);
}

bool answer_request(struct client *client)
{
    struct answer answer = { .client = client, .keep_alive = may_stay(client) };
    struct http_text target = http_request_target(&client->request);

    if (client->request.verb == HTTP_VERB_OTHER) {
        refuse(&answer, 405);
    } else if (client->request.verb == HTTP_VERB_OPTIONS && http_text_is(target, "*")) {
        answer_options(&answer);
    } else {
        int err = target_path_parse(&client->path, target);

        if (err == -EINVAL)
            answer.keep_alive = false;
        if (err < 0)
            refuse(&answer, err == -EINVAL ? 400 : 404);
        else if (client->request.verb == HTTP_VERB_OPTIONS)
            answer_options(&answer);
        else
            answer_path(&answer);
    }
    return answer.keep_alive && !client->broken;
}
