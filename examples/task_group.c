/* SPDX-License-Identifier: MIT */
/* Three climbers on one rope: when one falls ill, the others turn back too, and
 * nobody is left on the mountain. The first failure cancels the siblings, leave
 * waits for all, and says why. (TaskGroup) */
#include <hocket.h>
#include <stdio.h>

static int climb(void *arg)
{
    const char *name = arg;
    printf("%s climbs.\n", name);
    int err = hkt_sleep(3600);
    if (err == -ECANCELED)
        printf("%s turns back.\n", name);
    return err;
}

static int fall_ill(void *arg)
{
    const char *name = arg;
    printf("%s climbs.\n", name);
    int err = hkt_sleep(0.2);
    return err < 0 ? err : hkt_fail(-EIO, "%s is dizzy", name);
}

static int expedition(void *arg)
{
    (void)arg;
    hkt_task_group rope = { 0 };
    hkt_task_group_enter(&rope, NULL);
    int err = hkt_task_group_spawn(&rope, NULL, climb, "Anna");
    if (err == 0)
        err = hkt_task_group_spawn(&rope, NULL, fall_ill, "Boris");
    if (err == 0)
        err = hkt_task_group_spawn(&rope, NULL, climb, "Clara");
    return hkt_task_group_leave(&rope, err);
}

int main(void)
{
    int err = hkt_run(expedition, NULL);
    if (err != -EIO)
        return hkt_report(err);
    printf("All are back in the valley: %s.\n", hkt_sentence(err));
    return 0;
}
