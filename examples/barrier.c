/* SPDX-License-Identifier: MIT */
/* Four threads draw Sierpinski's triangle. Each computes its quarter of the next row from the row
 * before, then meets the others; the last to come prints the row and makes it the row before.
 * (threading.Barrier with an action) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, WIDTH = 64, ROWS = 16, SHARE = WIDTH / THREADS };

static hkt_barrier row_done;
static char row[WIDTH + 1], next[WIDTH + 1];

static int turn_over(void *arg)
{
    (void)arg;
    int end = WIDTH;
    while (end > 0 && row[end - 1] == ' ')
        end--;
    printf("%.*s\n", end, row);
    memcpy(row, next, WIDTH);
    return 0;
}

static int draw(void *arg)
{
    const int *first = arg;
    for (int n = 0; n < ROWS; n++) {
        for (int i = *first; i < *first + SHARE; i++) {
            char left = i > 0 ? row[i - 1] : ' ';
            char right = i < WIDTH - 1 ? row[i + 1] : ' ';
            next[i] = left != right ? '*' : ' ';
        }
        int place = hkt_barrier_wait(&row_done);
        if (place < 0)
            return place;
    }
    return 0;
}

int main(void)
{
    static int firsts[THREADS];
    memset(row, ' ', WIDTH);
    row[WIDTH / 2] = '*';
    int err = hkt_barrier_init(&row_done, THREADS, &(hkt_barrier_options){ .action = turn_over });
    for (int i = 0; i < THREADS && err == 0; i++) {
        firsts[i] = i * SHARE;
        err = hkt_thread_spawn(NULL, draw, &firsts[i], NULL);
    }
    if (err < 0)
        hkt_barrier_abort(&row_done);
    hkt_join_all();
    return hkt_report(err);
}
