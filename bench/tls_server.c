/* SPDX-License-Identifier: MIT */
/* hocket's TLS server. */
#include "tls_server.h"

#include <hocket.h>
#include <hocket/file.h>
#include <hocket/server.h>
#include <hocket/tls.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"

enum { PIECE = 16384 }; /* as openssl s_server reads and writes */

static int echo(hkt_stream *client, void *arg)
{
    char data[1024];
    int n;

    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0) {
        int err = hkt_stream_write(client, data, (size_t)n);
        if (err < 0)
            return err;
    }
    return n;
}

static int read_all(hkt_stream *client, void *arg)
{
    char data[PIECE];
    int n;

    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0)
        continue;
    return n;
}

/* What openssl s_server -WWW does: a few words, the file, and leave. */
static int send_file(hkt_stream *client, void *arg)
{
    char request[256], name[64];
    struct stat about;

    (void)arg;
    int n = hkt_stream_read_until(client, request, sizeof request - 1, "\r\n\r\n", 4);
    if (n < 0)
        return n;
    request[n] = '\0';
    if (sscanf(request, "GET /%63s", name) != 1)
        return -EINVAL;
    int fd = hkt_file_open(name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    int err = hkt_stream_printf(client, "HTTP/1.0 200 ok\r\nContent-type: text/plain\r\n\r\n");
    if (err == 0)
        err = hkt_file_stat(NULL, fd, true, &about);
    if (err == 0)
        err = hkt_stream_send_file(client, fd, 0, (uint64_t)about.st_size, NULL);
    hkt_file_close(fd);
    return err;
}

static int serve(void *arg)
{
    hkt_server_options options = { 0 };
    hkt_server *server;

    bench_check(hkt_tls_server(&options.tls, &(hkt_tls_options){ .certificate = TLS_PEM }),
                "hkt_tls_server");
    hkt_stream_handler *handler = strcmp(arg, "files") == 0  ? send_file
                                  : strcmp(arg, "echo") == 0 ? echo
                                                             : read_all;
    bench_check(hkt_server_start(&server, "127.0.0.1", 0, handler, NULL, &options),
                "hkt_server_start");
    printf("%d\n", hkt_server_port(server));
    fflush(stdout);
    int err = hkt_server_wait(server);
    hkt_server_destroy(server);
    hkt_tls_destroy(options.tls);
    return err;
}

int tls_serve(const char *what)
{
    char copy[16];

    snprintf(copy, sizeof copy, "%s", what);
    return hkt_run(serve, copy) != 0;
}
