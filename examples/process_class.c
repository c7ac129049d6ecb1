/* SPDX-License-Identifier: MIT */
/* A process with state: what is a class in Python is a struct here, and its run() is the function
 * that gets the struct, or rather a copy of it, in the process's own memory.
 * (class MyProcess(multiprocessing.Process), with run) */
#include <hocket.h>
#include <stdio.h>

struct greeter {
    char name[20]; /* text, and no pointer to text: that would lead into this process's memory */
    int greetings;
};

static int greeter_run(void *arg)
{
    struct greeter *self = arg;
    for (; self->greetings > 0; self->greetings--)
        printf("Hello %s\n", self->name);
    return 0;
}

int main(void)
{
    struct greeter greeter = { .name = "World", .greetings = 2 };
    hkt_process_options options = { .name = "greeter" };
    hkt_process *process;
    int err = hkt_process_spawn(&process, greeter_run, HKT_ITEM(greeter), &options);
    if (err < 0)
        return hkt_report(err);

    err = hkt_process_finish(process); /* waits, and gives the handle back */
    printf("Greetings left, here: %d\n", greeter.greetings);
    return hkt_report(err);
}
