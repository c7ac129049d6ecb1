/* SPDX-License-Identifier: MIT */
/* Which request is this line of the log about? A context variable knows, and nobody hands it on: what a
 * task begins has its values, be it another task or a job on a thread. (contextvars) */
#include <hocket.h>
#include <stdio.h>

static hkt_context_var *request;

static void log_line(const char *what)
{
    printf("[request %s] %s\n", (const char *)hkt_context_get(request), what);
}

static int read_table(void *arg) /* on a thread of a pool */
{
    (void)arg;
    log_line("reads the table");
    return 0;
}

static int look_up(void)
{
    log_line("looks it up");
    return hkt_to_thread(read_table, NULL);
}

static int serve(void *id)
{
    int err = hkt_context_set(request, id, NULL); /* for this task, and all that it begins */
    if (err == 0)
        err = look_up();
    log_line("is answered");
    return err;
}

static int serve_all(void *arg)
{
    (void)arg;
    hkt_task_group requests = { 0 };
    hkt_task_group_enter(&requests, NULL);
    int err = hkt_task_group_spawn(&requests, NULL, serve, "17");
    if (err == 0)
        err = hkt_task_group_spawn(&requests, NULL, serve, "18");
    err = hkt_task_group_leave(&requests, err);
    log_line("is not set here");
    return err;
}

int main(void)
{
    int err = hkt_context_var_create(&request, "request", "?");
    if (err == 0)
        err = hkt_run(serve_all, NULL);
    hkt_context_var_destroy(request);
    return hkt_report(err);
}
