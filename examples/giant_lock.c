/* SPDX-License-Identifier: MIT */
/* An old library keeps its result in a static buffer, as ctime does. Three threads may use it: the
 * giant lock lets one run at a time. Who waits gives way, so the waiting goes on side by side, in
 * 0.4 s instead of 1.2. (Python's GIL) */
#include <hocket.h>
#include <stdio.h>

static hkt_giant_lock giant;

static const char *roman(int number) /* the old library, from the days before threads */
{
    static const char *const digits[] = { "X", "IX", "V", "IV", "I" };
    static const int values[] = { 10, 9, 5, 4, 1 };
    static char text[32];

    char *end = text;
    for (int i = 0; number > 0; i++)
        for (; number >= values[i]; number -= values[i])
            end += sprintf(end, "%s", digits[i]);
    return text;
}

static int chisel(void *arg)
{
    const int *first = arg;
    int err = 0;
    hkt_giant_lock_acquire(&giant);
    for (int n = *first; n < *first + 4 && err == 0; n++) {
        err = hkt_sleep(0.1); /* others run meanwhile */
        printf("%d is %s\n", n, roman(n));
    }
    hkt_giant_lock_release(&giant);
    return err;
}

int main(void)
{
    static const int firsts[] = { 1, 14, 36 };
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_thread_spawn(NULL, chisel, (void *)&firsts[i], NULL);
    hkt_join_all();
    return hkt_report(err);
}
