/* SPDX-License-Identifier: MIT */
/* Two threads carry the tower of Hanoi about, by turns. To move a tower is one action for everybody
 * else, so move() holds the lock; and it calls itself, so it takes the lock that it holds again.
 * (threading.RLock) */
#include <hocket.h>
#include <stdio.h>

enum { DISCS = 10, PEGS = 3, JOURNEYS = 4 };

static hkt_rlock table;
static int peg_of[DISCS]; /* the smallest disc first */
static long moves;

static void move(int discs, int to)
{
    if (discs == 0)
        return;
    hkt_rlock_acquire(&table);
    int from = peg_of[discs - 1];
    int aside = PEGS - from - to;
    move(discs - 1, aside);
    peg_of[discs - 1] = to;
    moves++;
    move(discs - 1, to);
    hkt_rlock_release(&table);
}

static int carry(void *arg)
{
    (void)arg;
    for (int i = 0; i < JOURNEYS; i++) {
        hkt_rlock_acquire(&table);
        move(DISCS, (peg_of[DISCS - 1] + 1) % PEGS);
        hkt_rlock_release(&table);
    }
    return 0;
}

int main(void)
{
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++)
        err = hkt_thread_spawn(NULL, carry, NULL, NULL);
    hkt_join_all();

    printf("%ld moves, and the discs lie on:", moves);
    for (int i = 0; i < DISCS; i++)
        printf(" %c", "ABC"[peg_of[i]]);
    puts("");
    return hkt_report(err);
}
