/* SPDX-License-Identifier: MIT */
/* Four threads need the dictionary; whoever comes first loads it, the others wait for that. The
 * first attempt fails, so the next to come tries again. (Python: a lock and a flag) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>

static hkt_once loaded;
static int attempts;
static const char *word; /* what the dictionary says */

static int load(void *arg)
{
    (void)arg;
    int err = hkt_sleep(0.05);
    if (err < 0)
        return err;
    if (++attempts == 1)
        return hkt_fail(-EIO, "the dictionary fell off the shelf");
    word = "hocket: a melody that several voices sing by taking turns";
    puts("The dictionary is open.");
    return 0;
}

static int look_up(void *arg)
{
    (void)arg;
    int err;
    while ((err = hkt_once_call(&loaded, load, NULL)) == -EIO)
        printf("Again: %s.\n", hkt_sentence(err));
    if (err == 0)
        puts(word);
    return err;
}

int main(void)
{
    int err = 0;
    for (int i = 0; i < 4 && err == 0; i++)
        err = hkt_thread_spawn(NULL, look_up, NULL, NULL);
    hkt_join_all();
    printf("%d attempts.\n", attempts);
    return hkt_report(err);
}
