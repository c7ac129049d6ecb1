/* SPDX-License-Identifier: MIT */
/* A hundred pages of a small web server, which takes a tenth of a second for each.
 * Ten at a time they take one second, not ten. */
#include <hocket.h>
#include <stdio.h>

enum { PAGES = 100, AT_ONCE = 10 };

static int port;
static long bytes; /* those who download are all on one thread */

static int serve(hkt_stream *client, void *arg)
{
    (void)arg;
    char head[1000] = "";
    int number = 0, n = hkt_stream_read_until(client, head, sizeof head - 1, "\r\n\r\n", 4);
    if (n < 0 || sscanf(head, "GET /page/%d ", &number) != 1)
        return n;
    int err = hkt_sleep(0.1); /* looks for it */
    return err < 0 ? err : hkt_stream_printf(client, "HTTP/1.0 200 OK\r\n\r\n%0*d", number, 0);
}

static int download(void *number)
{
    hkt_stream *server = NULL;
    char data[1000];
    int err = hkt_stream_connect(&server, "127.0.0.1", port, NULL);
    if (err == 0)
        err = hkt_stream_printf(server, "GET /page/%d HTTP/1.0\r\n\r\n", *(int *)number);
    if (err == 0)
        err = hkt_stream_read_until(server, data, sizeof data, "\r\n\r\n", 4);
    while (err > 0 && (err = hkt_stream_read(server, data, sizeof data)) > 0)
        bytes += err;
    hkt_stream_destroy(server);
    return err;
}

int main(void)
{
    int numbers[PAGES];
    for (int i = 0; i < PAGES; i++)
        numbers[i] = i + 1;
    hkt_server *server = NULL;
    hkt_executor *pool;
    hkt_coroutine_pool_options options = { .max_tasks = AT_ONCE };
    int err = hkt_coroutine_pool_create(&pool, &options);
    if (err < 0)
        return hkt_report(err);
    err = hkt_server_start(&server, "127.0.0.1", 0, serve, NULL, NULL);
    if (err == 0) {
        port = hkt_server_port(server);
        err = hkt_map(pool, download, HKT_ARRAY(numbers));
    }
    hkt_executor_destroy(pool);
    hkt_server_destroy(server);
    printf("%d pages, %ld bytes\n", PAGES, bytes);
    return hkt_report(err);
}
