/* SPDX-License-Identifier: MIT */
/* Pings by UDP: each has half a second to come back. The other side lets the
 * second one fall, as networks do. (create_datagram_endpoint) */
#include <hocket.h>
#include <stdio.h>

static hkt_datagram *here, *there;

static int answer(void *arg)
{
    (void)arg;
    char data[100];
    hkt_address from;
    int n, count = 0;
    while ((n = hkt_datagram_receive(there, data, sizeof data, &from)) >= 0)
        if (++count != 2)
            hkt_datagram_send(there, data, (size_t)n, &from);
    return n;
}

static int ping(void *number)
{
    char data[100];
    int n = snprintf(data, sizeof data, "ping %d", *(int *)number);
    n = hkt_datagram_send(here, data, (size_t)n, NULL);
    if (n == 0)
        n = hkt_datagram_receive(here, data, sizeof data, NULL);
    if (n >= 0)
        printf("%.*s came back.\n", n, data);
    return n;
}

static int play(void *arg)
{
    (void)arg;
    int err = hkt_datagram_bind(&there, "127.0.0.1", 0, NULL);
    if (err == 0)
        err = hkt_datagram_connect(&here, "127.0.0.1", hkt_datagram_port(there), NULL);
    if (err == 0)
        err = hkt_task_spawn(NULL, answer, NULL); /* until the end of the loop */
    for (int i = 1; i <= 3 && err >= 0; i++) {
        err = hkt_wait_for(ping, &i, 0.5);
        if (err == -ETIMEDOUT)
            err = printf("ping %d is lost.\n", i);
    }
    return err;
}

int main(void)
{
    int err = hkt_run(play, NULL);
    hkt_datagram_destroy(here);
    hkt_datagram_destroy(there);
    return hkt_report(err);
}
