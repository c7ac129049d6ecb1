/* SPDX-License-Identifier: MIT */
/* Two threads, two functions, one number, given to both by its address.
 * (threading.Thread(target=print_square, args=(10,))) */
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
    static int num = 10;
    hkt_thread *square, *cube;
    int err = hkt_thread_spawn(&square, print_square, &num, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_thread_spawn(&cube, print_cube, &num, NULL);
    if (err < 0)
        return hkt_report(err);

    hkt_thread_join(square);
    hkt_thread_join(cube);
    puts("Done!");

    hkt_thread_destroy(square);
    hkt_thread_destroy(cube);
    return 0;
}
