/* SPDX-License-Identifier: MIT */
/* Four processes build a house, storey by storey: nobody begins the next one before all are done with
 * this one. (multiprocessing.Barrier) */
#include <hocket.h>
#include <stdio.h>

enum { BUILDERS = 4, STOREYS = 3 };

struct house {
    hkt_shared_barrier storey_done;
    int bricks[STOREYS][BUILDERS];
};

static int laid(const struct house *house, int storey)
{
    int bricks = 0;
    for (int i = 0; i < BUILDERS; i++)
        bricks += house->bricks[storey][i];
    return bricks;
}

struct builder {
    struct house *house;
    int number;
};

static int build(void *arg)
{
    const struct builder *self = arg;
    for (int storey = 0; storey < STOREYS; storey++) {
        self->house->bricks[storey][self->number] = 100;
        int place = hkt_shared_barrier_wait(&self->house->storey_done);
        if (place < 0)
            return place;
        if (place == 0) { /* one of them says it */
            printf("Storey %d has %d bricks.\n", storey, laid(self->house, storey));
            fflush(stdout);
        }
    }
    return 0;
}

int main(void)
{
    hkt_process *builders[BUILDERS] = { NULL };
    struct house *house = hkt_shared_alloc(sizeof *house);
    int err = house ? hkt_shared_barrier_init(&house->storey_done, BUILDERS, 0) : -ENOMEM;
    for (int i = 0; i < BUILDERS && err == 0; i++) {
        struct builder builder = { house, i };
        err = hkt_process_spawn(&builders[i], build, HKT_ITEM(builder), NULL);
    }
    for (int i = 0; i < BUILDERS; i++) {
        int end = hkt_process_finish(builders[i]);
        err = err < 0 ? err : end;
    }
    hkt_shared_free(house);
    return hkt_report(err);
}
