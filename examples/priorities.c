/* SPDX-License-Identifier: MIT */
/* One clerk, and letters of three kinds: express goes first, newspapers when nothing else is there;
 * within each kind, first come, first served. */
#include <hocket.h>
#include <stdio.h>

struct letter {
    const char *to;
    hkt_priority priority;
};

static hkt_event office_is_open;

static int open_office(void *arg)
{
    (void)arg;
    return hkt_event_wait(&office_is_open); /* all come before the clerk has had his coffee */
}

static int stamp(void *arg)
{
    const struct letter *letter = arg;
    static const char *const kinds[] = { "letter", "express letter", "newspaper" };
    printf("The %s to %s\n", kinds[letter->priority], letter->to);
    return 0;
}

int main(void)
{
    struct letter letters[] = {
        { "Oslo", HKT_PRIORITY_BACKGROUND }, { "Rome", HKT_PRIORITY_NORMAL },
        { "Paris", HKT_PRIORITY_HIGH },      { "Bern", HKT_PRIORITY_NORMAL },
        { "Riga", HKT_PRIORITY_BACKGROUND }, { "Turin", HKT_PRIORITY_HIGH },
    };
    hkt_executor *clerk;
    int err = hkt_thread_pool_create(&clerk, &(hkt_thread_pool_options){ .max_workers = 1 });
    if (err < 0)
        return hkt_report(err);

    const hkt_submit_options first = { .priority = HKT_PRIORITY_HIGH };
    err = hkt_submit_with(clerk, NULL, open_office, NULL, &first);
    for (size_t i = 0; i < sizeof letters / sizeof letters[0] && err == 0; i++) {
        hkt_submit_options options = { .priority = letters[i].priority };
        err = hkt_submit_with(clerk, NULL, stamp, &letters[i], &options);
    }
    hkt_event_set(&office_is_open);
    hkt_executor_destroy(clerk);
    return hkt_report(err);
}
