/* SPDX-License-Identifier: MIT */
/* The Fibonacci numbers in the most wasteful way, to show how little a fork costs: each call leaves
 * one half of its work to whoever is free. Once by calls, once by inline code. (Cilk, Lace) */
#include <hocket.h>
#include <stdio.h>

struct fib {
    int n;
    long result;
};

static int fib(void *arg)
{
    struct fib *f = arg;
    if (f->n < 2) {
        f->result = f->n;
        return 0;
    }
    struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
    hkt_fork(fib, &a);
    fib(&b);
    hkt_join();
    f->result = a.result + b.result;
    return 0;
}

static int fib_inline(hkt_forks forks, void *arg)
{
    struct fib *f = arg;
    if (f->n < 2) {
        f->result = f->n;
        return 0;
    }
    struct fib a = { .n = f->n - 1 }, b = { .n = f->n - 2 };
    hkt_forks_fork(&forks, fib_inline, &a);
    fib_inline(forks, &b);
    hkt_forks_join(&forks, fib_inline, &a);
    f->result = a.result + b.result;
    return 0;
}

int main(void)
{
    struct fib calls = { .n = 27 }, code = { .n = 27 };
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_fork_run(pool, fib, &calls);
    if (err == 0)
        err = hkt_forks_run(pool, fib_inline, &code);
    hkt_executor_destroy(pool);
    printf("fib(27) = %ld, and %ld\n", calls.result, code.result);
    return hkt_report(err);
}
