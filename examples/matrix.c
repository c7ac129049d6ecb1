/* SPDX-License-Identifier: MIT */
/* The product of two matrices, its rows shared out among all processors. To sum up and to take
 * differences undo each other, so their product must be the identity. (OpenMP's parallel for) */
#include <hocket.h>
#include <stdio.h>

enum { N = 200 };

struct product {
    double a[N][N], b[N][N], c[N][N];
};

static int multiply_rows(void *context, size_t begin, size_t end)
{
    struct product *p = context;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < N; k++)
            for (size_t j = 0; j < N; j++)
                p->c[i][j] += p->a[i][k] * p->b[k][j];
    return 0;
}

int main(void)
{
    static struct product p;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++)
            p.a[i][j] = 1; /* sums */
        p.b[i][i] = 1;     /* differences */
        if (i > 0)
            p.b[i][i - 1] = -1;
    }
    int err = hkt_parallel_for(NULL, 0, N, multiply_rows, &p);

    int right = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            right += p.c[i][j] == (i == j);
    printf("%d of %d elements are those of the identity.\n", right, N * N);
    return hkt_report(err);
}
