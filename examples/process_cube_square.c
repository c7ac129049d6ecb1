/* SPDX-License-Identifier: MIT */
/* Two processes, two functions, one number, which each gets a copy of.
 * (multiprocessing.Process(target=print_square, args=(10,))) */
#include <hocket.h>
#include <stdio.h>

static int print_square(void *arg)
{
    const int *num = arg;
    printf("Square: %d\n", *num * *num);
    return 0;
}

static int print_cube(void *arg)
{
    const int *num = arg;
    printf("Cube: %d\n", *num * *num * *num);
    return 0;
}

int main(void)
{
    int num = 10;
    hkt_process *square, *cube;
    int err = hkt_process_spawn(&square, print_square, HKT_ITEM(num), NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_process_spawn(&cube, print_cube, HKT_ITEM(num), NULL);
    if (err < 0)
        return hkt_report(err);

    hkt_process_join(square);
    hkt_process_join(cube);
    puts("Done!");

    hkt_process_destroy(square);
    hkt_process_destroy(cube);
    return 0;
}
