/* SPDX-License-Identifier: MIT */
/* Feeds bytes to what `hocket serve` does with them before it answers: requests out of a stream
 * that comes in pieces, their bodies, the path, the file that it opens, the conditions. What must
 * hold is checked by abort:
 *
 *   - the same bytes give the same requests in whatever pieces they come;
 *   - a name is plain, and stays so when it is encoded and parsed again;
 *   - the file that openat2 finds is the one that the walk without it finds, or neither finds one;
 *   - a range lies within the file.
 *
 *     fuzz_http [--seconds N] [--seed S] [FILE]...    the files, and mutations of what is built in
 *
 * With clang's libFuzzer, from the folder of the tree (B is a build of it with clang):
 *
 *     clang -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *         -DHKT_LIBFUZZER -DHOCKET_HAVE_LLHTTP -DLLHTTP_STRICT_MODE=1 \
 *         -Iinclude -Icli -I/usr/share/include/llhttp tests/fuzz/fuzz_http.c \
 *         cli/{http_request,http_answer,http_conditions,target_path,files}.c \
 *         /usr/share/llhttp/{llhttp,http,api}.c B/lib/libhocket.a -o fuzz_http */
#include "files.h"
#include "http_answer.h"
#include "http_conditions.h"
#include "target_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "fuzz_http: line %d: must be: %s\n", __LINE__, #condition);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct files files;
static struct target_path path, again;

/* A folder to look for names in, with links of all kinds. It is removed at the end. */
static char folder[] = "/tmp/fuzz_http-XXXXXX";

static void make_file(const char *name)
{
    int fd = openat(files.root, name, O_WRONLY | O_CREAT, 0600);

    MUST(fd >= 0);
    close(fd);
}

static const char *const links[][2] = {
    { "inside", "a" },        { "back", "d/../a" },   { "out", "../x" },
    { "absolute", "/etc" },   { "self", "self" },     { "d/up", ".." },
    { "d/out", "../.." },     { "slash", "d/" },      { "slashed", "a/" },
    { "dot", "." },           { "deep", "d/e/../e" }, { "none", "nothing" },
    { "double", "d//e/./b" }, { "folder", "d/up/d" },
};

static void remove_folder(void)
{
    static const char *const names[] = { "a", "d/b", "d/e/b", "index.html" };

    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        unlinkat(files.root, links[i][0], 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(files.root, names[i], 0);
    unlinkat(files.root, "d/e", AT_REMOVEDIR);
    unlinkat(files.root, "d", AT_REMOVEDIR);
    rmdir(folder);
    files_close_root(&files);
}

static void make_folder(void)
{
    MUST(mkdtemp(folder));
    MUST(files_open_root(&files, folder) == 0);
    MUST(mkdirat(files.root, "d", 0700) == 0 && mkdirat(files.root, "d/e", 0700) == 0);
    make_file("a");
    make_file("d/b");
    make_file("d/e/b");
    make_file("index.html");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        MUST(symlinkat(links[i][1], files.root, links[i][0]) == 0);
    atexit(remove_folder);
}

/* Both ways to open a name end at the same file, or at none. */
static void compare_ways(const char *name)
{
    struct stat x, y;
    int fd = files_open_here(&files, name, O_RDONLY);
    int walked = files_walk(&files, name, O_RDONLY);

    MUST((fd >= 0) == (walked >= 0));
    if (fd >= 0) {
        MUST(fstat(fd, &x) == 0 && fstat(walked, &y) == 0);
        MUST(x.st_ino == y.st_ino && x.st_dev == y.st_dev);
        close(fd);
        close(walked);
    } else {
        MUST(files_status(fd) == files_status(walked));
    }
}

static void check_name(struct http_text target)
{
    static char encoded[TARGET_ENCODED_MAX + 2];
    int err = target_path_parse(&path, target);

    if (err < 0) {
        MUST(err == -EINVAL || err == -ENOENT);
        return;
    }
    MUST(strlen(path.name) == path.length && path.length < sizeof path.name);
    for (const char *part = path.name; *part; part += strspn(part, "/")) {
        size_t n = strcspn(part, "/");

        MUST(n > 0 && !(n == 1 && *part == '.') && !(n == 2 && memcmp(part, "..", 2) == 0));
        MUST(path.hidden || *part != '.');
        part += n;
        MUST(*part == 0 || (part[0] == '/' && part[1] != '/' && part[1] != 0));
    }
    encoded[0] = '/';
    size_t n = 1 + target_path_encode(encoded + 1, path.name, true);

    MUST(target_path_parse(&again, (struct http_text){ encoded, n }) == 0);
    MUST(strcmp(again.name, path.name) == 0 && again.hidden == path.hidden);
    compare_ways(path.name);
}

static void check_conditions(const struct http_request *request, uint64_t size)
{
    struct http_file file = { .etag = "\"x\"", .changed = 1000000000, .now = 1700000000 };
    struct http_range range;

    file.size = size;
    int status = http_conditions(request, &file, &range);

    MUST(status == 200 || status == 206 || status == 304 || status == 412 || status == 416);
    if (status == 206)
        MUST(range.length > 0 && range.begin < size && range.length <= size - range.begin);
    if (status == 200)
        MUST(range.begin == 0 && range.length == size);
}

/* What a stream of requests came to: equal if they are the same in the same places. */
struct outcome {
    uint64_t sum;
    size_t used; /* bytes up to the end, or to what was refused */
    int status;
};

static void mix(struct outcome *outcome, uint64_t value)
{
    outcome->sum = (outcome->sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    outcome->sum ^= outcome->sum >> 29;
}

static void look_at(const struct http_request *request, struct outcome *outcome, bool deeply)
{
    struct http_text target = http_request_target(request), line = http_request_line(request);

    mix(outcome, (uint64_t)request->verb << 8 | (uint64_t)request->old << 1 | request->keep_alive);
    mix(outcome, request->content_length << 1 | request->chunked);
    mix(outcome, line.length << 16 | target.length);
    mix(outcome, request->count);
    if (!deeply)
        return;
    check_name(target);
    check_conditions(request, 0);
    check_conditions(request, 1000);
}

/* A body that begins at `begin`, in pieces of at the most `piece` bytes: where it ends, or 0. */
static size_t skip_body(struct http_request *request, const char *data, size_t begin, size_t size,
                        size_t piece, struct outcome *outcome)
{
    while (begin < size) {
        size_t length = size - begin < piece ? size - begin : piece, used = 0;
        int end = http_request_body(request, data + begin, length, &used);

        MUST(used <= length && (end != 0 || used == length));
        if (end < 0) {
            outcome->status = end;
            return 0;
        }
        begin += used;
        if (end > 0)
            return begin;
    }
    return 0;
}

/* All requests in the bytes, of which `piece` more come each time. */
static struct outcome run(const char *data, size_t size, size_t piece, bool deeply)
{
    static struct http_request request;
    struct outcome outcome = { .status = 0 };
    size_t begin = 0, end = 0;

    while (begin < size && outcome.status == 0) {
        int head = 0;

        http_request_reset(&request);
        if (end < begin)
            end = begin;
        while (head == 0 && end < size) {
            end = size - end < piece ? size : end + piece;
            head = http_request_parse(&request, data + begin, end - begin);
        }
        if (head <= 0) {
            outcome.status = head;
            break;
        }
        MUST((size_t)head <= end - begin);
        look_at(&request, &outcome, deeply);
        begin += (size_t)head;
        end = begin;
        outcome.used = begin;
        if (request.verb == HTTP_VERB_OTHER)
            break; /* as the server does */
        if (http_request_has_body(&request)) {
            begin = skip_body(&request, data, begin, size, piece, &outcome);
            if (begin == 0)
                break;
            outcome.used = begin;
        }
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    time_t date;

    if (*folder && files.root == 0)
        make_folder();
    struct outcome whole = run(text, size, size ? size : 1, true);

    for (size_t i = 0; i < 3; i++) {
        static const size_t pieces[] = { 1, 7, 64 };
        struct outcome parts = run(text, size, pieces[i], false);

        MUST(parts.sum == whole.sum && parts.used == whole.used && parts.status == whole.status);
    }
    check_name((struct http_text){ text, size });
    if (http_date_parse(&date, text, size)) {
        char again_text[HTTP_DATE_MAX];

        http_date_format(again_text, date);
    }
    return 0;
}

#ifndef HKT_LIBFUZZER

enum { INPUT_MAX = 20000 };

static const char *const seeds[] = {
    "GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /d/b?x=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    "HEAD /d/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "GET /inside HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /back HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n"
    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /d/up/d/%65/b HTTP/1.1\r\nHost: x\r\nRange: bytes=1-5\r\nIf-Range: \"x\"\r\n\r\n",
    "GET http://x/double HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"y\", \"x\"\r\n"
    "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\nExpect: 100-continue\r\n\r\n",
    "GET /d/out/%2e%2e/.x//./slash HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\n"
    "Upgrade: h2c\r\nIf-Match: *\r\nRange: bytes=-0\r\n\r\n",
    "/d/e/b",
    "//deep/../dot/%00",
    "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
    "Sunday, 06-Nov-94 08:49:37 GMT",
};

/* What is put into an input now and then. */
static const char *const words[] = {
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "/",
    "..",
    "%2e",
    "%00",
    "%2f",
    "bytes=",
    "-",
    ",",
    "chunked",
    "0\r\n\r\n",
    "HTTP/1.1",
    "Host: x\r\n",
    "Content-Length: ",
    "Transfer-Encoding: ",
    "\r\n\r\n",
    "slashed",
    "self",
    "absolute",
    "none",
    "folder",
    "99999999999",
    "ffffffff",
};

static uint64_t state;

static size_t pick(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)((state >> 11) % n) : 0;
}

/* Puts `n` bytes into the input in place of `gone` at `at`. */
static size_t put_in(char *input, size_t size, size_t at, size_t gone, const char *bytes, size_t n)
{
    if (size - gone + n > INPUT_MAX)
        return size;
    memmove(input + at + n, input + at + gone, size - at - gone);
    memcpy(input + at, bytes, n);
    return size - gone + n;
}

static size_t mutate(char *input, size_t size)
{
    size_t at = pick(size + 1), gone = pick(4) ? 0 : pick(size - at + 1);
    const char *word = words[pick(sizeof words / sizeof words[0])];
    const char *seed = seeds[pick(sizeof seeds / sizeof seeds[0])];
    char byte = (char)pick(256), copy[64];
    size_t n;

    switch (pick(6)) {
    case 0:
        return put_in(input, size, at, at < size, &byte, 1);
    case 1:
        return put_in(input, size, at, gone, word, strlen(word));
    case 2:
        return put_in(input, size, at, gone, seed, strlen(seed));
    case 3:
        n = pick((size - at < sizeof copy ? size - at : sizeof copy) + 1);
        memcpy(copy, input + at, n);
        return put_in(input, size, pick(size + 1), 0, copy, n);
    case 4:
        if (at < size)
            input[at] ^= (char)(1 << pick(8));
        return size;
    default:
        return put_in(input, size, at, gone, "", 0);
    }
}

static size_t load(const char *name, char *input)
{
    FILE *file = fopen(name, "rb");

    if (!file) {
        perror(name);
        exit(2);
    }
    size_t size = fread(input, 1, INPUT_MAX, file);

    fclose(file);
    return size;
}

static void say_passed(uint64_t runs, uint64_t seed)
{
    const char *summary = getenv("HOCKET_TEST_SUMMARY");
    FILE *file = summary ? fopen(summary, "a") : NULL;

    printf("%llu inputs, seed %llu\n1 passed, 0 failed\n", (unsigned long long)runs,
           (unsigned long long)seed);
    if (file) {
        fputs("1 passed, 0 failed\n", file);
        fclose(file);
    }
}

int main(int argc, char **argv)
{
    static char input[INPUT_MAX + 1];
    double seconds = 3;
    uint64_t seed = 1, runs = 0;
    time_t end;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else
            LLVMFuzzerTestOneInput((const uint8_t *)input, load(argv[i], input));
    }
    state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        LLVMFuzzerTestOneInput((const uint8_t *)seeds[i], strlen(seeds[i]));
    end = time(NULL) + (time_t)seconds;
    while (time(NULL) < end) {
        const char *first = seeds[pick(sizeof seeds / sizeof seeds[0])];
        size_t size = strlen(first);

        memcpy(input, first, size);
        for (size_t i = 1 + pick(8); i > 0; i--)
            size = mutate(input, size);
        LLVMFuzzerTestOneInput((const uint8_t *)input, size);
        runs++;
    }
    say_passed(runs, seed);
    return 0;
}

#endif
