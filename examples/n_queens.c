/* SPDX-License-Identifier: MIT */
/* In how many ways can ten queens stand on a board of ten by ten, none attacking another? For each
 * square in a row that is free, the rest of the board is a question of its own, left to whoever has
 * time. (Cilk's spawn and sync) */
#include <hocket.h>
#include <stdio.h>

enum { N = 10 };

struct board {
    int row;
    unsigned columns, left, right; /* a bit for each square of this row that is attacked */
    long solutions;
};

static int solve(void *arg)
{
    struct board *board = arg, next[N];
    int count = 0, err = 0;
    if (board->row == N) {
        board->solutions = 1;
        return 0;
    }
    for (int i = 0; i < N; i++) {
        unsigned square = 1u << i;
        if ((board->columns | board->left | board->right) & square)
            continue;
        next[count] = (struct board){ .row = board->row + 1,
                                      .columns = board->columns | square,
                                      .left = (board->left | square) << 1,
                                      .right = (board->right | square) >> 1 };
        hkt_fork(solve, &next[count++]);
    }
    while (count > 0) { /* the last fork is joined first */
        int joined = hkt_join();
        err = joined < 0 ? joined : err;
        board->solutions += next[--count].solutions;
    }
    return err;
}

int main(void)
{
    struct board empty = { 0 };
    int err = hkt_fork_run(NULL, solve, &empty); /* NULL: the process's own pool */
    printf("%d queens: %ld solutions\n", N, empty.solutions);
    return hkt_report(err);
}
