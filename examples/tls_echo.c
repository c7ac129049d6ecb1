/* SPDX-License-Identifier: MIT */
/* An echo by TLS, with a certificate that openssl makes, and that the client is told
 * to believe. Where there is no TLS they say so, and speak in plain. */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

static int make_tls(hkt_tls **server, hkt_tls **client)
{
    char *argv[] = { "openssl", "req",   "-x509",  "-nodes",  "-keyout",
                     "-",       "-subj", "/CN=me", "-addext", "subjectAltName=DNS:localhost",
                     NULL };
    char path[] = "/tmp/hocket-XXXXXX";
    int fd = mkstemp(path); /* gets the key and the certificate */
    hkt_subprocess_options options = { .output = HKT_REDIRECT_FD, .output_fd = fd };
    hkt_subprocess_result made = { 0 };
    int err = fd < 0 ? -errno : hkt_subprocess_run(argv, NULL, 0, &made, &options);
    if (err == 0)
        err = hkt_tls_server(server, &(hkt_tls_options){ .certificate = path });
    if (err == 0)
        err = hkt_tls_client(client, &(hkt_tls_options){ .authorities = path });
    hkt_subprocess_result_free(&made);
    hkt_file_close(fd);
    hkt_file_unlink(path);
    return err;
}

static int echo(hkt_stream *client, void *arg)
{
    (void)arg;
    char line[100];
    int n = hkt_stream_read_line(client, line, sizeof line);
    return n > 0 ? hkt_stream_write(client, line, (size_t)n) : n;
}

int main(void)
{
    char line[100];
    hkt_tls *ours = NULL, *theirs = NULL;
    hkt_server *server = NULL;
    hkt_stream *stream = NULL;
    int err = make_tls(&ours, &theirs);
    if (hkt_report(err) && err != -ENOSYS && err != -ENOENT) /* no TLS here; no openssl */
        return 1;
    err = hkt_server_start(&server, "127.0.0.1", 0, echo, NULL,
                           &(hkt_server_options){ .tls = ours });
    if (err == 0)
        err = hkt_stream_connect(
            &stream, "127.0.0.1", hkt_server_port(server),
            &(hkt_connect_options){ .tls = theirs, .server_name = "localhost" });
    if (err == 0)
        err = hkt_stream_printf(stream, "Can you keep a secret?\n");
    if (err == 0 && (err = hkt_stream_read_line(stream, line, sizeof line)) > 0)
        printf("I hear: %s", line);
    hkt_stream_destroy(stream);
    hkt_server_destroy(server);
    hkt_tls_destroy(ours);
    hkt_tls_destroy(theirs);
    return hkt_report(err);
}
