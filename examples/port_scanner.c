/* SPDX-License-Identifier: MIT */
/* Which of a hundred ports are open? Ten knocks at a time. To be sure to find
 * something it opens three itself; what others have open it does not tell. */
#include <hocket.h>
#include <stdio.h>

enum { DOORS = 3, PORTS = 100, AT_ONCE = 10 };

static hkt_listener *doors[DOORS];

static int open_door(hkt_listener **door, int port) /* or the next one that is free */
{
    int err;
    while ((err = hkt_listener_create(door, "127.0.0.1", port, NULL)) == -EADDRINUSE)
        port++;
    return err < 0 ? err : hkt_listener_port(*door);
}

static int knock(void *arg)
{
    int *port = arg;
    hkt_stream *stream = NULL;
    int err = hkt_stream_connect(&stream, "127.0.0.1", *port, NULL);
    hkt_stream_destroy(stream);
    if (err < 0)
        *port = 0; /* nobody opens */
    return err == -ECANCELED ? err : 0;
}

static int scan(void *arg)
{
    (void)arg;
    int ports[PORTS], ours[DOORS] = { 0 }, err = 0;
    for (int i = 0; i < DOORS && err >= 0; i++)
        err = ours[i] = open_door(&doors[i], i == 0 ? 0 : ours[0] + 30 * i);
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = AT_ONCE });
    for (int i = 0; i < PORTS && err >= 0; i++) {
        ports[i] = ours[0] + i;
        err = hkt_task_group_spawn(&group, NULL, knock, &ports[i]);
    }
    err = hkt_task_group_leave(&group, err);
    for (int i = 0; i < DOORS && err == 0; i++)
        printf("Door %d is %s.\n", i + 1, ports[ours[i] - ours[0]] ? "open" : "shut");
    printf("%d ports have been tried.\n", PORTS);
    return err;
}

int main(void)
{
    int err = hkt_run(scan, NULL);
    for (int i = 0; i < DOORS; i++)
        hkt_listener_destroy(doors[i]);
    return hkt_report(err);
}
