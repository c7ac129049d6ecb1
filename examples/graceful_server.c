/* SPDX-License-Identifier: MIT */
/* A kitchen closes: no more guests come in, those inside have a second to
 * finish, and who still waits then is shown out. (Server.close, abort_clients) */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

static int port;

static int cook(hkt_stream *guest, void *arg)
{
    (void)arg;
    char order[100];
    int err = hkt_stream_read_line(guest, order, sizeof order);
    if (err > 0)
        err = hkt_sleep(strtod(order, NULL)); /* it begins with how long it takes */
    return err < 0 ? err : hkt_stream_printf(guest, "Here you are.\n");
}

static int eat(void *arg)
{
    const char **order = arg;
    hkt_stream *kitchen = NULL;
    char answer[100];
    int err = hkt_stream_connect(&kitchen, "127.0.0.1", port, NULL);
    if (err == 0)
        err = hkt_stream_printf(kitchen, "%s\n", *order);
    if (err == 0)
        err = hkt_stream_read_line(kitchen, answer, sizeof answer);
    printf("%s: %s\n", *order, err > 0 ? "eaten" : err == -ECONNRESET ? "shown out" : "?");
    hkt_stream_destroy(kitchen);
    return err == -ECANCELED ? err : 0;
}

static int open_for_a_while(void *arg)
{
    (void)arg;
    const char *orders[] = { "0.1 s of soup", "0.4 s of pizza", "3600 s of stew" };
    hkt_server *kitchen;
    int err = hkt_server_start(&kitchen, "127.0.0.1", 0, cook, NULL, NULL);
    if (err < 0)
        return err;
    port = hkt_server_port(kitchen);
    hkt_task_group guests = { 0 };
    hkt_task_group_enter(&guests, NULL);
    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_task_group_spawn(&guests, NULL, eat, &orders[i]);
    if (err == 0 && (err = hkt_sleep(0.2)) == 0)
        err = hkt_server_close(kitchen, 1.0);
    err = hkt_task_group_leave(&guests, err == -ETIMEDOUT ? 0 : err);
    hkt_server_destroy(kitchen);
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(open_for_a_while, NULL));
}
