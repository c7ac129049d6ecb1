/* SPDX-License-Identifier: MIT */
/* Three processes, each with a name, that a process can ask for. Where nobody gives one it is
 * Process-1, Process-2 and so on. (current_process().name) */
#include <hocket.h>
#include <stdio.h>

static int worker(void *arg)
{
    const int *n = arg;
    const char *name = hkt_process_name(hkt_process_current());
    printf("%s working on %d\n", name, *n);
    int err = hkt_sleep(1.0);
    if (err < 0)
        return err;
    printf("%s done.\n", name);
    return 0;
}

int main(void)
{
    hkt_process *processes[3];
    for (int i = 0; i < 3; i++) {
        int err = hkt_process_create(&processes[i], worker, HKT_ITEM(i), NULL);
        if (err < 0)
            return hkt_report(err);
    }
    for (int i = 0; i < 3; i++) {
        int err = hkt_process_start(processes[i]);
        if (err < 0)
            return hkt_report(err);
    }
    for (int i = 0; i < 3; i++)
        hkt_process_join(processes[i]);
    puts("All processes finished.");

    for (int i = 0; i < 3; i++)
        hkt_process_destroy(processes[i]);
    return 0;
}
