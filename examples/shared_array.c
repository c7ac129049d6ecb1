/* SPDX-License-Identifier: MIT */
/* An array that several processes work on, each on its part; nothing is copied.
 * (multiprocessing.Array) */
#include <hocket.h>
#include <stdio.h>

struct part {
    double *array; /* in shared memory */
    size_t from, to;
};

static int halve(void *arg)
{
    const struct part *part = arg;
    for (size_t i = part->from; i < part->to; i++)
        part->array[i] /= 2;
    return 0;
}

static int halve_all(double *array)
{
    hkt_process *processes[3] = { NULL };
    size_t count = hkt_shared_count_of(array);
    int err = 0;
    for (size_t i = 0; i < 3 && err == 0; i++) {
        struct part part = { array, i * count / 3, (i + 1) * count / 3 };
        err = hkt_process_spawn(&processes[i], halve, HKT_ITEM(part), NULL);
    }
    for (int i = 0; i < 3; i++) {
        int end = hkt_process_finish(processes[i]);
        err = err < 0 ? err : end;
    }
    return err;
}

int main(void)
{
    const double numbers[] = { 1, 2, 3, 4, 5, 6, 7 };
    double *array = hkt_shared_array_create(7, sizeof *array, numbers);
    if (array == NULL)
        return hkt_report(-ENOMEM);
    int err = halve_all(array);
    for (size_t i = 0; i < hkt_shared_count_of(array); i++)
        printf("%s%g", i == 0 ? "" : " ", array[i]);
    putchar('\n');
    hkt_shared_value_destroy(array);
    return hkt_report(err);
}
