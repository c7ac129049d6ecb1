/* SPDX-License-Identifier: MIT */
/* Shared memory with a name, for programs that are no family. Who creates it owns the name, and who
 * opens it only uses the memory. (multiprocessing.shared_memory.SharedMemory) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static int paint(void *name) /* knows nothing else, as another program would */
{
    hkt_shared_memory *canvas;
    int err = hkt_shared_memory_open(&canvas, name);
    if (err < 0)
        return err;
    snprintf(hkt_shared_memory_bytes(canvas), hkt_shared_memory_size(canvas), "a sunset");
    hkt_shared_memory_destroy(canvas);
    return 0;
}

int main(void)
{
    char name[256];
    hkt_shared_memory *canvas, *again;
    hkt_process *painter;
    int err = hkt_shared_memory_create(&canvas, NULL, 4096); /* a name that is free */
    if (err < 0)
        return hkt_report(err);
    snprintf(name, sizeof name, "%s", hkt_shared_memory_name(canvas));

    err = hkt_process_spawn(&painter, paint, name, strlen(name) + 1, NULL);
    if (err == 0)
        err = hkt_process_finish(painter);
    if (err == 0)
        printf("It shows %s.\n", (const char *)hkt_shared_memory_bytes(canvas));
    hkt_shared_memory_destroy(canvas); /* the owner's: the name goes, too */
    if (hkt_shared_memory_open(&again, name) == -ENOENT)
        puts("It is sold.");
    return hkt_report(err);
}
