/* SPDX-License-Identifier: MIT */
/* Two programs that are no family talk over a socket. Each shows the other that it has the key; the
 * key itself is not sent. Here a child takes the part of the other program.
 * (multiprocessing.connection.Listener, Client) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static int visit(void *address)
{
    hkt_connection_options guess = { .authkey = "guess", .authkey_size = 5 };
    hkt_connection_options key = { .authkey = "open sesame", .authkey_size = 11 };
    hkt_connection *cave;
    char treasure[50];
    int err = hkt_connection_connect(&cave, address, &guess);
    printf("With a guess: %s.\n", err == -EKEYREJECTED ? "the cave stays shut" : "what?");
    err = hkt_connection_connect(&cave, address, &key);
    if (err < 0)
        return err;
    int n = hkt_connection_recv(cave, treasure, sizeof treasure);
    if (n >= 0)
        printf("With the key: %.*s.\n", n, treasure);
    hkt_connection_destroy(cave);
    return n;
}

static int open_to(hkt_connection_listener *door)
{
    hkt_connection *guest;
    int err;
    do /* who has not got the key is told so, and another may come */
        err = hkt_connection_listener_accept(door, &guest);
    while (err == -EKEYREJECTED);
    if (err < 0)
        return err;
    err = hkt_connection_send(guest, "gold", 4);
    hkt_connection_destroy(guest);
    return err;
}

int main(void)
{
    hkt_connection_options key = { .authkey = "open sesame", .authkey_size = 11 };
    hkt_connection_listener *door;
    hkt_process *child = NULL;
    int err = hkt_connection_listener_create(&door, NULL, &key);
    if (err < 0)
        return hkt_report(err);
    const char *address = hkt_connection_listener_address(door);
    err = hkt_process_spawn(&child, visit, address, strlen(address) + 1, NULL);
    if (err == 0)
        err = open_to(door);
    int end = hkt_process_finish(child);
    hkt_connection_listener_destroy(door);
    return hkt_report(err < 0 ? err : end);
}
