/* SPDX-License-Identifier: MIT */
/* tail -f: shows what somebody else, a task here, appends to a file, until he has
 * closed it. The system tells of changes by inotify: an fd, and so a stream. */
#include <fcntl.h>
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

static char path[] = "/tmp/hocket-XXXXXX";

static int write_lines(void *arg)
{
    (void)arg;
    const char *lines[] = { "It begins.\n", "It goes on.\n", "It ends.\n" };
    int fd = hkt_file_open(path, O_WRONLY | O_APPEND, 0), err = fd < 0 ? fd : 0;
    for (int i = 0; i < 3 && err == 0; i++)
        if ((err = hkt_sleep(0.1)) == 0)
            err = hkt_file_write(fd, lines[i], strlen(lines[i]), HKT_FILE_POSITION, NULL);
    int end = hkt_file_close(fd);
    return err < 0 ? err : end;
}

static int show_more(int file)
{
    char data[1000];
    int64_t n;
    while ((n = hkt_file_read(file, data, sizeof data, HKT_FILE_POSITION)) > 0)
        fwrite(data, 1, (size_t)n, stdout);
    return (int)n;
}

static int follow(void *arg)
{
    int file = *(int *)arg, notes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notes < 0 || inotify_add_watch(notes, path, IN_MODIFY | IN_CLOSE_WRITE) < 0)
        return -errno;
    hkt_stream *changes = NULL;
    struct inotify_event change = { .mask = 0 };
    int err = hkt_stream_adopt(&changes, notes, false);
    if (err == 0)
        err = hkt_task_spawn(NULL, write_lines, NULL);
    while (err == 0 && !(change.mask & IN_CLOSE_WRITE)) {
        err = hkt_stream_read_exactly(changes, &change, sizeof change, NULL);
        if (err == 0)
            err = show_more(file);
    }
    hkt_stream_destroy(changes);
    return err;
}

int main(void)
{
    int file = mkstemp(path), err = file < 0 ? -errno : hkt_run(follow, &file);
    hkt_file_close(file);
    hkt_file_unlink(path);
    return hkt_report(err);
}
