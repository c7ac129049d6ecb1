/* SPDX-License-Identifier: MIT */
/* A large file is read, while a clock ticks in the same loop: the task that reads
 * is parked, and what might wait for a disk is done by a thread. */
#include <fcntl.h>
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1 << 20, SIZE = 64 };

static int ticks;

static int tick(void *arg)
{
    (void)arg;
    int err;
    do
        ticks++;
    while ((err = hkt_sleep(0.001)) == 0);
    return err;
}

static int read_file(const char *path)
{
    static char data[MIB]; /* too much for the stack of a task */
    int64_t n, all = 0;
    int fd = hkt_file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    while ((n = hkt_file_read(fd, data, sizeof data, all)) > 0)
        all += n;
    printf("%d MiB have been read.\n", (int)(all / MIB));
    int err = hkt_file_close(fd);
    return n < 0 ? (int)n : err;
}

static int work(void *path)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, tick, NULL);
    if (err == 0)
        err = read_file(path);
    hkt_task_group_cancel(&group);
    err = hkt_task_group_leave(&group, err);
    puts(ticks > 0 ? "The clock went on." : "The clock stood still.");
    return err;
}

int main(void)
{
    char path[] = "/tmp/hocket-XXXXXX";
    int fd = mkstemp(path);
    int err = fd < 0 ? -errno : hkt_file_truncate(fd, (uint64_t)SIZE * MIB); /* all zeros */
    if (err == 0)
        err = hkt_run(work, path);
    hkt_file_close(fd);
    hkt_file_unlink(path);
    return hkt_report(err);
}
