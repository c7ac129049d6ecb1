/* SPDX-License-Identifier: MIT */
/* What a child knows of its parent: a copy by fork all that is in its memory; one that is spawned, or
 * made by the fork server, only what it is given. (set_start_method, get_context) */
#include <hocket.h>
#include <stdio.h>

static char secret[20] = "nothing"; /* as the program's file has it */

static int tell(void *arg)
{
    const hkt_start_method *method = arg;
    printf("%s: I know of %s.\n", hkt_start_method_name(*method), secret);
    return 0;
}

static int start(hkt_start_method method)
{
    hkt_process_options options = { .method = method };
    hkt_process *process;
    int err = hkt_process_spawn(&process, tell, HKT_ITEM(method), &options);
    return err < 0 ? err : hkt_process_finish(process);
}

int main(void)
{
    snprintf(secret, sizeof secret, "the treasure");
    int err = start(HKT_START_FORK);
    if (err == 0)
        err = start(HKT_START_SPAWN);
    if (err == 0)
        err = start(HKT_START_FORKSERVER);
    return hkt_report(err);
}
