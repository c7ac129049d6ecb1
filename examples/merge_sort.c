/* SPDX-License-Identifier: MIT */
/* Half a million numbers, sorted by halves: one half is left to whoever is free, the other is sorted
 * here, and then the two are merged. (Cilk's spawn and sync) */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 500000, SMALL = 1000 };

struct part {
    uint32_t *numbers, *room; /* room for as many */
    size_t count;
};

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void merge(const struct part *a, const struct part *b, uint32_t *to)
{
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        bool from_a = j == b->count || (i < a->count && a->numbers[i] <= b->numbers[j]);
        *to++ = from_a ? a->numbers[i++] : b->numbers[j++];
    }
}

static int sort(void *arg)
{
    struct part *part = arg;
    size_t half = part->count / 2;
    if (part->count <= SMALL) {
        qsort(part->numbers, part->count, sizeof *part->numbers, compare);
        return 0;
    }
    struct part a = { part->numbers, part->room, half };
    struct part b = { part->numbers + half, part->room + half, part->count - half };
    hkt_fork(sort, &a);
    sort(&b);
    hkt_join();
    merge(&a, &b, part->room);
    memcpy(part->numbers, part->room, part->count * sizeof *part->numbers);
    return 0;
}

int main(void)
{
    static uint32_t numbers[COUNT], room[COUNT];
    for (uint32_t i = 0, dice = 1; i < COUNT; i++, dice = dice * 1664525 + 1013904223)
        numbers[i] = dice;
    int err = hkt_fork_run(NULL, sort, &(struct part){ numbers, room, COUNT });
    size_t steps = 1;
    while (steps < COUNT && numbers[steps - 1] <= numbers[steps])
        steps++;
    printf("%zu of %d numbers are in order.\n", steps, COUNT);
    return hkt_report(err);
}
