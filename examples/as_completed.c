/* SPDX-License-Identifier: MIT */
/* Three friends are asked for a good hotel, and each answer is heard as it comes, whatever the order
 * in which they were asked. (concurrent.futures.as_completed) */
#include <hocket.h>
#include <stdio.h>

struct person {
    const char *name, *answer;
    double seconds;
};

static int ask(void *arg)
{
    const struct person *person = arg;
    return hkt_sleep(person->seconds);
}

int main(void)
{
    struct person friends[] = {
        { "Anna", "The Bristol has the better breakfast.", 0.5 },
        { "Boris", "Sleep at my place!", 0.1 },
        { "Clara", "The Astoria, by the lake.", 0.3 },
    };
    hkt_future *futures[3] = { NULL };
    hkt_as_completed *answers = NULL;
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 3 });
    if (err < 0)
        return hkt_report(err);

    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_submit(pool, &futures[i], ask, &friends[i]);
    if (err == 0)
        err = hkt_as_completed_create(&answers, futures, 3);
    for (hkt_future *next; err >= 0 && (err = hkt_as_completed_next(answers, &next)) > 0;) {
        const struct person *person = hkt_future_arg(next);
        printf("%s: %s\n", person->name, person->answer);
    }

    hkt_as_completed_destroy(answers);
    for (int i = 0; i < 3; i++)
        hkt_future_destroy(futures[i]);
    hkt_executor_destroy(pool);
    return hkt_report(err);
}
