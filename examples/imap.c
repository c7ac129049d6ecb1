/* SPDX-License-Identifier: MIT */
/* A stream without end: numbers come from a producer, jobs find out whether they are prime, and the
 * consumer, who gets them in order, stops it all when it has seen enough. (multiprocessing.Pool.imap) */
#include <hocket.h>
#include <stdio.h>

enum { ENOUGH = 5, STOP = 1 };

struct candidate {
    long number;
    bool prime;
};

struct search {
    long next;
    int found;
};

static int produce(void *context, void *item)
{
    struct search *search = context;
    struct candidate *candidate = item;
    candidate->number = search->next++;
    return 1; /* there is always one more */
}

static int test(void *item)
{
    struct candidate *candidate = item;
    candidate->prime = candidate->number > 1;
    for (long i = 2; i * i <= candidate->number && candidate->prime; i++)
        candidate->prime = candidate->number % i != 0;
    return 0;
}

static int consume(void *context, void *item, int code)
{
    struct search *search = context;
    const struct candidate *candidate = item;
    if (code < 0 || !candidate->prime)
        return code;
    printf("%ld is prime.\n", candidate->number);
    return ++search->found == ENOUGH ? STOP : 0;
}

int main(void)
{
    struct search search = { .next = 1000000000 };
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_imap(
        pool, test, sizeof(struct candidate),
        &(hkt_imap_options){ .produce = produce, .consume = consume, .context = &search });
    hkt_executor_destroy(pool);
    return hkt_report(err); /* of STOP, which is no failure, it says nothing */
}
