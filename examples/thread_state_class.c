/* SPDX-License-Identifier: MIT */
/* A thread with state of its own: what is a class in Python is a struct here, and its run() is the
 * function that gets the struct. (class MyThread(threading.Thread), with run) */
#include <hocket.h>
#include <stdio.h>

struct worker {
    hkt_thread *thread;
    const char *name;
    double seconds; /* that its work takes */
};

static int worker_run(void *arg)
{
    struct worker *self = arg;
    printf("%s starting\n", self->name);
    int err = hkt_sleep(self->seconds);
    if (err < 0)
        return err;
    printf("%s finished\n", self->name);
    return 0;
}

static int worker_start(struct worker *self)
{
    hkt_thread_options options = { .name = self->name };
    return hkt_thread_spawn(&self->thread, worker_run, self, &options);
}

static void worker_join(struct worker *self)
{
    hkt_thread_join(self->thread);
    hkt_thread_destroy(self->thread);
}

int main(void)
{
    static struct worker first = { .name = "Worker-1", .seconds = 1.0 };
    static struct worker second = { .name = "Worker-2", .seconds = 1.0 };

    int err = worker_start(&first);
    if (err < 0)
        return hkt_report(err);
    err = worker_start(&second);
    if (err < 0)
        return hkt_report(err);

    worker_join(&first);
    worker_join(&second);
    return 0;
}
