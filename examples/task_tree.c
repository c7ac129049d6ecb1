/* SPDX-License-Identifier: MIT */
/* A dinner that does not come: who waits for whom? All tasks of the loop, each
 * with what it waits for. hkt_task_tree() writes the same as a tree, for all
 * loops, at any time and from any thread. (asyncio.all_tasks, python -m asyncio
 * pstree) */
#include <hocket.h>
#include <stdio.h>

static hkt_event delivery;

static int cook(void *arg)
{
    (void)arg;
    return hkt_event_wait(&delivery);
}

static int wait_at_table(void *arg)
{
    (void)arg;
    hkt_task *task;
    int err = hkt_task_spawn_with(&task, cook, NULL, &(hkt_submit_options){ .name = "cook" });
    return err < 0 ? err : hkt_future_finish(task);
}

static void print_tasks(void)
{
    hkt_task_info tasks[8];
    size_t count = hkt_task_all(tasks, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        const char *for_whom = tasks[i].waits_for ? tasks[i].waits_for : "nobody";
        for (size_t k = 0; k < count && k < 8; k++)
            if (tasks[k].number == tasks[i].awaits)
                for_whom = tasks[k].name;
        printf("%s waits for: %s\n", tasks[i].name, for_whom);
    }
}

static int dine(void *arg)
{
    (void)arg;
    hkt_task *task;
    int err = hkt_task_spawn_with(&task, wait_at_table, NULL,
                                  &(hkt_submit_options){ .name = "waiter" });
    if (err == 0)
        err = hkt_sleep(0.1);
    if (err < 0)
        return err;
    print_tasks();
    hkt_event_set(&delivery);
    return hkt_future_finish(task);
}

int main(void)
{
    return hkt_report(hkt_run(dine, NULL));
}
